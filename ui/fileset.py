"""The page of one fileset: its files, its history, what uses it, and what can be done to it."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from assay.filesets import history, local, paths
from assay.filesets.models import Fileset, Purpose, Storage
from assay.filesets.store import change_fileset, get_fileset, refresh_fileset
from assay.filesets.wire import FilesetUpdate
from assay.jobs.models import Job, JobPart
from assay.platform.api import check
from assay.platform.caller import Action, caller
from assay.platform.errors import BadRequest, Conflict, Refusal
from assay.ui import fileset_files, removal
from assay.ui.asked import Wrong, number, text
from assay.ui.door import Crumb, show
from assay.ui.filesets import home
from assay.workspaces.lookup import need

USERS = 5
"""Evaluations that the page names."""
COMMITS = 30
"""Commits on a page of the history."""


def fileset(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show the fileset. The files of a hub are asked for by the page itself, once it is there: a hub may be slow."""
    found = get_fileset(workspace, name)
    local_one = found.storage_type == Storage.LOCAL
    users = Job.objects.filter(dataset_fileset=found)
    parts = Job.objects.filter(pk__in=JobPart.objects.filter(fileset=found).values("job"))
    shown = [*_named(users), *_named(parts)]
    return show(
        request,
        "ui/fileset.html",
        str(found),
        crumbs=[home()],
        tab="files",
        revisions=fileset_files.revisions(found) if local_one else [],
        upload=fileset_files.address(found),
        limit=settings.MAX_FILE_BYTES,
        users=shown[:USERS],
        used=users.count() + parts.count(),
        made_by=_maker(found),
        may_delete=caller().may(Action.WRITE, found.workspace_id),
        **_about(request, found),
        **(_listed(request, found) if local_one else {}),
    )


def files(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Return the list of its files, for a page that is there already."""
    found = get_fileset(workspace, name)
    try:
        return _list(request, found)
    except Refusal as refusal:  # a hub that is away is no failure of ours
        return render(request, "ui/refusal.html", {"said": refusal.detail})


def delete_file(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Delete one file, and return the list without it."""
    found = get_fileset(workspace, name)
    if found.storage_type != Storage.LOCAL:
        raise BadRequest(f"The files of fileset '{found}' are on a hub and change there; refresh it afterwards.")
    gone = local.delete(found, paths.file(request.POST.get("path", "")))
    if "HX-Request" in request.headers:
        return _list(request, found)
    messages.success(request, f"Deleted {gone.path}.")
    return redirect("ui:fileset", workspace, name)


def log(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show the commits of a fileset in our own storage, newest first, with its branches and tags."""
    found = get_fileset(workspace, name)
    if found.storage_type != Storage.LOCAL:
        raise Conflict(f"The history of fileset '{found}' is on its hub.")
    revision = text(request, "revision") or history.MAIN
    after = number(request, "after") or None
    commits = history.log(found, revision, after=after, limit=COMMITS + 1)
    return show(
        request,
        "ui/fileset_history.html",
        f"History of {found}",
        crumbs=[home(), _crumb(found)],
        fileset=found,
        local=True,
        tab="history",
        revision=revision,
        commits=commits[:COMMITS],
        later=commits[COMMITS - 1].pk if len(commits) > COMMITS else None,
        refs=history.refs(found),
    )


def edit(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show what a fileset says of itself, or change that; its name and storage stay."""
    found = get_fileset(workspace, name)
    need(Action.WRITE, found.workspace)
    given = {
        field: request.POST.get(field, getattr(found, field)).strip() for field in ("description", "purpose", "project")
    }
    wrong = Wrong()
    if request.method == "POST":
        try:
            change_fileset(found, check(FilesetUpdate, given, "body"))
        except Refusal as refusal:
            wrong = Wrong.of(refusal, given)
        else:
            messages.success(request, "Saved.")
            return redirect("ui:fileset", workspace, name)
    return show(
        request,
        "ui/fileset_edit.html",
        f"Describe {found}",
        crumbs=[home(), _crumb(found)],
        status=422 if wrong != Wrong() else 200,
        fileset=found,
        given=given,
        wrong=wrong,
        purposes=Purpose.choices,
    )


def refresh(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Pin a hub's fileset to the commit that its revision names now."""
    found = get_fileset(workspace, name)
    before = found.revision
    refresh_fileset(found)
    moved = f"Pinned to {found.revision[:12]} now; evaluations that were submitted before keep {before[:12]}."
    messages.success(request, moved if found.revision != before else f"Nothing new: still at {before[:12]}.")
    return redirect("ui:fileset", workspace, name)


def delete(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show what stands in the way of deleting the fileset, or delete it."""
    found = get_fileset(workspace, name)
    return removal.page(request, found, [home(), _crumb(found)], reverse("ui:filesets"))


def _crumb(found: Fileset) -> Crumb:
    return (str(found), reverse("ui:fileset", args=[found.workspace.name, found.name]))


def _about(request: HttpRequest, found: Fileset) -> dict[str, Any]:
    """Return what both the page and the list in it are made of."""
    return {
        "fileset": found,
        "local": found.storage_type == Storage.LOCAL,
        # What a job made says what its evaluation came to: nobody writes into it here.
        "may_change": caller().may(Action.WRITE, found.workspace_id) and not found.made_by_job,
        "revision": text(request, "revision"),
        "find": text(request, "find"),
    }


def _listed(request: HttpRequest, found: Fileset) -> dict[str, Any]:
    revision, find = text(request, "revision"), text(request, "find")
    return {"listed": fileset_files.listed(found, revision, number(request, "start"), find)}


def _list(request: HttpRequest, found: Fileset) -> HttpResponse:
    return render(request, "ui/fileset_files.html", {**_about(request, found), **_listed(request, found)})


def _named(jobs: QuerySet[Job]) -> list[Job]:
    """Return the latest, without their specs: one may hold a whole dataset. By key, which every index ends in."""
    return list(
        jobs.select_related("workspace").only("name", "state", "created_at", "workspace").order_by("-pk")[:USERS]
    )


def _maker(found: Fileset) -> Job | None:
    if not found.made_by_job:
        return None
    return Job.objects.select_related("workspace").only("name", "workspace").filter(result_fileset=found).first()
