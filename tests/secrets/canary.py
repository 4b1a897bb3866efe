"""Values that nobody makes by chance, and the search for any trace of them: whole, cut up or written otherwise."""

import base64
import gzip
import secrets
import sqlite3
import string
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

PARTS, PART = 4, 12
WINDOW = 8
"""So many characters in a row are a trace: 47 bits, which nothing else has."""


class Canary:
    """Values that are secret; they differ in a few letters, so that what is looked for is the same for all of them.

    They have characters that JSON, addresses and base64 write otherwise.
    """

    def __init__(self) -> None:
        letters = string.ascii_letters + string.digits
        self._parts = ["".join(secrets.choice(letters) for _ in range(PART)) for _ in range(PARTS)]
        self._made: list[str] = []

    def value(self, name: str) -> str:
        """Return the value of this name."""
        if name not in self._made:
            self._made.append(name)
        one, two, three, four = self._parts
        return f'sk{self._made.index(name):02}-{one}/{two}+{three}"\\{four}=='

    def traces(self) -> Iterator[bytes]:
        """Yield what any piece of a value holds; a piece of a part stands in JSON and in addresses as it is."""
        for part in self._parts:
            for window in (part[:WINDOW], part[-WINDOW:]):
                yield window.encode()
                yield window.encode().hex().encode()
        for shift in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                encoded = encode(b" " * shift + self.value("").encode())
                yield from (encoded[at : at + PART] for at in range(PART, len(encoded) - 2 * PART, 2 * PART))


class Search:
    """Looks for a canary in whatever it is shown, and notes where it was found."""

    def __init__(self, canary: Canary) -> None:
        self._traces = set(canary.traces())
        self.found: set[str] = set()

    def look(self, where: str, content: bytes | str) -> None:
        """Look into the content, and into what it was compressed from."""
        for data in _unpacked(content.encode() if isinstance(content, str) else content):
            if any(trace in data for trace in self._traces):
                self.found.add(where)

    def folder(self, folder: Path, but: Iterable[str] = ()) -> None:
        """Look into every file of the folder, and at its name; not below the folders named in ``but``."""
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if path.is_file() and place.parts[0] not in set(but):
                self.look(f"file name {place}", str(place))
                self.look(f"file {place}", path.read_bytes())

    def sqlite(self, path: Path) -> None:
        """Look into every cell of every table, as readers of the database see it."""
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                self._rows(f"table {name}", database.execute(f'SELECT * FROM "{name}"'))

    def postgres(self, url: str) -> None:
        with psycopg.connect(url) as database:
            rows = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (name,) in rows.fetchall():
                self._rows(f"table {name}", database.execute(f'SELECT * FROM "{name}"'))  # type: ignore[call-overload]

    def _rows(self, where: str, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            for cell in row:
                self.look(where, bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell))


def _unpacked(data: bytes) -> list[bytes]:
    """Return the data, and what it unpacks to, gzip or zlib."""
    found = [data]
    if data[:2] == b"\x1f\x8b":
        found.append(gzip.decompress(data))
    elif data[:1] == b"\x78":
        with suppress(zlib.error):
            found.append(zlib.decompress(data))
    return found
