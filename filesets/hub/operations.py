"""The lines of a commit as changes to a fileset (contract, section 4.2)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.conf import settings

from assay.filesets import blobs, held, history
from assay.filesets.blobs import Readable
from assay.filesets.history import Change, DeleteFile, DeleteFolder, EntryMissing, PutFile
from assay.filesets.hub.ndjson import operations
from assay.filesets.models import Blob, Commit, Fileset
from assay.platform.errors import BadRequest, TooLarge

MOST_CHANGES = 100_000
MOST_SMALL = 500
SMALL_BYTES = 4 * 1024 * 1024
"""Small files are held until they are as many, or this much."""
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass
class Asked:
    """A commit as it arrives. What it uploads is in the store already; nothing else has changed yet."""

    fileset: Fileset
    header: dict[str, Any] | None = None
    changes: list[Change] = field(default_factory=list)
    uploaded: list[Blob] = field(default_factory=list)
    small: list[bytes] = field(default_factory=list)
    """Contents that are stored together, once there are enough of them."""
    large: dict[str, int | None] = field(default_factory=dict)
    """The sizes that were announced for large files, by their SHA-256."""

    def store_small(self) -> None:
        if self.small:
            self.uploaded += blobs.put_all(self.small)
            self.small.clear()

    def make(self, branch: str, author: str) -> Commit:
        """Make the commit, all or nothing; raises what ``history.commit`` raises, and ``BadRequest``."""
        title, message, parent = self._words()
        if self.uploaded:
            history.hold(self.fileset, *self.uploaded)
        self._check_large()
        return history.commit(
            self.fileset, branch, self.changes, title=title, message=message, author=author, parent=parent
        )

    def _words(self) -> tuple[str, str, str | None]:
        match self.header:
            case {"summary": str(title), **more}:
                message, parent = more.get("description"), more.get("parentCommit")
                if isinstance(message, str | None) and isinstance(parent, str | None):
                    return title, message or "", parent or None
        raise BadRequest("A commit begins with a header that has a summary.")

    def _check_large(self) -> None:
        """Refuse large files that were never uploaded here, or are of another size than announced."""
        there = held.contents(self.fileset, self.large)
        for oid, size in self.large.items():
            if oid not in there:
                raise BadRequest(f"The large file {oid} was not uploaded to '{self.fileset}'.")
            if size not in {None, there[oid].size}:
                raise BadRequest(f"The large file {oid} has {there[oid].size} bytes, not the {size} announced.")


def read_commit(fileset: Fileset, source: Readable) -> Asked:
    """Read the body of a commit to its end; raises ``BadRequest`` and ``TooLarge``."""
    asked = Asked(fileset)
    for key, value in operations(source, lambda content: blobs.put(content, limit=settings.MAX_FILE_BYTES)):
        if key == "header" and asked.header is None and not asked.changes:
            asked.header = value
        elif key in LINES and asked.header is not None:
            LINES[key](asked, value)
        else:
            raise BadRequest(f"'{key[:100]}' is not a line that a commit can have here.")
        if len(asked.changes) > MOST_CHANGES:
            raise BadRequest(f"A commit cannot have more than {MOST_CHANGES} changes.")
    asked.store_small()
    return asked


def _file(asked: Asked, value: dict[str, Any]) -> None:
    path, content = _path(value), value.get("content")
    if value.get("encoding") != "base64":
        raise BadRequest(f"The content of '{path}' has to be in base64.")
    match content:
        case Blob():
            asked.uploaded.append(content)
            asked.changes.append(PutFile(path, content.sha256))
        case bytes():
            if settings.MAX_FILE_BYTES is not None and len(content) > settings.MAX_FILE_BYTES:
                raise TooLarge(f"'{path}' is larger than this server takes ({settings.MAX_FILE_BYTES} bytes).")
            asked.small.append(content)
            asked.changes.append(PutFile(path, sha256(content).hexdigest()))
            if len(asked.small) == MOST_SMALL or sum(map(len, asked.small)) > SMALL_BYTES:
                asked.store_small()
        case _:
            raise BadRequest(f"The content of '{path}' is missing.")


def _large_file(asked: Asked, value: dict[str, Any]) -> None:
    path, oid, size = _path(value), value.get("oid"), value.get("size")
    if value.get("algo", "sha256") != "sha256" or not isinstance(oid, str) or not SHA256.fullmatch(oid):
        raise BadRequest(f"The large file '{path}' has to be named by its SHA-256.")
    if isinstance(size, bool) or not isinstance(size, int | None):
        raise BadRequest(f"The size of the large file '{path}' is not a number.")
    known = asked.large.setdefault(oid, size)
    if size is not None and known not in {None, size}:
        raise BadRequest(f"The large file {oid} cannot have two sizes.")
    asked.large[oid] = known if size is None else size
    asked.changes.append(PutFile(path, oid, lfs=True))


def _deleted_file(asked: Asked, value: dict[str, Any]) -> None:
    asked.changes.append(DeleteFile(_path(value)))


def _deleted_folder(asked: Asked, value: dict[str, Any]) -> None:
    asked.changes.append(DeleteFolder(_path(value)))


def _copied_file(asked: Asked, value: dict[str, Any]) -> None:
    path, source = _path(value), _path(value, "srcPath")
    revision = value.get("srcRevision") or history.MAIN
    if not isinstance(revision, str) or "\x00" in revision:
        raise BadRequest(f"The revision to copy '{source}' from is not a revision.")
    entry = history.tree_of(history.resolve(asked.fileset, revision)).get(source)
    if entry is None:
        raise EntryMissing(f"There is no '{source}' to copy at revision '{revision}'.")
    asked.changes.append(PutFile(path, entry.sha256, entry.lfs))


LINES: dict[str, Callable[[Asked, dict[str, Any]], None]] = {
    "file": _file,
    "lfsFile": _large_file,
    "deletedFile": _deleted_file,
    "deletedFolder": _deleted_folder,
    "copyFile": _copied_file,
}


def _path(value: dict[str, Any], member: str = "path") -> str:
    path = value.get(member)
    if not isinstance(path, str):
        raise BadRequest(f"A change of the commit has no {member}.")
    return path
