"""Parquet and Arrow files as items, read by a process of their own (`columnar_child`).

The library behind it is native code, and a damaged file can end the process that it runs in, or make it ask for
gigabytes. Here that ends one child, whose memory has a limit, and the file gets its DatasetError.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, BinaryIO

import orjson

from assay_sdk.engine.errors import DatasetError

_CHILD = Path(__file__).with_name("columnar_child.py")
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")  # no key or password goes along


def read_columnar(stream: BinaryIO, name: str, suffix: str, skip: int = 0) -> Iterator[dict[str, Any]]:
    """The items of the file from the `skip`-th on, a batch at a time; raises DatasetError with the row where it can."""
    with _child(stream, name, suffix, "rows", skip) as lines:
        while (line := next(lines)).startswith(b"{"):
            yield orjson.loads(line)
        _end(line, name)


def count_columnar(stream: BinaryIO, name: str, suffix: str, limit: int | None = None) -> int:
    """How many items there are, `limit` at most, each decoded once but not made into an object."""
    if limit == 0:
        return 0
    with _child(stream, name, suffix, "count", limit or 0) as lines:
        return _end(next(lines), name)


def _end(line: bytes, name: str) -> int:
    if line.startswith(b"="):
        return int(line[1:])
    trouble = orjson.loads(line[1:])
    raise DatasetError(trouble["message"], name=name, row=trouble["row"])


@contextmanager
def _child(stream: BinaryIO, name: str, suffix: str, task: str, number: int) -> Iterator[Iterator[bytes]]:
    if find_spec("arro3") is None:
        raise DatasetError("Parquet and Arrow files need the package arro3-io: install assay-sdk[parquet]", name=name)
    with _real_file(stream) as file:
        # -P: the folder of the script, which holds our modules, is no place to look for those of the library.
        process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD), suffix, task, str(number)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={key: os.environ[key] for key in _PASSED_ON if key in os.environ},
        )
        assert process.stdout is not None
        try:
            yield _lines(process, process.stdout, name)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _lines(process: subprocess.Popen[bytes], output: IO[bytes], name: str) -> Iterator[bytes]:
    yield from output
    # The child says goodbye as a rule, and whoever listens stops listening then.
    code = process.wait()
    ended = signal.Signals(-code).name if code < 0 else f"exit {code}"
    raise DatasetError(
        f"the file is damaged, or reading it takes too much memory (the reader ended: {ended})", name=name
    )


@contextmanager
def _real_file(stream: BinaryIO) -> Iterator[BinaryIO]:
    """The stream itself if it is a plain file, otherwise a copy on the disk: these formats are read from the end."""
    if isinstance(stream, io.BufferedReader | io.FileIO):
        try:
            stream.fileno()
        except OSError:
            pass
        else:
            yield stream
            return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.flush()
        yield copy
