"""Every refusal below /v1/hf has the shape that the Hub's clients make their exceptions of; no other has."""

import base64
import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import URLPattern
from pytest_django import Settings

from assay.filesets.hub import urls
from assay.filesets.hub.access import HubEndpoint
from assay.workspaces.models import Member, Workspace
from tests.filesets.hub.conftest import HF, REPO, WEB, HubClient, deleted

OID = "0" * 64
GONE = f"{HF}/api/datasets/ns/gone"

# Method, address, body, status and code of one refusal; together they come by every view.
REFUSALS: dict[str, tuple[str, str, Any, int, str | None]] = {
    "create a space": ("post", f"{HF}/api/repos/create", {"name": "a", "type": "space"}, 400, None),
    "create a bad name": ("post", f"{HF}/api/repos/create", {"name": "a b", "type": "dataset"}, 400, None),
    "create without a body": ("post", f"{HF}/api/repos/create", None, 400, None),
    "create by GET": ("get", f"{HF}/api/repos/create", None, 405, None),
    "delete": ("delete", f"{HF}/api/repos/delete", {"name": "gone", "type": "dataset"}, 404, "RepoNotFound"),
    "delete as a model": (
        "delete",
        f"{HF}/api/repos/delete",
        {"name": "data", "organization": "ns"},
        404,
        "RepoNotFound",
    ),
    "move": ("post", f"{HF}/api/repos/move", {"fromRepo": "ns/gone", "toRepo": "ns/b"}, 404, "RepoNotFound"),
    "move nowhere": ("post", f"{HF}/api/repos/move", {"fromRepo": "ns/gone"}, 400, None),
    "whoami": ("get", f"{HF}/api/whoami-v2", None, 401, None),
    "validate by GET": ("get", f"{HF}/api/validate-yaml", None, 405, None),
    "list": ("get", f"{HF}/api/datasets?limit=0", None, 400, None),
    "list by another cursor": ("get", f"{HF}/api/datasets?cursor=%C3%A9", None, 400, None),
    "list by another sort": ("get", f"{HF}/api/models?sort=size", None, 400, None),
    "info": ("get", GONE, None, 404, "RepoNotFound"),
    "info of a NUL": ("get", f"{HF}/api/datasets/n%00s/data", None, 404, "RepoNotFound"),
    "info without a namespace": ("get", f"{HF}/api/datasets/squad", None, 404, "RepoNotFound"),
    "info as a model": ("get", f"{HF}/api/models/ns/data", None, 404, "RepoNotFound"),
    "info of a space": ("get", f"{HF}/api/spaces/ns/data", None, 404, None),
    "revision": ("get", f"{REPO}/revision/gone", None, 404, "RevisionNotFound"),
    "revision of a NUL": ("get", f"{REPO}/revision/%00", None, 404, "RevisionNotFound"),
    "revision first": ("get", f"{GONE}/revision/gone", None, 404, "RepoNotFound"),
    "settings": ("put", f"{REPO}/settings", {"visibility": "secret"}, 400, None),
    "auth-check": ("get", f"{GONE}/auth-check", None, 404, "RepoNotFound"),
    "refs": ("get", f"{GONE}/refs", None, 404, "RepoNotFound"),
    "branch from nowhere": ("post", f"{REPO}/branch/dev", {"startingPoint": "gone"}, 404, "RevisionNotFound"),
    "branch of no name": ("post", f"{REPO}/branch/a..b", {}, 400, None),
    "branch that is there": ("post", f"{REPO}/branch/main", {}, 409, None),
    "branch main deleted": ("delete", f"{REPO}/branch/main", None, 403, None),
    "branch deleted": ("delete", f"{REPO}/branch/gone", None, 404, "RevisionNotFound"),
    "tag": ("post", f"{REPO}/tag/gone", {"tag": "v1"}, 404, "RevisionNotFound"),
    "tag without a name": ("post", f"{REPO}/tag/main", {}, 400, None),
    "tag deleted": ("delete", f"{REPO}/tag/v9", None, 404, "RevisionNotFound"),
    "commits": ("get", f"{REPO}/commits/gone", None, 404, "RevisionNotFound"),
    "commits by another cursor": ("get", f"{REPO}/commits/main?cursor=eA==", None, 400, None),
    "squash": ("post", f"{REPO}/super-squash/gone", {}, 404, "RevisionNotFound"),
    "preupload": ("post", f"{REPO}/preupload/gone", {"files": []}, 404, "RevisionNotFound"),
    "preupload of what": ("post", f"{REPO}/preupload/main", {"files": [{"size": -1}]}, 400, None),
    "commit": ("post", f"{GONE}/commit/main", None, 404, "RepoNotFound"),
    "commit to nowhere": ("post", f"{REPO}/commit/gone", None, 404, "RevisionNotFound"),
    "commit of nothing": ("post", f"{REPO}/commit/main", None, 400, None),
    "commit as a pull request": ("post", f"{REPO}/commit/main?create_pr=1", None, 400, None),
    "xet": ("get", f"{REPO}/xet-write-token/main", None, 404, None),
    "duplicate": ("post", f"{REPO}/lfs-files/duplicate", {}, 400, None),
    "tree": ("get", f"{REPO}/tree/main/data", None, 404, "EntryNotFound"),
    "tree of a pull request": ("get", f"{REPO}/tree/refs%2Fpr%2F1", None, 404, "RevisionNotFound"),
    "tree by another cursor": ("get", f"{REPO}/tree/main?cursor=eA==", None, 400, None),
    "paths-info": ("post", f"{REPO}/paths-info/gone", {"paths": ["a"]}, 404, "RevisionNotFound"),
    "paths-info of what": ("post", f"{REPO}/paths-info/main", {"paths": "a"}, 400, None),
    "batch": ("post", f"{HF}/datasets/ns/gone.git/info/lfs/objects/batch", {}, 404, "RepoNotFound"),
    "batch of a model": ("post", f"{HF}/ns/data.git/info/lfs/objects/batch", {}, 404, "RepoNotFound"),
    "batch of what": ("post", f"{WEB}.git/info/lfs/objects/batch", {"operation": "destroy"}, 400, None),
    "upload": ("put", f"{HF}/lfs/upload/{OID}", None, 403, None),
    "upload by a made-up permit": ("put", f"{HF}/lfs/upload/{OID}?token=eyJ9:1u:%C3%A9", None, 403, None),
    "part": ("put", f"{HF}/lfs/upload/{OID}/00001?token=x", None, 403, None),
    "verify": ("post", f"{HF}/lfs/verify?token=x", {"oid": OID, "size": 1}, 403, None),
    "object": ("get", f"{HF}/lfs/objects/{OID}?token=x", None, 403, None),
    "file": ("get", f"{WEB}/resolve/main/gone.txt", None, 404, "EntryNotFound"),
    "file without a namespace": ("get", f"{HF}/datasets/squad/resolve/main/a", None, 404, "RepoNotFound"),
    "file of a model": ("get", f"{HF}/ns/gone/resolve/main/a", None, 404, "RepoNotFound"),
    "file of a branch": ("get", f"{WEB}/resolve/gone/a", None, 404, "RevisionNotFound"),
    "raw file": ("get", f"{WEB}/raw/main/gone.txt", None, 404, "EntryNotFound"),
    "unknown": ("get", f"{HF}/api/agent-harnesses", None, 404, None),
    "unknown, written": ("post", f"{HF}/api/discussions", {}, 404, None),
}


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_refusals_have_their_shape(hf: HubClient, name: str) -> None:
    method, address, body, status, code = REFUSALS[name]
    content = b"" if body is None else json.dumps(body).encode()
    reply = hf.client.generic(method.upper(), address, content, content_type="application/json")
    assert (reply.status_code, reply.get("X-Error-Code")) == (status, code), reply.content
    text = reply.json()["error"]
    assert set(reply.json()) <= {"error", "url"} and text
    assert reply["X-Error-Message"] == text.replace("\x00", " ")
    assert len(reply["X-Request-Id"]) == 32
    assert "another conflicting operation is in progress" not in text


