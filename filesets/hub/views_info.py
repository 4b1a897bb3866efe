"""One repository, and lists of them (contract, section 3)."""

from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat
from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets import history
from assay.filesets.hub import links
from assay.filesets.hub.access import HubEndpoint
from assay.filesets.hub.card import card_data
from assay.filesets.hub.names import Kind
from assay.filesets.hub.reading import bad_cursor, read_cursor, read_flag, read_size, write_cursor
from assay.filesets.hub.wire import repo_json, siblings
from assay.filesets.models import Fileset, Purpose, Ref, RefKind, Storage
from assay.platform.errors import BadRequest

REPOS = 1000
"""On a page."""
SORTS = {"lastModified": "changed", "createdAt": "created_at", "downloads": "created_at", "likes": "created_at"}
"""Nobody counts downloads and likes here: all have none, and the newest come first."""


class Info(HubEndpoint):
    def get(self, request: Request, kind: Kind, namespace: str, name: str, revision: str = history.MAIN) -> Response:
        fileset = self.repository(kind, namespace, name)
        commit = self.resolve(fileset, revision)
        blobs = read_flag(request.query_params, "blobs")
        return Response(
            {
                **repo_json(fileset, commit.oid, commit.created_at),
                "cardData": card_data(commit),
                "siblings": siblings(history.tree_of(commit), blobs=blobs),
            }
        )


class Repos(HubEndpoint):
    def get(self, request: Request, kind: Kind) -> Response:
        query = request.query_params
        size, down = read_size(query, REPOS), query.get("direction", "-1") != "1"
        sort = SORTS.get(query.get("sort", "lastModified"))
        if sort is None:
            raise BadRequest(f"A list is sorted by one of {', '.join(SORTS)}.")
        rows = _chosen(kind, request)
        match read_cursor(query):
            case [moment, key] if key.isdecimal():
                rows = rows.filter(_beyond(sort, moment, int(key), down))
            case [_, *_]:
                raise bad_cursor()
        sign = "-" if down else ""
        found = list(rows.order_by(sign + sort, f"{sign}pk")[: size + 1])
        last = found[size - 1] if len(found) > size else None
        cursor = write_cursor(getattr(last, sort).isoformat(), last.pk) if last else None
        return links.page(request, [_listed(row, full=read_flag(query, "full")) for row in found[:size]], cursor)


def _chosen(kind: Kind, request: Request) -> QuerySet[Any]:
    """Return the repositories that the query asks for, with the id and time of their last commit."""
    query = request.query_params
    head = Ref.objects.filter(fileset=OuterRef("pk"), kind=RefKind.BRANCH, name=history.MAIN)
    # Every job has one for its results: it is found by its id, and would bury the others here.
    rows = Fileset.objects.filter(storage_type=Storage.LOCAL, made_by_job=False).select_related("workspace")
    rows = (rows.filter if kind == "model" else rows.exclude)(purpose=Purpose.MODEL)
    rows = rows.annotate(
        repo_id=Concat("workspace__name", Value("/"), "name"),
        head=Subquery(head.values("commit__oid")[:1]),
        changed=Coalesce(Subquery(head.values("commit__created_at")[:1]), "created_at"),
    )
    author, words = query.get("author"), query.getlist("search")
    if "\x00" in "".join((author or "", *words)):
        return rows.none()
    if author:
        rows = rows.filter(workspace__name=author)
    for word in words:
        rows = rows.filter(repo_id__icontains=word)
    # Repositories have no tags here, so that none has the one that is asked for.
    return rows.none() if any(query.getlist("filter")) else rows


def _beyond(sort: str, moment: str, key: int, down: bool) -> Q:
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        raise bad_cursor() from None
    if then.tzinfo is None:
        raise bad_cursor()
    side = "lt" if down else "gt"
    return Q(**{f"{sort}__{side}": then}) | Q(**{sort: then, f"pk__{side}": key})


def _listed(row: Any, *, full: bool) -> dict[str, Any]:
    """Return one entry of the list; a repository that has no commit yet, or changes without one, gets it now."""
    sha, changed = row.head, row.changed
    if full or sha is None or row.uncommitted:
        commit = history.settle(row)
        sha, changed = commit.oid, commit.created_at
        if full:
            return {**repo_json(row, sha, changed), "siblings": siblings(history.tree_of(commit), blobs=False)}
    return repo_json(row, sha, changed)
