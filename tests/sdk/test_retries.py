"""What is asked again, what is not, and how long it takes until the caller hears of it."""

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from assay_sdk import APIConnectionError, APITimeoutError, Assay, ConflictError, RateLimitError, ServerError
from assay_sdk.client.attempts import retry_after
from tests.sdk.conftest import Either, secret
from tests.sdk.stub import Reply, Stub, reply

SECRETS = "/apis/secrets/v2/workspaces/default/secrets"
KEY = f"{SECRETS}/k"
BUSY = reply({"detail": "busy"}, 503, Retry_After="0")
FULL = reply({"detail": "slow down"}, 429, Retry_After="0")
GOOD = reply(secret("k"))
DROPPED = Reply(cut=0)


@pytest.mark.parametrize(
    "failure", [BUSY, FULL, DROPPED, Reply(cut=5, body=GOOD.body), *map(Reply, (408, 500, 502, 504))]
)
def test_a_failure_that_may_pass_is_asked_again(stub: Stub, either: Either, failure: Reply) -> None:
    stub.on("GET", KEY, failure, GOOD)
    assert either("secrets.retrieve", "k").name == "k"
    assert len(stub.asked) == 2


def test_asking_again_has_an_end(stub: Stub, client_of: Callable[..., Either]) -> None:
    stub.on("GET", KEY, BUSY)
    with pytest.raises(ServerError):
        client_of(stub.url, retries=3)("secrets.retrieve", "k")
    assert len(stub.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 501])
def test_a_refusal_is_final(stub: Stub, either: Either, status: int) -> None:
    stub.on("DELETE", KEY, reply({"detail": "no"}, status, Retry_After="0"))
    with pytest.raises(Exception, match="no"):
        either("secrets.delete", "k")
    assert len(stub.asked) == 1


def test_a_conflict_is_never_repeated(stub: Stub, either: Either) -> None:
    stub.on("POST", SECRETS, reply({"detail": "Secret 'default/k' already exists"}, 409))
    with pytest.raises(ConflictError, match="already exists"):
        either("secrets.create", "k", "v")
    assert len(stub.asked) == 1


@pytest.mark.parametrize("failure", [DROPPED, Reply(500, b"x"), Reply(503, b"x"), Reply(504, b"x")])
def test_a_create_that_may_have_worked_is_not_repeated(stub: Stub, either: Either, failure: Reply) -> None:
    stub.on("POST", SECRETS, failure, GOOD)
    with pytest.raises((APIConnectionError, ServerError)):
        either("secrets.create", "k", "v")
    assert len(stub.asked) == 1


@pytest.mark.parametrize("failure", [FULL, BUSY])
def test_a_create_that_was_turned_away_is_repeated(stub: Stub, either: Either, failure: Reply) -> None:
    stub.on("POST", SECRETS, failure, GOOD)
    assert either("secrets.create", "k", "v").name == "k"
    assert [asked.json["value"] for asked in stub.asked] == ["v", "v"]


def test_a_post_that_is_harmless_twice_is_repeated(stub: Stub, either: Either) -> None:
    stub.on("PATCH", KEY, DROPPED, GOOD)
    assert either("secrets.update", "k", description="d").name == "k"


def test_a_server_that_wants_a_long_rest_gets_it(stub: Stub, either: Either) -> None:
    stub.on("GET", KEY, reply({"detail": "slow down"}, 429, Retry_After="3600"))
    begun = time.monotonic()
    with pytest.raises(RateLimitError):
        either("secrets.retrieve", "k")
    assert len(stub.asked) == 1
    assert time.monotonic() - begun < 5


def test_nobody_there(client_of: Callable[..., Either]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(APIConnectionError, match=rf"no reply from {url}"):
            client_of(url, retries=1)("secrets.retrieve", "k")


def test_no_answer_in_time(stub: Stub, client_of: Callable[..., Either]) -> None:
    never = threading.Event()
    stub.on("GET", KEY, Reply(hold=never))
    with pytest.raises(APITimeoutError, match=r"nothing from .* in 0\.1 s"):
        client_of(stub.url, retries=0, timeout=0.1)("secrets.retrieve", "k")
    never.set()


def test_an_address_that_is_none(client_of: Callable[..., Either]) -> None:
    with pytest.raises(APIConnectionError, match="protocol"):
        client_of("127.0.0.1:8080")("health")


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("1.5", 1.5), ("-2", 0.0), ("", None), (None, None), ("soon", None)]
)
def test_retry_after_in_seconds(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30))) == pytest.approx(30, abs=2)
    assert retry_after(format_datetime(datetime.now(UTC) - timedelta(days=1))) == 0


# Who is calling


def test_token_and_login_travel_in_the_header(stub: Stub, client_of: Callable[..., Either]) -> None:
    stub.on("GET", KEY, GOOD)
    client_of(stub.url, token="t0ken")("secrets.retrieve", "k")
    client_of(stub.url, login=("ada", "pw"))("secrets.retrieve", "k")
    client_of(stub.url)("secrets.retrieve", "k")
    sent = [asked.headers.get("Authorization") for asked in stub.asked]
    assert sent == ["Bearer t0ken", "Basic " + b64encode(b"ada:pw").decode(), None]
    assert stub.asked[0].headers["User-Agent"].startswith("assay-sdk/")


def test_credentials_are_not_shown(stub: Stub, client_of: Callable[..., Either]) -> None:
    either = client_of(stub.url, token="t0ken")
    assert "t0ken" not in repr(either.client) + repr(either.client._transport.settings)
    with pytest.raises(ValueError, match="not both"):
        Assay(token="t", login=("a", "b"))


def test_a_base_url_may_have_a_path(stub: Stub, client_of: Callable[..., Either]) -> None:
    stub.on("GET", f"/assay{KEY}", GOOD)
    assert client_of(f"{stub.url}/assay/")("secrets.retrieve", "k").name == "k"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_be_another_address_is_refused(stub: Stub, either: Either, name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        either("workspaces.delete", name)
    assert not stub.asked


def test_odd_names_reach_the_server_as_they_are(stub: Stub, either: Either) -> None:
    for name in ("a/b", "a?b", "a#b", "ä b", "%2e%2e", "../x"):
        with pytest.raises(Exception, match="404"):
            either("workspaces.retrieve", name)
    assert [asked.path.removeprefix("/apis/entities/v2/workspaces/") for asked in stub.asked] == [
        "a%2Fb", "a%3Fb", "a%23b", "%C3%A4%20b", "%252e%252e", "..%2Fx",
    ]  # fmt: skip
