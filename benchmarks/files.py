"""Files in and out through the running platform: MB/s beside SHA-256 and the disk alone, and memory growth.

The client is a bare socket loop on the same machine, so client and server share its cores.
"""

import hashlib
import http.client
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.report import Report
from tests.platform_process import PlatformProcess

BLOCK = 1024 * 1024
ADDRESS = "/apis/files/v2/workspaces/default/filesets"


class Content:
    """So many megabytes that no other upload has, without a file to read them from."""

    def __init__(self, megabytes: int) -> None:
        self.left = megabytes
        self.block = os.urandom(BLOCK)

    def read(self, size: int = -1) -> bytes:
        if not self.left:
            return b""
        self.left -= 1
        return self.block


def request(port: int, method: str, path: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, blocksize=BLOCK)
    connection.request(method, path, body, headers)  # type: ignore[arg-type]
    return connection.getresponse()


def put(port: int, name: str, megabytes: int) -> float:
    started = time.perf_counter()
    length = str(megabytes * BLOCK)
    reply = request(port, "PUT", f"{ADDRESS}/bench/-/{name}", Content(megabytes), **{"Content-Length": length})
    stored = json.loads(reply.read())
    assert stored["size"] == megabytes * BLOCK, stored
    return megabytes / (time.perf_counter() - started)


def get(port: int, name: str, megabytes: int) -> float:
    started = time.perf_counter()
    reply = request(port, "GET", f"{ADDRESS}/bench/-/{name}")
    buffer, got = bytearray(BLOCK), 0
    while count := reply.readinto(buffer):
        got += count
    assert got == megabytes * BLOCK, got
    return megabytes / (time.perf_counter() - started)


def sha256_alone(megabytes: int) -> float:
    block, digest = os.urandom(BLOCK), hashlib.sha256()
    started = time.perf_counter()
    for _ in range(megabytes):
        digest.update(block)
    return megabytes / (time.perf_counter() - started)


def disk_alone(folder: Path, megabytes: int) -> float:
    block, path = os.urandom(BLOCK), folder / "plain"
    started = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(megabytes):
            file.write(block)
        os.fsync(file.fileno())
    taken = time.perf_counter() - started
    path.unlink()
    return megabytes / taken


def memory(pids: list[int]) -> dict[str, float]:
    """Return megabytes of the web processes: now, and the most they ever had."""
    found = {"VmRSS": 0.0, "VmHWM": 0.0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] += int(value.split()[0]) / 1024
    return found


def measure(megabytes: int = 200, rounds: int = 3) -> Report:
    with tempfile.TemporaryDirectory() as folder, PlatformProcess(Path(folder) / "data") as platform:
        body = json.dumps({"name": "bench"}).encode()
        made = request(platform.port, "POST", ADDRESS, body, **{"Content-Type": "application/json"})
        assert made.status == 200, made.read()
        put(platform.port, "warm", 4)
        get(platform.port, "warm", 4)
        pids = platform.children("granian")
        before = memory(pids)["VmRSS"]
        puts, disks, hashes = [], [], []
        for number in range(rounds):
            # The anchors beside each round: what a machine gives changes from one second to the next.
            hashes.append(sha256_alone(megabytes))
            disks.append(disk_alone(Path(folder), megabytes))
            puts.append(put(platform.port, f"file-{number}", megabytes))
        gets = [get(platform.port, f"file-{number}", megabytes) for number in range(rounds)]
        growth = memory(pids)["VmHWM"] - before
    hashed = statistics.median(hashes)
    rows = [
        [what, spread(rates), f"{statistics.median(rates) / hashed:.2f} × SHA-256", goal]
        for what, rates, goal in (
            ("SHA-256 alone", hashes, ""),
            ("write and fsync alone", disks, ""),
            ("PUT, hashed and on disk", puts, "250"),
            ("GET", gets, ""),
        )
    ]
    rows.append(["memory of the web process at its peak", f"+{growth:.1f} MB", "", "20 MB at any size"])
    return Report(
        f"Files of {megabytes} MB, {rounds} rounds, MB/s as median (least to most)",
        "python -m benchmarks files",
        ["what", "measured", "ratio", "goal"],
        rows,
    )


def spread(rates: list[float]) -> str:
    return f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"
