"""Commits as tests write them: paths and bytes."""

import io

from assay.filesets import blobs, history
from assay.filesets.models import Commit, File, Fileset


def uploaded(fileset: Fileset, content: bytes) -> str:
    """Upload content that waits for its commit, and return its SHA-256."""
    blob = blobs.put(io.BytesIO(content))
    history.hold(fileset, blob)
    return blob.sha256


def put(fileset: Fileset, path: str, content: bytes, *, lfs: bool = False) -> history.PutFile:
    return history.PutFile(path, uploaded(fileset, content), lfs)


def commit(
    fileset: Fileset, files: dict[str, bytes], branch: str = "main", parent: str | None = None, title: str = "change"
) -> Commit:
    changes = [put(fileset, path, content) for path, content in files.items()]
    return history.commit(fileset, branch, changes, title=title, parent=parent)


def contents(fileset: Fileset, revision: str = "main") -> dict[str, bytes]:
    commit = history.resolve(fileset, revision)
    return {entry.path: history.content(commit, entry.path)[1].read_bytes() for entry in history.tree_of(commit)}


def filed(fileset: Fileset) -> dict[str, str]:
    """Return what the files API shows."""
    return dict(File.objects.filter(fileset=fileset).values_list("path", "blob_id"))


def treed(fileset: Fileset, revision: str = "main") -> dict[str, str]:
    return {entry.path: entry.sha256 for entry in history.tree_of(history.resolve(fileset, revision))}
