"""What a test hub holds: repositories with commits, branches and tags, all in memory."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from operator import itemgetter
from typing import Any

LFS_ENDINGS = (".gz", ".parquet", ".arrow", ".zip", ".bin")
FIRST_COMMIT = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Blob:
    """The content of a file, and the commit that put it there (id, title, date)."""

    data: bytes = field(repr=False)
    lfs: bool
    last_commit: Mapping[str, str]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def pointer(self) -> bytes:
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n"
        return text.encode()

    @cached_property
    def oid(self) -> str:
        """The git id: of the content, or for an LFS file of the pointer that stands for it."""
        content = self.pointer if self.lfs else self.data
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Commit:
    sha: str
    date: str
    files: Mapping[str, Blob]

    def entries(self) -> list[dict[str, Any]]:
        """Everything in the tree, folders too, in path order, in the words of the wire."""
        entries: dict[str, dict[str, Any]] = {}
        for path, blob in self.files.items():
            parts = path.split("/")
            for folder in ("/".join(parts[:depth]) for depth in range(1, len(parts))):
                newest = max(
                    entries.get(folder, {}).get("lastCommit", blob.last_commit),
                    blob.last_commit,
                    key=itemgetter("date"),
                )
                oid = hashlib.sha1(f"{newest['id']} {folder}".encode()).hexdigest()
                entries[folder] = {"type": "directory", "oid": oid, "size": 0, "path": folder, "lastCommit": newest}
            size = len(blob.data)
            entries[path] = {
                "type": "file",
                "oid": blob.oid,
                "size": size,
                "path": path,
                "lastCommit": blob.last_commit,
            }
            if blob.lfs:
                entries[path]["lfs"] = {"oid": blob.sha256, "size": size, "pointerSize": len(blob.pointer)}
        return [entries[path] for path in sorted(entries)]


@dataclass
class Repository:
    id: str
    kind: str
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    token: str | None = field(default=None, repr=False)
    gated: bool = False

    def find(self, revision: str) -> Commit | None:
        """The commit that a branch, tag, full reference, sha or sha prefix stands for."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        if sha := self.branches.get(name) or self.tags.get(name):
            return self.commits[sha]
        matches = [sha for sha in self.commits if sha.startswith(revision)] if len(revision) >= 7 else []
        return self.commits[matches[0]] if len(matches) == 1 else None

    def commit(self, files: Mapping[str, bytes], branch: str, remove: Iterable[str], title: str) -> str:
        """Lay `files` over the branch and take `remove` away; a new branch starts from main, if there is one."""
        parent = self.branches.get(branch) or self.branches.get("main")
        number = len(self.commits)
        tree = sorted((path, hashlib.sha256(data).hexdigest()) for path, data in files.items())
        identity = json.dumps([self.kind, self.id, parent, number, tree, sorted(remove)])
        sha = hashlib.sha1(identity.encode()).hexdigest()
        date = (FIRST_COMMIT + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        kept = dict(self.commits[parent].files) if parent else {}
        for path in remove:
            del kept[path]
        about = {"id": sha, "title": title, "date": date}
        added = {path: Blob(data, path.endswith(LFS_ENDINGS), about) for path, data in files.items()}
        self.commits[sha] = Commit(sha, date, dict(sorted({**kept, **added}.items())))
        self.branches[branch] = sha
        return sha
