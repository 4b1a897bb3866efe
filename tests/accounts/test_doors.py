"""How a caller comes in, and what is done for them where they do not see it: by workers, and in a delete's way."""

import hashlib
import io
from typing import Any

import pytest
from django.db.models import F
from django.http import HttpRequest, StreamingHttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings
from rest_framework.test import APIClient

from assay.accounts.calling import CallerMiddleware
from assay.accounts.tokens import make_token
from assay.filesets import history, local
from assay.filesets.models import Fileset
from assay.jobs.models import Job, JobPart
from assay.jobs.plan import Unplannable, plan
from assay.platform.caller import Scope, caller
from assay.platform.models import AuditEvent
from assay.workspaces.models import Project, Workspace
from tests.accounts.signing_in import person, with_token
from tests.accounts.world import ENDPOINT, check_config
from tests.things import make_fileset, make_job, make_secret

pytestmark = pytest.mark.django_db
PROJECTS = "/apis/entities/v2/workspaces/w-one/projects"
FILESETS = "/apis/files/v2/workspaces/w-one/filesets"
SECRETS = "/apis/secrets/v2/workspaces/w-one/secrets"


@pytest.fixture(autouse=True)
def _sign_in(settings: Settings) -> None:
    settings.AUTH = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ann() -> Client:
    """A browser in which an Editor is signed in."""
    client = Client()
    client.force_login(person("ann", "w-one", "Editor"), "django.contrib.auth.backends.ModelBackend")
    return client


def test_a_reply_that_is_sent_as_it_is_made_is_made_as_its_caller(rf: RequestFactory) -> None:
    Workspace.objects.create(name="w-two")
    _, token = make_token(person("ann", "w-one", "Viewer"), "t", Scope.READ)

    def view(request: HttpRequest) -> Any:
        return StreamingHttpResponse(f"{caller().name}: {[*Workspace.objects.all()]} " for _ in range(2))

    reply = CallerMiddleware(view)(rf.get("/v1/any", HTTP_AUTHORIZATION=f"Bearer {token}"))
    assert isinstance(reply, StreamingHttpResponse)
    assert b"".join(reply).decode() == "ann: [<Workspace: w-one>] " * 2  # type: ignore[arg-type]
    assert caller().name == "platform"


# Sessions


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_session_does_not_count_where_another_site_sends_the_request(ann: Client, headers: dict[str, str]) -> None:
    reply = ann.post(PROJECTS, {"name": "new"}, "application/json", headers=headers)
    assert reply.status_code == 401 and not Project.objects.exists()
    assert ann.get(PROJECTS, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://testserver"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}],
    ids=str,
)
def test_a_session_counts_for_our_own_pages(ann: Client, headers: dict[str, str]) -> None:
    assert ann.post(PROJECTS, {"name": "new"}, "application/json", headers=headers).status_code == 201


def test_a_link_from_elsewhere_is_followed_and_changes_nothing(ann: Client) -> None:
    walked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ann.get(PROJECTS, headers=walked).status_code == 200
    assert ann.post(PROJECTS, {"name": "new"}, "application/json", headers=walked).status_code == 401


def test_a_form_of_a_page_needs_its_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("ann", "w-one", "Editor"), "django.contrib.auth.backends.ModelBackend")
    form = {"workspace": "w-one", "name": "data", "purpose": "dataset"}
    assert client.post("/admin/filesets/new/", form).status_code == 403
    assert not Fileset.objects.exists()
    client.get("/admin/filesets/new/")
    form["csrfmiddlewaretoken"] = client.cookies["csrftoken"].value
    assert client.post("/admin/filesets/new/", form).status_code == 302
    assert Fileset.objects.exists()