def test_the_refusals_above_come_by_every_view() -> None:
    from django.urls import resolve

    views = {pattern.callback.cls for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)}  # type: ignore[attr-defined]
    assert len(views) > 20 and all(issubclass(view, HubEndpoint) for view in views)
    met = {resolve(address.partition("?")[0].replace("%2F", "/")).func.cls for _, address, *_ in REFUSALS.values()}
    assert views - met == set()


ODD = [
    b"[]",
    b"null",
    b'"x"',
    b"7",
    b"{",
    b"\xff",
    b"[" * 5000,
    b'{"a":' * 200 + b"1" + b"}" * 200,
    b'{"name":"\\u0000","tag":"\\u0000","oid":"\\u0000","fromRepo":"\\u0000","files":[{"path":"\\u0000"}]}',
    b'{"name":"\\ud800","tag":"\\ud800","startingPoint":"\\ud800"}',
    b'{"name":7,"organization":[],"type":7,"files":7,"paths":7,"objects":7,"parts":7,"tag":7,"message":7,"target":7}',
    b'{"operation":"upload","objects":[{"oid":"'
    + b"0" * 64
    + b'","size":1e400},{"oid":1,"size":99999999999999999999}]}',
    b'{"files":[{"path":"a","size":99999999999999999999999}],"oid":"0","size":99999999999999999999999}',
    b'{"startingPoint":"' + b"x" * 100_000 + b'","tag":"' + b"x" * 300 + b'","message":"' + b"x" * 100_000 + b'"}',
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_no_body_is_odd_enough_to_be_an_error_of_the_server(hf: HubClient, body: bytes) -> None:
    written = {(method, address) for method, address, *_ in REFUSALS.values() if method != "get"}
    for method, address in sorted(written | {("post", f"{REPO}/super-squash/main"), ("post", f"{REPO}/branch/odd")}):
        kinds = ["application/json", *(["application/x-www-form-urlencoded"] if "paths-info" in address else [])]
        for kind in kinds:
            reply = hf.client.generic(method.upper(), address, body, content_type=kind)
            assert reply.status_code < 500, (method, address, reply.content)
    assert hf.files() == []


def test_what_is_said_fits_into_one_line_of_a_header(hf: HubClient) -> None:
    reply = hf.commit(deleted("à\u2028ü" + "/x" * 400))
    assert (reply.status_code, reply["X-Error-Code"]) == (404, "EntryNotFound")
    assert "A file with this name doesn't exist" in reply["X-Error-Message"]
    assert reply["X-Error-Message"].isascii()


def test_the_absence_of_a_file_is_told_with_its_commit(hf: HubClient) -> None:
    for reply in (hf.head(f"{WEB}/resolve/main/gone"), hf.get(f"{WEB}/raw/main/gone"), hf.get(f"{REPO}/tree/main/a")):
        assert reply["X-Repo-Commit"] == hf.sha()
        assert reply["X-Error-Code"] == "EntryNotFound"


def test_the_rest_of_the_platform_keeps_its_own_shape(hf: HubClient) -> None:
    reply = hf.get("/apis/files/v2/workspaces/ns/filesets/gone")
    assert "detail" in reply.json() and not reply.has_header("X-Error-Message")


def test_an_unexpected_error_says_nothing_of_itself(hf: HubClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("assay.filesets.history.resolve", broken)
    reply = hf.get(REPO)
    assert reply.status_code == 500 and "secret" not in reply.content.decode()
    assert reply.json() == {"error": reply["X-Error-Message"]}


def basic(user: str, password: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def test_with_accounts_only_they_are_let_in(hf: HubClient, settings: Settings) -> None:
    settings.AUTH = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes its time
    get_user_model()._default_manager.create_user("anna", password="right")  # type: ignore[attr-defined]
    for headers in (
        {},
        {"HTTP_AUTHORIZATION": "Bearer hf_any"},
        {"HTTP_AUTHORIZATION": "Bearer "},
        basic("anna", "no"),
    ):
        for address in (REPO, f"{WEB}/resolve/main/a", f"{HF}/api/whoami-v2", f"{HF}/api/nothing"):
            reply = hf.get(address, **headers)
            assert reply.status_code == 401
            assert reply["X-Error-Message"] == "Invalid credentials in Authorization header"
    assert hf.get(REPO, **basic("anna", "right")).status_code == 404
    Member.objects.create(workspace=Workspace.objects.get(name=REPO.split("/")[-2]), principal="anna", roles=["Viewer"])
    assert hf.get(REPO, **basic("anna", "right")).status_code == 200
    assert hf.get(f"{HF}/api/whoami-v2", **basic("anna", "right")).json()["name"] == "anna"
    made = hf.post(f"{HF}/api/repos/create", {"name": "own", "type": "dataset"}, **basic("anna", "right"))
    assert made.json().get("id") == "anna/own", made.json()
