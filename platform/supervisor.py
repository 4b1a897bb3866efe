"""Runs the platform on one machine: web and worker as child processes, the periodic sweeps as a thread of its own."""

import ctypes
import fcntl
import ipaddress
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from django.conf import settings
from django.core.management import call_command

from assay.platform.celery import start_sweeps

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
RESTART_PAUSE_SECONDS = 1.0
WEB_THREADS = 16


class CannotServe(Exception):
    """The platform cannot start here; the message says why."""


def loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def die_with_parent() -> None:
    """In the child: ask Linux to end it when the supervisor is killed outright, so that no orphan keeps the port."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


@dataclass
class Child:
    name: str
    argv: list[str]
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.argv, cwd=settings.ROOT, env=self.env, preexec_fn=die_with_parent)

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass
class Supervisor:
    host: str
    port: int
    workers: int
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain. Raises ``CannotServe``."""
        lock = self._lock_data_dir()
        self._check_port()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        self.children = [self._web(), *(self._worker(index) for index in range(self.workers))]
        for child in self.children:
            child.start()
        stop_sweeps = start_sweeps()
        print(f"Assay is starting on http://{self.host}:{self.port}", flush=True)
        while not self.stopping:
            self._restart_the_dead()
            time.sleep(0.2)
        stop_sweeps()
        self._drain()
        lock.close()

    def _lock_data_dir(self) -> IO[str]:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = Path(settings.DATA_DIR / "serve.lock").open("w")  # noqa: SIM115  held for as long as the process lives
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotServe("Another `manage.py serve` uses this data folder already.") from None
        return lock

    def _check_port(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise CannotServe(f"Cannot listen on {self.host}:{self.port}: {error.strerror}.") from None

    def _env(self) -> dict[str, str]:
        env = {**os.environ, "ASSAY_DATA_DIR": str(settings.DATA_DIR), "PYTHONPATH": str(settings.ROOT)}
        if not loopback(self.host):
            env.setdefault("ASSAY_AUTH", "on")
            env.setdefault("ASSAY_ALLOWED_HOSTS", "*")
        return env

    def _web(self) -> Child:
        argv = [sys.executable, "-m", "granian", "assay.platform.wsgi:application", "--interface", "wsgi"]
        argv += ["--host", self.host, "--port", str(self.port), "--workers", "1", "--no-ws", "--log-level", "error"]
        argv += ["--blocking-threads", str(WEB_THREADS), "--respawn-failed-workers"]
        argv += ["--static-path-route", "/static", "--static-path-mount", str(settings.STATIC_ROOT)]
        return Child("web", argv, self._env())

    def _worker(self, index: int) -> Child:
        return Child(f"worker {index}", [sys.executable, "manage.py", "worker"], self._env())

    def _restart_the_dead(self) -> None:
        for child in self.children:
            if child.ended() and time.monotonic() - child.started > RESTART_PAUSE_SECONDS:
                assert child.process is not None
                logger.warning("%s ended with code %s; starting it again", child.name, child.process.returncode)
                child.start()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _drain(self) -> None:
        """Let requests and calls in flight end; what has not ended by then is killed and recovers at the next start."""
        for child in self.children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline and not all(child.ended() for child in self.children):
            time.sleep(0.05)
        for child in self.children:
            child.signal(signal.SIGKILL)
