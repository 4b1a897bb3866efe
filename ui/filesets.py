"""The list of filesets, and the pages that make one: for files to upload, or pinned to a commit on a hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from assay.filesets.history import MAIN
from assay.filesets.models import File, Fileset, Purpose, Ref, Storage
from assay.filesets.storage_wire import HUB
from assay.filesets.store import create_fileset
from assay.filesets.wire import FilesetCreate
from assay.platform.api import check
from assay.platform.caller import Action
from assay.platform.counts import rows_of
from assay.platform.errors import Refusal
from assay.secrets.models import Secret
from assay.ui.asked import Wrong, may_somewhere, need_somewhere, portion, text, where, workspaces
from assay.ui.door import Crumb, show
from assay.workspaces.lookup import workspace_for_create
from assay.workspaces.models import DEFAULT

SECRETS = 200
"""Names of secrets that a form offers."""
HUB_FIELDS = ("repo_id", "repo_type", "revision", "endpoint", "token_secret")
REPO_TYPES = ("dataset", "model", "space")


@dataclass(frozen=True)
class Line:
    """One fileset of the list; ``files`` and ``size`` are None where only the hub knows."""

    fileset: Fileset
    files: int | None
    size: int | None
    revision: str
    updated: datetime


def home() -> Crumb:
    return ("Filesets", reverse("ui:filesets"))


def filesets(request: HttpRequest) -> HttpResponse:
    """Show the filesets, newest first; those that jobs made for their results only where asked for."""
    workspace, search, results = text(request, "workspace"), text(request, "q"), bool(text(request, "results"))
    rows = Fileset.objects.select_related("workspace").defer("metadata", "custom_fields")
    if workspace:
        rows = rows.filter(workspace__name=workspace)
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(description__icontains=search))
    if not results:
        rows = rows.filter(made_by_job=False)
    # By key where nothing but age orders all there are: no index of theirs does.
    ordered = rows.order_by(*(("-pk",) if results and not workspace else ("-created_at", "-pk")))
    found = portion(request, ordered, _total(rows, workspace, search, results))
    return show(
        request,
        "ui/filesets.html",
        "Filesets",
        lines=_lines(found.rows),
        portion=found,
        workspaces=workspaces(),
        workspace=workspace,
        search=search,
        results=results,
        may_add=may_somewhere(Action.WRITE),
    )


def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a new fileset, or make it."""
    need_somewhere()
    on_hub = text(request, "from") == "hub"
    given = _given(request)
    wrong = Wrong()
    if request.method == "POST":
        try:
            fileset = _create(given, on_hub=on_hub)
        except Refusal as refusal:
            wrong = Wrong.of(refusal, given)
        else:
            said = f"Pinned to commit {fileset.revision[:12]}." if on_hub else "Now upload its files."
            messages.success(request, f"Made fileset {fileset}. {said}")
            return redirect("ui:fileset", fileset.workspace.name, fileset.name)
    return show(
        request,
        "ui/fileset_new.html",
        "New fileset",
        crumbs=[home()],
        status=422 if wrong != Wrong() else 200,
        on_hub=on_hub,
        given=given,
        wrong=wrong,
        workspaces=workspaces(Action.WRITE),
        purposes=Purpose.choices,
        repo_types=REPO_TYPES,
        secrets=_secrets() if on_hub else (),
    )


def _total(rows: QuerySet[Fileset], workspace: str, search: str, results: bool) -> int | None:
    if results:  # as many as there are jobs: too many to count
        return rows_of(Fileset) if not workspace and not search else None
    return rows.count()


def _lines(page: Sequence[Fileset]) -> list[Line]:
    """Return the filesets of a page with what their files come to, in two queries."""
    keys = [fileset.pk for fileset in page if fileset.storage_type == Storage.LOCAL]
    sums: dict[int, Mapping[str, Any]] = {
        row["fileset"]: row
        for row in File.objects.filter(fileset__in=keys)
        .values("fileset")
        .annotate(files=Count("pk"), size=Sum("blob__size"), changed=Max("updated_at"))
    }
    heads = dict(Ref.objects.filter(fileset__in=keys, name=MAIN).values_list("fileset", "commit__oid"))
    lines = []
    for fileset in page:
        own = sums.get(fileset.pk, {"files": 0, "size": 0, "changed": None})
        updated = max(fileset.updated_at, own["changed"] or fileset.updated_at)
        if fileset.storage_type == Storage.LOCAL:
            head = "" if fileset.uncommitted else heads.get(fileset.pk, "")
            lines.append(Line(fileset, own["files"], own["size"], head, updated))
        else:
            lines.append(Line(fileset, None, None, fileset.revision, updated))
    return lines


def _secrets() -> list[str]:
    """Return the secrets that can be a hub's token: those of workspaces that the caller may write to."""
    keys = where(Action.WRITE)
    rows = Secret.objects.filter(inline=False).select_related("workspace").defer("sealed")
    return [str(secret) for secret in (rows if keys is None else rows.filter(workspace__in=keys))[:SECRETS]]


def _given(request: HttpRequest) -> dict[str, str]:
    """Return what the form holds: as sent, or as it starts."""
    start = {"workspace": text(request, "workspace") or DEFAULT, "name": "", "description": "", "purpose": "dataset"}
    start |= {"repo_id": "", "repo_type": "dataset", "revision": "main", "endpoint": HUB, "token_secret": ""}
    return {name: request.POST.get(name, value).strip() for name, value in start.items()}


def _create(given: dict[str, str], *, on_hub: bool) -> Fileset:
    asked: dict[str, Any] = {name: given[name] for name in ("name", "purpose")}
    asked["description"] = given["description"] or None
    if on_hub:
        asked["storage"] = {"type": "huggingface"} | {name: given[name] for name in HUB_FIELDS if given[name]}
    return create_fileset(workspace_for_create(given["workspace"]), check(FilesetCreate, asked, "body"))
