"""Reads of every endpoint: p50 and p99, beside bare DRF views and with 100 and 100,000 jobs, request by request.

One connection at a time, so this is the time to serve, not to queue; then the status of a job for 16 clients at once.
On SQLite, and on Postgres where one answers. Most jobs are copies of a real one (`filled.py`).
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.judge_server import BenchJudge
from benchmarks.platform_client import client, submit
from benchmarks.report import Report, percentile
from tests.platform_process import ROOT, PlatformProcess, free_port
from tests.rest import bundle
from tests.services import fresh_database

READS, ENOUGH = 100, 30
EACH_SECONDS = 1.5
"""An endpoint is read ``READS`` times, or fewer where that takes longer, but ``ENOUGH``."""
WARM_UP = 10
FEW, MANY = 100, 100_000
CLIENTS, SECONDS = 16, 4.0
P50_MS, P99_MS, BESIDE_BARE, GROWTH, STATUS_RATE = 5.0, 20.0, 2.0, 1.5, 200.0
"""The goals: milliseconds, shares, requests a second."""
ONE, TEN = "/one", "/ten"

API, SPACE = "/apis", "workspaces/default"
FILESETS = f"{API}/files/v2/{SPACE}/filesets"
EVALUATIONS, JOBS = f"{API}/evaluator/v2/{SPACE}/evaluate/jobs", f"{API}/jobs/v2/{SPACE}/jobs"
INLINE = "workspaces/inline"
OBJECTS = {
    "readiness": "/health/ready",
    "workspace": f"{API}/entities/v2/{SPACE}",
    "members of a workspace": f"{API}/entities/v2/{SPACE}/members",
    "secret": f"{API}/secrets/v2/{SPACE}/secrets/bench-key",
    "fileset": f"{FILESETS}/bench",
    "files of a fileset": f"{FILESETS}/bench/files",
    "file (download)": f"{FILESETS}/bench/-/rows.jsonl",
    "eval result": f"{API}/evaluator/v2/{SPACE}/eval-results/bench-0",
    "evaluation": f"{EVALUATIONS}/bench-0",
    "evaluation's status": f"{EVALUATIONS}/bench-0/status",
    "evaluation's results": f"{EVALUATIONS}/bench-0/results",
    "evaluation's result": f"{EVALUATIONS}/bench-0/results/aggregate-scores",
    "evaluation's logs": f"{EVALUATIONS}/bench-0/logs",
    "aggregates (download)": f"{EVALUATIONS}/bench-0/results/aggregate-scores/download",
    "job": f"{JOBS}/bench-0",
    "job's status": f"{JOBS}/bench-0/status",
    "job's steps": f"{JOBS}/bench-0/steps",
    "job's step": f"{JOBS}/bench-0/steps/evaluate",
    "step's tasks": f"{JOBS}/bench-0/steps/evaluate/tasks",
    "evaluation of 500 inline rows": f"{API}/evaluator/v2/{INLINE}/evaluate/jobs/inline-0",
    "job of 500 inline rows": f"{API}/jobs/v2/{INLINE}/jobs/inline-0",
    "v1 job": "/v1/evaluation/jobs/{v1}",
    "v1 job's status": "/v1/evaluation/jobs/{v1}/status",
    "v1 job's results": "/v1/evaluation/jobs/{v1}/results",
    "v1 dataset": "/v1/datasets/default/bench",
    "Hub: dataset": "/v1/hf/api/datasets/default/bench",
    "Hub: tree": "/v1/hf/api/datasets/default/bench/tree/main",
    "Hub: file": "/v1/hf/datasets/default/bench/resolve/main/rows.jsonl",
}
LISTS = {
    "workspaces": f"{API}/entities/v2/workspaces",
    "projects": f"{API}/entities/v2/{SPACE}/projects",
    "secrets": f"{API}/secrets/v2/{SPACE}/secrets",
    "filesets": FILESETS,
    "metrics": f"{API}/evaluator/v2/{SPACE}/metrics",
    "eval results (10)": f"{API}/evaluator/v2/{SPACE}/eval-results?page_size=10",
    "evaluations": EVALUATIONS,
    "evaluations in error": f"{EVALUATIONS}?filter%5Bstatus%5D=error",
    "evaluations of all workspaces": EVALUATIONS.replace("default", "-"),
    "jobs": JOBS,
    "jobs of one name": f"{JOBS}?filter%5Bname%5D=bench-0",
    "evaluations of 500 inline rows": f"{API}/evaluator/v2/{INLINE}/evaluate/jobs",
    "jobs of 500 inline rows": f"{API}/jobs/v2/{INLINE}/jobs",
    "v1 jobs": "/v1/evaluation/jobs",
    "v1 results": "/v1/evaluation/results",
    "v1 datasets": "/v1/datasets",
    "Hub: datasets (10)": "/v1/hf/api/datasets?limit=10",
}
ROWS = [
    {"question": f"What is number {n}, and who would want to know?", "answer": "Nobody knows. " * 6, "n": n, "x": None}
    for n in range(500)
]
V1_JOB: dict[str, Any] = {
    "config": {
        "type": "custom",
        "tasks": {
            "qa": {
                "type": "data",
                "metrics": {
                    "same": {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "{{item.b}}"]}}
                },
            }
        },
    },
    "target": {"type": "rows", "rows": [{"a": "x", "b": "x"}, {"a": "y", "b": "z"}]},
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


# What is measured


@dataclass
class Measured:
    """One database: milliseconds by endpoint with few and with many jobs, of the anchors, and rates of the status."""

    few: dict[str, list[float]] = field(default_factory=dict)
    many: dict[str, list[float]] = field(default_factory=dict)
    bare: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Of each anchor, in turn with each endpoint: the machine is not as busy all the time."""
    status_rate: float = 0.0
    bare_rate: float = 0.0

    def beside_bare(self, what: str, anchor: str) -> float:
        return percentile(self.few[what], 0.5) / percentile(self.bare[anchor][what], 0.5)

    def growth(self, what: str) -> float:
        return percentile(self.many[what], 0.5) / percentile(self.few[what], 0.5)

    def missed(self, what: str) -> list[str]:
        """Return which goals the endpoint misses. A list is held against the bare list."""
        half, worst = percentile(self.few[what], 0.5), percentile(self.few[what], 0.99)
        beside = self.beside_bare(what, TEN if what in LISTS else ONE)
        return [
            goal
            for goal, miss in (
                ("p50", half > P50_MS),
                ("p99", worst > P99_MS),
                ("bare", beside > BESIDE_BARE),
                ("growth", self.growth(what) > GROWTH),
            )
            if miss
        ]


