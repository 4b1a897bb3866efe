"""kill -9 of workers, web and broker while a job runs: it completes by itself, and nothing of it is lost or doubled.

Each worker kill may cost what it had in flight and one unsaved window of replies, no more; all else costs no call.
"""

import random
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.chaos.trial import FULL, SEED, ended, submit, until, whole
from tests.judge import JudgeProcess
from tests.platform_process import PlatformProcess
from tests.process_tree import kill_all, talks_to
from tests.team_process import TeamProcess

pytestmark = pytest.mark.thorough

ROWS = 2000 if FULL else 300
PARALLELISM = 16
LATENCY_MS = 100
KILLS = {"worker": 20, "web": 2, "broker": 2} if FULL else {"worker": 2, "web": 1, "broker": 1}
COST = 2 * PARALLELISM
"""Calls that a worker's death may cost: those in flight, and as many that a window of 100 ms brings."""
SIDE_ROWS = 5

Platform = PlatformProcess | TeamProcess


def test_a_storm_of_kills_loses_and_doubles_nothing(platform: Platform) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    with (
        JudgeProcess(latency_ms=LATENCY_MS) as judge,
        JudgeProcess() as calm,
        httpx.Client(base_url=platform.url, timeout=30) as api,
        ThreadPoolExecutor() as others,
    ):
        submit(api, "stormy", judge, ROWS, parallelism=PARALLELISM)
        side_jobs: dict[str, Future[None]] = {}
        for number, (victim, moment) in enumerate(moments(platform, dice)):
            until(lambda moment=moment: judge.stats()["calls"] >= moment, 60, f"call {moment} of the job")
            time.sleep(dice.uniform(0, 2 * LATENCY_MS / 1000))
            print(f"  {victim} at call {judge.stats()['calls']}")
            match victim:
                case "worker":
                    kill_worker(platform, judge, dice)
                case "web":
                    platform.kill_web()
                case "broker":
                    platform.lose_broker()
                case "flush":
                    platform.flush_broker()
            if victim != "worker":
                # Nobody may be there to be told of it.
                job = f"side-{number}"
                side_jobs[job] = others.submit(submit, api, job, calm, SIDE_ROWS)

        last = ended(api, "stormy", 300 if FULL else 60)
        assert last["status"] == "completed", last
        calls = judge.stats()["calls"]
        aggregates, judged = whole(api, "stormy", ROWS)
        for job, submitted in side_jobs.items():
            submitted.result()
            assert ended(api, job, 30)["status"] == "completed"
            whole(api, job, SIDE_ROWS)

        calm.reset_stats()
        submit(api, "calm", calm, ROWS, label="stormy", parallelism=PARALLELISM)
        assert ended(api, "calm", 60)["status"] == "completed"
        assert calm.stats()["calls"] == ROWS, "the undisturbed run did not ask for itself"
        assert (aggregates, judged) == whole(api, "calm", ROWS)
    print(f"  {calls} calls for {ROWS} rows and {KILLS['worker']} dead workers")
    assert calls <= ROWS + COST * KILLS["worker"]


def moments(platform: Platform, dice: random.Random) -> list[tuple[str, int]]:
    """Return what is killed after which number of judge calls, in order."""
    kills = dict(KILLS) | ({"flush": KILLS["broker"]} if isinstance(platform, TeamProcess) else {})
    victims = [victim for victim, count in kills.items() for _ in range(count)]
    dice.shuffle(victims)
    return list(zip(victims, sorted(dice.sample(range(ROWS // 20, ROWS * 9 // 10), len(victims))), strict=True))


def kill_worker(platform: Platform, judge: JudgeProcess, dice: random.Random) -> None:
    """Kill a worker that is judging, or any where none is."""
    workers = platform.workers()
    judging = [pid for pid in workers if talks_to(pid, judge.port)]
    kill_all([dice.choice(judging or workers)] if workers else [])
