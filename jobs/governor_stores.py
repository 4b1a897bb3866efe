"""Where the governor's documents are kept: Redis for a team, files in the data folder for one machine.

Either changes a document by the same function, one caller at a time. What is kept here may be lost at any moment:
members know enough to go on (see ``governor_member.py``).
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from django.conf import settings

T = TypeVar("T")
Step = Callable[[bytes | None, float], tuple[bytes, T]]
"""What changes a document: is given it (None: there is none) and the time, returns the new one and a result."""

PATIENCE_SECONDS = 0.25
"""How long one operation may take; judging does not wait longer for it."""
KEPT_SECONDS = 2 * 3600
"""How long a document is kept that nobody uses."""
SPIN_SECONDS = 0.0005


class StoreAway(Exception):
    """The store cannot be used at the moment."""


class Store(Protocol):
    """Keeps small documents by name."""

    def change(self, name: str, step: Step[T]) -> T:
        """Apply ``step`` to the document and return its result. Raises ``StoreAway``."""
        ...


class FileStore:
    """One file a document, changed under its lock: for all processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def change(self, name: str, step: Step[T]) -> T:
        try:
            with suppress(FileExistsError):
                self.folder.mkdir(mode=0o700, parents=True)
            file = os.open(self.folder / digest(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._lock(file)
                document, result = step(os.read(file, os.fstat(file).st_size) or None, time.time())
                os.pwrite(file, document, 0)
                os.ftruncate(file, len(document))
                return result
            finally:
                os.close(file)
        except OSError as error:
            raise StoreAway(str(error)) from error

    def _lock(self, file: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(SPIN_SECONDS)

    def sweep(self) -> None:
        """Delete documents that nobody has used for long."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                    path.unlink()


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@cache
def store() -> Store:
    """Return the store of this installation."""
    if not settings.EMBEDDED_BROKER:
        from assay.jobs.governor_redis import RedisStore  # one machine does without the library

        return RedisStore(settings.BROKER_URL)
    files = FileStore(settings.DATA_DIR / "governor")
    files.sweep()
    return files