def measure() -> Report:
    found = {"SQLite": _measured_on("")}
    with suppress(OSError), socket.create_connection(("127.0.0.1", 5432), 0.5), fresh_database() as url:
        found["Postgres"] = _measured_on(url)
    header = ["endpoint"]
    for database in found:
        header += [f"{database}: p50, p99 ms", "× one row", "× bare list", f"× with {MANY:,} jobs", "misses"]
    return Report(
        "Reads through the platform",
        "python -m benchmarks serving",
        header,
        [[what, *_cells(found.values(), what)] for what in (*OBJECTS, *LISTS)],
        [
            *(_anchors(database, each) for database, each in found.items()),
            f"Goals: p50 at most {P50_MS:g} ms, p99 at most {P99_MS:g} ms, p50 at most {BESIDE_BARE:g} × a bare DRF "
            "view (of one row; for lists, one of ten rows and a total), p50 with "
            f"{MANY:,} jobs at most {GROWTH:g} × that with {FEW}, the status {STATUS_RATE:g} times a second.",
        ],
    )


def _cells(found: Iterable[Measured], what: str) -> Iterator[str]:
    for each in found:
        yield f"{percentile(each.few[what], 0.5):.1f}, {percentile(each.few[what], 0.99):.1f}"
        yield f"{each.beside_bare(what, ONE):.2f}"
        yield f"{each.beside_bare(what, TEN):.2f}" if what in LISTS else ""
        yield f"{each.growth(what):.2f}"
        yield ", ".join(each.missed(what))


def _anchors(database: str, found: Measured) -> str:
    spent = {anchor: [each for listed in found.bare[anchor].values() for each in listed] for anchor in (ONE, TEN)}
    one, ten = (f"{percentile(each, 0.5):.1f} ms (p99 {percentile(each, 0.99):.1f})" for each in spent.values())
    return (
        f"{database}: the bare view of one row takes {one}, the bare list {ten}. Status of a job, {CLIENTS} clients: "
        f"{found.status_rate:.0f} a second; the bare view {found.bare_rate:.0f}."
    )


