"""Keys that the embedded default makes for itself on first start, in files that only this user can read (mode 0600)."""

import binascii
import fcntl
import os
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEY_BYTES = 32
Sight = tuple[int, int, int]
"""By which a file is known again that nobody has replaced: inode, time and size."""


class KeyFileGone(Exception):
    """The file was there and is not any more: what would be sealed now nobody could open after the next start."""


class KeyFile:
    """Several keys in one file, the newest first, one a line; made with one key where there is no file yet.

    All processes that use the file learn of a new key without being told. The file is replaced whole and reaches the
    disk before its keys are used, so that neither a crash nor a power cut at any instant loses a key that something
    was sealed with.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[Sight, tuple[str, ...]] | None = None

    def keys(self) -> tuple[str, ...]:
        """Return the keys that are in the file at this moment, at least one. Raises ``KeyFileGone``."""
        try:
            return self._read()
        except FileNotFoundError:
            if self._last is not None:
                raise KeyFileGone(f"The key file {self.path} is gone. Bring it back.") from None
        read_or_make(self.path)
        return self._read()

    def known(self) -> tuple[str, ...]:
        """Return the keys for opening: read only where the file looks like another one, the last ones if it is gone."""
        try:
            if self._last is not None and self._last[0] == _sight(self.path.stat()):
                return self._last[1]
            return self.keys()
        except (FileNotFoundError, KeyFileGone):
            if self._last is None:
                raise
            return self._last[1]

    def add(self) -> None:
        """Put a new key in front of the others."""
        with self._changing():
            self._replace((_new_key(), *self.keys()))

    def drop(self, unwanted: Callable[[str], bool]) -> int:
        """Take out the unwanted ones of the older keys, and return how many; the newest stays in any case."""
        with self._changing():
            newest, *older = self.keys()
            kept = [key for key in older if not unwanted(key)]
            self._replace((newest, *kept))
            return len(older) - len(kept)

    def _read(self) -> tuple[str, ...]:
        with self.path.open() as file:
            sight = _sight(os.fstat(file.fileno()))
            found = tuple(line.strip() for line in file if line.strip())
        if not found:
            raise KeyFileGone(f"The key file {self.path} is empty. Bring back what was in it.")
        if self._last is None or self._last[0] != sight:
            _settle(self.path.parent)
            self._last = sight, found
        return found

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold off whoever else wants to change the file; ends with the process at the latest."""
        self.keys()
        lock = self.path.with_name(f"{self.path.name}.lock")
        with open(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)) as held:  # noqa: PTH123  a mode goes with no Path
            self._hand_over(lock)
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def _replace(self, keys: tuple[str, ...]) -> None:
        draft = _draft(self.path, keys)
        self._hand_over(draft)
        draft.replace(self.path)
        _settle(self.path.parent)
        for leftover in self.path.parent.glob(f".{self.path.name}.*"):
            leftover.unlink(missing_ok=True)  # of somebody who was killed: it holds keys

    def _hand_over(self, made: Path) -> None:
        """Give what root may have made to the owner of the key file: the platform runs as that user."""
        if os.geteuid() == 0:
            owner = self.path.stat()
            os.chown(made, owner.st_uid, owner.st_gid)


def read_or_make(path: Path) -> str:
    """Return the key in ``path``; where there is none yet, make one.

    Two processes that start at once agree: the key is linked into place whole, and the first one wins.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = _draft(path, (_new_key(),))
    try:
        os.link(draft, path)
    except (FileExistsError, FileNotFoundError):
        pass  # somebody was quicker, and may even have cleared the draft away
    finally:
        draft.unlink(missing_ok=True)
    _settle(path.parent)
    return path.read_text().strip()


def decode_key(text: str) -> bytes:
    """Return a 256-bit key from base64, ordinary or URL-safe; a ``ValueError`` says what is wrong, never the key."""
    try:
        key = b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _new_key() -> str:
    return urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _draft(path: Path, keys: tuple[str, ...]) -> Path:
    """Return a file beside ``path`` that holds the keys and has reached the disk."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("".join(f"{key}\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return draft


def _settle(folder: Path) -> None:
    """See to it that the folder's entries have reached the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sight(status: os.stat_result) -> Sight:
    return status.st_ino, status.st_mtime_ns, status.st_size
