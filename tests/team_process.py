"""The platform as a team runs it: web, workers, sweeps and Redis as processes apart, as in docker-compose.yml."""

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx
from redis import Redis

from tests.platform_process import ROOT, bare_environment, free_port
from tests.process_tree import in_group, kill_all
from tests.services import program

RESTART_SECONDS = 0.5
"""What ends is started again no sooner than this after its last start, much as Docker does."""


@dataclass
class Service:
    """One process, in a group of its own with those it starts."""

    argv: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def everything(self) -> list[int]:
        """Return the ids of it and all it has started."""
        return in_group(self.process.pid) if self.process is not None else []

    def kill(self) -> None:
        """Kill -9 all of it, as the end of a container does."""
        kill_all(self.everything())

    def start(self, env: dict[str, str], log: IO[bytes]) -> None:
        self.kill()  # what an earlier one has left behind
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.argv, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)


class TeamProcess:
    """A context manager: it starts what has ended again, and ends every process that it started.

    ``prepared``: the database has the schema already.
    """

    def __init__(self, data_dir: Path, *, database: str, workers: int = 2, prepared: bool = False, **env: str) -> None:
        self.prepared = prepared
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.port, self.redis_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **bare_environment(),
            "PYTHONPATH": str(ROOT),
            "ASSAY_AUTH": "off",
            "ASSAY_DATA_DIR": str(data_dir),
            "ASSAY_DATABASE_URL": database,
            "ASSAY_BROKER_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            **env,
        }
        manage = [sys.executable, "manage.py"]
        granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port"]
        granian += [str(self.port), "--blocking-threads", "16", "--no-ws", "--log-level", "error"]
        self.services = {
            "broker": Service(self._redis()),
            "web": Service([*granian, "assay.platform.wsgi:application"]),
        }
        for number in range(workers):
            self.services[f"worker {number}"] = Service([*manage, "worker"])
        self.services["beat"] = Service([*manage, "beat"])
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def _redis(self) -> list[str]:
        argv = [program("redis-server", "Redis"), "--port", str(self.redis_port), "--bind", "127.0.0.1"]
        return [*argv, "--save", "", "--appendonly", "no", "--dir", tempfile.gettempdir()]

    def everything(self) -> list[int]:
        """Return the ids of all its processes."""
        return [pid for each in self.services.values() for pid in each.everything()]

    def workers(self) -> list[int]:
        named = [each for name, each in self.services.items() if name.startswith("worker")]
        return [each.process.pid for each in named if each.process is not None and each.running()]

    def kill_web(self) -> None:
        self.services["web"].kill()

    def lose_broker(self) -> None:
        """Kill Redis, and all messages with it."""
        self.services["broker"].kill()

    def flush_broker(self) -> None:
        """Delete all that Redis holds."""
        with Redis(port=self.redis_port) as redis:
            redis.flushall()

    def revive(self) -> None:
        """Nothing: each process is started again by itself."""

    def wait_ready(self, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready after {seconds} s:\n{self.log.read_text()}")

    def _keep(self) -> None:
        """Start what has not been started yet or has ended."""
        with self.log.open("ab") as log:
            while not self._stopping.wait(0.05):
                for each in self.services.values():
                    if each.running() or time.monotonic() - each.started < RESTART_SECONDS:
                        continue
                    each.start(self.env, log)

    def __enter__(self) -> Self:
        if not self.prepared:
            with self.log.open("ab") as log:
                migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
                subprocess.run(migrate, cwd=ROOT, env=self.env, stdout=log, stderr=log, check=True, timeout=90)
        self._keeper.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._keeper.join()
        kill_all(self.everything())
        for each in self.services.values():
            if each.process is not None:
                each.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
