"""kill -9 of the worker in the middle of a job: the job completes by itself, no row missing or doubled."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from judge import JudgeProcess
from platform_process import PlatformProcess
from rest import bundle, rows, scores, submit, wait
from services import fresh_database, redis_url

ROWS = 300
PARALLELISM = 8


@pytest.fixture(params=["embedded", "team"])
def env(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "embedded":
        yield {}
        return
    with fresh_database() as database:
        yield {"ASSAY_DATABASE_URL": database, "ASSAY_BROKER_URL": redis_url()}


def test_a_killed_worker_costs_only_what_was_in_flight(env: dict[str, str], tmp_path: Path) -> None:
    with (
        JudgeProcess(latency_ms=60) as judge,
        PlatformProcess(tmp_path / "data", **env) as platform,
        httpx.Client(base_url=platform.url, timeout=30) as api,
    ):
        spec = {"dataset": rows(ROWS), "params": {"parallelism": PARALLELISM}, "metrics": [bundle(judge.url)]}
        submit(api, spec, "killed-once")
        while judge.stats()["calls"] < ROWS // 3:
            time.sleep(0.02)
        platform.kill("manage.py worker")
        ended = wait(api, "killed-once", seconds=60)
        assert ended["status"] == "completed", ended
        aggregates, judged = scores(api, "killed-once")
        calls = judge.stats()["calls"]
    assert [row["row_index"] for row in judged] == list(range(ROWS))
    assert aggregates[0]["count"] == ROWS
    unsaved = PARALLELISM * 4  # what is in flight, and one window of 100 ms of replies
    assert calls <= ROWS + unsaved
