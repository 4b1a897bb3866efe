"""What may be deleted, what stands in the way, and what goes along: one table, for every way in.

Nothing is deleted from under something that refers to it. ``blocked_by`` of a kind lists who may refer to it; a delete
is refused while one of them exists, and a cascade removes them first. ``takes`` lists what the platform itself made
for it: that goes along and blocks nothing. Members, eval results, shards, row scores and files go with their owner.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q, QuerySet

from assay.platform.errors import Conflict, NotFound
from assay.workspaces.models import DEFAULT

TERMINAL = ("completed", "error", "cancelled")
"""The states of a job (``assay.jobs.models.State``) in which nobody works on it any more."""

SHOWN = 3
"""Blockers that a refusal names before it counts the rest."""
BATCH = 500
"""Keys in one query."""


@dataclass(frozen=True)
class Kind:
    word: str
    model: str
    missing: str
    """The contract's sentence when there is none of that name."""
    blocked_by: dict[str, Q | tuple[str, ...]] = field(default_factory=dict)
    """Kind that may refer to this one: the fields it does so by."""
    takes: dict[str, tuple[str, Q]] = field(default_factory=dict)
    """Kind that goes along: the field by which it belongs to this one, and which of its rows."""


@dataclass(frozen=True)
class Blocker:
    kind: str
    name: str
    """With its workspace, ``team/helpfulness``, since a job may use another workspace's data."""

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


ANY = Q()
MADE_BY_JOB = Q(made_by_job=True)

# In the order in which a cascade removes them: nothing comes before what it refers to.
KINDS = (
    Kind("job", "jobs.Job", "Job '{name}' not found in workspace '{workspace}'.", takes={"fileset": ("result_of", ANY)}),
    Kind(
        "fileset",
        "filesets.Fileset",
        "Fileset '{name}' not found in workspace '{workspace}'",
        blocked_by={"job": ("dataset_fileset", "result_fileset")},
    ),
    Kind(
        "secret",
        "secrets.Secret",
        "Secret {workspace}/{name} not found",
        blocked_by={"job": ("job_secrets__secret",), "fileset": ("token_secret",)},
    ),
    Kind("metric", "evaluator.StoredMetric", "Metric not found: {workspace}/{name}"),
    Kind("project", "workspaces.Project", "Project '{name}' not found in workspace '{workspace}'"),
    Kind("eval result", "evaluator.EvalResult", "Result not found: {workspace}/{name}"),
    Kind(
        "workspace",
        "workspaces.Workspace",
        "Workspace '{name}' not found",
        blocked_by={kind: ("workspace",) for kind in ("job", "fileset", "secret", "metric", "project")},
        takes={"fileset": ("workspace", MADE_BY_JOB)},
    ),
)
BY_WORD = {kind.word: kind for kind in KINDS}
