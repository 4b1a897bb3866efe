"""Parquet and Arrow files as items, read by a process of their own (`columnar_child`).

The library behind it is native code, and a damaged file can end the process that it runs in, or make it ask for
gigabytes. Here that ends one child, whose memory has a limit, and the file gets its DatasetError.
"""

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, BinaryIO

import orjson

from assay_sdk.engine.errors import DatasetError
from assay_sdk.engine.glance import Glance, out_of_time

_CHILD = Path(__file__).with_name("columnar_child.py")
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")  # no key or password goes along


MOST_COPIED = 4 << 30
"""Bytes that a packed file of these formats may unpack to: it is read from a copy on the disk."""


def read_columnar(
    stream: BinaryIO, name: str, suffix: str, skip: int = 0, glance: Glance | None = None
) -> Iterator[dict[str, Any]]:
    """The items of the file from the `skip`-th on, a batch at a time; raises DatasetError with the row where it can."""
    with _child(stream, name, suffix, "rows", skip, glance) as lines:
        while (line := next(lines)).startswith(b"{"):
            yield orjson.loads(line)
        _end(line, name)


def count_columnar(
    stream: BinaryIO, name: str, suffix: str, limit: int | None = None, glance: Glance | None = None
) -> int:
    """How many items there are, `limit` at most, each decoded once but not made into an object."""
    if limit == 0:
        return 0
    with _child(stream, name, suffix, "count", limit or 0, glance) as lines:
        return _end(next(lines), name)


def _end(line: bytes, name: str) -> int:
    if line.startswith(b"="):
        return int(line[1:])
    trouble = orjson.loads(line[1:])
    raise DatasetError(trouble["message"], name=name, row=trouble["row"])


@contextmanager
def _child(
    stream: BinaryIO, name: str, suffix: str, task: str, number: int, glance: Glance | None
) -> Iterator[Iterator[bytes]]:
    if find_spec("arro3") is None:
        raise DatasetError("Parquet and Arrow files need the package arro3-io: install assay-sdk[parquet]", name=name)
    with _real_file(stream, name) as file:
        # -P: the folder of the script, which holds our modules, is no place to look for those of the library.
        process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD), suffix, task, str(number)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={key: os.environ[key] for key in _PASSED_ON if key in os.environ},
        )
        assert process.stdout is not None
        watch = threading.Timer(glance.seconds if glance else 0.0, process.kill)
        watch.daemon = True
        if glance:
            watch.start()
        try:
            yield _lines(process, process.stdout, name, glance, watch)
        finally:
            watch.cancel()
            process.kill()
            process.stdout.close()
            process.wait()


def _lines(
    process: subprocess.Popen[bytes], output: IO[bytes], name: str, glance: Glance | None, watch: threading.Timer
) -> Iterator[bytes]:
    yield from output
    # The child says goodbye as a rule, and whoever listens stops listening then.
    code = process.wait()
    if glance and watch.finished.is_set():
        raise out_of_time(glance, name)
    ended = signal.Signals(-code).name if code < 0 else f"exit {code}"
    raise DatasetError(
        f"the file is damaged, or reading it takes too much time or memory (the reader ended: {ended})", name=name
    )


@contextmanager
def _real_file(stream: BinaryIO, name: str) -> Iterator[BinaryIO]:
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
        while piece := stream.read(1 << 20):
            if copy.tell() > MOST_COPIED:
                raise DatasetError(f"it unpacks to more than {MOST_COPIED >> 30} GiB", name=name)
            copy.write(piece)
        copy.flush()
        yield copy
