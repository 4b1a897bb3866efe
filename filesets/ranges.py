"""Byte ranges of a file, and the bytes of one in pieces."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.platform.errors import RangeNotSatisfiable

CHUNK = 256 * 1024


@dataclass(frozen=True)
class Span:
    """The bytes from ``start`` up to ``stop``, which it leaves out."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def read_range(header: str, size: int) -> Span:
    """Return the first range that ``header`` asks of ``size`` bytes, cut off at their end.

    Raises ``RangeNotSatisfiable`` for one that is malformed, reversed, or begins beyond the end.
    """
    found = re.fullmatch(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*(?:,.*)?", header)
    if found and found[1]:
        start, last = int(found[1]), int(found[2]) if found[2] else size - 1
        if start < size and start <= last:
            return Span(start, min(last + 1, size))
    elif found and found[2]:
        length = min(int(found[2]), size)
        if length:
            return Span(size - length, size)
    raise RangeNotSatisfiable(f"Invalid range: {header}")


class Pieces:
    """The bytes of ``span`` in pieces; open from the start, so that what is served cannot vanish under the reader."""

    def __init__(self, path: Path, span: Span) -> None:
        self.file = path.open("rb", buffering=0)
        self.file.seek(span.start)
        self.left = len(span)

    def __iter__(self) -> Iterator[bytes]:
        while self.left and (piece := self.file.read(min(CHUNK, self.left))):
            self.left -= len(piece)
            yield piece

    def close(self) -> None:
        self.file.close()
