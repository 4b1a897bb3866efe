"""Large files through the files API and the Hub's, beside a plain copy over the same HTTP server; and many small ones.

Rounds are taken turn by turn, and the client is the same for every server, but where the Hub's own is named.
"""

import base64
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.files import memory
from benchmarks.nemo_files import NEMO, nemo_files
from benchmarks.report import Report
from benchmarks.roads import BLOCK, FILES, HUB, Addressed, ClientRoad, Content, HubRoad, Road, call, commit
from benchmarks.serving import granian
from tests.compat.environments import Unavailable
from tests.platform_process import PlatformProcess

MEGABYTES = 256
LARGE = 2048
ROUNDS = 5
SMALL_FILES = 1000
SMALL_ROUNDS = 3
REPO = "default/hub"
PLAIN, OURS, LFS, CLIENT, THEIRS = "plain copy", "files API", "Hub's LFS", "huggingface_hub", f"NeMo {NEMO.version}"
UP = dict.fromkeys((OURS, LFS), "250 MB/s, 0.55 ×")
GROWTH = dict.fromkeys((OURS, LFS), "20 MB")
NOTE = (
    f"Medians of {ROUNDS} rounds (least to most), turn by turn; {SMALL_ROUNDS} for the small files of 1 kB. The plain "
    "copy writes, waits for the disk and checks nothing, behind the same HTTP server with the same settings. Hub's "
    "LFS is batch, PUT, verify and commit, by the client that all others share; huggingface_hub hashes a file before "
    "it sends it, and writes what it reads. NeMo's server runs the services that its files API needs; it waits for the "
    "disk and does not hash. Memory is that of the server's process at its highest, above what it was when a "
    "file of 1 MB had taken each road."
)

Rates = dict[tuple[str, str], list[float]]
Rows = list[list[str]]


class Growth:
    """How many megabytes processes have taken on since they were first looked at."""

    def __init__(self, pids: list[int]) -> None:
        self.pids = pids
        self.look()

    def look(self) -> None:
        self.before = memory(self.pids)["VmRSS"]

    def during(self, work: Callable[[], object]) -> float:
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # from here on VmHWM is the highest
        work()
        return memory(self.pids)["VmHWM"] - self.before


def measure() -> Report:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        platform = stack.enter_context(PlatformProcess(folder / "data"))
        call(platform.port, FILES, {"name": "bench"})
        call(platform.port, f"{HUB}/api/repos/create", {"name": "hub", "organization": "default", "type": "dataset"})
        web = Growth(platform.children("granian"))
        ours: list[Road] = [Addressed(OURS, platform.port, f"{FILES}/bench/-"), HubRoad(LFS, platform.port, REPO)]
        client = ClientRoad(CLIENT, platform.port, REPO, folder / "cache")
        anchor = granian("benchmarks.served.plain:application", "/ready", BENCH_FOLDER=name)
        roads: list[Road] = [Addressed(PLAIN, stack.enter_context(anchor), ""), *ours, client]
        grown = {road.name: web for road in (*ours, client)}
        missing = []
        try:
            nemo = stack.enter_context(nemo_files(folder))
        except Unavailable as trouble:
            missing.append([f"up and down, {THEIRS}", f"not measured: {_brief(trouble)}", "", ""])
        else:
            roads.append(Addressed(THEIRS, nemo.port, f"{FILES}/bench/-"))
            grown[THEIRS] = Growth([nemo.pid])
        rows = [*_rounds(roads, grown, folder), *missing, *_large(ours, web, folder), *_small(client, folder)]
    load = max(load, os.getloadavg()[0])
    return Report(
        f"A file of {MEGABYTES} MB through the files API and the Hub's, and {SMALL_FILES:,} small ones",
        "python -m benchmarks hub",
        ["what", "measured", "ratio", "goal"],
        rows,
        [NOTE, f"Load of the machine, which others used meanwhile: {load:.1f} on {os.cpu_count()} cores."],
    )


