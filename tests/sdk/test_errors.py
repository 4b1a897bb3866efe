"""Refusals become typed errors that say what the server said, and nothing of what was sent."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from assay_sdk import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AssayError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    JobFailed,
    JobTimeout,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnprocessableEntityError,
)
from tests.sdk.conftest import Either, recorded, secret
from tests.sdk.stub import Reply, Stub, reply

SECRETS = "/apis/secrets/v2/workspaces/default/secrets"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, APIStatusError),
        (409, ConflictError),
        (422, UnprocessableEntityError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_each_status_has_its_error(
    stub: Stub, client_of: Callable[..., Either], status: int, kind: type[APIStatusError]
) -> None:
    stub.on("GET", f"{SECRETS}/k", reply({"detail": "Because."}, status))
    with pytest.raises(APIStatusError, match=rf"^{status} on GET {SECRETS}/k: Because\.$") as caught:
        client_of(stub.url, retries=0)("secrets.retrieve", "k")
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert caught.value.detail == "Because."


def test_families_can_be_caught() -> None:
    assert issubclass(APITimeoutError, APIConnectionError) and issubclass(APIConnectionError, ConnectionError)
    assert issubclass(JobTimeout, TimeoutError) and issubclass(JobFailed, AssayError)


def test_every_mistake_has_its_line_and_its_place(stub: Stub, either: Either) -> None:
    detail = [
        {"type": "missing", "loc": ["body", "spec", "metrics"], "msg": "Field required", "input": {"a": 1}},
        {"type": "greater_than", "loc": ["body", "spec", "metrics", 0, "model"], "msg": "Too small", "input": 0},
        {"type": "greater_than", "loc": ["body", "spec", "metrics", 0, "model"], "msg": "Too small", "input": 1},
        {"type": "less_than_equal", "loc": ["query", "page_size"], "msg": "Too large", "input": "1001"},
    ]
    stub.on("GET", f"{SECRETS}/k", reply({"detail": detail}, 422))
    with pytest.raises(UnprocessableEntityError) as caught:
        either("secrets.retrieve", "k")
    assert str(caught.value).splitlines()[1:] == [
        "  - spec.metrics: Field required",
        "  - spec.metrics[0].model: Too small",
        "  - query.page_size: Too large",
    ]


@pytest.mark.parametrize("shape", ["list", "text that holds the list"])
def test_what_was_sent_is_not_repeated(stub: Stub, either: Either, shape: str) -> None:
    value = "".join(["hun", "ter2"])  # not in one piece, as tracebacks show the lines of this test
    detail: Any = [{"type": "value_error", "loc": ["body", "value"], "msg": "Not good", "input": value}]
    if shape != "list":
        detail = reply(detail).body.decode()
    stub.on("POST", SECRETS, reply({"detail": detail}, 422))
    with pytest.raises(UnprocessableEntityError, match=r"value: Not good") as caught:
        either("secrets.create", "k", value)
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert value not in shown


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(502, b"<html>Bad Gateway</html>"), "a web page"),
        (Reply(500, b"boom"), "boom"),
        (Reply(500, b""), "no explanation"),
        (reply({"message": "no"}, 500), "no"),
        (reply(["a", "b"], 500), "- a"),
        (reply({"odd": 1}, 500), '{"odd":1}'),
    ],
)
def test_a_refusal_of_any_shape_is_readable(
    stub: Stub, client_of: Callable[..., Either], answer: Reply, words: str
) -> None:
    stub.on("GET", f"{SECRETS}/k", answer)
    with pytest.raises(ServerError, match=words):
        client_of(stub.url, retries=0)("secrets.retrieve", "k")


def test_every_recorded_refusal_is_readable(stub: Stub, client_of: Callable[..., Either]) -> None:
    client = client_of(stub.url, retries=0)
    refusals = [found for found in recorded("errors") if found["status"] >= 400]
    assert len(refusals) > 30
    for found in refusals:
        stub.on("GET", f"{SECRETS}/k", reply(found["response"], found["status"]))
        with pytest.raises(APIStatusError) as caught:
            client("secrets.retrieve", "k")
        assert caught.value.status == found["status"]
        assert "no explanation" not in str(caught.value)
        assert "'input'" not in repr(caught.value.detail)


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[]", b"{}", b"null"])
def test_a_good_reply_of_something_else_is_told(stub: Stub, either: Either, body: bytes) -> None:
    stub.on("GET", f"{SECRETS}/k", Reply(200, body))
    with pytest.raises(AssayError, match="not what the platform sends"):
        either("secrets.retrieve", "k")


def test_a_reply_that_cannot_be_read_is_not_repeated(stub: Stub, either: Either) -> None:
    stub.on("GET", f"{SECRETS}/k", reply({**secret("k"), "created_at": "hunter2"}))
    with pytest.raises(AssayError, match="created_at") as caught:
        either("secrets.retrieve", "k")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_redirect_names_the_right_address(stub: Stub, either: Either) -> None:
    stub.on("GET", f"{SECRETS}/k", Reply(301, b"", {"Location": "https://assay.example/"}))
    with pytest.raises(APIStatusError, match=r"https://assay\.example/; use that as base_url"):
        either("secrets.retrieve", "k")
