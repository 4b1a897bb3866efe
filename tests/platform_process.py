"""The composed platform as a process of its own, for tests that need the real thing."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.once import made_once
from tests.process_tree import command, in_group, kill_all

ROOT = Path(__file__).resolve().parent.parent
WEB = "granian"
WORKER = "manage.py worker"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bare_environment() -> dict[str, str]:
    """Return the environment without what the one who runs the tests has set for a platform of theirs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY_", "DJANGO_"))}


def prepared_data() -> Path:
    """Return a data folder whose database is migrated and empty, made once a test run: a second less for each start."""
    return made_once("prepared", _prepare)


def _prepare(folder: Path) -> None:
    prepare = [sys.executable, "manage.py", "prepare", "--data-dir", str(folder)]
    env = {**bare_environment(), "ASSAY_DATA_DIR": str(folder)}
    subprocess.run(prepare, cwd=ROOT, env=env, check=True, timeout=90)
    shutil.rmtree(folder / "keys", ignore_errors=True)


class PlatformProcess:
    """``manage.py serve`` over a data folder of the test; a context manager that ends every process it started.

    ``prepared``: it is not this platform's first start, which migrates the database.
    """

    def __init__(self, data_dir: Path, *, workers: int = 1, prepared: bool = True, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self.argv = [sys.executable, "manage.py", "serve", "--port", str(self.port), "--data-dir", str(data_dir)]
        self.argv += ["--workers", str(workers)]
        self.env = {**bare_environment(), "ASSAY_AUTH": "off", **env}
        if prepared and not data_dir.exists() and "ASSAY_DATABASE_URL" not in self.env:
            shutil.copytree(prepared_data(), data_dir)
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._groups: list[int] = []

    def start(self) -> None:
        self.spawn()
        try:
            self.wait_ready()
        except BaseException:
            kill_all(self.everything())
            raise

    def spawn(self) -> None:
        """Start it, and wait for nothing."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        # Of those that have ended the id may be somebody else's next.
        self._groups = [*(group for group in self._groups if in_group(group)), self.process.pid]

    def wait_ready(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready after {seconds} s:\n{self.log.read_text()}")

    def everything(self) -> list[int]:
        """Return the ids of all its processes, and of those that a killed supervisor left behind."""
        return [pid for group in tuple(self._groups) for pid in in_group(group)]

    def children(self, word: str) -> list[int]:
        """Return the ids of the supervisor's children, and theirs, whose command line holds ``word``."""
        supervisor = self.process.pid if self.process is not None else None
        return [pid for pid in self.everything() if pid != supervisor and word in command(pid)]

    def kill(self, word: str) -> None:
        """Kill -9 every child process whose command line holds ``word``."""
        victims = self.children(word)
        assert victims, f"no process matches {word!r}"
        kill_all(victims)

    # What fault tests do to it; `team_process.py` has the same.

    def workers(self) -> list[int]:
        return self.children(WORKER)

    def kill_web(self) -> None:
        kill_all(self.children(WEB))

    def lose_broker(self) -> None:
        """Delete every message: here the broker is files."""
        shutil.rmtree(self.data_dir / "broker", ignore_errors=True)

    def revive(self) -> None:
        """Start it again if its supervisor was killed."""
        if self.process is None or self.process.poll() is not None:
            self.spawn()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        kill_all(self.everything())
        if self.process is not None:
            self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
