"""The anchor for files: a server that writes a body to the disk as it comes, and serves it back. It checks nothing.

Its folder is the setting BENCH_FOLDER.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

BLOCK = 1024 * 1024


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = Path(os.environ["BENCH_FOLDER"]) / Path(environ["PATH_INFO"]).name
    if environ["REQUEST_METHOD"] == "PUT":
        with path.open("wb", buffering=0) as file:
            while piece := environ["wsgi.input"].read(BLOCK):
                file.write(piece)
            os.fsync(file.fileno())
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    if not path.is_file():
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    start_response("200 OK", [("Content-Length", str(path.stat().st_size))])
    return _pieces(path.open("rb", buffering=0))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(BLOCK):
            yield piece
