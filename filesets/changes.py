"""What a commit may do to the files, and the tree that comes of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay.filesets import paths
from assay.filesets.history_errors import EntryMissing
from assay.filesets.tree import Entry, Tree
from assay.platform.errors import BadRequest

UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of characters that no UTF-8 text can hold."""
FORBIDDEN_NAMES = {"", ".", "..", ".git"}


@dataclass(frozen=True, slots=True)
class PutFile:
    path: str
    sha256: str
    lfs: bool = False


@dataclass(frozen=True, slots=True)
class DeleteFile:
    path: str


@dataclass(frozen=True, slots=True)
class DeleteFolder:
    path: str
    """With or without a slash at its end."""


Change = PutFile | DeleteFile | DeleteFolder


class Content(NamedTuple):
    size: int
    git_oid: str
    """Empty where it is not known: such content can only be committed as LFS."""


def apply(tree: Tree, changes: Sequence[Change], contents: Mapping[str, Content], since: int) -> Tree:
    """Return the tree after the changes, in their order; what they leave as it was keeps its time.

    Raises ``BadRequest`` for a path that cannot be, and ``EntryMissing``.
    """
    entries = {entry.path: entry for entry in tree}
    for change in changes:
        match change:
            case PutFile(path, sha256, lfs):
                _refuse_path(path)
                size, git_oid = contents[sha256]
                lfs = lfs or not git_oid
                entry = Entry(path, size, sha256, "" if lfs else git_oid, lfs, since)
                was = tree.get(path)
                entries[path] = was if was == entry else entry
            case DeleteFile(path):
                if entries.pop(path, None) is None:
                    raise _missing(path)
            case DeleteFolder(path):
                doomed = [each for each in entries if each.startswith(f"{path.rstrip('/')}/")]
                if not doomed:
                    raise _missing(path)
                for each in doomed:
                    del entries[each]
    after = Tree(entries.values())
    _refuse_clashes(after, (change.path for change in changes if isinstance(change, PutFile)))
    return after


def _missing(path: str) -> EntryMissing | BadRequest:
    try:
        _refuse_path(path.rstrip("/"))
    except BadRequest as error:
        return error
    return EntryMissing(f"A file with this name doesn't exist: '{path[:200]}'")


def _refuse_path(path: str) -> None:
    if UNUSABLE.search(path) or "\\" in path or not FORBIDDEN_NAMES.isdisjoint(path.split("/")):
        shown = path[:200].encode("unicode_escape").decode()
        raise BadRequest(
            f"'{shown}' cannot be the path of a file: write it relative, with slashes, without control characters and "
            "without the names '.', '..' and '.git'."
        )
    paths.file(path)  # its length and that of its names


def _refuse_clashes(tree: Tree, put: Iterable[str]) -> None:
    """Refuse a file where a folder is and the other way round: no download could lay both on a disk."""
    for path in put:
        if tree.get(path) is None:  # deleted again
            continue
        for folder in paths.above(path):
            if tree.get(folder):
                raise BadRequest(f"Path '{path}' leads through '{folder}', which is a file.")
        if tree.folder(path):
            raise BadRequest(f"Path '{path}' is a folder.")
