"""Who sees what on the pages: what is not theirs is not there, and answers as what nobody has made."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver
from pytest_django import Settings

from assay.filesets import local
from assay.jobs import logs
from assay.jobs.models import Job, Usage
from assay.platform.caller import Role
from assay.ui import home, urls
from assay.workspaces.models import Workspace
from tests.accounts.signing_in import person
from tests.things import make_fileset, make_job, make_secret
from tests.ui.seated import QUICK, pages_of

pytestmark = pytest.mark.django_db
TAG = "zebra"
"""It stands in everything that belongs to the hidden workspace, and in no address."""
HIDDEN, NOWHERE = "w-hide", "w-none"
NAMES = {"evaluations": "planx", "filesets": "datax", "secrets": "keyxx", "people": "nobody-at-all"}


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            yield route


ROUTES = [f"/admin/{route}" for route in routes(urls.urlpatterns)]
OF_WORKSPACE = [route for route in ROUTES if "<" in route and not route.startswith("/admin/people/")]
OTHERS = [route for route in ROUTES if "<" not in route]
ADMINISTERED = [route for route in ROUTES if route.startswith("/admin/people/")]
QUERIES = (
    "", f"?workspace={HIDDEN}", f"?workspace={HIDDEN}&job=planx&job=plany&score=s", f"?from={HIDDEN}/planx",
    f"?workspace={HIDDEN}&fileset={HIDDEN}/datax&file=a.csv", "?results=1", "?state=error", "?from=hub",
)  # fmt: skip
FORM = {
    "workspace": HIDDEN, "fileset": f"{HIDDEN}/datax", "file": "a.csv", "row": "0", "secret": "keyxx", "name": "new",
    "url": "http://127.0.0.1:9/v1", "model": "m", "user": "{{item.a}}", "score-0-name": "s", "score-0-kind": "range",
    "score-0-min": "0", "score-0-max": "4", "value": "v", "scope": "read", "expires": "7",
}  # fmt: skip


@pytest.fixture(autouse=True)
def hidden(settings: Settings, tmp_path: object) -> Workspace:
    settings.AUTH, settings.DATA_DIR, settings.PASSWORD_HASHERS = True, tmp_path, QUICK
    hidden = Workspace.objects.create(name=HIDDEN, description=TAG)
    fileset = make_fileset(hidden, "datax", description=TAG)
    local.put(fileset, "a.csv", io.BytesIO(f"{TAG}\n{TAG}\n".encode()))
    key = make_secret(hidden, "keyxx")
    for name in ("planx", "plany"):
        job = make_job(hidden, name, dataset=fileset, secrets=(key,))
        Job.objects.filter(pk=job.pk).update(description=TAG, error=TAG, message=TAG, rows_done=3)
        Usage.objects.create(job=job, model=TAG, address=f"http://{TAG}.example/v1")
        logs.write(job, TAG)
    person("zoe", HIDDEN, Role.ADMIN)
    return hidden


def address_of(route: str, workspace: str) -> str:
    kind = route.split("/")[2]
    filled = {"workspace": workspace, "name": NAMES.get(kind, workspace), "index": "0", "verb": "cancel"}
    return re.sub(r"<\w+:(\w+)>", lambda found: filled[found[1]], route)


def answer(browser: Client, method: str, address: str, workspace: str) -> tuple[int, str]:
    """Return the status and the page, without its tokens and the workspace's name."""
    reply = getattr(browser, method)(address)
    text = re.sub(r'(csrfmiddlewaretoken" value="|X-CSRFToken": ")\w+', "", reply.content.decode())
    return reply.status_code, text.replace(workspace, "")


def test_no_page_is_forgotten() -> None:
    assert len(OF_WORKSPACE) >= 30 and len(OTHERS) > 15 and len(ADMINISTERED) > 4


@pytest.mark.parametrize("route", OF_WORKSPACE)
def test_what_is_not_theirs_answers_as_what_is_not_there(route: str) -> None:
    browser = pages_of("ann", "w-one", Role.ADMIN)
    for method in ("get", "post"):
        found = answer(browser, method, address_of(route, HIDDEN), HIDDEN)
        assert found == answer(browser, method, address_of(route, NOWHERE), NOWHERE)
        assert found[0] in {404, 405} or (method == "post" and found[0] in {400, 422})


@pytest.mark.parametrize("route", OTHERS)
def test_lists_choices_and_counts_leave_out_what_is_not_theirs(route: str) -> None:
    member, stranger = pages_of("ann", "w-one", Role.EDITOR), pages_of("sam")
    for browser, queries in ((member, QUERIES), (stranger, QUERIES[:1])):
        for query in queries:
            shown = browser.get(route + query).content.decode()
            assert TAG not in shown and (query or HIDDEN not in shown), query
        assert TAG not in browser.post(route, FORM).content.decode()
    assert not Job.objects.exclude(name__in=["planx", "plany"]).exists()


def test_what_others_have_takes_nobodys_place_on_the_home_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "SHOWN", 1)
    assert "w-one" in pages_of("ann", "w-one", Role.VIEWER).get("/admin/home/lately/").content.decode()


@pytest.mark.parametrize("route", ADMINISTERED)
def test_accounts_are_the_administrators_matter(route: str) -> None:
    browser = pages_of("ann", "w-one", Role.ADMIN)
    address = route.replace("<str:account>", "zoe").replace("<str:verb>", "deactivate")
    assert browser.get(address).status_code in {403, 405} and browser.post(address).status_code == 403
    assert "zoe" not in browser.post(address).content.decode().replace(address, "")


def test_an_administrator_sees_all_of_it() -> None:
    browser = pages_of("root", is_superuser=True)
    for page in ("", "evaluations/", "filesets/", "secrets/", "workspaces/", f"workspaces/{HIDDEN}/"):
        assert HIDDEN in browser.get(f"/admin/{page}").content.decode(), page


@pytest.mark.parametrize("page", ["", "jobs/job/", "auth/user/", "search/?s=a", "jobs/terms/add/"])
def test_the_tables_are_the_administrators(page: str) -> None:
    address = f"/admin/tables/{page}"
    assert Client(HTTP_HOST="localhost").get(address).status_code == 302
    refused = pages_of("ann", "w-one", Role.ADMIN, is_staff=True).get(address)
    assert refused.status_code == 403 and "Only an administrator may" in refused.content.decode()
    assert pages_of("root", is_superuser=True).get(address).status_code != 403


def test_the_menu_offers_what_one_may() -> None:
    shown = {
        "everybody": {"/admin/", "/admin/evaluations/", "/admin/filesets/", "/admin/tokens/", "/docs"},
        "writers": {"/admin/evaluations/new/"},
        "administrators": {"/admin/people/", "/admin/tables/", "/admin/tables/jobs/terms/"},
    }
    people = {
        pages_of("sam"): ("everybody",),
        pages_of("vic", "w-one", Role.VIEWER): ("everybody",),
        pages_of("ann", "w-two", Role.EDITOR): ("everybody", "writers"),
        pages_of("root", is_superuser=True): ("everybody", "writers", "administrators"),
    }
    for browser, kinds in people.items():
        text = browser.get("/admin/").content.decode()
        menu = text.partition('id="nav-sidebar-apps"')[2].partition("</div>")[0]
        for kind, links in shown.items():
            assert all((f'href="{link}"' in menu) is (kind in kinds) for link in links), kind
