"""Packed files as plain streams: gzip and zstd, with an end to what a few bytes may unpack to."""

import gzip
import io
import zlib
from typing import Any, BinaryIO, cast

from assay_sdk.engine.errors import DatasetError

GZIP = (".gz", ".gzip")
ZSTD = (".zst", ".zstd")
PACKED = (*GZIP, *ZSTD)

FREE_BYTES = 1 << 30  # so much may come out of a file however small it is
MAX_RATIO = 1000  # beyond that, a file that unpacks to more than this many times its size is taken for a trap


def suffix_of(name: str) -> str:
    """What kind of file this is, whether packed or not: `.jsonl` for `a/b.jsonl.gz`."""
    inner = inner_name(name).lower().rpartition("/")[2]
    return inner[inner.rfind(".") :] if "." in inner else ""


def inner_name(name: str) -> str:
    return name[: -len(_packing(name)) or None]


def unpacked(stream: BinaryIO, name: str) -> BinaryIO:
    """The plain bytes of a file; itself if it is not packed. Reading it raises DatasetError where that is broken."""
    packing = _packing(name)
    if not packing:
        return stream
    inner: Any
    if packing in GZIP:
        inner = gzip.GzipFile(fileobj=stream, mode="rb")
        raw = _Unpacked(inner, (gzip.BadGzipFile, EOFError, zlib.error), stream, name, "gzip")
    else:
        zstd = _zstd(name)
        raw = _Unpacked(zstd.ZstdFile(stream, mode="r"), (zstd.ZstdError, EOFError), stream, name, "zstd")
    return cast(BinaryIO, io.BufferedReader(raw, 1 << 17))


def _packing(name: str) -> str:
    return next((suffix for suffix in PACKED if name.lower().endswith(suffix)), "")


def _zstd(name: str) -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            raise DatasetError(
                "zstd files need the package backports.zstd: install assay-sdk[zstd]", name=name
            ) from None
    return zstd


class _Unpacked(io.RawIOBase):
    """What comes out of a decompressor, counted against what went in."""

    def __init__(self, inner: Any, broken: tuple[type[Exception], ...], packed: BinaryIO, name: str, kind: str) -> None:
        self._inner, self._broken, self._packed, self._name, self._kind = inner, broken, packed, name, kind
        self._out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            count = int(self._inner.readinto(buffer))
        except self._broken as error:
            raise DatasetError(f"the file is not sound {self._kind} data: {error}", name=self._name) from error
        self._out += count
        if self._out > FREE_BYTES and self._out > MAX_RATIO * self._packed.tell():
            raise DatasetError(f"the file unpacks to more than {MAX_RATIO} times its size", name=self._name)
        return count
