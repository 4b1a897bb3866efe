"""Before something is deleted: what stands in its way, kind by kind in the order in which it has to go.

The rules are those of `workspaces/deletion.py`; here they are counted, so that a page about a workspace with a hundred
thousand evaluations is no slower than one about an empty one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from assay.jobs.models import State
from assay.platform.caller import Action, caller
from assay.platform.errors import BadRequest
from assay.ui.asked import may_write
from assay.ui.door import Crumb, show
from assay.workspaces import deletion
from assay.workspaces.deletion import KINDS, TERMINAL, Blocker, Kind
from assay.workspaces.lookup import need
from assay.workspaces.models import DEFAULT, Workspace

UNDER_WAY = [state for state in State if state not in TERMINAL]
NAMED = 5
"""Of each kind, so many are named."""
BEYOND = 20
"""So many in other workspaces."""
PLURALS = {
    "definition": "v1 definitions", "job": "evaluations", "fileset": "filesets", "secret": "secrets",
    "metric": "stored metrics", "project": "projects", "eval result": "evaluation results", "workspace": "workspaces",
}  # fmt: skip
LISTS = {"job": "ui:evaluations", "fileset": "ui:filesets", "secret": "ui:secrets"}
PAGES = {"job": "ui:job", "fileset": "ui:fileset", "secret": "ui:secret"}


@dataclass(frozen=True)
class Named:
    name: str
    address: str
    """Empty where no page shows it to the caller."""


@dataclass(frozen=True)
class Obstacle:
    """Everything of one kind that is in the way, as far as the caller sees it."""

    word: str
    count: int
    named: list[Named]
    address: str
    """Where all of them are listed; empty where no list shows just these."""
    unfinished: int = 0
    """Evaluations that have to be cancelled first."""
    hidden: bool = False
    """Whether there are some in workspaces that the caller does not see."""

    @property
    def plural(self) -> str:
        return PLURALS[self.word]

    @property
    def one(self) -> str:
        return _one(self.word)

    @property
    def rest(self) -> int:
        return self.count - len(self.named)


def obstacles(target: Model) -> list[Obstacle]:
    """Return what stands in the way of deleting ``target``, in the order in which it has to go."""
    blocked_by = _kind(target).blocked_by
    found = [_obstacle(kind, blocked_by[kind.word], target) for kind in KINDS if kind.word in blocked_by]
    return [obstacle for obstacle in found if obstacle.count or obstacle.hidden]


def page(request: HttpRequest, target: Model, crumbs: Sequence[Crumb], after: str) -> HttpResponse:
    """Show what deleting ``target`` takes, or do it; ``after`` is where one goes then.

    With ``?all`` it shows what a cascade would take, and offers that: to find out is half the work of doing it.
    """
    kind = _kind(target)
    if isinstance(target, Workspace):
        need(Action.MANAGE, target)
    else:
        need(Action.WRITE, target.workspace)  # type: ignore[attr-defined]
    if request.method == "POST":
        return _delete(request, target, after)
    in_the_way = obstacles(target)
    going = deletion.preview(target) if in_the_way and "all" in request.GET else None
    beyond = _beyond(going or [], target)
    return show(
        request,
        "ui/workspace_removal.html",
        f"Delete {kind.word} {target}",
        crumbs=crumbs,
        target=str(target),
        word=kind.word,
        fixed=kind.word == "workspace" and str(target) == DEFAULT,
        obstacles=in_the_way,
        unfinished=any(each.unfinished for each in in_the_way),
        going=_counted(going) if going is not None else None,
        beyond=beyond[:BEYOND],
        further=max(0, len(beyond) - BEYOND),
        may_all=all(each.name and may_write(each.name.partition("/")[0]) for each in going or []),
        back=crumbs[-1][1],
    )


def _delete(request: HttpRequest, target: Model, after: str) -> HttpResponse:
    cascade = "cascade" in request.POST
    if cascade and request.POST.get("confirm", "").strip() != str(target):
        raise BadRequest(f"Nothing was deleted: to delete all of it, type '{target}'.")
    deletion.delete(target, cascade=cascade)
    messages.success(request, f"Deleted {_kind(target).word} {target}.")
    return redirect(after)


def _counted(going: list[Blocker]) -> list[tuple[int, str]]:
    """Return how many of each kind go, in the order in which they do."""
    counts = Counter(each.kind for each in going)
    return [(count, PLURALS[word] if count > 1 else _one(word)) for word, count in counts.items()]


def _beyond(going: list[Blocker], target: Model) -> list[Blocker]:
    """Return what a cascade takes that lies in another workspace: the least expected of what goes."""
    home = str(target).partition("/")[0]
    return [each for each in going if each.name.partition("/")[0] != home]


def _one(word: str) -> str:
    return PLURALS[word].removesuffix("s")


def _obstacle(kind: Kind, fields: Sequence[str], target: Model) -> Obstacle:
    model, ours = apps.get_model(kind.model), kind.ours or Q(pk__in=())
    rows: QuerySet[Any] = model._default_manager.exclude(ours)
    count, unfinished, named, hidden = 0, 0, dict[str, Named](), False
    for field in fields:
        # By key alone: one that refers to it twice is one, and to compare whole rows would read specs.
        found = rows.filter(**{field: target.pk}).order_by("-pk").distinct()
        seen = found.values("pk").count()
        count += seen
        if field != "workspace" and caller().sees() is not None:
            every = model._base_manager.exclude(ours).filter(**{field: target.pk})
            hidden |= every.values("pk").distinct().count() > seen
        for pk, workspace, name in found.values_list("pk", "workspace__name", "name")[:NAMED]:
            named[f"{workspace}/{name}"] = Named(f"{workspace}/{name}", _address(kind, pk, workspace, name))
        if kind.word == "job":
            unfinished += found.filter(state__in=UNDER_WAY).values("pk").count()
    return Obstacle(kind.word, count, list(named.values())[:NAMED], _list(kind, fields, target), unfinished, hidden)


def _address(kind: Kind, pk: Any, workspace: str, name: str) -> str:
    if kind.word in PAGES:
        return reverse(PAGES[kind.word], args=[workspace, name])
    if not caller().administers:
        return ""
    return reverse(f"admin:{kind.model.lower().replace('.', '_')}_change", args=[pk])


def _list(kind: Kind, fields: Sequence[str], target: Model) -> str:
    if tuple(fields) != ("workspace",):
        return ""
    if kind.word in LISTS:
        return _with(reverse(LISTS[kind.word]), workspace=str(target))
    if not caller().administers:
        return ""
    return _with(reverse(f"admin:{kind.model.lower().replace('.', '_')}_changelist"), workspace__id__exact=target.pk)


def _with(address: str, **query: Any) -> str:
    words = QueryDict(mutable=True)
    words.update({name: str(value) for name, value in query.items()})
    return f"{address}?{words.urlencode()}"


def _kind(target: Model) -> Kind:
    return next(kind for kind in KINDS if kind.model == target._meta.label)
