"""Files in and out through the running platform: MB/s beside SHA-256 and the disk alone, and memory growth.

    python -m benchmarks.files [--megabytes 200] [--rounds 3]

The client is a bare socket loop on the same machine, so client and server share its cores.
"""

import argparse
import hashlib
import http.client
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

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


def measure(megabytes: int, rounds: int) -> list[str]:
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
    return [
        f"{megabytes} MB files, {rounds} rounds, MB/s as median (least to most)",
        f"SHA-256 alone          {spread(hashes)}",
        f"write and fsync alone  {spread(disks)}",
        f"PUT                    {spread(puts)}, goal 250",
        f"GET                    {spread(gets)}",
        f"memory of the web process at its peak: +{growth:.1f} MB, goal 20 at any size",
    ]


def spread(rates: list[float]) -> str:
    return f"{statistics.median(rates):5.0f} ({min(rates):.0f} to {max(rates):.0f})"


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--megabytes", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    print("\n".join(measure(asked.megabytes, asked.rounds)))


if __name__ == "__main__":
    main()
