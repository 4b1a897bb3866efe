"""A job from end to end: submitted, judged, its result read; on the embedded default and on Postgres with Redis."""

import contextlib
import json
import math
import os
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from assay_sdk import Assay
from benchmarks.judge_server import BenchJudge
from benchmarks.platform_client import client, submit
from benchmarks.report import Report, percentile
from tests.platform_process import PlatformProcess
from tests.services import fresh_database, redis_url

ROWS, PARALLELISM, WAIT_MS = 500, 32, 100
INSTANT_ROWS = 1000
JOBS, SMALL_JOBS = 3, 20
LEAST = math.ceil(ROWS / PARALLELISM) * WAIT_MS / 1000
POLL_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> Report:
    table = []
    for mode, env in (("embedded", contextlib.nullcontext({})), ("Postgres and Redis", team())):
        with (
            env as settings,
            tempfile.TemporaryDirectory() as name,
            PlatformProcess(Path(name) / "d", **settings) as run,
        ):
            assay = client(run.url, Path(name), INSTANT_ROWS)
            table += [[mode, *line] for line in measured(run, assay)]
    return Report(
        "A job from end to end",
        "python -m benchmarks job",
        ["mode", "what", "first job of a fresh worker", "median", "95th percentile or worst", "goal"],
        table,
        [
            f"{ROWS} rows at {WAIT_MS} ms and parallelism {PARALLELISM}: the arithmetic floor is {LEAST:.1f} s. The "
            f"result is read with the SDK. {INSTANT_ROWS} rows: a judge that answers at once, the same parallelism. "
            "CPU is that of all processes of the platform, from submission to the last byte of the result."
        ],
    )


@contextlib.contextmanager
def team() -> Iterator[dict[str, str]]:
    with fresh_database() as database:
        yield {"ASSAY_DATABASE_URL": database, "ASSAY_BROKER_URL": redis_url()}


def measured(run: PlatformProcess, assay: Assay) -> Iterator[list[str]]:
    with BenchJudge(wait_ms=WAIT_MS) as judge:
        first, span, last, whole, lag = [], [], [], [], []
        for number in range(JOBS):
            spent = one(run, assay, judge, f"waits-{number}", ROWS)
            first.append(spent["first"])
            span.append(spent["span"])
            last.append(spent["last"])
            whole.append(spent["whole"])
            lag.append(spent["lag"])
        yield line("500 rows: submit to result", whole, "3.0 s")
        yield line("first judge call to last reply", span, f"{1.1 * LEAST:.2f} s")
        yield line("last reply to result in hands", last, "0.5 s")
        yield line("progress behind the judge", lag, "1 s")
        small = [one(run, assay, judge, f"small-{number}", 8)["first"] for number in range(SMALL_JOBS)]
        goal = "0.15 s embedded, 0.3 s on Redis; p95 1 s"
        yield [
            "submit to first judge call",
            f"{first[0]:.2f} s",
            *(f"{percentile(small, p):.2f} s" for p in (0.5, 0.95)),
            goal,
        ]
    with BenchJudge() as judge:
        instant, cpu = [], []
        for number in range(JOBS):
            before = cpu_seconds(run)
            instant.append(one(run, assay, judge, f"instant-{number}", INSTANT_ROWS)["whole"])
            cpu.append((cpu_seconds(run) - before) / INSTANT_ROWS * 1000)
        yield line("1,000 rows, instant judge: submit to result", instant, "2.5 s")
        yield line("CPU a row, all in", cpu, "1.5 ms", unit="ms")


def line(what: str, spent: list[float], goal: str, unit: str = "s") -> list[str]:
    return [what, *(f"{value:.2f} {unit}" for value in (spent[0], percentile(spent, 0.5), max(spent))), goal]


def one(run: PlatformProcess, assay: Assay, judge: BenchJudge, name: str, rows: int) -> dict[str, float]:
    """Run a job; return how long its stretches took, in seconds."""
    before = calls(judge)
    submitted = time.monotonic()
    job = submit(assay, judge.url, name, PARALLELISM, rows)
    status = f"{run.url}/apis/jobs/v2/workspaces/default/jobs/{name}/status"
    seen: list[tuple[float, int]] = []
    while (state := read(status))["status"] not in ("completed", "error"):
        seen.append((time.monotonic(), (state["status_details"] or {}).get("samples_processed") or 0))
        time.sleep(POLL_SECONDS)
    result = job.result()
    readable = time.monotonic()
    after = calls(judge)
    assert state["status"] == "completed" and len(result.row_scores) == rows, state
    assert after["calls"] - before["calls"] == rows, "one call a row"
    return {
        "first": after["first"] - submitted,
        "span": after["last"] - after["first"],
        "last": readable - after["last"],
        "whole": readable - submitted,
        "lag": behind(seen, after["first"], rows),
    }


def behind(seen: list[tuple[float, int]], first: float, rows: int) -> float:
    """By how much progress lags, at most: each round of calls ends at a time that is known."""
    worst = 0.0
    for at, done in seen:
        finished = min(rows, int((at - first) / (WAIT_MS / 1000)) * PARALLELISM)  # at the very least so early
        if 0 < done < finished:
            worst = max(worst, at - (first + math.ceil(done / PARALLELISM) * WAIT_MS / 1000))
    return worst


def cpu_seconds(run: PlatformProcess) -> float:
    total = 0.0
    for pid in (run.process.pid if run.process else 0, *run.children("")):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def read(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return dict(json.load(reply))


def calls(judge: BenchJudge) -> dict[str, float]:
    return {key: float(value) for key, value in read(f"{judge.url}/calls").items()}  # type: ignore[arg-type]
