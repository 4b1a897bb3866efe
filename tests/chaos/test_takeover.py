"""A worker that dies or stands still is replaced within seconds, one that wakes up too late is refused, and a job that
is cancelled under load stops at once.
"""

import json
import os
import random
import signal
import statistics
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.chaos.trial import FULL, JOBS, SEED, ended, status, submit, until, whole
from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.process_tree import kill_all, talks_to
from tests.team_process import TeamProcess

pytestmark = pytest.mark.thorough

PARALLELISM = 8
LATENCY_MS = 100
ROWS = 240
DEATHS = 20
PROMISE = 10.0 if FULL else 20.0
"""Seconds from a worker's death to the next call of a judge; the short form may run on a machine that is busy."""
ASKED_TWICE = 32
"""Calls that it costs at most: those in flight, those whose replies were not stored yet, and those that a worker makes
before it learns that it was replaced."""
CANCELLED_WITHIN = 2.0 if FULL else 5.0
OPEN_TRANSACTIONS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
"""

Platform = PlatformProcess | TeamProcess


@pytest.fixture
def api(team: TeamProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=team.url, timeout=30) as client:
        yield client


@pytest.mark.skipif(not FULL, reason="the short form has its deaths in test_kill_storm.py")
def test_judging_goes_on_soon_after_a_worker_died(platform: Platform) -> None:
    """Kill worker after worker of one job, each in the middle of its judging, and see how long nobody is judged."""
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    count = ROWS * DEATHS
    took = []
    with JudgeProcess(latency_ms=LATENCY_MS) as judge, httpx.Client(base_url=platform.url, timeout=30) as api:
        submit(api, "buries-its-workers", judge, count, parallelism=PARALLELISM)
        for death in range(DEATHS):
            at = judge.stats()["calls"] + dice.randrange(2 * PARALLELISM, 10 * PARALLELISM)
            until(lambda at=at: judge.stats()["calls"] >= at, 30, f"calls before death {death}")
            kill_all(pid for pid in platform.workers() if talks_to(pid, judge.port))
            took.append(next_call(judge))
        print("  seconds until the next call: " + " ".join(f"{each:.1f}" for each in sorted(took)))
        print(f"  median {statistics.median(took):.1f}, longest {max(took):.1f}")
        last = ended(api, "buries-its-workers", 300)
        assert last["status"] == "completed", last
        whole(api, "buries-its-workers", count)
        assert judge.stats()["calls"] <= count + ASKED_TWICE * DEATHS
    assert max(took) <= PROMISE


def next_call(judge: JudgeProcess) -> float:
    """Wait for a call that none of those in flight is, and return the seconds that it took."""
    time.sleep(0.05)  # what the dead had sent arrives
    before = judge.stats()["calls"]
    return 0.05 + until(lambda: judge.stats()["calls"] > before, 3 * PROMISE, "a call after a worker's death")


@pytest.mark.parametrize("moment", ["anywhere", "in a transaction"] if FULL else ["anywhere"])
def test_a_worker_that_wakes_up_too_late_writes_nothing(moment: str, team: TeamProcess, api: httpx.Client) -> None:
    job = f"has-a-sleeper-{moment.split()[-1]}"
    with JudgeProcess(latency_ms=LATENCY_MS) as judge:
        submit(api, job, judge, ROWS, parallelism=PARALLELISM)
        until(lambda: judge.stats()["calls"] >= ROWS // 4, 30, "a fourth of the calls")
        sleepers = [pid for pid in team.workers() if talks_to(pid, judge.port)]
        assert len(sleepers) == 1
        stop(sleepers[0], team if moment == "in a transaction" else None)
        try:
            took = next_call(judge)
            until(lambda: judge.stats()["calls"] >= ROWS * 3 // 4, 30, "further calls, by another worker")
        finally:
            os.kill(sleepers[0], signal.SIGCONT)
        print(f"  {moment}: {took:.1f} s until the next call")
        last = ended(api, job, 60)
        assert last["status"] == "completed", last
        calls = judge.stats()["calls"]
        whole(api, job, ROWS)
        assert sleepers[0] in team.workers(), "it was to be refused, not to die of it"
    print(f"  {calls - ROWS} calls more than rows")
    assert calls <= ROWS + ASKED_TWICE, "it went on judging"
    assert took <= PROMISE


def stop(pid: int, team: TeamProcess | None) -> None:
    """Have the process stand still; with ``team`` in the middle of one of its transactions."""
    os.kill(pid, signal.SIGSTOP)
    if team is None:
        return
    with psycopg.connect(team.env["ASSAY_DATABASE_URL"], autocommit=True) as database:
        deadline = time.monotonic() + 60
        while not database.execute(OPEN_TRANSACTIONS).fetchall():
            os.kill(pid, signal.SIGCONT)
            assert time.monotonic() < deadline, "it never stood still within a transaction"
            time.sleep(0.003)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.01)  # what others had begun is over


def test_a_job_cancelled_under_load_stops_at_once_and_keeps_its_rows(team: TeamProcess, api: httpx.Client) -> None:
    with JudgeProcess(latency_ms=LATENCY_MS, hang_every=50) as judge, JudgeProcess(latency_ms=10) as busy:
        for number in range(3):
            submit(api, f"load-{number}", busy, 10 * ROWS, parallelism=PARALLELISM)
        submit(api, "cancelled", judge, 10 * ROWS, parallelism=4 * PARALLELISM)
        until(lambda: judge.stats()["calls"] >= ROWS, 30, "judging")
        api.post(f"{JOBS}/cancelled/cancel").raise_for_status()
        took = until(lambda: (status(api, "cancelled") or {}).get("status") == "cancelled", 20, "the end of the job")
        print(f"cancelled after {took:.2f} s")
        time.sleep(0.2)
        calls = judge.stats()["calls"]
        details = (status(api, "cancelled") or {})["status_details"]
        assert 0 < details["samples_processed"] < 10 * ROWS
        lines = api.get(f"{JOBS}/cancelled/export", params={"format": "jsonl"}).raise_for_status().text.splitlines()
        judged = {json.loads(line)["row_index"] for line in lines}
        assert len(judged) == len(lines) == details["samples_processed"], "what was judged before is kept"
        for number in range(3):
            api.post(f"{JOBS}/load-{number}/cancel").raise_for_status()
            ended(api, f"load-{number}", 20)
        assert judge.stats()["calls"] == calls, "it went on judging"
    assert took <= CANCELLED_WITHIN
