"""Reading a file while somebody waits: no longer, and no more of it, than that is worth."""

import io
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from assay_sdk.engine.errors import DatasetUnfinished


@dataclass(frozen=True, slots=True)
class Glance:
    """How much of a file may be read."""

    seconds: float
    most_bytes: int
    """Of a text, unpacked. Of Parquet and Arrow files only what is needed is read anyway."""


def glanced(stream: BinaryIO, glance: Glance, name: str) -> BinaryIO:
    """The stream, which raises DatasetUnfinished once that much of it was read, or so much time has passed."""
    return cast(BinaryIO, io.BufferedReader(_Glanced(stream, glance, name), 1 << 17))


class _Glanced(io.RawIOBase):
    def __init__(self, inner: Any, glance: Glance, name: str) -> None:
        self._inner, self._glance, self._name, self._left = inner, glance, name, glance.most_bytes
        self._until = time.monotonic() + glance.seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if time.monotonic() > self._until:
            raise out_of_time(self._glance, self._name)
        if self._left <= 0:
            message = f"no more than {self._glance.most_bytes >> 20} MB of a file are read while somebody waits"
            raise DatasetUnfinished(message, name=self._name)
        count = int(self._inner.readinto(buffer))
        self._left -= count
        return count


def out_of_time(glance: Glance, name: str) -> DatasetUnfinished:
    """What to raise when the time is over."""
    return DatasetUnfinished(f"reading it takes more than {glance.seconds:g} s", name=name)
