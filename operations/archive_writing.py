"""Writing a backup, as a stream: one tar file, packed with gzip or not, or a folder."""

import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import IO, Protocol

from assay.filesets.blobs import Readable
from assay.operations.archive import CHUNK, MANIFEST, SUMS, CannotWrite, Digesting, Manifest

LEVEL = 3
"""Of gzip: most of the gain, at a third of the time."""


class Store(Protocol):
    """Takes members, one after the other."""

    def add(self, name: str, content: "Digesting", size: int) -> None: ...


@dataclass
class Writer:
    """Writes a backup, and the list of what it holds."""

    store: Store
    sums: BufferedRandom
    near: Path
    """A folder beside the backup, where there is room."""

    def add(self, name: str, content: Readable, size: int) -> str:
        """Store ``size`` bytes as ``name`` and return their SHA-256; raises ``OSError`` where there are fewer."""
        taken = Digesting(content, size)
        self.store.add(name, taken, size)
        self.sums.write(f"{taken.sha256}  {name}\n".encode())
        return taken.sha256

    def spool(self) -> IO[bytes]:
        """Return a temporary file, for what must be made before its size is known."""
        return tempfile.TemporaryFile(dir=self.near)

    def finish(self, manifest: Manifest) -> Manifest:
        """Write down what was stored, and return the manifest with its digest."""
        self.sums.seek(0)
        whole = manifest.model_copy(update={"sums": hashlib.file_digest(self.sums, "sha256").hexdigest()})
        _put(self.store, SUMS, self.sums)
        with tempfile.TemporaryFile(dir=self.near) as last:
            last.write(whole.model_dump_json(indent=1).encode())
            _put(self.store, MANIFEST, last)
        return whole


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Open a backup to be written at ``path``: a folder, unless its name ends in .tar, .tar.gz or .tgz.

    It appears under its name when the block ends, whole; before that, and where the block fails, there is nothing.
    Only its owner can read it. Raises ``CannotWrite``.
    """
    path = path.absolute()
    if path.exists() or path.is_symlink():
        raise CannotWrite(f"{path} is there already; a backup never takes the place of another.")
    if not path.parent.is_dir():
        raise CannotWrite(f"There is no folder {path.parent}.")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            draft = Path(folder) / "backup"
            with ExitStack() as stack:
                sums = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                yield Writer(stack.enter_context(_store(draft, path.name)), sums, Path(folder))
            draft.rename(path)
            _settle(path.parent)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error}.") from error


@contextmanager
def _store(draft: Path, name: str) -> Iterator[Store]:
    if not name.endswith((".tar", ".tar.gz", ".tgz")):
        draft.mkdir(mode=0o700)
        yield _Folder(draft)
        return
    with draft.open("xb") as file:
        draft.chmod(0o600)
        with _squeezed(file, name) as out, tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            yield _Tar(tar)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _squeezed(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    if name.endswith(".tar"):
        yield file
        return
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0) as squeezed:
        yield squeezed  # type: ignore[misc]  # a stream of bytes it is


@dataclass
class _Folder:
    root: Path
    made: set[Path] = field(default_factory=set)

    def add(self, name: str, content: "Digesting", size: int) -> None:
        place = self.root / name
        if place.parent not in self.made:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.made.add(place.parent)
        if name == MANIFEST:
            os.sync()  # the rest is on the disk before what calls it whole
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            shutil.copyfileobj(content, file, CHUNK)
            file.flush()
            if name == MANIFEST:
                os.fsync(file.fileno())


@dataclass
class _Tar:
    tar: tarfile.TarFile
    at: int = field(default_factory=lambda: int(time.time()))

    def add(self, name: str, content: "Digesting", size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = size, 0o600, self.at
        self.tar.addfile(entry, content)
        self.tar.members = []  # type: ignore[attr-defined]  # it would remember every one: a gigabyte for a million files


def _put(store: Store, name: str, content: IO[bytes]) -> None:
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    store.add(name, Digesting(content, size), size)


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
