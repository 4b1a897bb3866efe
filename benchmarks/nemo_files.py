"""NeMo Platform's files API as a process, for as long as a benchmark needs it."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import KEPT, PYTHONS, ROOT, SILENT
from tests.compat.environments import Client, Unavailable, environment
from tests.platform_process import free_port

PROGRAMS = ROOT / "benchmarks" / "served"
READY_WITHIN_S = 90


class Server(Client):
    """A server whose packages are pinned beside the program that starts it."""

    def __str__(self) -> str:
        return f"served/{self.package}-{self.version}"

    @property
    def requirements(self) -> Path:
        return PROGRAMS / f"{self.package}-{self.version}.txt"


NEMO = Server("nemo-platform", "0.6.0", PYTHONS)


@dataclass(frozen=True)
class Running:
    port: int
    pid: int


@contextmanager
def nemo_files(folder: Path) -> Iterator[Running]:
    """The server with a fileset `bench`; raises Unavailable where it cannot be installed or does not start."""
    python, port = environment(NEMO), free_port()
    settings = {name: value for name, value in os.environ.items() if name in KEPT}
    settings |= SILENT | {"HOME": str(folder), "NMP_DATA_DIR": str(folder / "nemo"), "NO_PROXY": "*"}
    with (folder / "nemo.log").open("wb") as log:
        argv = [str(python), str(PROGRAMS / "nemo.py"), str(port)]
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder, env=settings)
    try:
        _wait_ready(process, f"http://127.0.0.1:{port}")
        yield Running(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    body = json.dumps({"name": "bench"}).encode()
    address = f"{url}/apis/files/v2/workspaces/default/filesets"
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(asked, timeout=10):
            return
        time.sleep(0.5)
    raise Unavailable(f"{NEMO.package} {NEMO.version} did not start")
