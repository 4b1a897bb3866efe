"""A job of 200,000 rows and an instant judge, embedded: memory, pages, aggregates, recovery, exports.

A worker is killed three times: early, deep in the job, and while it writes the results. `ASSAY_SCALE_ROWS` takes fewer
rows for a quick look.
"""

import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.job import calls
from benchmarks.judge_server import BenchJudge
from benchmarks.platform_client import client, submit
from benchmarks.report import Report, percentile
from tests.platform_process import WEB, PlatformProcess
from tests.process_tree import kill_all

ROWS = int(os.environ.get("ASSAY_SCALE_ROWS") or 200_000)
PARALLELISM = 32
EARLY, DEEP = 0.05, 0.95
"""When workers are killed; the tenths of memory lie between."""
PAGES, PAGE = 200, 100
LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 3000.0
TICKS = os.sysconf("SC_CLK_TCK")
MB = 1e6


@dataclass
class Watched:
    """What the job was seen to do: how many rows were done when, and how large its worker was."""

    seen: list[tuple[float, int, float]] = field(default_factory=list)
    cpu: float = 0.0

    def between(self, low: float, high: float) -> list[tuple[float, int, float]]:
        return [each for each in self.seen if low * ROWS <= each[1] < high * ROWS]

    def tenth(self, number: int) -> float:
        """The most memory in that tenth of the rows between the two kills, in megabytes."""
        step = (DEEP - EARLY) / 10
        return max(memory for _, _, memory in self.between(EARLY + number * step, EARLY + (number + 1) * step))

    def rate(self) -> float:
        (begun, first, _), *_, (ended, last, _) = self.between(EARLY + 0.02, DEEP - 0.01)
        return (last - first) / (ended - begun)


