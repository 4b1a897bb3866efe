"""Pages of filesets, secrets and workspaces without a browser: who may what, and how much they ask of the database."""

import io

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from assay.filesets import local
from assay.filesets.models import Fileset
from assay.jobs.models import JobPart
from assay.platform.caller import Role
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace
from tests.accounts.signing_in import person
from tests.filesets.conftest import on_hub
from tests.hub.server import Hub
from tests.things import make_fileset, make_job, make_secret
from tests.ui.seated import QUICK, pages_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def local_user(settings: Settings, tmp_path: object) -> Client:
    settings.AUTH, settings.DATA_DIR = False, tmp_path
    return Client(HTTP_HOST="localhost")


def fill(workspace: Workspace, word: str) -> None:
    key = make_secret(workspace, f"key-{word}")
    for number in range(8):
        fileset = make_fileset(workspace, f"set-{word}-{number}")
        local.put(fileset, "a.csv", io.BytesIO(b"a\n1\n"))
        make_job(workspace, f"job-{word}-{number}", dataset=fileset, secrets=(key,))
        make_job(workspace, f"same-{word}-{number}", dataset=Fileset.objects.get(name="data"), secrets=(key,))
        make_secret(workspace, f"more-{word}-{number}")
        Workspace.objects.create(name=f"w-{word}-{number}")


def test_the_more_there_is_the_pages_ask_no_more(local_user: Client, workspace: Workspace) -> None:
    data = make_fileset(workspace)
    local.put(data, "a.csv", io.BytesIO(b"a\n1\n"))
    pages = (
        "filesets/", "filesets/?results=1&workspace=w-one&q=a", "filesets/w-one/data/", "filesets/w-one/data/delete/",
        "filesets/w-one/data/preview/?file=a.csv", "secrets/", "secrets/w-one/key-a/", "secrets/w-one/key-a/delete/",
        "workspaces/", "workspaces/w-one/", "workspaces/w-one/delete/",
    )  # fmt: skip
    counted = []
    for word in ("a", "b", "c"):
        fill(workspace, word)
        asked = {}
        for page in pages:
            with CaptureQueriesContext(connection) as queries:
                assert local_user.get(f"/admin/{page}").status_code == 200, page
            asked[page] = len(queries)
        counted.append(asked)
    assert counted[1] == counted[2]
    assert max(counted[2].values()) <= 25


def test_the_list_tells_kind_files_size_and_hides_results(
    local_user: Client, workspace: Workspace, tmp_path: object
) -> None:
    data = make_fileset(workspace)
    local.put(data, "a.csv", io.BytesIO(b"x" * 1500))
    local.put(data, "b.csv", io.BytesIO(b"y" * 500))
    make_job(workspace, "judged")
    page = local_user.get("/admin/filesets/").content.decode()
    assert "2 kB" in page and "job-fileset-judged" not in page
    assert "job-fileset-judged" in local_user.get("/admin/filesets/?results=1").content.decode()
    for unfit in ("?page=abc", "?page=99", "?q=%00", "?workspace=none"):
        assert local_user.get(f"/admin/filesets/{unfit}").status_code == 200


def test_a_job_of_parts_is_named_once_among_the_users(local_user: Client, workspace: Workspace) -> None:
    data = make_fileset(workspace)
    job = make_job(workspace, "of-parts")
    JobPart.objects.bulk_create(JobPart(job=job, index=index, name=str(index), fileset=data) for index in range(3))
    page = local_user.get("/admin/filesets/w-one/data/delete/").content.decode()
    assert "1 evaluation<" in page and page.count(">w-one/of-parts<") == 1
    assert local_user.get("/admin/filesets/w-one/data/").content.decode().count(">w-one/of-parts<") == 1


def test_everything_goes_at_once_only_for_who_types_its_name(local_user: Client, workspace: Workspace) -> None:
    make_job(workspace, dataset=make_fileset(workspace), secrets=(make_secret(workspace),))
    other = Workspace.objects.create(name="w-two")
    make_job(other, "abroad", secrets=(Secret.objects.get(),))
    address = "/admin/workspaces/w-one/delete/"
    page = local_user.get(f"{address}?all=1").content.decode()
    assert "2 evaluations, 1 fileset, 1 secret would go" in page and "job &#x27;w-two/abroad&#x27;" in page
    assert local_user.post(address).status_code == 409
    assert local_user.post(address, {"cascade": "1", "confirm": "w-two"}).status_code == 400
    assert Workspace.objects.filter(name="w-one").exists()
    assert local_user.post(address, {"cascade": "1", "confirm": "w-one"}).status_code == 302
    assert not Workspace.objects.filter(name="w-one").exists() and not Secret.objects.exists()


def test_a_hub_that_is_away_leaves_the_page_and_is_named(
    local_user: Client, workspace: Workspace, settings: Settings
) -> None:
    with Hub() as hub:
        fileset = on_hub(workspace, hub, hub.add_commit("ns/data", {"a.csv": b"a\n1\n"}))
    home = f"/admin/filesets/w-one/{fileset.name}/"
    assert local_user.get(home).status_code == 200
    files = local_user.get(f"{home}files/", HTTP_HX_REQUEST="true")
    assert files.status_code == 200 and "cannot be reached" in files.content.decode()