def _rounds(roads: Sequence[Road], grown: dict[str, Growth], folder: Path) -> Rows:
    content, rates, most = Content(folder / "content", MEGABYTES), Rates(), dict.fromkeys(grown, 0.0)
    for road in roads:  # what only the first request costs
        small = Content(folder / "small", 1)
        road.put(small, "warm")
        road.get(small, "warm")
    for growth in grown.values():
        growth.look()
    for number in range(1 + ROUNDS):
        for road in roads:
            content.renew()
            for way, work in (("up", road.put), ("down", road.get)):
                found = rates.setdefault((way, road.name), [])
                timed = partial(_rate, found, partial(work, content, f"file-{number}"))
                if road.name in grown:
                    most[road.name] = max(most[road.name], grown[road.name].during(timed))
                else:
                    timed()
            _make_room(content, folder)
    content.path.unlink()
    for found in rates.values():
        del found[0]  # of a round in which the machine gave the memory that the others found there
    return [
        *(_rate_row(rates, way, road.name) for way in ("up", "down") for road in roads),
        *([f"memory, {MEGABYTES} MB, {name}", f"+{by:.1f} MB", "", GROWTH.get(name, "")] for name, by in most.items()),
    ]


def _make_room(content: Content, folder: Path) -> None:
    """Delete what servers and clients have stored, so that the next finds the disk and its cache as this one did."""
    for path in folder.rglob("*"):
        if path != content.path and path.is_file() and path.stat().st_size == content.size:
            path.unlink()


def _rate(rates: list[float], work: Callable[[], object]) -> None:
    os.sync()  # what an earlier one has left to write is not for this one to wait for
    rates.append(MEGABYTES / _seconds(work))


def _rate_row(rates: Rates, way: str, name: str) -> list[str]:
    found, middle = rates[way, name], statistics.median(rates[way, name])
    ratio = middle / statistics.median(rates[way, PLAIN])
    measured = f"{middle:.0f} MB/s ({min(found):.0f} to {max(found):.0f})"
    return [f"{way}, {name}", measured, f"{ratio:.2f} × plain", UP.get(name, "") if way == "up" else ""]


def _large(roads: Sequence[Road], web: Growth, folder: Path) -> Rows:
    if shutil.disk_usage(folder).free < 3 * LARGE * BLOCK:
        return [[f"memory, {LARGE:,} MB", "not measured: too little room on the disk", "", ""]]
    content, rows = Content(folder / "large", LARGE), []
    for road in roads:
        content.renew()
        up = web.during(partial(road.put, content, "large"))
        down = web.during(partial(road.get, content, "large"))
        rows.append([f"memory, {LARGE:,} MB, {road.name}", f"+{max(up, down):.1f} MB", "", GROWTH[road.name]])
        _make_room(content, folder)
    content.path.unlink()
    return rows


def _small(client: ClientRoad, folder: Path) -> Rows:
    """Files written one by one, each with a wait for the disk; in one commit by hand; by the Hub's client."""
    spent: dict[str, list[float]] = {"written one by one": [], "one commit": [], "huggingface_hub's upload_folder": []}
    for number in range(SMALL_ROUNDS):
        by_hand, by_client = (folder / f"{who}-{number}" for who in ("hand", "client"))
        _write_each(by_client)
        alone = _seconds(partial(_write_each, by_hand))
        lines = [_line(path) for path in sorted(by_hand.iterdir())]
        committed = _seconds(partial(commit, client.port, REPO, lines))
        uploaded = _seconds(partial(client.put_folder, by_client, by_client.name))
        for found, seconds in zip(spent.values(), (alone, committed, uploaded), strict=True):
            found.append(seconds)
    anchor = statistics.median(spent["written one by one"])
    return [
        [
            f"{SMALL_FILES:,} files, {what}",
            f"{statistics.median(found):.2f} s ({min(found):.2f} to {max(found):.2f})",
            f"{statistics.median(found) / anchor:.2f} × one by one",
            "",
        ]
        for what, found in spent.items()
    ]


def _write_each(folder: Path) -> None:
    folder.mkdir()
    for number in range(SMALL_FILES):
        with (folder / f"{number:04d}.txt").open("wb") as file:
            file.write(os.urandom(1024))
            file.flush()
            os.fsync(file.fileno())


def _line(path: Path) -> dict[str, Any]:
    content = base64.b64encode(path.read_bytes()).decode()
    value = {"content": content, "path": f"{path.parent.name}/{path.name}", "encoding": "base64"}
    return {"key": "file", "value": value}


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _brief(trouble: Exception) -> str:
    return str(trouble).splitlines()[0].replace("|", "/")[:160]