@dataclass
class Job:
    """The job as its API shows it."""

    platform: PlatformProcess
    api: httpx.Client
    name: str = "scale"

    def get(self, path: str, **query: Any) -> httpx.Response:
        reply = self.api.get(f"/apis/evaluator/v2/workspaces/default/evaluate/jobs/{self.name}{path}", params=query)
        return reply.raise_for_status()

    def status(self) -> tuple[str, int]:
        found = self.get("/status").json()
        return found["status"], found["status_details"].get("samples_processed", 0)

    def timed(self, path: str, **query: Any) -> float:
        """How long a reply takes, in seconds."""
        start = time.perf_counter()
        self.get(path, **query)
        return time.perf_counter() - start

    def pages(self) -> float:
        """The 95th percentile of pages at random depths, in milliseconds."""
        chosen = random.Random(1)
        depth = self.status()[1]
        cursors = [self.cursor(chosen.randrange(max(1, depth - PAGE))) for _ in range(PAGES)]
        took = [self.timed("/rows", limit=PAGE, page_cursor=cursor) for cursor in cursors]
        return 1000 * percentile(took, 0.95)

    def cursor(self, row: int) -> str:
        """The cursor of the page after that row, as a page that ends there gives it."""
        from base64 import urlsafe_b64encode

        return urlsafe_b64encode(f"after {row}".encode()).decode().rstrip("=")

    def until(self, true: Callable[[str, int], bool], watched: Watched | None = None) -> float:
        """Wait until the status and the rows done are so, and return when that was."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            state, done = self.status()
            if watched is not None:
                watched.seen.append((time.monotonic(), done, resident(self.platform.workers())))
            if true(state, done):
                return time.monotonic()
            if state in {"error", "cancelled"}:
                break
            time.sleep(LOOK_SECONDS)
        raise AssertionError(f"the job stands at {self.status()}:\n{self.platform.log.read_text()[-2000:]}")

    def killed(self, judge: BenchJudge) -> float:
        """Kill the worker, and return after how many seconds the judge was next called."""
        kill_all(self.platform.workers())
        died = time.monotonic()
        time.sleep(0.2)  # what the dead had sent arrives
        calls(judge)
        while not (first := calls(judge)["first"]):
            assert time.monotonic() - died < 60, f"nobody went on: {self.status()}\n{self.platform.log.read_text()}"
            time.sleep(0.02)
        return first - died


def measure() -> Report:
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("ASSAY_SCALE_DIR")) as name,
        BenchJudge() as judge,
        PlatformProcess(Path(name) / "data") as platform,
        httpx.Client(base_url=platform.url, timeout=600) as api,
    ):
        job, watched = Job(platform, api), Watched()
        submit(client(platform.url, Path(name), ROWS), judge.url, job.name, PARALLELISM)
        submitted = time.monotonic()
        job.until(lambda state, done: done >= EARLY * ROWS)
        resumed = [job.killed(judge)]
        before = cpu(platform.workers())
        job.until(lambda state, done: done >= 0.5 * ROWS, watched)
        partial = [job.timed("/progress", aggregates="true")]
        job.until(lambda state, done: done >= 0.9 * ROWS, watched)
        partial.append(job.timed("/progress", aggregates="true"))
        running_pages = job.pages()
        job.until(lambda state, done: done >= DEEP * ROWS, watched)
        watched.cpu = cpu(platform.workers()) - before
        resumed.append(job.killed(judge))
        judged = job.until(lambda state, done: done >= ROWS)
        kill_all(platform.workers())
        again = time.monotonic()
        completed = job.until(lambda state, done: state == "completed")
        aggregates = job.get("/results/aggregate-scores/download").json()["scores"][0]
        assert aggregates["count"] == ROWS, aggregates
        final = job.timed("/progress", aggregates="true")
        pages = job.pages()
        exported = dict(exports(job))
        size = sum(file.stat().st_size for file in (platform.data_dir / "blobs").rglob("*") if file.is_file())
        database = (platform.data_dir / "assay.sqlite3").stat().st_size

    first, last = watched.tenth(0), watched.tenth(9)
    rows = [
        ["rows a second, one worker process", f"{watched.rate():.0f}", ""],
        ["worker's CPU a row", f"{1000 * watched.cpu / ((DEEP - EARLY) * ROWS):.2f} ms", "1.5 ms"],
        ["worker's memory, first tenth", f"{first:.0f} MB", ""],
        ["worker's memory by tenth", ", ".join(f"{watched.tenth(number):.0f}" for number in range(10)), ""],
        ["worker's memory, last tenth", f"{last:.0f} MB ({last / first:.2f} ×)", "1.2 ×"],
        [f"page of {PAGE} rows at any depth, p95, while it runs", f"{running_pages:.0f} ms", "100 ms"],
        [f"page of {PAGE} rows at any depth, p95, afterwards", f"{pages:.0f} ms", "100 ms"],
        ["aggregates at half and at 90 %", ", ".join(f"{each:.2f} s" for each in partial), "1 s"],
        ["aggregates afterwards", f"{final:.2f} s", "1 s"],
        ["kill -9 of the worker to the next judge call", ", ".join(f"{each:.1f} s" for each in resumed), "5 s"],
        ["last row to completed, the worker killed in between", f"{completed - judged:.1f} s", ""],
        ["of that, after the kill", f"{completed - again:.1f} s", ""],
        *([f"export as {form}", f"{took:.1f} s, web at most {most:.0f} MB (+{grown:.0f})", ""]
          for form, (took, most, grown) in exported.items()),
        ["on the disk: database, files", f"{database / MB:.0f} MB, {size / MB:.0f} MB", ""],
        ["submit to completed", f"{completed - submitted:.0f} s", ""],
    ]  # fmt: skip
    return Report(
        f"A job of {ROWS:,} rows, embedded, instant judge",
        "python -m benchmarks scale",
        ["what", "measured", "goal"],
        rows,
        [f"The worker was killed at {EARLY:.0%} and {DEEP:.0%} of the rows, and while it finished the job."],
    )


def exports(job: Job) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """For each format its time in seconds, and the most memory of the web process meanwhile and how much it grew."""
    for form in ("jsonl", "csv", "parquet"):
        web = job.platform.children(WEB)
        before = resident(web)
        with largest(web) as most:
            start = time.perf_counter()
            with job.api.stream(
                "GET",
                f"/apis/evaluator/v2/workspaces/default/evaluate/jobs/{job.name}/export",
                params={"format": form},
            ) as reply:
                assert reply.status_code == 200, reply.status_code
                assert sum(map(len, reply.iter_raw())) > ROWS
            took = time.perf_counter() - start
        yield form, (took, most[0], most[0] - before)


@contextmanager
def largest(pids: list[int]) -> Iterator[list[float]]:
    """What the processes take at most while the block runs, looked at ten times a second."""
    most, done = [0.0], threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            most[0] = max(most[0], resident(pids))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def resident(pids: list[int]) -> float:
    """What the processes hold in memory, in megabytes."""
    return sum(_words(pid, "statm", 1) for pid in pids) * os.sysconf("SC_PAGE_SIZE") / MB


def cpu(pids: list[int]) -> float:
    """The CPU seconds that the processes have taken."""
    return sum(_words(pid, "stat", 13) + _words(pid, "stat", 14) for pid in pids) / TICKS


def _words(pid: int, file: str, place: int) -> int:
    try:
        text = Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return 0
    return int(text.split()[place])
