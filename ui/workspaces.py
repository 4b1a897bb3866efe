"""Workspaces: which there are and what is in them, a new one, and what has to go before one can."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Model, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from assay.evaluator.models import Definition, StoredMetric
from assay.filesets.models import Fileset
from assay.jobs.models import Job
from assay.platform.api import check
from assay.platform.caller import Action, caller
from assay.platform.counts import rows_of
from assay.platform.errors import Refusal
from assay.platform.models import RowCount
from assay.secrets.models import Secret
from assay.ui import removal
from assay.ui.asked import Wrong, changed, portion, text
from assay.ui.door import Crumb, show
from assay.ui.members import about_members
from assay.workspaces.lookup import get_workspace
from assay.workspaces.making import create_workspace, describe_workspace
from assay.workspaces.models import DEFAULT, Project, Workspace
from assay.workspaces.wire import DescriptionUpdate, WorkspaceCreate

LATEST = 5
"""Evaluations that a workspace's page names."""


@dataclass(frozen=True)
class Line:
    workspace: Workspace
    evaluations: int
    filesets: int
    secrets: int


def home() -> Crumb:
    return ("Workspaces", reverse("ui:workspaces"))


def workspaces(request: HttpRequest) -> HttpResponse:
    """Show the workspaces with what is in them, or make one."""
    given = {name: request.POST.get(name, "").strip() for name in ("name", "description")}
    wrong = Wrong()
    if request.method == "POST":
        try:
            made = _create(given)
        except Refusal as refusal:
            wrong = Wrong.of(refusal, given)
        else:
            messages.success(request, f"Made workspace {made.name}.")
            return redirect("ui:workspace", made.name)
    search = text(request, "q")
    rows = Workspace.objects.defer("custom_fields", "ownership")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(description__icontains=search))
    found = portion(request, rows.order_by("name"), rows.count())
    return show(
        request,
        "ui/workspaces.html",
        "Workspaces",
        status=422 if wrong != Wrong() else 200,
        lines=_lines(found.rows),
        portion=found,
        search=search,
        given=given,
        wrong=wrong,
        sign_in=settings.AUTH,
    )


def workspace(request: HttpRequest, name: str) -> HttpResponse:
    """Show one workspace: what is in it, who its members are, its latest evaluations."""
    found = get_workspace(name)
    jobs = Job.objects.filter(workspace=found)
    latest = jobs.only("name", "state", "created_at", "rows_done", "rows_total").order_by("-created_at")[:LATEST]
    return show(
        request,
        "ui/workspace.html",
        found.name,
        crumbs=[home()],
        workspace=found,
        changed=changed(found),
        evaluations=rows_of(Job, workspace=found),
        under_way=jobs.filter(state__in=removal.UNDER_WAY).count(),
        filesets=Fileset.objects.filter(workspace=found, made_by_job=False).count(),
        secrets=Secret.objects.filter(workspace=found, inline=False).count(),
        metrics=StoredMetric.objects.filter(workspace=found).count(),
        projects=Project.objects.filter(workspace=found).count(),
        definitions=Definition.objects.filter(workspace=found).count(),
        latest=latest,
        fixed=found.name == DEFAULT,
        may_write=caller().may(Action.WRITE, found.pk),
        may_manage=caller().may(Action.MANAGE, found.pk),
        **about_members(found),
    )


def describe(request: HttpRequest, name: str) -> HttpResponse:
    """Change what the workspace says of itself."""
    asked = check(DescriptionUpdate, {"description": request.POST.get("description", "").strip()}, "body")
    describe_workspace(get_workspace(name), asked.description or "")
    messages.success(request, "Saved.")
    return redirect("ui:workspace", name)


def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Show what has to go before the workspace, in its order, or delete it."""
    found = get_workspace(name)
    here = reverse("ui:workspace", args=[name])
    return removal.page(request, found, [home(), (found.name, here)], reverse("ui:workspaces"))


def _create(given: dict[str, str]) -> Workspace:
    asked = check(WorkspaceCreate, {**given, "description": given["description"] or None}, "body")
    return create_workspace(asked.name, description=asked.description)


def _lines(page: list[Workspace]) -> list[Line]:
    keys = [each.pk for each in page]
    counted = RowCount.objects.filter(table=Job._meta.db_table, workspace__in=keys).order_by()
    jobs = dict(counted.values_list("workspace").annotate(count=Sum("rows")))
    filesets = _counts(Fileset, keys, made_by_job=False)
    secrets = _counts(Secret, keys, inline=False)
    return [Line(each, jobs.get(each.pk, 0), filesets.get(each.pk, 0), secrets.get(each.pk, 0)) for each in page]


def _counts(model: type[Model], keys: list[Any], **which: Any) -> dict[Any, int]:
    rows = model._default_manager.filter(workspace__in=keys, **which).order_by()
    return dict(rows.values_list("workspace").annotate(count=Count("pk")))
