"""What log lines say: whom they are about, and never a secret; and the id that every request has."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from assay.jobs.models import Job
from assay.jobs.tasks import work
from assay.jobs.wake import wake
from assay.platform import journal
from assay.platform.celery import ORIGIN, app, put_down, take_up
from assay.secrets.vault import SecretValue
from assay.workspaces.models import Workspace
from tests.jobs.made import job_in

SECRET = 'sk-live "0123456789'
TEXT = "%(levelname)s %(name)s: %(message)s"


@pytest.fixture(autouse=True)
def nothing_concealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_concealed", {})


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What a handler with the platform's own filter and JSON formatter writes, of every logger."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(journal.About())
    handler.setFormatter(journal.JSONFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)


def lines(written: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def record(message: str, error: Exception | None = None) -> logging.LogRecord:
    try:
        if error is not None:
            raise error
    except Exception:
        exc_info = sys.exc_info()
    made = logging.LogRecord("assay.x", logging.ERROR, __file__, 1, message, (), exc_info if error else None)
    journal.About().filter(made)
    return made


def test_a_line_says_whom_it_is_about() -> None:
    with journal.about(request_id="r-1"), journal.about(job="w/j", shard="3"):
        told = record("gone \ud800 wrong", RuntimeError("because"))
    entry = json.loads(journal.JSONFormatter().format(told))
    assert entry.pop("time").endswith("+00:00")
    assert entry.pop("exception").endswith("RuntimeError: because")
    told_of = {"request_id": "r-1", "job": "w/j", "shard": "3"}
    assert entry == {"level": "ERROR", "logger": "assay.x", "message": "gone ? wrong", **told_of}
    first, *traceback = journal.TextFormatter(TEXT).format(told).splitlines()
    assert first.endswith("wrong [request_id=r-1 job=w/j shard=3]")
    assert traceback[-1] == "RuntimeError: because"
    assert "[" not in journal.TextFormatter(TEXT).format(record("outside")), "nothing is left over"


@pytest.mark.parametrize("formatter", [journal.JSONFormatter(), journal.TextFormatter(TEXT)])
def test_no_line_shows_a_secret(formatter: logging.Formatter) -> None:
    journal.conceal(SECRET)
    journal.conceal("short")
    line = formatter.format(record(f"the key {SECRET} is short", ValueError(f"not with {SECRET}")))
    assert "0123456789" not in line
    assert line.count(journal.MASK) == 2
    assert "short" in line, "it is part of too many words"


def test_of_many_secrets_the_newest_are_concealed() -> None:
    for number in range(journal.MOST_CONCEALED + 1):
        journal.conceal(f"secret-{number:05}")
    assert journal.masked("secret-00000 secret-00001") == f"secret-00000 {journal.MASK}"


def test_a_stored_secret_is_concealed_once_it_is_opened() -> None:
    assert SecretValue("opened-by-a-worker").reveal() == "opened-by-a-worker"
    assert journal.masked("it was opened-by-a-worker") == f"it was {journal.MASK}"


# Requests

ANSWERED = [
    "/health/live",
    "/apis/entities/v2/workspaces",
    "/apis/entities/v2/workspaces/not-there",
    "/v1/namespaces",
    "/v1/hf/api/whoami-v2",
    "/nobody/lives/here",
    "/admin/",
    "/openapi.json",
]


@pytest.mark.django_db
@pytest.mark.parametrize("address", ANSWERED)
def test_every_reply_names_its_request(client: APIClient, address: str) -> None:
    assert client.get(address, HTTP_X_REQUEST_ID="mine.Is_1-2").headers["X-Request-ID"] == "mine.Is_1-2"
    for refused in ("", "a b", "x" * 65, "é", "a\tb", "<script>"):
        given = client.get(address, HTTP_X_REQUEST_ID=refused).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", given), "one that is not sane is not taken"
    assert client.get(address).headers["X-Request-ID"] != client.get(address).headers["X-Request-ID"]


@pytest.mark.django_db
def test_an_access_line_tells_of_each_request(
    client: APIClient, workspace: Workspace, settings: Settings, written: StringIO
) -> None:
    settings.ACCESS_LOG = True
    reply = client.get("/apis/entities/v2/workspaces/w-one?page=1", HTTP_X_REQUEST_ID="r-2")
    stream = client.get(
        f"/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/{job_in(workspace).name}/export", HTTP_X_REQUEST_ID="r-3"
    )
    sent = b"".join(stream)
    stream.close()
    client.get("/health/live")
    first, second = (line for line in lines(written) if line["logger"] == "assay.access")
    assert 0 < first.pop("ms") < 60_000
    del first["time"]
    assert first.pop("message").startswith("GET /apis/entities/v2/workspaces/<str:name> 200 ")
    assert first == {
        "level": "INFO",
        "logger": "assay.access",
        "request_id": "r-2",
        "method": "GET",
        "route": "/apis/entities/v2/workspaces/<str:name>",
        "status": 200,
        "bytes": len(reply.content),
        "caller": "",
    }
    assert (second["request_id"], second["status"], second["bytes"]) == ("r-3", 200, len(sent))
    assert not journal.facts(), "the next one begins with a clean sheet"


@pytest.mark.django_db
def test_no_access_line_where_it_is_off(client: APIClient, settings: Settings, written: StringIO) -> None:
    settings.ACCESS_LOG = False
    client.get("/apis/entities/v2/workspaces")
    assert not lines(written)


# Tasks


@pytest.mark.django_db
def test_a_task_learns_which_request_it_is_for(workspace: Workspace) -> None:
    job = job_in(workspace)
    with journal.about(request_id="r-4"):
        message = rung(job)
    assert message["args"] == [job.pk], "the body of a message is an id and nothing else"
    task: Any = work
    task.push_request(headers=None, **message["headers"])
    try:
        take_up(task=task)
        assert journal.facts() == {"request_id": "r-4"}
        put_down()
        assert journal.facts() == {}
    finally:
        task.pop_request()
    assert rung(job)["headers"][ORIGIN]["about"] == {}, "a sweep's has none"


def rung(job: Job) -> dict[str, Any]:
    """Ring for the job, and return the message as a worker finds it."""
    with app.connection_for_read() as broker, broker.SimpleQueue("assay") as queue:
        queue.clear()
        wake(job.pk)
        message = queue.get(timeout=5)
        message.ack()
        return {"args": message.payload[0], "headers": message.headers}