def _measured_on(database_url: str) -> Measured:
    """Measure on SQLite, or on a Postgres, where a second database is made on the same server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        judge = stack.enter_context(BenchJudge())
        urls = [database_url, stack.enter_context(fresh_database()) if database_url else ""]
        bare_database = stack.enter_context(fresh_database()) if database_url else f"{folder}/bare.sqlite3"
        platforms = []
        for count, url in zip((FEW, MANY), urls, strict=True):
            env = {"ASSAY_DATABASE_URL": url} if url else {}
            (folder / str(count)).mkdir()
            platforms.append(stack.enter_context(PlatformProcess(folder / str(count) / "data", **env)))
        names = [_fill(each, judge.url, count) for each, count in zip(platforms, (FEW, MANY), strict=True)]
        bare_port = stack.enter_context(granian("benchmarks.bare_drf:application", ONE, BENCH_DATABASE=bare_database))
        found = Measured(bare={ONE: {}, TEN: {}})
        bare, few, many = Reader(bare_port), *(Reader(each.port) for each in platforms)
        for what, path in {**OBJECTS, **LISTS}.items():
            found.few[what], found.many[what] = [], []
            found.bare[ONE][what], found.bare[TEN][what] = [], []
            paths = [path.format(v1=name) for name in names]
            until = time.monotonic() + EACH_SECONDS
            for turn in range(-WARM_UP, READS):
                if turn >= ENOUGH and time.monotonic() > until:
                    break
                spent = few.milliseconds(paths[0]), many.milliseconds(paths[1])
                anchor = (ONE, TEN)[turn % 2]
                beside = bare.milliseconds(anchor)
                if turn >= 0:
                    found.few[what].append(spent[0])
                    found.many[what].append(spent[1])
                    found.bare[anchor][what].append(beside)
        found.status_rate = _rate(platforms[0].port, OBJECTS["job's status"])
        found.bare_rate = _rate(bare_port, ONE)
    return found


def _fill(platform: PlatformProcess, judge_url: str, count: int) -> str:
    """Run a job of each kind, and multiply them to ``count``; returns the id of the v1 job."""
    folder = platform.data_dir.parent
    assay = client(platform.url, folder, 200)
    for number in range(3):
        submit(assay, judge_url, f"bench-{number}", 32).wait(timeout=60, progress=False)
    with httpx.Client(base_url=platform.url, timeout=30) as api:
        api.post("/apis/entities/v2/workspaces", json={"name": "inline"}).raise_for_status()
        where = f"/apis/evaluator/v2/{INLINE}/evaluate/jobs"
        spec = {"dataset": ROWS, "metrics": [bundle(judge_url, prompt_template="{{item.question}} {{item.answer}}")]}
        api.post(where, json={"name": "inline-0", "spec": spec}).raise_for_status()
        v1 = str(api.post("/v1/evaluation/jobs", json=V1_JOB).raise_for_status().json()["id"])
        deadline = time.monotonic() + 60
        for address in (f"{where}/inline-0", f"/v1/evaluation/jobs/{v1}"):
            while api.get(address).json()["status"] != "completed":
                assert time.monotonic() < deadline, address
                time.sleep(0.1)
    platform.stop()  # what fills the database holds it for longer than a worker waits
    env = platform.env | {"ASSAY_DATA_DIR": str(platform.data_dir)}
    for name, copies in (("inline-0", 10), (v1, count // 10), ("bench-0", count - count // 10)):
        subprocess.run([sys.executable, "-m", "benchmarks.filled", name, str(copies)], cwd=ROOT, env=env, check=True)
    platform.start()
    return v1


def _rate(port: int, path: str) -> float:
    """Return how many requests a second ``CLIENTS`` connections get answered together."""
    answered = [0] * CLIENTS
    start, over = threading.Barrier(CLIENTS + 1), threading.Event()

    def ask(number: int) -> None:
        reader = Reader(port)
        start.wait()
        while not over.is_set():
            reader.milliseconds(path)
            answered[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    time.sleep(SECONDS)
    over.set()
    for thread in threads:
        thread.join()
    return sum(answered) / (time.perf_counter() - began)
