"""A job from end to end: submitted, judged at 100 ms a call, its result read."""

import json
import math
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.judge_server import BenchJudge
from benchmarks.platform_client import client, submit
from benchmarks.report import Report, percentile
from tests.platform_process import PlatformProcess

ROWS, PARALLELISM, WAIT_MS = 500, 32, 100
JOBS = 3
LEAST = math.ceil(ROWS / PARALLELISM) * WAIT_MS / 1000


def measure() -> Report:
    first, span, last, extra = [], [], [], []
    with (
        tempfile.TemporaryDirectory() as name,
        BenchJudge(wait_ms=WAIT_MS) as judge,
        PlatformProcess(Path(name) / "data") as platform,
    ):
        assay = client(platform.url, Path(name), ROWS)
        for number in range(JOBS):  # the first on a fresh worker
            before = calls(judge)
            submitted = time.monotonic()
            job = submit(assay, judge.url, f"bench-{number}", PARALLELISM)
            status = f"{platform.url}/apis/jobs/v2/workspaces/default/jobs/bench-{number}/status"
            while (state := read(status)["status"]) not in ("completed", "error"):
                time.sleep(0.02)
            result = job.result()
            readable = time.monotonic()
            assert state == "completed" and len(result.row_scores) == ROWS, state
            after = calls(judge)
            first.append(after["first"] - submitted)
            span.append(after["last"] - after["first"])
            last.append(readable - after["last"])
            extra.append(after["calls"] - before["calls"] - ROWS)

    def row(what: str, seconds: list[float], goal: str) -> list[str]:
        return [what, f"{seconds[0]:.2f} s", f"{percentile(seconds, 0.5):.2f} s", goal]

    return Report(
        f"A job of {ROWS} rows at {WAIT_MS} ms and parallelism {PARALLELISM}",
        "python -m benchmarks job",
        ["what", "first job of a fresh worker", f"median of {JOBS} jobs", "goal"],
        [
            row("submit to first judge call", first, ""),
            row("first judge call to last reply", span, f"{1.1 * LEAST:.2f} s (floor {LEAST:.1f} s)"),
            row("last reply to result in hands", last, "0.50 s"),
            ["judge calls beyond one a row", str(extra[0]), str(max(extra)), "0"],
        ],
        [f"Span beside the arithmetic floor: {percentile(span, 0.5) / LEAST:.2f} ×. The result is read with the SDK."],
    )


def calls(judge: BenchJudge) -> dict[str, float]:
    """How often the judge was called, and when first and last since it was asked the last time (monotonic clock)."""
    return read(judge.url + "/calls")


def read(url: str) -> dict:  # type: ignore[type-arg]
    with urllib.request.urlopen(url, timeout=10) as reply:
        return dict(json.load(reply))
