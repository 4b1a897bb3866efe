"""Runs the platform on one machine: gets the database ready, then keeps the web server and the workers running.

They are child processes; this one only watches them, so it imports nothing that they do: no Django, no Celery.
"""

import argparse
import fcntl
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import IO

from assay.platform import settings, supervised

DRAIN_SECONDS = 35.0
"""Requests and calls in flight have 30 of them; the rest is for writing down what came of them."""
WEB_DRAIN_SECONDS = 30
QUICK_DEATH_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 5.0
WEB_THREADS = 16


class CannotServe(Exception):
    """The platform cannot start here; the message says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="beyond loopback sign-in is on, unless ASSAY_AUTH=off")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--data-dir", help="database, files and keys (default: ASSAY_DATA_DIR, else ./data)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")


def main(words: list[str]) -> int:
    """Do what ``manage.py serve`` with these words asks for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="manage.py serve", description=__doc__)
    add_arguments(parser)
    asked = parser.parse_args(words)
    try:
        Supervisor(asked.host, asked.port, asked.workers).run()
    except CannotServe as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass
class Child:
    name: str
    argv: list[str]
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    quick_deaths: int = 0
    """In a row."""

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.argv, cwd=settings.ROOT, env=self.env, preexec_fn=supervised.die_with_parent
        )

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def buried(self) -> float:
        """Return when the next one may start: at once, but after 1, 2, 4 s and so on if it dies again and again."""
        assert self.process is not None
        now = time.monotonic()
        self.quick_deaths = self.quick_deaths + 1 if now - self.started < QUICK_DEATH_SECONDS else 0
        pause = min(2.0 ** (self.quick_deaths - 2), LONGEST_PAUSE_SECONDS) if self.quick_deaths > 1 else 0.0
        when = f" in {pause:.0f} s" if pause else ""
        ending = f"{self.name} ended with code {self.process.returncode}"
        print(f"{ending}; starting it again{when}", file=sys.stderr, flush=True)
        self.process = None
        return now + pause

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass
class Supervisor:
    host: str
    port: int
    workers: int
    stopping: bool = False
    _kept: list[Child] = field(default_factory=list)
    """The children that are to run; each is started again when it dies."""
    _due: dict[str, float] = field(default_factory=dict)
    """When those that died may start again, by name."""
    _signals: SimpleQueue[int] = field(default_factory=SimpleQueue)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain. Raises ``CannotServe``."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._note)
        with self._lock_data_dir():
            self._check_port()
            self._forget_counts()
            if self._prepare():
                for index in range(self.workers):
                    self._keep(self._worker(index))
                while not self.stopping:
                    self._restart_the_dead()
                    self._wait()
            self._drain()

    def _prepare(self) -> bool:
        """Get the database ready while the web server loads: it waits with the first request until this is done.

        Returns False when asked to stop meanwhile. Raises ``CannotServe``.
        """
        prepare = Child("prepare", [sys.executable, "manage.py", "prepare"], self._env())
        with supervised.preparing(settings.DATA_DIR):
            prepare.start()
            self._keep(self._web())
            print(f"Assay is starting on http://{self.host}:{self.port}", flush=True)
            while not self.stopping and not prepare.ended():
                self._restart_the_dead()
                self._wait()
        assert prepare.process is not None
        if self.stopping:
            prepare.signal(signal.SIGTERM)
            prepare.process.wait()
        elif prepare.process.returncode:
            self._drain()
            raise CannotServe("The database cannot be got ready; the reason is above.")
        return not self.stopping

    def _lock_data_dir(self) -> IO[str]:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.STATIC_ROOT.mkdir(exist_ok=True)
        lock = Path(settings.DATA_DIR / "serve.lock").open("w")  # noqa: SIM115  held for as long as the process lives
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotServe("Another `manage.py serve` uses this data folder already.") from None
        return lock

    def _forget_counts(self) -> None:
        """Counts begin at zero with the platform, as Prometheus expects of one that was started again."""
        for counted in self._metrics_folder.glob("*.db"):
            counted.unlink()

    @property
    def _metrics_folder(self) -> Path:
        return settings.DATA_DIR / "metrics"

    def _check_port(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise CannotServe(f"Cannot listen on {self.host}:{self.port}: {error.strerror}.") from None

    def _env(self) -> dict[str, str]:
        folder = str(settings.DATA_DIR)
        ours = {"ASSAY_DATA_DIR": folder, supervised.VARIABLE: folder, "PYTHONPATH": str(settings.ROOT)}
        env = {**os.environ, **ours, supervised.METRICS_VARIABLE: str(self._metrics_folder)}
        env.setdefault("MALLOC_ARENA_MAX", "2")  # else glibc keeps memory for each of a worker's many threads
        if not loopback(self.host):
            env.setdefault("ASSAY_AUTH", "on")
            env.setdefault("ASSAY_ALLOWED_HOSTS", "*")
        return env

    def _web(self) -> Child:
        argv = [sys.executable, "-m", "granian", "assay.platform.wsgi:application", "--interface", "wsgi"]
        argv += ["--host", self.host, "--port", str(self.port), "--workers", "1", "--no-ws", "--log-level", "error"]
        argv += ["--blocking-threads", str(WEB_THREADS), "--respawn-failed-workers"]
        argv += ["--workers-kill-timeout", str(WEB_DRAIN_SECONDS)]
        argv += ["--static-path-route", "/static", "--static-path-mount", str(settings.STATIC_ROOT)]
        return Child("web", argv, self._env())

    def _worker(self, index: int) -> Child:
        # All of them sweep: one that hangs holds up no other, and several at once do no harm.
        return Child(f"worker {index}", [sys.executable, "manage.py", "worker", "--sweeps"], self._env())

    # Keeping them running

    def _keep(self, child: Child) -> None:
        self._kept.append(child)
        child.start()

    def _restart_the_dead(self) -> None:
        for child in self._kept:
            if child.ended():
                self._due[child.name] = child.buried()
            if self._due.get(child.name, float("inf")) <= time.monotonic():
                del self._due[child.name]
                child.start()

    def _wait(self) -> None:
        """Return when a signal came, of a child's death among them, or when a child may start again."""
        pause = max(min(self._due.values()) - time.monotonic(), 0.0) if self._due else None
        with suppress(Empty):
            self._signals.get(timeout=pause)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.stopping = self.stopping or number != signal.SIGCHLD
        self._signals.put(number)

    def _drain(self) -> None:
        """Let requests and calls in flight end; what has not ended by then is killed and recovers at the next start.

        All at once: neither the web server nor a worker needs the other to come to an end. A person who asks once more
        (SIGINT) does not want to wait.
        """
        for child in self._kept:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_SECONDS
        self._signals = SimpleQueue()
        while time.monotonic() < deadline and any(child.process and not child.ended() for child in self._kept):
            with suppress(Empty):
                if self._signals.get(timeout=0.05) == signal.SIGINT:
                    break
        for child in self._kept:
            child.signal(signal.SIGKILL)
