"""Reading a backup, as a stream, and finding out whether it is whole."""

import hashlib
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from assay.operations.archive import CHUNK, FORMAT, MANIFEST, MEMBER, SUMS, BrokenBackup, Digesting, Manifest


@dataclass
class Reading:
    """What a backup holds, member by member; it is known to be whole when the last one was read."""

    path: Path
    manifest: Manifest | None = None
    """There when all was read."""

    def members(self) -> "Iterator[tuple[str, Digesting]]":
        """Yield the name and content of every member but the list and the manifest; raises ``BrokenBackup``.

        Contents that are not read are digested all the same.
        """
        with tempfile.TemporaryFile() as found:
            try:
                for name, content in _entries(self.path):
                    if name == MANIFEST:
                        self._close(found, content)
                        return
                    if name == SUMS:
                        _compare(found, content)
                        continue
                    if not MEMBER.fullmatch(name):
                        raise BrokenBackup(f"It holds {name!r}, which is no part of a backup.")
                    taken = Digesting(content)
                    yield name, taken
                    while taken.read(CHUNK):
                        pass
                    found.write(f"{taken.sha256}  {name}\n".encode())
            except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
                raise BrokenBackup(f"{self.path} cannot be read to its end: {error}.") from None
            raise BrokenBackup(f"{self.path} has no manifest: it is no backup, or half of one.")

    def _close(self, found: BufferedRandom, content: IO[bytes]) -> None:
        try:
            manifest = Manifest.model_validate_json(b"".join(iter(lambda: content.read(CHUNK), b"")))
        except ValidationError:
            raise BrokenBackup("Its manifest cannot be read.") from None
        if manifest.format > FORMAT:
            raise BrokenBackup(f"It was made by Assay {manifest.assay}, in a newer format than this one reads.")
        found.seek(0)
        if hashlib.file_digest(found, "sha256").hexdigest() != manifest.sums:
            raise BrokenBackup("What it holds is not what its manifest says.")
        self.manifest = manifest


def _entries(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if path.is_dir():
        yield from _in_folder(path)
        return
    with tarfile.open(path, "r|*") as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            if content is None:
                raise BrokenBackup(f"It holds {entry.name!r}, which is no file.")
            yield entry.name, content
            tar.members = []  # type: ignore[attr-defined]


def _in_folder(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with (path / SUMS).open("rb") as sums:
        for line in sums:
            name = line.decode(errors="replace").rstrip("\n")[66:]
            if not MEMBER.fullmatch(name):
                raise BrokenBackup(f"It lists {name!r}, which is no part of a backup.")
            with (path / name).open("rb") as content:
                yield name, content
        sums.seek(0)
        yield SUMS, sums
    with (path / MANIFEST).open("rb") as content:
        yield MANIFEST, content


def _compare(found: IO[bytes], listed: IO[bytes]) -> None:
    """Name the first member that is not what the list says."""
    found.seek(0)
    for ours in found:
        if listed.readline(200) != ours:
            raise BrokenBackup(f"Its member {ours.decode().rstrip()[66:]} is damaged, or not in its list.")
    if listed.read(1):
        raise BrokenBackup("Its list names members that it does not hold.")
    found.seek(0, os.SEEK_END)
