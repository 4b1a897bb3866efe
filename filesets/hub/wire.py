"""Repositories, files, commits and names as the Hub's clients read them (contract, sections 3 and 5)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from assay.filesets.history import Entry, Node, Tree
from assay.filesets.hub.names import kind_of
from assay.filesets.models import Commit, Fileset, Ref, RefKind


def hub_time(moment: datetime) -> str:
    """Return the time with milliseconds and a Z, which is what clients can parse."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def repo_json(fileset: Fileset, sha: str, changed: datetime) -> dict[str, Any]:
    repo_id = str(fileset)
    named = {"_id": fileset.uid, "id": repo_id} | ({"modelId": repo_id} if kind_of(fileset) == "model" else {})
    return named | {
        "author": fileset.workspace.name,
        "sha": sha,
        "lastModified": hub_time(changed),
        "createdAt": hub_time(fileset.created_at),
        "private": fileset.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "description": fileset.description,
        "cardData": None,
    }


def siblings(tree: Tree, *, blobs: bool) -> list[dict[str, Any]]:
    """Return every file of the tree, with its ids and size if ``blobs``."""
    if not blobs:
        return [{"rfilename": entry.path} for entry in tree]
    return [_sibling(entry) for entry in tree]


def _sibling(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {"rfilename": entry.path, "size": entry.size, "blobId": entry.oid}
    if entry.lfs:
        # Here it is called sha256; in a tree, oid.
        found["lfs"] = {"sha256": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
    return found


def node_json(node: Node, last: Mapping[str, Commit] | None = None) -> dict[str, Any]:
    """Return a file or folder of a tree, with the commit that changed it last if ``last`` is given."""
    if isinstance(node, Entry):
        found: dict[str, Any] = {"type": "file", "oid": node.oid, "size": node.size, "path": node.path}
        if node.lfs:
            found["lfs"] = {"oid": node.sha256, "size": node.size, "pointerSize": node.pointer_size}
    else:
        found = {"type": "directory", "oid": node.oid, "size": 0, "path": node.path}
    if last is not None and (commit := last.get(node.path)) is not None:
        found["lastCommit"] = {"id": commit.oid, "title": commit.title, "date": hub_time(commit.created_at)}
    return found


def commit_json(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.message,
        "date": hub_time(commit.created_at),
        "authors": [{"user": commit.author}],
    }


def refs_json(refs: list[Ref]) -> dict[str, Any]:
    return {
        "branches": [_ref(ref, "heads") for ref in refs if ref.kind == RefKind.BRANCH],
        "converts": [],
        "tags": [_ref(ref, "tags") for ref in refs if ref.kind == RefKind.TAG],
        "pullRequests": [],
    }


def _ref(ref: Ref, folder: str) -> dict[str, Any]:
    return {"name": ref.name, "ref": f"refs/{folder}/{ref.name}", "targetCommit": ref.commit.oid}
