"""The page of one file: its first rows and what its columns hold, or how it begins where it is no rows.

What a file holds comes from anybody: it is shown as text, clipped, and nothing of it is ever markup.
"""

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from assay.filesets.models import Fileset, Storage
from assay.filesets.store import get_fileset
from assay.ui import fileset_files, first_rows
from assay.ui.asked import number, text
from assay.ui.door import show
from assay.ui.fileset_files import Line
from assay.ui.filesets import home

LARGE = 50_000_000
"""A hub's file beyond this is downloaded only for who asks for it twice."""


def preview(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show the first rows of a file, or one of them whole."""
    fileset = get_fileset(workspace, name)
    # A path may hold spaces at its ends.
    path, revision = request.GET.get("file", ""), text(request, "revision")
    if fileset.storage_type == Storage.HUGGINGFACE and "fetch" not in request.GET:
        line = fileset_files.known(fileset, path)
        if not line.here and line.size > LARGE:
            return _shown(request, fileset, line, revision, large=True)
    line, place = fileset_files.opened(fileset, revision, path)
    if not first_rows.readable(path):
        return _shown(request, fileset, line, revision, beginning=first_rows.beginning(place, path))
    if "row" in request.GET:
        return _one(request, fileset, line, revision, place)
    rows = first_rows.rows_from(place, path, number(request, "from"))
    columns = first_rows.columns(rows.items)
    names = [column.name for column in columns][: first_rows.MOST_COLUMNS]
    return _shown(
        request,
        fileset,
        line,
        revision,
        rows=rows,
        columns=columns,
        names=names,
        left_out=len(columns) - len(names),
        table=list(enumerate(first_rows.table(rows.shown, names), rows.start)),
        deepest=first_rows.DEEPEST,
    )


def _one(request: HttpRequest, fileset: Fileset, line: Line, revision: str, place: Path) -> HttpResponse:
    index = min(number(request, "row"), first_rows.DEEPEST)
    rows = first_rows.rows_from(place, line.path, index, most=2)
    item = rows.items[0] if rows.items else {}
    cells = [(name, first_rows.cell(value)) for name, value in item.items()]
    later = index + 1 if len(rows.items) > 1 and index < first_rows.DEEPEST else None
    return _shown(
        request,
        fileset,
        line,
        revision,
        one=True,
        index=index,
        cells=cells,
        rows=rows,
        page=index - index % first_rows.SHOWN,
        earlier=index - 1 if index else None,
        later=later,
    )


def _shown(request: HttpRequest, fileset: Fileset, line: Line, revision: str, **context: Any) -> HttpResponse:
    address = reverse("ui:fileset", args=[fileset.workspace.name, fileset.name])
    return show(
        request,
        "ui/fileset_preview.html",
        line.path,
        crumbs=[home(), (str(fileset), f"{address}?revision={revision}" if revision else address)],
        fileset=fileset,
        line=line,
        revision=revision,
        local=fileset.storage_type == Storage.LOCAL,
        **context,
    )
