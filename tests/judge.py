"""Starts the stand-in judge of `examples/` as a process of its own, for tests that need a judge on a real socket."""

import atexit
import json
import select
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

PROGRAM = Path(__file__).resolve().parent.parent / "examples" / "standin_judge.py"
READY = "stand-in judge listening on "


class JudgeProcess:
    """A running stand-in judge; `url` is the OpenAI base URL (it ends in /v1).

    Options are those of the command line: `JudgeProcess(latency_ms=5, fail_every=3, refuse_response_format=True)`.
    It ends with `stop()`, with the `with` block, or at the latest with the process that started it.
    """

    def __init__(self, **options: str | float | bool) -> None:
        arguments = [sys.executable, str(PROGRAM), "--until-stdin-closes"]
        for name, value in options.items():
            if value is not False:
                flag = f"--{name.replace('_', '-')}"
                arguments += [flag] if value is True else [flag, str(value)]
        # The judge ends when its standard input closes, and that happens even if this process is killed outright.
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.stop)
        self.url = self._wait_until_ready()

    def _wait_until_ready(self) -> str:
        assert self._process.stdout is not None
        answered, _, _ = select.select([self._process.stdout], [], [], 20)
        line = self._process.stdout.readline() if answered else ""
        if not line.startswith(READY):
            self.stop()
            raise RuntimeError(f"The stand-in judge did not start (exit code {self._process.returncode}).")
        return line.removeprefix(READY).strip()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def stats(self) -> dict[str, int]:
        """`calls` (all that arrived, failed ones too), `in_flight` and `max_in_flight` since the last reset."""
        return self._ask("/stats")

    def reset_stats(self) -> None:
        """Count from zero again; faults such as `fail_every` count from here as well."""
        self._ask("/stats/reset", method="POST")

    def _ask(self, path: str, method: str = "GET") -> dict[str, int]:
        request = urllib.request.Request(self.url.removesuffix("/v1") + path, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            answer: dict[str, int] = json.load(response)
            return answer

    def stop(self) -> None:
        """End the process; harmless if it has ended already."""
        atexit.unregister(self.stop)
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
