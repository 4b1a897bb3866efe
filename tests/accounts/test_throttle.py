"""Who tries passwords is stopped, whichever way they try; others sign in meanwhile."""

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.test import Client
from pytest_django import Settings

from assay.platform.models import AuditEvent
from tests.accounts.signing_in import PASSWORD, basic, person, with_token

pytestmark = pytest.mark.django_db
AT = "/apis/entities/v2/workspaces"
TRIES = 5


@pytest.fixture(autouse=True)
def _sign_in(settings: Settings) -> None:
    settings.AUTH = True
    settings.AXES_FAILURE_LIMIT = TRIES
    settings.PROXIES = 1


def ask(password: str, address: str = "203.0.113.9", **headers: Any) -> Any:
    return Client().get(AT, HTTP_AUTHORIZATION=basic("ann", password), HTTP_X_FORWARDED_FOR=address, **headers)


def test_an_address_that_fails_too_often_is_locked_out() -> None:
    ann = person("ann", "w-one", "Viewer")
    codes = [ask(f"wrong-{number}", HTTP_USER_AGENT=f"a{number}").status_code for number in range(TRIES + 2)]
    assert codes[0] == 401 and codes[-1] == 429 and codes.count(401) == TRIES - 1
    refused = ask(PASSWORD)
    assert refused.status_code == 429 and int(refused["Retry-After"]) > 0 and "Too many" in refused.json()["detail"]
    # from elsewhere, and with a token, ann works on
    assert ask(PASSWORD, "203.0.113.10").status_code == 200
    assert with_token(ann).get(AT).status_code == 200
    sent = Client().post(
        "/admin/tables/login/", {"username": "ann", "password": PASSWORD}, HTTP_X_FORWARDED_FOR="203.0.113.9"
    )
    assert sent.status_code == 429


def test_what_was_tried_is_kept_nowhere() -> None:
    person("ann")
    for _ in range(TRIES + 3):
        ask("hunter2-hunter2")
    Client().post("/admin/tables/login/", {"username": "hunter2-hunter2", "password": "hunter2-hunter2"})
    kept = [repr(list(model._base_manager.values())) for model in (AccessAttempt, AuditEvent)]
    assert "hunter2" not in "".join(kept)
    assert AuditEvent._base_manager.filter(action="account.sign_in_failed").count() <= TRIES + 1


@pytest.mark.parametrize(
    "told", ["", "not an address", "999.1.1.1", "a" * 5000, "1.2.3.4, evil", "::ffff:1.2.3.4%eth0"]
)
def test_an_address_that_is_none_does_no_harm(told: str) -> None:
    person("ann")
    assert ask("wrong", told).status_code in {401, 429}