WRITES = {
    "/admin/filesets/w-one/data/edit/": "Editor",
    "/admin/filesets/w-one/data/files/delete/": "Editor",
    "/admin/filesets/w-one/data/refresh/": "Editor",
    "/admin/filesets/w-one/data/delete/": "Editor",
    "/admin/secrets/w-one/key/rotate/": "Editor",
    "/admin/secrets/w-one/key/edit/": "Editor",
    "/admin/secrets/w-one/key/delete/": "Editor",
    "/admin/workspaces/w-one/edit/": "Admin",
    "/admin/workspaces/w-one/members/": "Admin",
    "/admin/workspaces/w-one/members/remove/": "Admin",
    "/admin/workspaces/w-one/delete/": "Admin",
}
"""The least of the roles that may."""


@pytest.mark.parametrize("address", WRITES)
def test_a_write_asks_for_the_role(settings: Settings, workspace: Workspace, address: str) -> None:
    settings.AUTH, settings.PASSWORD_HASHERS = True, QUICK
    make_fileset(workspace), make_secret(workspace)
    assert Client(HTTP_HOST="localhost").post(address).status_code == 302  # to sign in
    roles = list(Role)
    for role in roles:
        reply = pages_of(role.lower(), "w-one", role).post(address)
        may = roles.index(role) >= roles.index(Role(WRITES[address]))
        assert (reply.status_code != 403) is may, (role, reply.status_code)
        assert may or "Your role does not allow" in reply.content.decode()


@pytest.mark.parametrize("address", ["/admin/filesets/new/", "/admin/secrets/new/"])
def test_what_is_new_goes_where_one_may_write(settings: Settings, workspace: Workspace, address: str) -> None:
    settings.AUTH, settings.PASSWORD_HASHERS = True, QUICK
    person("mixed", "w-two", "Editor")
    browser = pages_of("mixed", "w-one", "Viewer")
    offered = browser.get(address).content.decode()
    assert ">w-two</option>" in offered and "w-one" not in offered
    sent = {"name": "new-one", "value": "v"}
    assert browser.post(address, {**sent, "workspace": "w-one"}).status_code == 422
    assert browser.post(address, {**sent, "workspace": "w-two"}).status_code == 302
    assert pages_of("reader", "w-one", "Viewer").get(address).status_code == 403


def test_who_may_only_read_is_offered_nothing_else(settings: Settings, workspace: Workspace) -> None:
    settings.AUTH, settings.PASSWORD_HASHERS = True, QUICK
    local.put(make_fileset(workspace), "a.csv", io.BytesIO(b"a\n1\n"))
    make_secret(workspace)
    browser = pages_of("reader", "w-one", "Viewer")
    pages = (
        "", "evaluations/", "compare/", "filesets/", "filesets/w-one/data/", "filesets/w-one/data/preview/?file=a.csv",
        "secrets/", "secrets/w-one/key/", "workspaces/w-one/",
    )  # fmt: skip
    for page in pages:
        shown = browser.get(f"/admin/{page}").content.decode().partition('id="content"')[2]
        assert shown and not [
            word
            for word in ('method="post"', "upload.js", ">Delete", ">New ", "/admin/evaluations/new")
            if word in shown
        ], page


def test_what_is_used_elsewhere_is_said_without_its_name(settings: Settings, workspace: Workspace) -> None:
    settings.AUTH, settings.PASSWORD_HASHERS = True, QUICK
    make_secret(workspace)
    hidden = Workspace.objects.create(name="w-elsewhere")
    make_job(hidden, "secret-plan", secrets=(Secret.objects.get(),))
    browser = pages_of("ann", "w-one", "Admin")
    for page in ("secrets/", "secrets/w-one/key/", "secrets/w-one/key/delete/", "secrets/w-one/key/delete/?all=1"):
        shown = browser.get(f"/admin/{page}").content.decode()
        assert "that you" in shown and "w-elsewhere" not in shown and "secret-plan" not in shown, page
    assert browser.post("/admin/secrets/w-one/key/delete/").status_code == 409
    forced = browser.post("/admin/secrets/w-one/key/delete/", {"cascade": "1", "confirm": "w-one/key"})
    assert forced.status_code == 403 and Secret.objects.exists()


@pytest.mark.parametrize(
    "page", ["filesets/?page={}", "evaluations/?page={}", "filesets/w-one/data/preview/?file=a.csv&start={}"]
)
def test_a_number_of_thousands_of_digits_is_no_trouble(local_user: Client, workspace: Workspace, page: str) -> None:
    local.put(make_fileset(workspace), "a.csv", io.BytesIO(b"a\n1\n"))
    assert local_user.get("/admin/" + page.format("9" * 5000)).status_code in {200, 404, 422}
