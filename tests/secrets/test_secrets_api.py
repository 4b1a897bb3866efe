"""The secrets service beyond the recording; above all that a value goes out by `access` and by nothing else."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient
from things import make_fileset, make_job, make_secret

from assay.secrets.models import Secret
from assay.workspaces.models import Member, Workspace

CANARY = "sk-canary-31c0ffee"
AT = "/apis/secrets/v2/workspaces/w-one/secrets"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _workspace(workspace: Workspace) -> None:
    """Every test has `w-one`."""


def create(client: APIClient, **body: Any) -> Any:
    return client.post(AT, {"name": "key", "value": CANARY} | body, format="json")


def test_a_value_leaves_by_access_only(client: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replies = [
        create(client, description="d"),
        create(client),
        client.get(AT),
        client.get(f"{AT}/key"),
        client.patch(f"{AT}/key", {"value": CANARY + "-2"}, format="json"),
        client.patch(f"{AT}/key", {"description": "e"}, format="json"),
        client.post("/apis/secrets/v2/rotate-encryption-keys"),
    ]
    assert [reply.status_code for reply in replies] == [201, 409, 200, 200, 200, 200, 202]
    opened = client.get(f"{AT}/key/access")
    assert opened.json() == {"name": "key", "workspace": "w-one", "value": CANARY + "-2"}
    assert opened.headers["Cache-Control"] == "no-store"
    replies.append(client.delete(f"{AT}/key"))
    for reply in replies:
        assert CANARY not in reply.content.decode()
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Bad Name", "value": CANARY},
        {"name": "key", "data": CANARY},
        {"name": CANARY.upper(), "value": [CANARY]},
        {"name": "key", "value": {"deep": [CANARY]}},
        {"name": "key", "value": CANARY, "description": [CANARY]},
        {"name": "key", "value": CANARY * 60_000},
        [CANARY],
        CANARY,
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_refused_body_is_not_repeated(client: APIClient, caplog: pytest.LogCaptureFixture, body: Any) -> None:
    caplog.set_level(logging.DEBUG)
    reply = client.post(AT, body, format="json")
    assert reply.status_code == 422
    assert "canary" not in reply.content.decode().lower()
    assert "canary" not in caplog.text.lower()
    assert not Secret.objects.exists()


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (f'{{"name":"key","value":"{CANARY}', "application/json"),
        (f'{{"name":"key","value":"{CANARY}"}}', "text/plain"),
        (f"value={CANARY}", "application/x-www-form-urlencoded"),
        (f'{{"name":"key","value":"{CANARY}\\u0000"}}', "application/json"),
    ],
)
def test_a_body_that_is_no_json_is_not_repeated(client: APIClient, raw: str, content_type: str) -> None:
    reply = client.generic("POST", AT, raw, content_type=content_type)
    assert reply.status_code == 422
    assert CANARY not in reply.content.decode()


def test_a_number_in_place_of_a_value_is_not_repeated(client: APIClient) -> None:
    reply = create(client, value=4929123456781234)
    assert reply.status_code == 422
    assert "4929123456781234" not in reply.content.decode()


def test_the_database_holds_no_plaintext() -> None:
    secret = make_secret(Workspace.objects.get(name="w-one"), value=CANARY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM secrets_secret")
        stored = b"".join(
            bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in cursor.fetchone()
        )
    assert secret.uid.encode() in stored
    assert CANARY.encode() not in stored


@pytest.mark.parametrize(
    "value", ["x", " padded ", "two\nlines\r\n", "\N{SNOWMAN}\N{PILE OF POO}", "a" * 70_000, "'; DROP TABLE x; --"]
)
def test_a_value_comes_back_as_it_went_in(client: APIClient, value: str) -> None:
    assert create(client, value=value).status_code == 201
    assert client.get(f"{AT}/key/access").json()["value"] == value


def test_patch_changes_what_is_given_and_nothing_else(client: APIClient) -> None:
    before = create(client, description="d").json()
    for body in ({}, {"value": None, "description": None}, {"name": "renamed", "bogus": 1}):
        assert client.patch(f"{AT}/key", body, format="json").json() == before
    after = client.patch(f"{AT}/key", {"value": "sk-new"}, format="json").json()
    assert after["updated_at"] > before["updated_at"]
    assert after | {"updated_at": 0} == before | {"updated_at": 0}
    empty = client.patch(f"{AT}/key", {"value": ""}, format="json")
    assert empty.status_code == 422
    assert empty.json()["detail"][0]["msg"] == "Value error, Secret value cannot be empty"
    assert client.get(f"{AT}/key/access").json()["value"] == "sk-new"


def test_a_duplicate_changes_nothing(client: APIClient) -> None:
    create(client)
    reply = create(client, value="sk-other")
    assert reply.status_code == 409
    assert reply.headers["x-should-retry"] == "false"
    assert client.get(f"{AT}/key/access").json()["value"] == CANARY


def test_the_same_name_in_another_workspace_is_another_secret(client: APIClient) -> None:
    Workspace.objects.create(name="w-two")
    create(client)
    assert client.post(AT.replace("w-one", "w-two"), {"name": "key", "value": "y"}, format="json").status_code == 201
    everywhere = client.get("/apis/secrets/v2/workspaces/-/secrets").json()
    assert sorted(entry["workspace"] for entry in everywhere["data"]) == ["w-one", "w-two"]
    assert client.get("/apis/secrets/v2/workspaces/none/secrets").status_code == 404


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("ab", 201, ""),
        ("a" * 63, 201, ""),
        ("a.b@c+d_e-f9", 201, ""),
        ("ends.", 201, ""),
        ("a" * 64, 422, "string_too_long"),
        ("a", 422, "string_pattern_mismatch"),
        ("9a", 422, "string_pattern_mismatch"),
        ("a--b", 422, "string_pattern_mismatch"),
        ("ab-", 422, "string_pattern_mismatch"),
        ("ab\n", 422, "string_pattern_mismatch"),
        ("a/b", 422, "string_pattern_mismatch"),
        ("\N{LATIN SMALL LETTER A WITH DIAERESIS}b", 422, "string_pattern_mismatch"),
    ],
)
def test_names(client: APIClient, name: str, status: int, kind: str) -> None:
    reply = create(client, name=name)
    assert reply.status_code == status
    if kind:
        assert reply.json()["detail"][0]["type"] == kind


def test_pages_and_what_is_ignored(client: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    workspace = Workspace.objects.get(name="w-one")
    for number in range(12):
        make_secret(workspace, f"key-{number}")
    with django_assert_max_num_queries(3):
        first = client.get(f"{AT}?sort=bogus&filter=%7Bbad&search=x").json()
    assert first.keys() == {"data", "pagination"}
    assert [entry["name"] for entry in first["data"][:2]] == ["key-11", "key-10"]
    assert first["pagination"] == {
        "page": 1,
        "page_size": 10,
        "current_page_size": 10,
        "total_pages": 2,
        "total_results": 12,
    }
    assert first["data"][0].keys() == {"name", "workspace", "created_at", "updated_at"}
    assert client.get(f"{AT}?page=7").json()["data"] == []
    assert client.get(f"{AT}?page=9007199254740992").json()["data"] == []
    digits = ("page=99999999999999999999999", "page=" + "9" * 5000)
    for bad in (*digits, "page=0", "page_size=0", "page_size=1001", "page=x", "page_size=-1"):
        assert client.get(f"{AT}?{bad}").status_code == 422


def test_no_list_reads_a_sealed_value(client: APIClient) -> None:
    create(client)
    with CaptureQueriesContext(connection) as captured:
        client.get(AT)
    assert not [query for query in captured if "sealed" in query["sql"]]


def test_deleting_follows_the_rules(client: APIClient) -> None:
    workspace = Workspace.objects.get(name="w-one")
    secret = make_secret(workspace)
    make_job(workspace, secrets=(secret,))
    make_fileset(workspace, token_secret=secret)
    refused = client.delete(f"{AT}/key")
    assert refused.status_code == 409
    assert "job 'w-one/judged'" in refused.json()["detail"]
    assert "fileset 'w-one/data'" in refused.json()["detail"]
    removed = client.delete(f"{AT}/key?cascade=true")
    assert (removed.status_code, removed.content) == (204, b"")
    assert client.delete(f"{AT}/key").status_code == 404


def test_no_put(client: APIClient) -> None:
    create(client)
    reply = client.put(f"{AT}/key", {"value": "x"}, format="json")
    assert (reply.status_code, reply.json()) == (405, {"detail": "Method Not Allowed"})


def test_a_name_with_nul_is_not_found(client: APIClient) -> None:
    assert client.get(f"{AT}/a%00b").status_code == 404
    assert client.get("/apis/secrets/v2/workspaces/a%00b/secrets").status_code == 404


def test_a_secret_that_cannot_be_opened_says_so(client: APIClient) -> None:
    create(client)
    Secret.objects.update(sealed=b"\x01junk")
    reply = client.get(f"{AT}/key/access")
    assert reply.status_code == 503
    assert "Secret 'w-one/key' cannot be opened" in reply.json()["detail"]


def test_with_sign_in_a_stranger_sees_nothing(client: APIClient, settings: Settings) -> None:
    create(client)
    settings.AUTH = True
    User.objects.create_user("ann", password="right-password")
    for method, address in (("GET", AT), ("GET", f"{AT}/key"), ("GET", f"{AT}/key/access"), ("DELETE", f"{AT}/key")):
        assert client.generic(method, address).status_code == 401
    client.credentials(HTTP_AUTHORIZATION="Basic YW5uOnJpZ2h0LXBhc3N3b3Jk")
    assert client.get(f"{AT}/key").json() == {"detail": "Secret w-one/key not found"}
    Member.objects.create(workspace=Workspace.objects.get(name="w-one"), principal="ann", roles=["Editor"])
    assert client.get(f"{AT}/key").status_code == 200
    assert client.get(f"{AT}/key/access").status_code == 403
