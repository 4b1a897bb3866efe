"""The files of a fileset for a page: as they are now, at one of its revisions, or at the commit it is pinned to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from django.db.models import Sum

from assay.filesets import history, paths
from assay.filesets.models import File, Fileset, Purpose, RefKind, Storage
from assay.filesets.storage import storage_of
from assay.ui import first_rows

SHOWN = 100
"""Files on a page."""
RECENT = 10
"""Commits to choose from beside the branches and tags."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """One file as the page lists it."""

    path: str
    size: int
    download: str
    """Its address."""
    changed: datetime | None = None
    sha256: str = ""
    here: bool | None = None
    """Of a hub's file: whether this server holds it already."""

    @property
    def is_data(self) -> bool:
        return first_rows.readable(self.path)


@dataclass(frozen=True)
class Listed:
    lines: list[Line]
    count: int
    size: int
    start: int

    @property
    def earlier(self) -> int | None:
        return max(0, self.start - SHOWN) if self.start else None

    @property
    def later(self) -> int | None:
        after = self.start + len(self.lines)
        return after if after < self.count else None

    @property
    def last(self) -> int:
        return self.start + len(self.lines)


@dataclass(frozen=True)
class Revision:
    """One to look at: a branch, a tag, or a commit."""

    name: str
    label: str


def listed(fileset: Fileset, revision: str, start: int = 0, find: str = "") -> Listed:
    """Return the files from the ``start``-th on whose path holds ``find``; ``revision`` is empty for what is now.

    Raises ``RevisionMissing``, and ``HubError`` where the hub has to be asked.
    """
    if fileset.storage_type == Storage.LOCAL and not revision:
        return _present(fileset, start, find)
    if fileset.storage_type == Storage.LOCAL:
        commit = history.resolve(fileset, revision)
        entries = [entry for entry in history.tree_of(commit) if find.lower() in entry.path.lower()]
        lines = [
            Line(
                entry.path,
                entry.size,
                _at_commit(fileset, commit.oid, entry.path),
                EPOCH + timedelta(microseconds=entry.since),
                entry.sha256,
            )
            for entry in entries[start : start + SHOWN]
        ]
        return Listed(lines, len(entries), sum(entry.size for entry in entries), start)
    found = [file for file in storage_of(fileset).files(fileset) if find.lower() in file.path.lower()]
    lines = [
        Line(file.path, file.size, address(fileset, file.path), here=file.cached)
        for file in found[start : start + SHOWN]
    ]
    return Listed(lines, len(found), sum(file.size for file in found), start)


def opened(fileset: Fileset, revision: str, path: str) -> tuple[Line, Path]:
    """Return the file, and where it can be read; one of a hub is downloaded for that. Raises ``NotFound``."""
    path = paths.file(path)
    if revision and fileset.storage_type == Storage.LOCAL:
        commit = history.resolve(fileset, revision)
        entry, place = history.content(commit, path)
        changed = EPOCH + timedelta(microseconds=entry.since)
        return Line(path, entry.size, _at_commit(fileset, commit.oid, path), changed, entry.sha256), place
    file, place = storage_of(fileset).content(fileset, path)
    return Line(path, file.size, address(fileset, path), here=file.cached), place


def known(fileset: Fileset, path: str) -> Line:
    """Return what is known of a hub's file before it is downloaded; raises ``NotFound`` and ``HubError``."""
    file = storage_of(fileset).find(fileset, paths.file(path))
    return Line(path, file.size, address(fileset, path), here=file.cached)


def revisions(fileset: Fileset) -> list[Revision]:
    """Return the branches and tags, then the latest commits. Makes no commit of what has changed since."""
    refs = sorted(fileset.refs.values_list("kind", "name"))
    named = [Revision(name, f"{RefKind(kind).label} {name}") for kind, name in refs if name != history.MAIN]
    latest = fileset.commits.order_by("-pk").values_list("oid", "title", "created_at")[:RECENT]
    return named + [Revision(oid, f"{oid[:8]} · {title[:50]} · {at:%Y-%m-%d %H:%M}") for oid, title, at in latest]


def address(fileset: Fileset, path: str = "") -> str:
    """Return where the files API has the file, for reading, writing and deleting it."""
    home = f"/apis/files/v2/workspaces/{quote(fileset.workspace.name)}/filesets/{quote(fileset.name)}"
    return f"{home}/-/{quote(path)}"


def _at_commit(fileset: Fileset, oid: str, path: str) -> str:
    kind = "" if fileset.purpose == Purpose.MODEL else "datasets/"
    return f"/v1/hf/{kind}{quote(fileset.workspace.name)}/{quote(fileset.name)}/resolve/{oid}/{quote(path)}"


def _present(fileset: Fileset, start: int, find: str) -> Listed:
    rows = File.objects.filter(fileset=fileset)
    if find:
        rows = rows.filter(path__icontains=find)
    size = rows.aggregate(size=Sum("blob__size"))["size"] or 0
    lines = [
        Line(row.path, row.blob.size, address(fileset, row.path), row.updated_at, row.blob_id)
        for row in rows.select_related("blob").order_by("path")[start : start + SHOWN]
    ]
    return Listed(lines, rows.count(), size, start)
