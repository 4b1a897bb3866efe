"""Removing commits that no branch and no tag leads to, and letting go of what only they held."""

from collections import defaultdict
from datetime import datetime

from django.utils import timezone

from assay.filesets import held
from assay.filesets.blobs import SPARED
from assay.filesets.commits import locked
from assay.filesets.models import Commit, Fileset, Ref
from assay.filesets.storage import FilesetGone
from assay.filesets.tree import Tree


def sweep() -> int:
    """Remove the commits that nothing has led to for a day; returns how many went."""
    before = timezone.now() - SPARED
    removed = 0
    for fileset in Fileset.objects.filter(pk__in=_with_loose_ends(before)):
        try:
            removed += prune(fileset, before)
        except FilesetGone:
            continue
    return removed


def prune(fileset: Fileset, before: datetime | None = None) -> int:
    """Remove the commits that nothing leads to, of which only the older than ``before``; returns how many went."""
    with locked(fileset):
        parents, ways = {}, set(fileset.refs.values_list("commit__oid", flat=True))
        for oid, parent, created_at in fileset.commits.values_list("oid", "parent", "created_at"):
            parents[oid] = parent
            if before is not None and created_at >= before:
                ways.add(oid)
        kept: set[str] = set()
        for oid in ways:
            while oid in parents and oid not in kept:
                kept.add(oid)
                oid = parents[oid]
        doomed = parents.keys() - kept
        freed: set[str] = set()
        for batch in held.batches(doomed):
            rows = fileset.commits.filter(oid__in=batch)
            freed.update(*map(_contents, rows.iterator(chunk_size=10)))
            rows.delete()
        if freed:
            # Newest first: most of what is kept is still there in the newest.
            for commit in fileset.commits.order_by("-pk").iterator(chunk_size=10):
                freed -= _contents(commit)
                if not freed:
                    break
            held.release(fileset, freed)
    return len(doomed)


def _contents(commit: Commit) -> set[str]:
    return {entry.sha256 for entry in Tree.unpacked(bytes(commit.tree))}


def _with_loose_ends(before: datetime) -> set[int]:
    """Return the filesets with an old commit that no commit follows and that no branch or tag names."""
    ends: dict[int, dict[str, tuple[int, datetime]]] = defaultdict(dict)
    followed: dict[int, set[str]] = defaultdict(set)
    rows = Commit.objects.values_list("fileset_id", "pk", "oid", "parent", "created_at")
    for fileset, pk, oid, parent, created_at in rows.iterator():
        ends[fileset][oid] = pk, created_at
        followed[fileset].add(parent)
    named = set(Ref.objects.values_list("commit_id", flat=True))
    return {
        fileset
        for fileset, commits in ends.items()
        if any(
            oid not in followed[fileset] and pk not in named and created_at < before
            for oid, (pk, created_at) in commits.items()
        )
    }
