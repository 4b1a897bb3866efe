"""What a backup consists of, and how one says that it is whole.

Whatever it holds is listed in ``SHA256SUMS``, in its order (``sha256sum -c`` reads it). Then comes ``manifest.json``,
the last of all, with the digest of that list: what has no manifest is half a backup.
"""

import hashlib
import re

from pydantic import BaseModel

from assay.filesets.blobs import Readable
from assay.operations.tables import Table

FORMAT = 1
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
CHUNK = 1024 * 1024
MEMBER = re.compile(
    r"tables/[0-9]{4}-[a-z0-9_]{1,80}\.jsonl\.gz|blobs/[0-9a-f]{2}/[0-9a-f]{64}|keys/(?:encryption|session)\.key"
)
"""What a backup may hold: no name of it leads anywhere else."""


class BrokenBackup(Exception):
    """It is no backup, or not a whole one; the message says what is wrong with it."""


class CannotWrite(Exception):
    """The backup cannot be written there; the message says why."""


class KeptTable(Table):
    member: str
    rows: int


class Manifest(BaseModel):
    """What a backup says of itself."""

    format: int = FORMAT
    assay: str
    """The version that made it."""
    made_at: str
    """The instant that it shows, UTC."""
    database: str
    migrations: list[tuple[str, str]]
    """The state of the schema: apps and names."""
    tables: list[KeptTable]
    files: int
    file_bytes: int
    missing: list[str] = []
    """Contents that were not there, or were not what their names say, when it was made."""
    keys: list[str] = []
    """Names of key files; empty unless they were asked for."""
    sums: str = ""
    """The SHA-256 of ``SHA256SUMS``."""

    def rows(self, table: str) -> int:
        return sum(each.rows for each in self.tables if each.name == table)


class Digesting:
    """Reads a stream, up to ``size`` bytes where that is given, and digests what passes."""

    def __init__(self, content: Readable, size: int | None = None) -> None:
        self._content = content
        self._left = size
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def read(self, size: int = -1, /) -> bytes:
        wanted = CHUNK if size < 0 else size
        if self._left is not None:
            wanted = min(wanted, self._left)
        piece = self._content.read(wanted)
        if self._left is not None:
            self._left -= len(piece)
            if wanted and not piece:
                raise OSError("a file ends before its size")
        self._digest.update(piece)
        return piece
