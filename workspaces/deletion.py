"""What may be deleted, what stands in the way and what goes along: one table, for every way in.

Nothing is deleted from under something that refers to it: a delete is refused while there is something in the way,
and a cascade removes that first. What the platform itself made goes along and blocks nothing: members and eval results
with their workspace, a job's result fileset, shards and row scores with the job (the last by the database's cascades).
A secret that came inside a v1 body goes with the last thing that refers to it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.apps import apps
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Model, Q, QuerySet

from assay.platform.audit import record
from assay.platform.caller import Action, caller
from assay.platform.errors import Conflict, Forbidden, NotFound
from assay.workspaces.models import DEFAULT

TERMINAL = ("completed", "error", "cancelled")
"""The states of a job (``assay.jobs.models.State``) that it never leaves."""
SHOWN = 3
"""Blockers that a refusal names before it counts the rest."""
NAMED = 50
"""Things whose names the audit keeps of a deletion."""
BATCH = 500
"""Keys in one statement."""


@dataclass(frozen=True)
class Company:
    """What goes along with something: the field in which it refers to that, and which of its rows."""

    word: str
    by: str
    which: Q = field(default_factory=Q)
    if_unused: bool = False
    """Only those that nothing else refers to, which would be in its way."""


@dataclass(frozen=True)
class Kind:
    word: str
    model: str
    missing: str
    """The contract's sentence when there is none of that name."""
    blocked_by: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The kinds that may refer to this one, and the fields in which they do."""
    takes: tuple[Company, ...] = ()
    ours: Q | None = None
    """Those that the platform made by itself: no list of what is in the way names them."""


OURS = Q(made_by_job=True)
INLINE = Q(inline=True)

# In the order of a cascade: each kind comes before what it refers to.
KINDS = (
    Kind(
        "definition",
        "evaluator.Definition",
        "{workspace}/{name} not found",
        takes=(Company("secret", "definition_secrets__definition", INLINE, if_unused=True),),
    ),
    Kind(
        "job",
        "jobs.Job",
        "Job '{name}' not found in workspace '{workspace}'.",
        takes=(Company("fileset", "result_of"), Company("secret", "job_secrets__job", INLINE, if_unused=True)),
    ),
    Kind(
        "fileset",
        "filesets.Fileset",
        "Fileset '{name}' not found in workspace '{workspace}'",
        blocked_by={"job": ("dataset_fileset", "result_fileset", "parts__fileset")},
        ours=OURS,
    ),
    Kind(
        "secret",
        "secrets.Secret",
        "Secret {workspace}/{name} not found",
        blocked_by={
            "definition": ("definition_secrets__secret",),
            "job": ("job_secrets__secret",),
            "fileset": ("token_secret",),
        },
        ours=INLINE,
    ),
    Kind("metric", "evaluator.StoredMetric", "Metric not found: {workspace}/{name}"),
    Kind("project", "workspaces.Project", "Project '{name}' not found in workspace '{workspace}'"),
    Kind("eval result", "evaluator.EvalResult", "Result not found: {workspace}/{name}"),
    Kind(
        "workspace",
        "workspaces.Workspace",
        "Workspace '{name}' not found",
        blocked_by=dict.fromkeys(("definition", "job", "fileset", "secret", "metric", "project"), ("workspace",)),
        takes=(Company("fileset", "workspace", OURS), Company("secret", "workspace", INLINE)),
    ),
)
BY_WORD = {kind.word: kind for kind in KINDS}
ALWAYS_TOLD = ("job", "fileset", "secret")
ORDER = ("metric", "project", "definition", *ALWAYS_TOLD)
"""The order that a refusal recommends; the first three only where there are any."""


@dataclass(frozen=True)
class Blocker:
    kind: str
    name: str
    """With its workspace, ``team/helpfulness``: a job may use what another workspace holds. Empty where hidden."""

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'" if self.name else f"a {self.kind} of a workspace that you do not see"


Keys = dict[str, set[Any]]
"""Primary keys by the word of their kind."""


def delete(target: Model, *, cascade: bool = False) -> None:
    """Delete ``target`` and what goes along with it, all or nothing; with ``cascade`` first what stands in the way.

    Raises ``Conflict`` when something stands in the way, when a job is not over yet, and for the default workspace;
    ``NotFound`` when someone else was quicker.
    """
    kind = _kind_of(target)
    try:
        with transaction.atomic():
            _delete(kind, target, cascade)
    except IntegrityError:
        # Whoever made it committed first; the deferred foreign keys found out when we did.
        raise Conflict(
            f"{kind.word.capitalize()} '{target}' was not deleted: something that refers to it was made meanwhile. "
            "Look again before you repeat it."
        ) from None
    except OperationalError as error:
        if "deadlock" not in str(error):
            raise
        raise Conflict(
            f"{kind.word.capitalize()} '{target}' was not deleted: it is being changed. Try again."
        ) from None


def blockers(target: Model) -> list[Blocker]:
    """Return what stands in the way of deleting ``target``; empty when it may go."""
    return _named(_in_the_way(_with_company({_kind_of(target).word: {target.pk}})))


def preview(target: Model) -> list[Blocker]:
    """Return what a cascade would remove before ``target``, in its order; not what the platform made by itself."""
    word = _kind_of(target).word
    going = _with_company({word: {target.pk}})
    while more := _in_the_way(going):
        going = _with_company(_joined(going, more))
    going[word].discard(target.pk)
    return _named(going)


def _delete(kind: Kind, target: Model, cascade: bool) -> None:
    # The lock holds off whoever is about to refer to it, until we commit.
    if not _rows(kind).select_for_update().filter(pk=target.pk).values_list("pk", flat=True):
        workspace, _, name = str(target).rpartition("/")
        raise NotFound(kind.missing.format(workspace=workspace, name=name))
    if kind.word == "workspace" and str(target) == DEFAULT:
        raise Conflict(f"Workspace '{DEFAULT}' belongs to the platform and cannot be deleted.")
    going = _with_company({kind.word: {target.pk}}, hold=True)
    _refuse_unfinished(going)
    while found := _in_the_way(going):
        if not cascade:
            raise Conflict(_refusal(kind, target, _named(found)))
        going = _with_company(_joined(going, found), hold=True)
        _refuse_unfinished(going)
    _refuse_others(going)
    _record(kind, target, going)
    for each in KINDS:
        for keys in _batches(going.get(each.word, ())):
            # `only`: the collector needs no more of a row, and a job's spec may hold a whole dataset.
            _rows(each).filter(pk__in=keys).only("pk").delete()


def _record(kind: Kind, target: Model, going: Keys) -> None:
    went = {word: len(keys) for word, keys in going.items() if keys}
    others = {**going, kind.word: going.get(kind.word, set()) - {target.pk}}
    named = [blocker.name for blocker in _named(others)[:NAMED]]
    home = target.pk if kind.word == "workspace" else getattr(target, "workspace_id", None)
    record(f"{kind.word.replace(' ', '_')}.delete", target, workspace=home, before={"went": went, "named": named})


def _refuse_others(going: Keys) -> None:
    """Raise ``Forbidden`` if something would go that the caller may not change."""
    who = caller()
    if who.administers and who.only is None:
        return
    for each in KINDS:
        place = "pk" if each.word == "workspace" else "workspace_id"
        action = Action.MANAGE if each.word == "workspace" else Action.WRITE
        for keys in _batches(going.get(each.word, ())):
            places = _rows(each).filter(pk__in=keys).values_list(place, flat=True).distinct()
            if not all(who.may(action, workspace) for workspace in places):
                raise Forbidden(f"You may not delete a {each.word} that would go with it.")


def _refuse_unfinished(going: Keys) -> None:
    for keys in _batches(going.get("job", ())):
        job = _rows(BY_WORD["job"]).filter(pk__in=keys).exclude(state__in=TERMINAL).values_list("name", "state").first()
        if job is not None:
            raise Conflict(
                f"Cannot delete job '{job[0]}' while it is '{job[1]}'. "
                "Cancel the job and wait for it to reach a terminal state before deleting."
            )


def _refusal(kind: Kind, target: Model, found: list[Blocker]) -> str:
    verb = "still holds" if kind.word == "workspace" else "is still used by"
    named = ", ".join(str(blocker) for blocker in found[:SHOWN])
    rest = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    present = {blocker.kind for blocker in found}
    order = ", ".join(f"{word}s" for word in ORDER if word in present or word in ALWAYS_TOLD)
    return (
        f"{kind.word.capitalize()} '{target}' {verb} {named}{rest}. Delete in this order: {order}, workspace. "
        "Or repeat the request with ?cascade=true to delete what is in the way first."
    )


# Reading the table


def _kind_of(target: Model) -> Kind:
    return next(kind for kind in KINDS if kind.model == target._meta.label)


def _rows(kind: Kind) -> QuerySet[Any]:
    # All of them: what the caller does not see is in the way all the same.
    rows: QuerySet[Any] = apps.get_model(kind.model)._base_manager.all()
    return rows


def _with_company(going: Keys, *, hold: bool = False) -> Keys:
    """Return ``going`` with what goes along; that takes nothing along itself.

    ``hold``: of two deletes that go on at once, the second waits to see whether something is unused by now.
    """
    company: Keys = {}
    unused: Keys = {}
    for word, keys in going.items():
        for each in BY_WORD[word].takes:
            found = (unused if each.if_unused else company).setdefault(each.word, set())
            for batch in _batches(keys):
                rows = _rows(BY_WORD[each.word]).filter(each.which, **{f"{each.by}__in": batch})
                if hold and each.if_unused:
                    rows = rows.select_for_update(of=("self",)).order_by("pk")
                found.update(rows.values_list("pk", flat=True))
    going = _joined(going, company)
    return _joined(going, {word: keys - _used(word, keys, going) for word, keys in unused.items()})


def _used(word: str, keys: set[Any], going: Keys) -> set[Any]:
    """Return those of ``keys`` that something refers to which is not part of ``going``."""
    used: set[Any] = set()
    for by, fields in BY_WORD[word].blocked_by.items():
        for name in fields:
            for batch in _batches(keys):
                pairs = _rows(BY_WORD[by]).filter(**{f"{name}__in": batch}).values_list("pk", name)
                used.update(key for user, key in pairs if user not in going.get(by, ()))
    return used


def _in_the_way(going: Keys) -> Keys:
    """Return what refers to something of ``going`` without being part of it."""
    found: Keys = {}
    for word, keys in going.items():
        for by, fields in BY_WORD[word].blocked_by.items():
            for name in fields:
                for batch in _batches(keys):
                    rows = _rows(BY_WORD[by]).filter(**{f"{name}__in": batch})
                    found.setdefault(by, set()).update(rows.values_list("pk", flat=True))
    left = {word: keys - going.get(word, set()) for word, keys in found.items()}
    return {word: keys for word, keys in left.items() if keys}


def _named(found: Keys) -> list[Blocker]:
    named = []
    for kind in KINDS:
        for keys in _batches(found.get(kind.word, ())):
            rows = _rows(kind).filter(pk__in=keys).exclude(kind.ours or Q(pk__in=())).order_by("pk")
            seen = caller().sees()
            named += [
                Blocker(kind.word, f"{workspace}/{name}" if seen is None or key in seen else "")
                for key, workspace, name in rows.values_list("workspace_id", "workspace__name", "name")
            ]
    return named


def _joined(some: Keys, more: Keys) -> Keys:
    return {word: some.get(word, set()) | more.get(word, set()) for word in {*some, *more}}


def _batches(keys: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(sorted(keys))
    while batch := list(islice(rest, BATCH)):
        yield batch
