"""Reads of the main endpoints: p50 and p99 beside a bare DRF view, request by request in turn.

One connection at a time, so this is the time to serve, not to queue. The job has 200 rows, and each list several.
"""

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.judge_server import BenchJudge
from benchmarks.platform_client import client, submit
from benchmarks.report import Report, percentile
from tests.platform_process import ROOT, PlatformProcess, free_port

READS = 300
WARM_UP = 20
ENTITIES, FILES = "/apis/entities/v2/workspaces", "/apis/files/v2/workspaces/default/filesets"
JOBS, PLAIN_JOBS = "/apis/evaluator/v2/workspaces/default/evaluate/jobs", "/apis/jobs/v2/workspaces/default/jobs"
ENDPOINTS = {
    "readiness": "/health/ready",
    "workspace": f"{ENTITIES}/default",
    "workspaces": ENTITIES,
    "secrets": "/apis/secrets/v2/workspaces/default/secrets",
    "secret": "/apis/secrets/v2/workspaces/default/secrets/bench-key",
    "fileset": f"{FILES}/bench",
    "files of a fileset": f"{FILES}/bench/files",
    "metrics": "/apis/evaluator/v2/workspaces/default/metrics",
    "evaluation": f"{JOBS}/bench-0",
    "evaluation's status": f"{JOBS}/bench-0/status",
    "evaluations": JOBS,
    "job": f"{PLAIN_JOBS}/bench-0",
    "jobs": PLAIN_JOBS,
    "results of an evaluation": f"{JOBS}/bench-0/results",
    "logs of an evaluation": f"{JOBS}/bench-0/logs",
    "aggregates (download)": f"{JOBS}/bench-0/results/aggregate-scores/download",
}


class Reader:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def milliseconds(self, path: str) -> float:
        started = time.perf_counter()
        self._connection.request("GET", path)
        reply = self._connection.getresponse()
        body = reply.read()
        spent = (time.perf_counter() - started) * 1000
        assert reply.status == 200, (path, reply.status, body[:200])
        return spent


@contextmanager
def granian(application: str, ready: str, **env: str) -> Iterator[int]:
    """The port of an anchor, served like ours: granian, WSGI, one process with threads."""
    port = free_port()
    argv = [sys.executable, "-m", "granian", application, "--interface", "wsgi", "--no-ws"]
    argv += ["--port", str(port), "--workers", "1", "--blocking-threads", "16", "--log-level", "error"]
    process = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **env}, start_new_session=True)
    try:
        for _ in range(200):
            with suppress(OSError):
                Reader(port).milliseconds(ready)
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:  # seen once: it did not end when it was told to right after its start
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measure() -> Report:
    with (
        tempfile.TemporaryDirectory() as name,
        BenchJudge() as judge,
        PlatformProcess(Path(name) / "data") as platform,
        granian("benchmarks.bare_drf:application", "/one", BENCH_DATABASE=f"{name}/bare.sqlite3") as bare_port,
    ):
        assay = client(platform.url, Path(name), 200)
        for number in range(3):
            submit(assay, judge.url, f"bench-{number}", 32).wait(timeout=60, progress=False)
        ours, bare = Reader(platform.port), Reader(bare_port)
        anchor: list[float] = []
        found = {what: read_in_turn(ours, path, bare, anchor) for what, path in ENDPOINTS.items()}
    middle = percentile(anchor, 0.5)
    rows = [["bare DRF view", f"{middle:.1f} ms", f"{percentile(anchor, 0.99):.1f} ms", "1.00 ×"]]
    for what, spent in found.items():
        half = percentile(spent, 0.5)
        rows.append([what, f"{half:.1f} ms", f"{percentile(spent, 0.99):.1f} ms", f"{half / middle:.2f} ×"])
    return Report(
        "Reads through the platform (SQLite)",
        "python -m benchmarks serving",
        ["endpoint", "p50", "p99", "p50 beside bare DRF"],
        rows,
        ["Goal: p50 at most 5 ms, p99 at most 20 ms, each at most 2 × a bare DRF view."],
    )


def read_in_turn(ours: Reader, path: str, bare: Reader, anchor: list[float]) -> list[float]:
    for _ in range(WARM_UP):
        ours.milliseconds(path)
        bare.milliseconds("/one")
    spent = []
    for turn in range(READS):
        spent.append(ours.milliseconds(path))
        if turn % 4 == 0:
            anchor.append(bare.milliseconds("/one"))
    return spent
