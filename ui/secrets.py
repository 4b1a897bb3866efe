"""Secrets: which there are, what uses them, a new one, a new value. A value comes in and never goes out again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from assay.evaluator.models import DefinitionSecret, StoredMetric
from assay.filesets.models import Fileset
from assay.jobs.models import JobSecret
from assay.platform.api import check
from assay.platform.caller import Action, caller
from assay.platform.errors import Refusal
from assay.platform.sight import Seen
from assay.secrets.models import Secret
from assay.secrets.store import change_secret, create_secret, get_secret
from assay.secrets.wire import SecretCreate, SecretUpdate
from assay.ui import removal
from assay.ui.asked import Wrong, changed, may_somewhere, need_somewhere, portion, text, workspaces
from assay.ui.door import Crumb, show
from assay.workspaces.lookup import workspace_for_create
from assay.workspaces.models import DEFAULT

METRICS = 50
"""Stored metrics that are looked through for a secret's name."""
NEW_FIELDS = ("workspace", "name", "description", "value")


@dataclass(frozen=True)
class Line:
    secret: Secret
    evaluations: int
    filesets: int
    definitions: int

    @property
    def changed(self) -> datetime | None:
        return changed(self.secret)

    @property
    def unused(self) -> bool:
        return not (self.evaluations or self.filesets or self.definitions)


def home() -> Crumb:
    return ("Secrets", reverse("ui:secrets"))


def secrets(request: HttpRequest) -> HttpResponse:
    """Show the secrets by name, each with what uses it; those that came inside a v1 body are nobody's to see."""
    workspace, search = text(request, "workspace"), text(request, "q")
    rows = Secret.objects.filter(inline=False).select_related("workspace").defer("sealed")
    if workspace:
        rows = rows.filter(workspace__name=workspace)
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(description__icontains=search))
    found = portion(request, rows.order_by("workspace__name", "name", "pk"), rows.count())
    return show(
        request,
        "ui/secrets.html",
        "Secrets",
        lines=_lines(found.rows),
        portion=found,
        workspaces=workspaces(),
        workspace=workspace,
        search=search,
        may_add=may_somewhere(Action.WRITE),
        sees_all=caller().sees() is None,
    )


def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a new secret, or store it. What was typed as its value is not sent back with a mistake."""
    need_somewhere()
    sent = {name: request.POST.get(name, "") for name in NEW_FIELDS}
    wrong = Wrong()
    if request.method == "POST":
        try:
            asked = check(SecretCreate, {**sent, "description": sent["description"] or None}, "body", confidential=True)
            holder = workspace_for_create(sent["workspace"])
            secret = create_secret(holder, asked.name, asked.value, asked.description)
        except Refusal as refusal:
            wrong = Wrong.of(refusal, NEW_FIELDS)
        else:
            messages.success(request, f"Stored secret {secret}, sealed. {_about(asked.value)}".strip())
            return redirect("ui:secret", secret.workspace.name, secret.name)
    given = {name: value for name, value in sent.items() if name != "value"}
    given["workspace"] = given["workspace"] or text(request, "workspace") or DEFAULT
    return show(
        request,
        "ui/secret_new.html",
        "New secret",
        crumbs=[home()],
        status=422 if wrong != Wrong() else 200,
        given=given,
        wrong=wrong,
        workspaces=workspaces(Action.WRITE),
    )


def secret(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show one secret, without its value, and what uses it."""
    found = get_secret(workspace, name)
    return show(
        request,
        "ui/secret.html",
        str(found),
        crumbs=[home()],
        secret=found,
        changed=changed(found),
        uses=removal.obstacles(found),
        metrics=_metrics(found),
        may_change=caller().may(Action.WRITE, found.workspace_id),
    )


def rotate(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Give the secret a new value, which holds for every request from now on."""
    found = get_secret(workspace, name)
    asked = check(SecretUpdate, {"value": request.POST.get("value", "")}, "body", confidential=True)
    change_secret(found, value=asked.value)
    messages.success(request, f"The new value holds from now on. {_about(asked.value or '')}".strip())
    return redirect("ui:secret", workspace, name)


def describe(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Change what the secret says of itself."""
    asked = check(SecretUpdate, {"description": request.POST.get("description", "").strip()}, "body")
    change_secret(get_secret(workspace, name), description=asked.description)
    messages.success(request, "Saved.")
    return redirect("ui:secret", workspace, name)


def delete(request: HttpRequest, workspace: str, name: str) -> HttpResponse:
    """Show what stands in the way of deleting the secret, or delete it."""
    found = get_secret(workspace, name)
    here = reverse("ui:secret", args=[workspace, name])
    return removal.page(request, found, [home(), (str(found), here)], reverse("ui:secrets"))


def _about(value: str) -> str:
    """Return a warning of what is easily pasted along."""
    return "It begins or ends with a space or a line break, which was kept." if value != value.strip() else ""


def _lines(page: list[Secret]) -> list[Line]:
    jobs = _counts(JobSecret.objects.filter(Seen("job__workspace")), "secret", page)
    hubs = _counts(Fileset.objects.all(), "token_secret", page)
    definitions = _counts(DefinitionSecret.objects.filter(Seen("definition__workspace")), "secret", page)
    return [Line(each, jobs.get(each.pk, 0), hubs.get(each.pk, 0), definitions.get(each.pk, 0)) for each in page]


def _counts(users: QuerySet[Any], field: str, page: list[Secret]) -> dict[Any, int]:
    rows = users.filter(**{f"{field}__in": page}).order_by()
    return dict(rows.values_list(field).annotate(uses=Count("pk")))


def _metrics(found: Secret) -> list[StoredMetric]:
    """Return stored metrics that name the secret. They refer to it by name only, so they block nothing."""
    named = StoredMetric.objects.filter(bundle__icontains=f'"{found.name}"', workspace=found.workspace)
    named |= StoredMetric.objects.filter(bundle__icontains=f'"{found}"')
    return list(named.select_related("workspace").defer("bundle").order_by("workspace__name", "name")[:METRICS])
