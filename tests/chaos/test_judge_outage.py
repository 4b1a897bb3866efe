"""kill -9 of the judge in the middle of a job: the job waits and says why, and goes on by itself."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from judge import JudgeProcess
from platform_process import PlatformProcess
from rest import bundle, rows, scores, status, submit, wait

ROWS = 120
IN_FLIGHT = 4
CALLS = 40
"""Calls until the judge dies. It leaves every tenth without an answer, so that four are in flight when it is killed."""
JOB = "outlives-its-judge"


def test_a_killed_judge_is_waited_for_and_costs_only_what_was_in_flight(tmp_path: Path) -> None:
    with (
        PlatformProcess(tmp_path / "data") as platform,
        httpx.Client(base_url=platform.url, timeout=30) as api,
        JudgeProcess(hang_every=CALLS // IN_FLIGHT) as judge,
    ):
        spec = {"dataset": rows(ROWS), "params": {"parallelism": IN_FLIGHT}, "metrics": [bundle(judge.url)]}
        submit(api, spec, JOB)
        until(lambda: (now := judge.stats())["calls"] == CALLS and now["in_flight"] == IN_FLIGHT)
        os.kill(judge.pid, signal.SIGKILL)

        until(lambda: status(api, JOB)["status_details"]["message"].startswith("Waiting for"))
        waiting = status(api, JOB)
        assert waiting["status"] == "active"
        assert f"Waiting for the judge at {judge.url}" in waiting["status_details"]["message"]
        assert waiting["status_details"]["message"].endswith(f"; {CALLS - IN_FLIGHT} rows done")
        log = api.get(f"/apis/evaluator/v2/workspaces/default/evaluate/jobs/{JOB}/logs").raise_for_status().json()
        assert any("Waiting for the judge" in line["message"] for line in log["data"])

        with JudgeProcess(port=urlsplit(judge.url).port or 0) as successor:
            ended = wait(api, JOB, seconds=20)
            assert ended["status"] == "completed", ended
            calls = successor.stats()["calls"]
        aggregates, judged = scores(api, JOB)
    assert calls == ROWS - (CALLS - IN_FLIGHT), "what was judged before is not asked again"
    assert [row["row_index"] for row in judged] == list(range(ROWS))
    assert (aggregates[0]["count"], aggregates[0]["nan_count"]) == (ROWS, 0)


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "that took too long"
        time.sleep(0.02)
