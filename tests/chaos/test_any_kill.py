"""Any process may be killed at any time, one after the other: in the end every job has come to its end, and is right.

Of one machine that is also the supervisor, which the test then starts again, as an init system would.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.chaos.trial import FULL, JOBS, SEED, asked, ended, spec, until, whole
from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.process_tree import command, kill_all
from tests.team_process import TeamProcess

pytestmark = pytest.mark.thorough

KILLS = 200 if FULL else 6
PAUSES = (0.2, 3.0) if FULL else (0.2, 2.0)
"""Seconds between two kills, drawn between these."""
STUCK = 30.0
"""Seconds without a live lease, after which a job counts as stuck."""
LATENCY_MS = 50
LARGE = (3000, 1000, 500) if FULL else (200, 100)
SMALL_ROWS = 5

KINDS = ("granian", "manage.py worker", "manage.py beat", "manage.py serve", "redis-server")

Platform = PlatformProcess | TeamProcess


@pytest.mark.parametrize("platform", ["embedded", "team"] if FULL else ["embedded"], indirect=True)
def test_no_job_is_stuck_after_many_kills(platform: Platform) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    with (
        JudgeProcess(latency_ms=LATENCY_MS) as judge,
        httpx.Client(base_url=platform.url, timeout=10) as api,
        started_again(platform),
    ):
        jobs = {f"large-{count}": count for count in LARGE}
        for job, count in jobs.items():
            assert try_to_submit(api, job, judge, count)
        killed: Counter[str] = Counter()
        refused: dict[str, int] = {}
        for number in range(KILLS):
            time.sleep(dice.uniform(*PAUSES))
            killed[kill_one(platform, dice)] += 1
            job = f"small-{number}"
            (jobs if try_to_submit(api, job, judge, SMALL_ROWS) else refused)[job] = SMALL_ROWS
        until(lambda: asked(api, "GET", "/health/ready") is not None, 60, "the platform answering again")
        print(f"  killed {dict(killed)}; {len(jobs)} jobs, {len(refused)} more without a reply")

        for job, count in refused.items():
            # Whether it was taken is not known; if it was, it is as good as any other.
            reply = api.get(f"{JOBS}/{job}/status")
            assert reply.status_code in {200, 404}, reply.text
            jobs |= {job: count} if reply.status_code == 200 else {}
        start = time.monotonic()
        for job, count in jobs.items():
            last = ended(api, job, 300, still=STUCK)
            assert last["status"] == "completed", last
            whole(api, job, count)
        print(f"  all {len(jobs)} jobs completed {time.monotonic() - start:.1f} s after the last kill")


@contextmanager
def started_again(platform: Platform) -> Iterator[None]:
    """Start the platform again whenever it has ended, as an init system would."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.3):
            platform.revive()

    init = threading.Thread(target=look)
    init.start()
    try:
        yield
    finally:
        over.set()
        init.join()


def kill_one(platform: Platform, dice: random.Random) -> str:
    """Kill -9 one of the platform's processes; returns what it was. Each kind has the same chance."""
    kinds: dict[str, list[int]] = {}
    for pid in platform.everything():
        line = command(pid)
        kinds.setdefault(next((kind for kind in KINDS if kind in line), "other"), []).append(pid)
    if not kinds:
        return "nobody there"
    kind = dice.choice(sorted(kinds))
    kill_all([dice.choice(sorted(kinds[kind]))])
    return kind


def try_to_submit(api: httpx.Client, job: str, judge: JudgeProcess, count: int) -> bool:
    """Submit the job; returns whether it was taken for sure."""
    reply = asked(api, "POST", JOBS, json={"name": job, "spec": spec(judge, count, label=job)})
    assert reply is None or reply.status_code == 201, reply.text
    return reply is not None
