"""The audit: who did what, newest first. Admins of a workspace read what happened there, administrators all of it."""

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from assay.platform.audit import kept_head
from assay.platform.caller import Action, caller
from assay.platform.errors import Forbidden
from assay.platform.models import AuditEvent
from assay.ui.asked import may_somewhere, portion, text, where, workspaces
from assay.ui.door import show
from assay.workspaces.models import Workspace


@dataclass(frozen=True)
class Line:
    event: AuditEvent
    workspace: str

    @property
    def before(self) -> str:
        return _shown(self.event.before)

    @property
    def after(self) -> str:
        return _shown(self.event.after)


def audit(request: HttpRequest) -> HttpResponse:
    """Show the events that the caller may read; raises ``Forbidden`` for who manages nothing."""
    if not may_somewhere(Action.MANAGE):
        raise Forbidden("The audit is for Admins of a workspace. Ask one of yours.")
    workspace, search = text(request, "workspace"), text(request, "q")
    rows = _readable()
    if workspace:
        rows = rows.filter(workspace__in=Workspace.objects.filter(name=workspace).values("pk"))
    if search:
        rows = rows.filter(Q(actor__icontains=search) | Q(action__icontains=search) | Q(target__icontains=search))
    found = portion(request, rows.order_by("-pk"), None)
    return show(
        request,
        "ui/audit.html",
        "Audit",
        lines=_lines(found.rows),
        portion=found,
        workspaces=workspaces(Action.MANAGE),
        workspace=workspace,
        search=search,
        head=kept_head() if caller().administers else None,
    )


def _readable() -> QuerySet[AuditEvent]:
    keys = where(Action.MANAGE)
    return AuditEvent.objects.all() if keys is None else AuditEvent.objects.filter(workspace__in=keys)


def _lines(events: list[AuditEvent]) -> list[Line]:
    keys = {event.workspace for event in events if event.workspace is not None}
    names = dict(Workspace.objects.filter(pk__in=keys).values_list("pk", "name"))
    return [Line(event, names.get(event.workspace or 0, "")) for event in events]


def _shown(facts: Any) -> str:
    return "" if facts is None else json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True)
