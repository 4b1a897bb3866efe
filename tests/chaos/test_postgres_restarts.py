"""Postgres is restarted again and again while jobs run: nothing is lost, doubled or stuck, and no answer is wrong."""

import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.trial import BUSY, FULL, JOBS, SEED, ended, spec, submit, whole
from tests.judge import JudgeProcess
from tests.postgres_process import PostgresProcess
from tests.rest import TERMINAL
from tests.team_process import TeamProcess

pytestmark = pytest.mark.thorough

SECONDS = 300 if FULL else 10
PAUSES = (5.0, 40.0) if FULL else (2.5, 4.0)
"""Between two restarts, in seconds: drawn between these."""
LATENCY_MS = 100
PARALLELISM = 8
LOADS = 3
LOAD_ROWS = SECONDS * PARALLELISM * 1000 // LATENCY_MS // 2
"""Of each large job: enough to be judged for half of the time at least."""
SMALL_ROWS = 5
WINDOW = 16
"""Replies that are stored at once."""
COST = LOADS * PARALLELISM + WINDOW
"""Calls that a restart may cost: what flies plus one unsaved window; none where who holds replies stores them in time.
"""


class Visitor:
    """Somebody who submits small jobs all the time and looks at all jobs, and believes what they are told."""

    def __init__(self, url: str, judge: JudgeProcess) -> None:
        self.api = httpx.Client(base_url=url, timeout=60)
        self.judge = judge
        self.jobs: list[str] = []
        """What was submitted: taken for sure, or by the look of it."""
        self.replies: Counter[str] = Counter()
        self.longest = 0.0
        self.wrong: list[str] = []
        self.left = threading.Event()
        self._seen: dict[str, tuple[int, str]] = {}
        self._thread = threading.Thread(target=self._visit)

    def start(self) -> None:
        self._thread.start()

    def leave(self) -> None:
        self.left.set()
        self._thread.join(120)
        self.api.close()

    def _visit(self) -> None:
        number = 0
        while not self.left.wait(0.1):
            number += 1
            if number % 10 == 1:
                self._submit(f"small-{number}")
            for job in [*self.jobs[-3:], *(f"load-{each}" for each in range(LOADS))]:
                self._look(job)

    def _ask(self, method: str, path: str, **also: Any) -> httpx.Response | None:
        start = time.monotonic()
        try:
            reply = self.api.request(method, path, **also)
        except httpx.TransportError as error:
            self.replies[f"{method} {type(error).__name__}"] += 1
            return None
        finally:
            self.longest = max(self.longest, time.monotonic() - start)
        self.replies[f"{method} {reply.status_code}"] += 1
        return None if reply.status_code in BUSY else reply

    def _submit(self, job: str) -> None:
        body = {"name": job, "spec": spec(self.judge, SMALL_ROWS, label=job)}
        reply = self._ask("POST", JOBS, json=body)
        if reply is None:
            reply = next((again for _ in range(60) if (again := self._again(body)) is not None), None)
            taken = {201, 409}  # it may have been taken although the reply was lost
        else:
            taken = {201}
        if reply is None or reply.status_code not in taken:
            self.wrong.append(f"{job}: {reply.text if reply is not None else 'no reply for a minute'}")
        else:
            self.jobs.append(job)

    def _again(self, body: dict[str, Any]) -> httpx.Response | None:
        time.sleep(0.2)
        return self._ask("POST", JOBS, json=body)

    def _look(self, job: str) -> None:
        reply = self._ask("GET", f"{JOBS}/{job}/status")
        if reply is None:
            return
        if reply.status_code != 200:
            self.wrong.append(f"{job}: {reply.status_code} {reply.text}")
            return
        now = reply.json()
        done = int((now["status_details"] or {}).get("samples_processed") or 0)
        before, state = self._seen.get(job, (0, ""))
        if done < before or (state in TERMINAL and now["status"] != state):
            self.wrong.append(f"{job}: {before} rows and {state!r}, then {done} and {now['status']!r}")
        self._seen[job] = (done, now["status"])


def test_restarts_of_postgres_lose_nothing(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    with (
        PostgresProcess() as postgres,
        TeamProcess(tmp_path / "data", database=postgres.url) as team,
        JudgeProcess(latency_ms=LATENCY_MS) as judge,
        JudgeProcess() as quick,
        httpx.Client(base_url=team.url, timeout=60) as api,
    ):
        for number in range(LOADS):
            submit(api, f"load-{number}", judge, LOAD_ROWS, parallelism=PARALLELISM)
        visitor = Visitor(team.url, quick)
        visitor.start()
        try:
            restarts = restart_at_random(postgres, dice)
        finally:
            visitor.leave()
        print(f"  {restarts} restarts; replies {dict(visitor.replies)}, the slowest after {visitor.longest:.1f} s")
        assert visitor.wrong == []
        for job, count in [*((f"load-{n}", LOAD_ROWS) for n in range(LOADS)), *((j, SMALL_ROWS) for j in visitor.jobs)]:
            last = ended(api, job, 2 * SECONDS + 60)
            assert last["status"] == "completed", last
            whole(api, job, count)
        calls = judge.stats()["calls"]
    print(f"  {calls} calls for {LOADS * LOAD_ROWS} rows of the large jobs; {len(visitor.jobs)} small ones")
    assert calls <= LOADS * LOAD_ROWS + COST * restarts


def restart_at_random(postgres: PostgresProcess, dice: random.Random) -> int:
    """Restart the server until the time is over; returns how often."""
    end = time.monotonic() + SECONDS
    restarts = 0
    while (pause := dice.uniform(*PAUSES)) < end - time.monotonic():
        time.sleep(pause)
        postgres.restart(mode := dice.choice(("fast", "immediate")))
        print(f"  {mode} restart after {pause:.1f} s")
        restarts += 1
    return restarts
