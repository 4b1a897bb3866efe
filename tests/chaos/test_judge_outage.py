"""A judge that dies, or that takes calls and never answers: the job says so, ends or goes on, and never just stands."""

import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.chaos.trial import JOBS, ended, status, submit, until
from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.rest import scores, wait

pytestmark = pytest.mark.thorough

ROWS = 120
IN_FLIGHT = 4
CALLS = 40
"""Calls until the judge dies. It leaves every tenth without an answer, so that four are in flight when it is killed."""
JOB = "outlives-its-judge"

TIMEOUT = 3.0
"""Seconds that a call may take, as the metric says."""
LEAVES = TIMEOUT + 5.0
SILENT_ROWS = 16
PARTLY_ROWS = 30
HANGS_ON = "what is 2"
HUNG = [row for row in range(PARTLY_ROWS) if f"{row}".startswith("2")]
REASON = re.compile(r"\b3(\.0)? s")
"""The reason names the time that was waited."""


@pytest.fixture
def api(shared_platform: PlatformProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_platform.url, timeout=30) as client:
        yield client


def test_a_killed_judge_is_waited_for_and_costs_only_what_was_in_flight(api: httpx.Client) -> None:
    with JudgeProcess(hang_every=CALLS // IN_FLIGHT) as judge:
        submit(api, JOB, judge, ROWS, parallelism=IN_FLIGHT)
        hanging = {"calls": CALLS, "in_flight": IN_FLIGHT}
        until(lambda: hanging.items() <= judge.stats().items(), 20, "four calls that hang")
        os.kill(judge.pid, signal.SIGKILL)

        until(lambda: message(api, JOB).startswith("Waiting for"), 20, "the job saying that it waits")
        waiting = status(api, JOB) or {}
        assert waiting["status"] == "active"
        assert f"Waiting for the judge at {judge.url}" in message(api, JOB)
        assert message(api, JOB).endswith(f"; {CALLS - IN_FLIGHT} rows done")
        assert any("Waiting for the judge" in line for line in log(api, JOB))

        with JudgeProcess(port=judge.port) as successor:
            last = wait(api, JOB, seconds=20)
            assert last["status"] == "completed", last
            calls = successor.stats()["calls"]
        aggregates, judged = scores(api, JOB)
    assert calls == ROWS - (CALLS - IN_FLIGHT), "what was judged before is not asked again"
    assert [row["row_index"] for row in judged] == list(range(ROWS))
    assert (aggregates[0]["count"], aggregates[0]["nan_count"]) == (ROWS, 0)


def test_a_judge_that_never_answers_ends_the_job(api: httpx.Client) -> None:
    with JudgeProcess(hang_every=1) as judge:
        submit(api, "silence", judge, SILENT_ROWS, parallelism=SILENT_ROWS, inference={"timeout": TIMEOUT})
        until(lambda: judge.stats()["in_flight"] == SILENT_ROWS, 20, "a call for each row")
        # The job may end before each row had its turn to fail: then none is waited for either.
        until(lambda: left(api, "silence") == SILENT_ROWS, LEAVES, "every row leaving 'running'")
        last = ended(api, "silence", 10)
        calls = judge.stats()["calls"]
    assert last["status"] == "error"
    assert REASON.search(last["error_details"]["message"]), last
    assert REASON.search(last["status_details"]["message"]), last
    assert any(REASON.search(line) for line in log(api, "silence"))
    assert calls == SILENT_ROWS, "silence for a whole timeout is not asked again"


def test_rows_that_a_judge_never_answers_hold_up_no_other(api: httpx.Client) -> None:
    with JudgeProcess(hang_on=HANGS_ON) as judge:
        submit(api, "partly-silent", judge, PARTLY_ROWS, parallelism=len(HUNG) + 1, inference={"timeout": TIMEOUT})
        until(lambda: judge.stats()["in_flight"] == len(HUNG), 20, "a call for each silent row")
        start = time.monotonic()
        until(lambda: left(api, "partly-silent") >= PARTLY_ROWS - len(HUNG), LEAVES, "the other rows being judged")
        until(lambda: left(api, "partly-silent") == PARTLY_ROWS, LEAVES, "the silent rows leaving 'running'")
        assert time.monotonic() - start < LEAVES
        last = ended(api, "partly-silent", 10)
        calls = judge.stats()["calls"]
    assert last["status"] == "completed", last
    assert f"{len(HUNG)} unscored" in last["status_details"]["message"]
    assert calls == PARTLY_ROWS
    aggregates, judged = scores(api, "partly-silent")
    assert (aggregates[0]["count"], aggregates[0]["nan_count"]) == (PARTLY_ROWS - len(HUNG), len(HUNG))
    failed = {row["row_index"]: row["metric_errors"] for row in judged if row["metric_errors"]}
    assert sorted(failed) == HUNG
    assert all(REASON.search(str(why)) for why in failed.values()), failed
    assert any(REASON.search(line) for line in log(api, "partly-silent"))


def left(api: httpx.Client, job: str) -> int:
    """Return how many rows run no more: those that are through, or all once the job has ended."""
    now = status(api, job) or {}
    details: dict[str, Any] = now.get("status_details") or {}
    total = int(details.get("samples_total") or 0)
    return total if now.get("status") == "error" else int(details.get("samples_processed") or 0)


def message(api: httpx.Client, job: str) -> str:
    return str((status(api, job) or {}).get("status_details", {}).get("message", ""))


def log(api: httpx.Client, job: str) -> list[str]:
    reply = api.get(f"{JOBS}/{job}/logs", params={"limit": 1000}).raise_for_status()
    return [line["message"] for line in reply.json()["data"]]
