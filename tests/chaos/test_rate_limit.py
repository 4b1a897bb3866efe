"""Three jobs on four worker processes share an endpoint that allows only so much: fully used, fairly, hardly refused.

The full form takes more than three minutes a case: 120 requests a minute. The short one has as many in six seconds.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.trial import FULL, JOBS, ended, status, until, whole
from tests.jobs.simulated_line import Server, bucket, fixed, sliding
from tests.limited_judge import LimitedJudge, Taken
from tests.platform_process import ROOT, PlatformProcess
from tests.rest import bundle
from tests.services import fresh_database
from tests.team_process import TeamProcess

pytestmark = pytest.mark.thorough

LIMIT = 120
WINDOW = 60.0 if FULL else 6.0
ROWS = 140 if FULL else 70
"""Of each job: more than three windows in all for the full form."""
NAMES = ("one", "two", "three")
TOLD = LIMIT if FULL else 110
"""Calls in a window that people say are allowed: within six seconds a stall of this machine counts for much."""

Platform = PlatformProcess | TeamProcess


@pytest.fixture(params=["embedded", "team"] if FULL else ["embedded"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    if request.param == "embedded":
        with PlatformProcess(tmp_path / "data", workers=4) as embedded:
            yield embedded
        return
    with (
        fresh_database(migrated=True) as database,
        TeamProcess(tmp_path / "data", database=database, workers=4, prepared=True) as team,
    ):
        yield team


def small_bucket(limit: int, seconds: float, *, telling: bool) -> Server:
    return bucket(round(limit * 60 / seconds), 10, telling=telling)


SERVERS = {"sliding": sliding, "fixed": fixed, "bucket": small_bucket}
CASES = [("sliding", True, False)]
if FULL:
    CASES += [("sliding", False, False), ("sliding", False, True), ("fixed", False, False), ("bucket", False, False)]


@pytest.mark.parametrize(
    ("kind", "told", "telling"),
    CASES,
    ids=[
        f"{kind}{'-told' if told else '-learned'}{'-retry-after' if telling else ''}" for kind, told, telling in CASES
    ],
)
def test_an_endpoints_rate_is_used_and_shared(platform: Platform, kind: str, told: bool, telling: bool) -> None:
    server: Server = SERVERS[kind](LIMIT, WINDOW, telling=telling)
    with LimitedJudge(server) as judge, httpx.Client(base_url=platform.url, timeout=30) as api:
        if told:
            manage(platform, "terms", "set", f"{judge.url}/chat/completions", "--rpm", str(round(TOLD * 60 / WINDOW)))
        for name in NAMES:
            spec = {"dataset": rows(name), "params": {"parallelism": 16}, "metrics": [bundle(judge.url)]}
            assert api.post(JOBS, json={"name": name, "spec": spec}).status_code == 201
        seen = ""

        def says_why() -> bool:
            nonlocal seen
            seen = str((status(api, NAMES[0]) or {}).get("status_details", {}).get("message", ""))
            return "a minute are used up by 3 jobs; next call in" in seen or not told

        until(says_why, 90, f"a job saying what it waits for, not {seen!r}")
        for name in NAMES:
            last = ended(api, name, 600, still=90)
            assert last["status"] == "completed", last
            whole(api, name, ROWS)
            assert last["status_details"].get("samples_failed", 0) == 0
    measured(judge.calls, told)


def rows(label: str) -> list[dict[str, str]]:
    return [{"prompt": f"{label}: what is {n} plus {n}?", "response": f"It is {2 * n}."} for n in range(ROWS)]


def manage(platform: Platform, *words: str) -> None:
    env = {**platform.env, "ASSAY_DATA_DIR": str(platform.data_dir)}
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, check=True, timeout=60)


def measured(calls: list[Taken], told: bool) -> None:
    """Hold what the judge saw against what the issue of rate limits asks for."""
    done = [call for call in calls if call.ok]
    finish = {name: max(call.at for call in done if call.label == name) for name in NAMES}
    contended = min(finish.values())
    used = len(done) / ((TOLD if told else LIMIT) * done[-1].at / WINDOW)
    late = [call for call in calls if call.at > WINDOW]
    refused = sum(not call.ok for call in late) / max(1, len(late))
    by_job = Counter(call.label for call in done if call.at <= contended)
    least = min(by_job.values()) / (sum(by_job.values()) / len(NAMES))
    early = sum(not call.ok for call in calls if call.at <= WINDOW)
    print(
        f"  {len(done)} calls in {done[-1].at:.0f} s: {used:.1%} of the allowed rate, {refused:.2%} refused after the "
        f"first window ({early} in it), the least of three jobs had {least:.0%} of its share"
    )
    assert Counter(call.label for call in done) == dict.fromkeys(NAMES, ROWS), "a row was lost or asked twice"
    assert used >= 0.9
    assert refused <= 0.02
    assert least >= 0.2
    if told:
        assert early <= 0.02 * LIMIT
