"""The history of a fileset as the Hub's clients see it: commits, branches and tags (huggingface-hub, section 1).

Everything that others need of it is named here; commits are made in `commits.py`.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from django.db.models import Q, QuerySet

from assay.filesets import blobs, held, prune
from assay.filesets.changes import Change, DeleteFile, DeleteFolder, PutFile
from assay.filesets.commits import (
    EPOCH,
    LOCAL,
    MAIN,
    UNSTORABLE,
    Words,
    advance,
    branch_of,
    commit,
    commit_of,
    locked,
    micros,
    moment,
    settle,
)
from assay.filesets.git_ids import git_oid
from assay.filesets.held import hold, holds
from assay.filesets.history_errors import EntryMissing, ParentMoved, RefExists, RevisionMissing
from assay.filesets.models import Commit, Fileset, Ref, RefKind
from assay.filesets.tree import Entry, Folder, Node, Tree
from assay.filesets.trees import tree_of
from assay.platform.audit import record
from assay.platform.errors import BadRequest, Forbidden

__all__ = [
    "MAIN",
    "Change",
    "DeleteFile",
    "DeleteFolder",
    "Entry",
    "EntryMissing",
    "Folder",
    "Node",
    "ParentMoved",
    "PutFile",
    "RefExists",
    "RevisionMissing",
    "Tree",
    "commit",
    "content",
    "create_branch",
    "create_tag",
    "delete_branch",
    "delete_tag",
    "git_oid",
    "hold",
    "holds",
    "last_changes",
    "log",
    "refs",
    "resolve",
    "settle",
    "squash",
    "tree_of",
]

COMMIT = re.compile(r"[0-9a-f]{40}")
COMMIT_START = re.compile(r"[0-9a-f]{7,39}")
REF_NAME = re.compile(
    r"(?!refs/|-)(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f-\xa0\ud800-\udfff~^:?*\[\\/.][^\x00-\x20\x7f-\xa0"
    r"\ud800-\udfff~^:?*\[\\]{0,254}(?<![/.])"
)
"""Roughly what git takes."""
KIND_OF = {"refs/heads/": RefKind.BRANCH, "refs/tags/": RefKind.TAG}


def resolve(fileset: Fileset, revision: str = MAIN) -> Commit:
    """Return the commit that ``revision`` names; raises ``RevisionMissing``.

    It is a branch, a tag, one of both with ``refs/heads/`` or ``refs/tags/``, the id of a commit, or 7 digits and more
    that only one id begins with: what comes first here is looked for first.
    """
    if COMMIT.fullmatch(revision):  # never the name of a branch or tag
        return _one(fileset, revision)
    head = settle(fileset)
    if revision == MAIN:
        return head
    found = _named(fileset, revision)
    return commit_of(found) if found else _one(fileset, revision)


def content(commit: Commit, path: str) -> tuple[Entry, Path]:
    """Return the file, and where on this machine its bytes can be read; raises ``EntryMissing``."""
    entry = tree_of(commit).get(path)
    if entry is None:
        raise EntryMissing(f"File '{path[:200]}' not found in '{commit.fileset}' at revision {commit.oid}")
    return entry, blobs.place(entry.sha256)


def refs(fileset: Fileset) -> list[Ref]:
    """Return the branches, then the tags, by name, with their commits (``ref.commit``) at hand."""
    settle(fileset)
    found = list(_refs(fileset))
    return sorted(found, key=lambda ref: (ref.kind, ref.name))


def create_branch(fileset: Fileset, name: str, start: str = MAIN) -> Ref:
    """Raises ``RefExists``, ``RevisionMissing`` for ``start`` and ``BadRequest`` for a name that cannot be."""
    return _create(fileset, RefKind.BRANCH, name, start)


def delete_branch(fileset: Fileset, name: str) -> None:
    """Delete the branch; commits that only it led to can be read by their id for a day.

    Raises ``Forbidden`` for ``main`` and ``RevisionMissing``.
    """
    if name == MAIN:
        raise Forbidden(f"Branch '{MAIN}' cannot be deleted.")
    _delete(fileset, RefKind.BRANCH, name)


def create_tag(fileset: Fileset, tag: str, revision: str = MAIN) -> Ref:
    """Raises ``RefExists``, ``RevisionMissing`` for ``revision`` and ``BadRequest`` for a name that cannot be."""
    return _create(fileset, RefKind.TAG, tag, revision)


def delete_tag(fileset: Fileset, tag: str) -> None:
    """Raises ``RevisionMissing``."""
    _delete(fileset, RefKind.TAG, tag)


def log(fileset: Fileset, revision: str = MAIN, *, after: int | None = None, limit: int = 50) -> list[Commit]:
    """Return commits from ``revision`` back, newest first, without their trees at hand.

    ``after`` is the ``pk`` of the last one that the caller has; who asks for one more than is shown learns whether
    there are more. Raises ``RevisionMissing``, and ``BadRequest`` where ``after`` is not in this history.
    """
    head = resolve(fileset, revision)
    rows = fileset.commits.filter(pk__lte=head.pk).values_list("oid", "pk", "parent")
    known = {oid: (pk, parent) for oid, pk, parent in rows.iterator()}
    way, oid = [], head.oid
    while oid in known:
        pk, oid = known[oid]
        way.append(pk)
    if after is not None:
        if after not in way:
            raise BadRequest("The history has changed since its first page was read. Read it again from the start.")
        way = way[way.index(after) + 1 :]
    found = fileset.commits.defer("tree").in_bulk(way[:limit])
    return [found[pk] for pk in way[:limit] if pk in found]


def last_changes(fileset: Fileset, commit: Commit, paths: Collection[str]) -> dict[str, Commit]:
    """Return for each path of a file or folder the commit that last changed it, in the history of ``commit``.

    For a folder that is the newest of what lies in it. Paths that are not in the commit are left out.
    """
    tree = tree_of(commit)
    since = {path: node.since for path in paths if (node := tree.get(path) or tree.folder(path))}
    times = [EPOCH + timedelta(microseconds=each) for each in set(since.values())]
    found = {}
    for batch in held.batches(times):
        for each in fileset.commits.defer("tree").filter(created_at__in=batch):
            found[micros(each.created_at)] = each
    return {path: found.get(each, commit) for path, each in since.items()}


def squash(fileset: Fileset, branch: str, title: str, message: str = "", *, author: str = LOCAL) -> Commit:
    """Make one commit of the history of the branch and return it; commits that nothing leads to any more go at once.

    Content that then no commit and no file holds is freed by the sweep. Raises ``RevisionMissing``.
    """
    words = Words.given(title, message, author)
    settle(fileset)
    with locked(fileset):
        ref = branch_of(fileset, branch)
        tree, now = tree_of(ref.commit), moment(fileset)
        fresh = Tree(replace(entry, since=micros(now)) for entry in tree)
        record("fileset.squash", fileset, before={"branch": branch, "commit": ref.commit.oid})
        advance(ref, tree, fresh, words, now, parent="")
        prune.prune(fileset)
        return commit_of(ref)


def _refs(fileset: Fileset) -> QuerySet[Ref]:
    return fileset.refs.select_related("commit").defer("commit__tree")


def _named(fileset: Fileset, revision: str) -> Ref | None:
    if UNSTORABLE.search(revision):
        return None
    wanted = Q(name=revision)
    for prefix, kind in KIND_OF.items():
        if revision.startswith(prefix):
            wanted |= Q(kind=kind, name=revision.removeprefix(prefix))
    # A branch comes before a tag, in the alphabet too.
    return min(_refs(fileset).filter(wanted), key=lambda ref: (ref.name != revision, ref.kind), default=None)


def _one(fileset: Fileset, start: str) -> Commit:
    """Return the commit with this id, or the only one whose id begins so; raises ``RevisionMissing``."""
    if COMMIT.fullmatch(start):
        wanted = Q(oid=start)
    elif COMMIT_START.fullmatch(start):
        wanted = Q(oid__startswith=start)
    else:
        raise RevisionMissing(fileset, start)
    found = list(fileset.commits.defer("tree").filter(wanted)[:2])
    if len(found) != 1:
        raise RevisionMissing(fileset, start)
    return found[0]


def _create(fileset: Fileset, kind: RefKind, name: str, start: str) -> Ref:
    if not REF_NAME.fullmatch(name) or COMMIT.fullmatch(name):
        shown = name[:200].encode("unicode_escape").decode()
        raise BadRequest(f"'{shown}' cannot be the name of a {kind.label.lower()}.")
    settle(fileset)
    with locked(fileset):
        commit = resolve(fileset, start)
        if fileset.refs.filter(kind=kind, name=name).exists():
            raise RefExists(f"{kind.label} '{name}' already exists in '{fileset}'")
        record(f"fileset.create_{kind.label.lower()}", fileset, after={"name": name, "commit": commit.oid})
        return fileset.refs.create(kind=kind, name=name, commit=commit)


def _delete(fileset: Fileset, kind: RefKind, name: str) -> None:
    with locked(fileset):
        removed = not UNSTORABLE.search(name) and fileset.refs.filter(kind=kind, name=name).delete()[0]
        if removed:
            record(f"fileset.delete_{kind.label.lower()}", fileset, before={"name": name})
    if not removed:
        raise RevisionMissing(fileset, name)
