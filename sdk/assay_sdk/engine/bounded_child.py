"""A child process for work of which nobody knows how long it takes: it ends itself when time or memory is up."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

SECONDS = 1.0
_SCRIPT = str(Path(__file__).with_name("bounded_work.py"))
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")  # no key or password goes along


class TookTooLong(Exception):
    """The work did not come to an end."""


class BoundedChild:
    """One process that works for all threads, begun when first needed and again after it had to be given up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def asked(self, **task: Any) -> Any:
        """The answer to a task of `bounded_work`. Raises TookTooLong after about a second."""
        with self._lock:
            process = self._running()
            assert process.stdin and process.stdout
            try:
                process.stdin.write(json.dumps(task | {"seconds": SECONDS}).encode() + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = b""
            if not answer:
                self._process = None
                process.stdin.close()
                process.stdout.close()
                process.wait()
                raise TookTooLong(f"more than {SECONDS:g} s, or too much memory")
        return json.loads(answer)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            # -P: the folder of the script, which holds our modules, is no place to look for those of a library.
            self._process = subprocess.Popen(
                [sys.executable, "-P", _SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={key: os.environ[key] for key in _PASSED_ON if key in os.environ},
            )
            self._owner = os.getpid()
        return self._process


CHILD = BoundedChild()
