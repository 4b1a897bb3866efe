"""Backing the platform up while it works: the database as it is at one instant, and every file that it refers to then.

Files are named by their content and never change, so that copying them later makes no difference; that none of them is
removed meanwhile, `filesets/copying.py` sees to. What comes to be after that instant is not in the backup.
"""

import gzip
import io
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from assay.filesets import blobs
from assay.filesets.copying import nothing_removed
from assay.operations.archive import CannotWrite, KeptTable, Manifest
from assay.operations.archive_reading import Reading
from assay.operations.archive_writing import LEVEL, Writer, writing
from assay.operations.snapshot import Migration, Snapshot, snapshot
from assay.operations.tables import Table, tables

KEY_FILES = ("encryption.key", "session.key")


def back_up(path: Path, *, with_keys: bool = False) -> Manifest:
    """Write a backup at ``path`` (see ``archive_writing.writing``) and return its manifest.

    Contents that are not there or damaged are told in ``missing``; the rest is backed up all the same. Raises
    ``CannotWrite``, also where the database is not of this version's schema.
    """
    keys = _keys() if with_keys else {}
    with nothing_removed(), writing(path) as writer, tempfile.TemporaryFile(dir=writer.near) as wanted:
        with snapshot() as seen:
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            migrations = _agreed(seen.migrations())
            if with_keys:
                keys = _joined(_keys(), keys)
            kept = [_keep(writer, seen, table, place) for place, table in enumerate(tables())]
            wanted.writelines(f"{sha256} {size}\n".encode() for sha256, size in seen.contents())
        wanted.seek(0)
        files = size = 0
        missing = []
        for sha256, length in _listed(wanted):
            if _copy(writer, sha256, length):
                files, size = files + 1, size + length
            else:
                missing.append(sha256)
        for name, content in keys.items():
            writer.add(f"keys/{name}", io.BytesIO(content), len(content))
        return writer.finish(
            Manifest(
                assay=settings.VERSION,
                made_at=made_at,
                database=connection.vendor,
                migrations=sorted(migrations),
                tables=kept,
                files=files,
                file_bytes=size,
                missing=missing,
                keys=list(keys),
            )
        )


def verify(path: Path) -> Manifest:
    """Read all of a backup, and return its manifest; raises ``BrokenBackup`` where anything is not what it says."""
    reading = Reading(path)
    for _ in reading.members():
        pass
    assert reading.manifest is not None  # else it was not read to its end
    return reading.manifest


def known_migrations() -> set[Migration]:
    """Return the migrations that this version has."""
    return set(MigrationLoader(None).disk_migrations or {})


def _agreed(applied: set[Migration]) -> set[Migration]:
    """Return the applied migrations if they are those of this version; raises ``CannotWrite``."""
    known = known_migrations()
    if lacking := known - applied:
        raise CannotWrite(f"The database lacks {_named(lacking)}: run `manage.py prepare`, or the version it is of.")
    ours = {app for app, _ in known}
    applied = {each for each in applied if each[0] in ours}
    if newer := applied - known:
        raise CannotWrite(f"The database is of a newer version, with {_named(newer)}: back it up with that version.")
    return applied


def _named(migrations: set[Migration]) -> str:
    names = [f"{app}.{name}" for app, name in sorted(migrations)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more migrations" if len(names) > 3 else "")


def _keep(writer: Writer, seen: Snapshot, table: Table, place: int) -> KeptTable:
    member = f"tables/{place:04}-{table.name}.jsonl.gz"
    rows = 0
    with writer.spool() as spool:
        with gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=LEVEL, mtime=0) as squeezed:
            for rows, line in enumerate(seen.lines(table), start=1):  # noqa: B007  how many it was in the end
                squeezed.write(line)
        size = spool.tell()
        spool.seek(0)
        writer.add(member, spool, size)
    return KeptTable(name=table.name, columns=table.columns, member=member, rows=rows)


def _listed(wanted: IO[bytes]) -> Iterator[tuple[str, int]]:
    for line in wanted:
        sha256, _, size = line.decode().partition(" ")
        yield sha256, int(size)


def _copy(writer: Writer, sha256: str, size: int) -> bool:
    """Copy a content; returns whether it was there and what its name says."""
    with ExitStack() as stack:
        try:
            content = stack.enter_context(blobs.place(sha256).open("rb"))
        except FileNotFoundError:
            return False
        if content.seek(0, 2) != size:
            return False
        content.seek(0)
        return writer.add(f"blobs/{sha256[:2]}/{sha256}", content, size) == sha256


def _keys() -> dict[str, bytes]:
    """Return the key files of the data folder by name."""
    if settings.ENCRYPTION_KEYS:
        raise CannotWrite(
            "The encryption keys come from ASSAY_ENCRYPTION_KEYS, not from the data folder: keep a copy of that "
            "variable, and leave --with-keys out."
        )
    files = (settings.DATA_DIR / "keys" / name for name in KEY_FILES)
    return {file.name: file.read_bytes() for file in files if file.exists()}


def _joined(now: dict[str, bytes], before: dict[str, bytes]) -> dict[str, bytes]:
    """Return the key files as they are, with the encryption keys that were given up while the database was opened."""
    name = KEY_FILES[0]
    lines = now.get(name, b"").splitlines()
    lines += [line for line in before.get(name, b"").splitlines() if line not in lines]
    return {**before, **now, **({name: b"\n".join(lines) + b"\n"} if lines else {})}