def test_a_token_opens_no_page() -> None:
    person("ann", "w-one", "Admin")
    bob = with_token(person("bob", "w-one", "Admin"))
    reply = bob.get("/admin/workspaces/w-one/")
    assert reply.status_code == 302 and reply["Location"].startswith("/admin/tables/login/")
    session = Client(headers={"Authorization": "Bearer nonsense"})
    session.force_login(person("ann"), "django.contrib.auth.backends.ModelBackend")
    assert session.get("/admin/workspaces/w-one/").status_code == 200
    assert session.get(PROJECTS).status_code == 401, "elsewhere a wrong token is not made up for by a session"


def test_a_session_ends_with_its_account(ann: Client) -> None:
    assert ann.get(PROJECTS).status_code == 200
    user = person("ann")
    user.is_active = False
    user.save()
    assert ann.get(PROJECTS).status_code == 401
    assert ann.get("/admin/").status_code == 302


# Where a request comes from


@pytest.mark.parametrize(
    ("proxies", "said", "meant"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "192.0.2.1, 198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_an_address_is_what_the_outermost_proxy_saw(
    ann: Client, settings: Settings, proxies: int, said: str, meant: str
) -> None:
    settings.PROXIES = proxies
    ann.post(PROJECTS, {"name": "new"}, "application/json", headers={"X-Forwarded-For": said})
    assert AuditEvent.objects.get(action="project.create").address == meant


# What workers do for somebody


def v1_job(client: APIClient, data: Any) -> Any:
    config = check_config("x")
    config["tasks"]["qa"] |= {"type": "chat-completion", "dataset": data, "params": {"template": "{{ item.q }}"}}
    target = {"type": "model", "model": {"api_endpoint": ENDPOINT}}
    body = {"namespace": "w-one", "config": config, "target": target}
    reply = client.post("/v1/evaluation/jobs", body, format="json")
    assert reply.status_code == 200, reply.content
    return Job.objects.get(uid=reply.json()["id"])


def rows_in(workspace: str, name: str = "rows") -> Fileset:
    home, _ = Workspace.objects.get_or_create(name=workspace)
    fileset = make_fileset(home, name)
    local.put(fileset, "rows.jsonl", io.BytesIO(b'{"q": "secret words"}\n'))
    history.settle(fileset)
    return fileset


def test_a_worker_reads_no_data_that_the_submitter_did_not_see() -> None:
    rows_in("w-two")
    client = with_token(person("ann", "w-one", "Editor"), Scope.WRITE)
    job = v1_job(client, {"files_url": "hf://datasets/w-two/rows"})
    with pytest.raises(Unplannable, match="Nothing was found at hf://datasets/w-two/rows"):
        plan(job)
    assert JobPart.objects.get(job=job).fileset is None and not job.inputs.exists()


def test_a_worker_reads_data_that_the_submitter_saw_elsewhere() -> None:
    rows_in("w-two")
    ann = person("ann", "w-one", "Editor")
    person("ann", "w-two", "Viewer")
    assert plan(v1_job(with_token(ann, Scope.WRITE), {"files_url": "hf://datasets/w-two/rows"}))


def test_data_of_ones_own_workspace_may_come_after_the_job() -> None:
    job = v1_job(with_token(person("ann", "w-one", "Editor"), Scope.WRITE), {"files_url": "hf://datasets/w-one/rows"})
    rows_in("w-one")
    assert plan(job)


# What stands in the way, unseen


def test_what_is_in_the_way_elsewhere_is_not_named_and_does_not_go() -> None:
    client = with_token(person("ann", "w-one", "Admin"))
    home, hidden = Workspace.objects.get(name="w-one"), Workspace.objects.create(name="w-zebra")
    fileset, secret = make_fileset(home), make_secret(home)
    make_job(hidden, "zebra", dataset=fileset, secrets=(secret,))
    before = {model: set(model._base_manager.values_list("pk", F("name"))) for model in (Job, Fileset, Workspace)}
    for address in (f"{FILESETS}/data", f"{SECRETS}/key", "/apis/entities/v2/workspaces/w-one"):
        refused = client.delete(address)
        assert refused.status_code == 409 and "zebra" not in refused.content.decode()
        all_of_it = client.delete(f"{address}?cascade=true")
        assert all_of_it.status_code == 403 and "zebra" not in all_of_it.content.decode()
    for address in ("/v1/namespaces/w-one", "/v1/datastore/namespaces/w-one"):
        refused = client.delete(address)
        assert refused.status_code == 409 and "zebra" not in refused.content.decode()
    assert client.delete("/v1/datasets/w-one/data").status_code == 200, "which leaves the files where they are"
    assert before == {model: set(model._base_manager.values_list("pk", F("name"))) for model in before}


def test_a_name_that_is_taken_says_no_more_than_that() -> None:
    Workspace.objects.create(name="w-zebra", description="striped")
    client = with_token(person("ann", "w-one", "Admin"))
    taken = {
        "/apis/entities/v2/workspaces": ({"name": "w-zebra"}, 409),
        "/v1/namespaces": ({"id": "w-zebra"}, 409),
        "/v1/datastore/namespaces": ({"namespace": "w-zebra"}, 409),
        "/v1/models": ({"namespace": "w-zebra", "name": "m", "api_endpoint": ENDPOINT}, 404),
        "/v1/evaluation/results": ({"namespace": "w-zebra", "job": "j"}, 404),
        "/v1/hf/api/repos/create": ({"organization": "w-zebra", "name": "r", "type": "dataset"}, 403),
    }
    for address, (body, status) in taken.items():
        reply = client.post(address, body, format="json")
        assert reply.status_code == status and "striped" not in reply.content.decode(), (address, reply.content)
    assert not Workspace.objects.get(name="w-zebra").members.exists()


def test_a_large_file_that_is_known_elsewhere_is_asked_for_again() -> None:
    """Whoever knows a file's SHA-256 learns nothing about who has it, and gets nothing of it."""
    content = b'{"q": "secret words"}\n'
    rows_in("w-two")
    client = with_token(person("ann", "w-one", "Editor"))
    client.post("/v1/hf/api/repos/create", {"name": "new", "organization": "w-one", "type": "dataset"}, format="json")
    known = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    batch = "/v1/hf/datasets/w-one/new.git/info/lfs/objects/batch"
    for wanted, answer in (("upload", "actions"), ("download", "error")):
        reply = client.post(batch, {"operation": wanted, "objects": [known]}, format="json")
        assert answer in reply.json()["objects"][0]
    permit = client.post(batch, {"operation": "upload", "objects": [known]}, format="json").json()["objects"][0]
    sent = Client().put(permit["actions"]["upload"]["href"], b"other words", "application/octet-stream")
    assert sent.status_code in {400, 422}, "the content itself has to be sent"
    read = permit["actions"]["upload"]["href"].replace("lfs/upload", "lfs/objects")
    assert Client().get(read).status_code == 403, "a permit to send is none to read"


def test_ones_own_namespace_of_the_hub_is_no_way_into_anothers() -> None:
    """Whoever is called as a workspace has no rights in it for that."""
    rows_in("w-two")
    client = with_token(person("w-two"))
    for address in ("datasets/rows/resolve/main/rows.jsonl", "api/datasets/rows", "api/datasets/w-two/rows"):
        assert client.get(f"/v1/hf/{address}").status_code == 404
    for body in ({"name": "rows"}, {"name": "rows", "organization": ""}, {"name": "rows", "organization": None}):
        gone = client.delete("/v1/hf/api/repos/delete", {**body, "type": "dataset"}, format="json")
        assert gone.status_code == 404
    made = client.post("/v1/hf/api/repos/create", {"name": "new", "type": "dataset"}, format="json")
    assert made.status_code == 403
    moved = {"fromRepo": "rows", "toRepo": "/rows", "type": "dataset"}
    assert client.post("/v1/hf/api/repos/move", moved, format="json").status_code == 404
