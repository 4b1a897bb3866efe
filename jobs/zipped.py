"""A ZIP archive as a stream: written while it is sent, in flat memory."""

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime


class _Outlet:
    """Takes what the archive writes, to be taken away piece by piece; it cannot go back, and says so."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def zipped(files: Iterable[tuple[str, Iterable[bytes]]], made_at: datetime) -> Iterator[bytes]:
    """Yield an archive of the files; of the same files it is the same to the byte."""
    outlet = _Outlet()
    stamp = made_at.timetuple()[:6]
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for path, content in files:
            entry = zipfile.ZipInfo(path, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                for piece in content:
                    member.write(piece)
                    if taken := outlet.take():
                        yield taken
        yield outlet.take()
    yield outlet.take()
