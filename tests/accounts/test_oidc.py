"""Signing in by an identity provider, over real sockets; every way in which its word can be false is found out."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client
from joserfc.jwk import OctKey, RSAKey
from pytest_django import Settings

from assay.accounts import oidc
from assay.accounts.calling import local_user
from assay.accounts.models import Identity
from assay.platform.models import AuditEvent
from tests.accounts.provider import CLIENT, Provider, running
from tests.accounts.signing_in import PASSWORD, person

pytestmark = pytest.mark.django_db
LEAVE = "/admin/sign-in/leave"


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(shared: Provider, settings: Settings) -> Provider:
    settings.AUTH = True
    settings.OIDC_ISSUER = shared.issuer
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT
    shared.lies = {}
    shared.person = {"sub": "p-1", "email": "ann@example.org", "email_verified": True}
    oidc._discovered.cache_clear()
    oidc._known_keys.clear()
    return shared


def walk(client: Client, **query: str) -> Any:
    """Go to the provider and come back as a browser does."""
    away = client.get(LEAVE, query)
    assert away.status_code == 302, away.content
    back = httpx.get(away["Location"], follow_redirects=False).headers["Location"]
    parts = urlsplit(back)
    return client.get(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})


def test_a_first_sign_in_makes_an_account_and_the_next_finds_it(provider: Provider) -> None:
    client = Client()
    came = walk(client, next="/admin/evaluations/?workspace=w")
    assert came.status_code == 302 and came["Location"] == "/admin/evaluations/?workspace=w"
    ann = User.objects.get(username="ann@example.org")
    assert client.session["_auth_user_id"] == str(ann.pk) and not ann.has_usable_password() and not ann.is_superuser
    provider.person["email"] = "ann@elsewhere.example"
    assert walk(Client()).status_code == 302
    assert User.objects.count() == 1 and Identity.objects.get().owner == ann
    told = list(AuditEvent._base_manager.values_list("action", flat=True))
    assert "account.create" in told and told.count("account.sign_in") == 2


def test_the_way_back_leads_nowhere_else(provider: Provider) -> None:
    assert walk(Client(), next="https://evil.example/x")["Location"] == "/admin/"
    assert walk(Client(), next="//evil.example")["Location"] == "/admin/"


def test_the_provider_may_say_who_administers(provider: Provider, settings: Settings) -> None:
    settings.OIDC_ADMINS = "groups=assay-admins"
    provider.person["groups"] = ["people", "assay-admins"]
    walk(Client())
    assert User.objects.get().is_superuser
    provider.person["groups"] = ["people"]
    walk(Client())
    assert not User.objects.get().is_superuser


def test_nobody_takes_an_account_over_by_its_name(provider: Provider) -> None:
    person("ann@example.org")
    refused = walk(Client())
    assert refused.status_code == 403 and "Ask an administrator" in refused.content.decode()
    assert not Identity.objects.exists()


@pytest.mark.parametrize("name", ["local", "*", "platform"])
def test_nobody_comes_in_under_a_name_of_the_platform_s_own(name: str, provider: Provider, settings: Settings) -> None:
    local_user()  # who may do everything, and has no password
    settings.OIDC_NAME_CLAIM = "preferred_username"
    provider.person["preferred_username"] = name
    client = Client()
    refused = walk(client)
    assert refused.status_code == 403 and "that name is the platform&#x27;s own" in refused.content.decode()
    assert "_auth_user_id" not in client.session and not Identity.objects.exists()
    assert list(User.objects.values_list("username", flat=True)) == ["local"]


def test_an_account_made_without_a_password_waits_for_its_owner(provider: Provider) -> None:
    made = User.objects.create_user("ann@example.org")
    assert walk(Client()).status_code == 302
    assert Identity.objects.get().owner == made
    provider.person["sub"] = "p-2"  # another person, to whom the address was given
    assert walk(Client()).status_code == 403


def test_an_address_that_is_not_verified_takes_no_account_over(provider: Provider) -> None:
    del provider.person["email_verified"]  # some providers never say
    assert walk(Client()).status_code == 302, "an account of one's own is made"
    provider.person |= {"sub": "p-2", "email": "bob@example.org"}
    User.objects.create_user("bob@example.org")
    assert walk(Client()).status_code == 403
    provider.person["email_verified"] = True
    assert walk(Client()).status_code == 302


def test_who_may_not_sign_in_may_not_by_a_provider_either(provider: Provider) -> None:
    walk(Client())
    User.objects.update(is_active=False)
    assert walk(Client()).status_code == 403


OTHER = RSAKey.generate_key(2048, {"kid": "k1"})


@pytest.mark.parametrize(
    "lies",
    [
        {"iss": "https://other.example"}, {"aud": "another-client"}, {"exp": int(time.time()) - 3600},
        {"nonce": "other"}, {"key": OTHER}, {"alg": "HS256", "key": OctKey.import_key(b"k" * 32)}, {"sub": None},
        {"token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwLTEifQ."}, {"token": "nonsense"},
        {"email_verified": False}, {"email": None}, {"email": "x" * 400}, {"email": "a\x00b"},
    ],
    ids=lambda lies: ",".join(lies),
)  # fmt: skip
def test_a_token_that_is_not_to_be_trusted_is_not(provider: Provider, lies: dict[str, Any]) -> None:
    provider.lies = lies
    client = Client()
    refused = walk(client)
    assert refused.status_code == 403 and "_auth_user_id" not in client.session
    assert not User.objects.exists()


def test_a_reply_to_another_attempt_is_refused(provider: Provider) -> None:
    client = Client()
    away = client.get(LEAVE)
    back = urlsplit(httpx.get(away["Location"], follow_redirects=False).headers["Location"])
    query = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert Client().get(back.path, query).status_code == 403, "of another browser"
    assert client.get(back.path, query | {"state": "another"}).status_code == 403
    assert client.get(back.path, query).status_code == 403, "the attempt is used up"


def test_keys_that_changed_are_read_again(provider: Provider) -> None:
    walk(Client())
    provider.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
    assert walk(Client()).status_code == 302


def test_a_provider_that_is_away_is_said_so(provider: Provider, settings: Settings) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    assert Client().get(LEAVE).status_code == 502


def test_without_one_there_is_no_such_way(settings: Settings) -> None:
    settings.AUTH = True
    assert Client().get(LEAVE).status_code == 404
    assert PASSWORD not in Client().get("/admin/sign-in/back").content.decode()
