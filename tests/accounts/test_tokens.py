"""A token stands for its owner: no further than its scope and its owner reach, until it expires or is revoked."""

import hashlib
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from assay.accounts.models import AccessToken
from assay.accounts.tokens import make_token, revoke_token
from assay.platform.caller import Scope
from assay.platform.errors import Conflict, Invalid
from assay.workspaces.models import Member, Workspace
from tests.accounts.signing_in import basic, bearing, person, with_token

pytestmark = pytest.mark.django_db
WORKSPACES = "/apis/entities/v2/workspaces"


@pytest.fixture(autouse=True)
def _sign_in(settings: Settings) -> None:
    settings.AUTH = True


def status(client: APIClient, path: str = f"{WORKSPACES}/w-one", method: str = "get", **body: object) -> int:
    return int(getattr(client, method)(path, body or None, format="json").status_code)


def test_a_token_holds_until_it_is_revoked() -> None:
    ann = person("ann", "w-one", "Viewer")
    record, text = make_token(ann, "laptop", Scope.READ)
    client = bearing(text)
    assert status(client) == 200
    revoke_token(ann, "laptop")
    refused = client.get(f"{WORKSPACES}/w-one")
    assert refused.status_code == 401 and refused.json() == {"detail": "The token is unknown, expired or revoked."}
    assert refused["WWW-Authenticate"] and text not in str(refused.json())
    with pytest.raises(Conflict):
        make_token(ann, "laptop", Scope.READ)
    assert AccessToken.objects.get(pk=record.pk).last_used_at is not None


def test_a_token_expires() -> None:
    ann = person("ann", "w-one", "Viewer")
    record, text = make_token(ann, "week", Scope.READ, expires_at=timezone.now() + timedelta(days=7))
    assert status(bearing(text)) == 200
    AccessToken.objects.filter(pk=record.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status(bearing(text)) == 401
    with pytest.raises(Invalid):
        make_token(ann, "past", Scope.READ, expires_at=timezone.now())


def test_an_owner_who_may_no_longer_sign_in_has_no_token_either() -> None:
    client = with_token(person("ann", "w-one", "Viewer"))
    assert status(client) == 200
    User.objects.filter(username="ann").update(is_active=False)
    assert status(client) == 401


def test_only_a_digest_is_kept() -> None:
    _, text = make_token(person("ann"), "laptop", Scope.ADMIN)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_accesstoken")
        row = repr(cursor.fetchall())
    assert text not in row and text.removeprefix("assay_")[:20] not in row
    assert hashlib.sha256(text.encode()).hexdigest() in row


@pytest.mark.parametrize(
    ("scope", "reads", "writes", "manages"),
    [
        (Scope.READ, 200, 403, 403),
        (Scope.WRITE, 200, 201, 403),
        (Scope.ADMIN, 200, 201, 201),
        (Scope.METRICS, 403, 403, 403),
    ],
)
def test_a_scope_bounds_what_its_owner_may(scope: Scope, reads: int, writes: int, manages: int) -> None:
    client = with_token(person("ann", "w-one", "Admin"), scope)
    assert status(client) == reads
    assert status(client, f"{WORKSPACES}/w-one/projects", "post", name="p-one") == writes
    assert status(client, f"{WORKSPACES}/w-one/members", "post", principal="bob") == manages


def test_a_token_of_one_workspace_reaches_no_other() -> None:
    ann = person("ann", "w-one", "Admin")
    person("ann", "w-two", "Admin")
    client = with_token(ann, workspace=Workspace.objects.get(name="w-one"))
    assert status(client) == 200 and status(client, f"{WORKSPACES}/w-two") == 404
    assert [each["name"] for each in client.get(WORKSPACES).json()["data"]] == ["w-one"]
    assert status(client, WORKSPACES, "post", name="w-three") == 403


def test_the_password_field_takes_a_token_too() -> None:
    _, text = make_token(person("ann", "w-one", "Viewer"), "git", Scope.READ)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=basic("anything", text))
    assert status(client) == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer assay_" + "x" * 43, "Bearer hf_something", "Basic !!!", "Basic " + "YQ==", "Digest a=b",
     "Bearer " + "a" * 9000, basic("ann", "wrong"), basic("a\x00b", "c")],
)  # fmt: skip
def test_what_is_no_credential_is_refused_and_repeated_nowhere(header: str) -> None:
    person("ann", "w-one", "Viewer")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    for path in (f"{WORKSPACES}/w-one", "/v1/namespaces", "/v1/hf/api/whoami-v2"):
        reply = client.get(path)
        assert reply.status_code == 401 and header.partition(" ")[2] not in reply.content.decode()


def test_an_empty_token_is_nobody() -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer ")
    assert client.get(WORKSPACES).json() == {"detail": "Authentication credentials were not provided."}


def test_a_star_stands_for_whoever_is_signed_in() -> None:
    client = with_token(person("ann"))
    shared = Workspace.objects.create(name="w-all")
    assert status(client, f"{WORKSPACES}/w-all") == 404
    Member.objects.create(workspace=shared, principal="*", roles=["Viewer"])
    assert status(client, f"{WORKSPACES}/w-all") == 200
    assert status(client, f"{WORKSPACES}/w-all/projects", "post", name="p-one") == 403


def test_who_makes_a_workspace_is_its_admin() -> None:
    client = with_token(person("ann"))
    assert status(client, WORKSPACES, "post", name="w-new") == 201
    members = client.get(f"{WORKSPACES}/w-new/members").json()["data"]
    assert [(each["principal"], each["roles"]) for each in members] == [("ann", ["Admin"])]
    assert status(with_token(person("bob")), f"{WORKSPACES}/w-new") == 404
    assert status(with_token(person("root", is_superuser=True)), f"{WORKSPACES}/w-new") == 200


def test_the_command_prints_a_token_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    person("ann", "w-one", "Editor")
    call_command("create_token", "ann", scope="read", workspace="w-one")
    client = bearing(capsys.readouterr().out.strip())
    assert status(client) == 200
    assert status(client, f"{WORKSPACES}/w-one/projects", "post", name="p-one") == 403
    for wrong in (["bob"], ["ann", "--workspace=none"], ["ann", "--days=-1"], ["ann", "--days=99999999999"]):
        with pytest.raises(CommandError):
            call_command("create_token", *wrong)
