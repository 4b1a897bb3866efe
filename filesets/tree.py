"""The files of a fileset at one moment: an immutable map from path to content.

A commit keeps it as compressed JSON, one short list a file in order of path: path, size, SHA-256, when it was last
changed and, unless the file is large in the eyes of the Hub's clients (LFS), its id as a git blob.
"""

import json
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha1
from operator import attrgetter

from assay.filesets import paths


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    path: str
    size: int
    sha256: str
    git_oid: str
    """Its id as a git blob; empty for an LFS file, which needs none."""
    lfs: bool
    since: int = field(default=0, compare=False)
    """When the commit that last changed it was made, in microseconds; no two of a fileset have the same time."""

    @property
    def oid(self) -> str:
        """The id that the Hub gives the file: that of its content or, for an LFS file, of its pointer text."""
        return git_blob_oid(self.pointer) if self.lfs else self.git_oid

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.git_oid

    @property
    def pointer(self) -> bytes:
        """The text that git holds in place of an LFS file."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def pointer_size(self) -> int:
        return len(self.pointer)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder; there is one where files lie in it."""

    path: str
    oid: str
    """40 hexadecimal digits that change with what lies in it."""
    since: int
    """That of the file in it that was changed last."""


Node = Entry | Folder


class Tree:
    """Immutable: the entries in order of path. Equal to another where the same paths hold the same."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._by_path = {entry.path: entry for entry in sorted(entries, key=attrgetter("path"))}

    @classmethod
    def unpacked(cls, packed: bytes) -> "Tree":
        # The id as a git blob is what is left of a row, if anything.
        return cls(
            Entry(path, size, sha256, oid[0] if oid else "", not oid, since)
            for path, size, sha256, since, *oid in json.loads(zlib.decompress(packed))
        )

    def packed(self) -> bytes:
        rows = [
            [entry.path, entry.size, entry.sha256, entry.since, *([] if entry.lfs else [entry.git_oid])]
            for entry in self
        ]
        return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())

    @property
    def digest(self) -> str:
        """40 hexadecimal digits that the same files give wherever they are."""
        return self._folders[""].oid

    def __len__(self) -> int:
        return len(self._by_path)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_path.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and self._by_path == other._by_path

    __hash__ = None  # type: ignore[assignment]

    def get(self, path: str) -> Entry | None:
        """Return the file at ``path``."""
        return self._by_path.get(path)

    def folder(self, path: str) -> Folder | None:
        """Return the folder at ``path``; the root is that of the empty path, and always there."""
        return self._folders.get(path)

    def under(self, folder: str = "") -> list[Entry]:
        """Return the files in the folder and in those below it, in order of path."""
        if not folder:
            return list(self)
        # All that begins with the folder and a slash comes before the character that follows the slash.
        first, last = bisect_left(self._paths, f"{folder}/"), bisect_left(self._paths, f"{folder}0")
        return [self._by_path[path] for path in self._paths[first:last]]

    def children(self, folder: str = "") -> list[Node]:
        """Return the files and folders right in the folder, in order of path; none where there is no such folder."""
        skip = len(folder) + 1 if folder else 0
        found: dict[str, Node] = {}
        for entry in self.under(folder):
            slash = entry.path.find("/", skip)
            path = entry.path if slash < 0 else entry.path[:slash]
            found[path] = entry if slash < 0 else self._folders[path]
        return [found[path] for path in sorted(found)]

    def walk(self, folder: str = "") -> list[Node]:
        """Return the files and folders in the folder and in those below it, in order of path."""
        below: list[Node] = [each for each in self._folders.values() if each.path and paths.under(each.path, folder)]
        return sorted((*(each for each in below if each.path != folder), *self.under(folder)), key=attrgetter("path"))

    @cached_property
    def _paths(self) -> list[str]:
        return list(self._by_path)

    @cached_property
    def _folders(self) -> dict[str, Folder]:
        hashes, since = {"": sha1(usedforsecurity=False)}, {"": 0}
        for entry in self:
            line = f"{entry.path}\0{entry.etag}\n".encode("utf-8", "surrogatepass")
            for path in ("", *paths.above(entry.path)):
                hashes.setdefault(path, sha1(usedforsecurity=False)).update(line)
                since[path] = max(since.get(path, 0), entry.since)
        return {path: Folder(path, hashes[path].hexdigest(), since[path]) for path in hashes}


def git_blob_oid(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
