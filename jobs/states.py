"""The one place where a job's state changes: a table of legal moves, and the conditional update that makes one.

    created ──► pending ──► active ──► completed
       │           │          ├──────► error
       │           │          ├─► cancelling ──► cancelled
       │           │          └─► pausing ─────► paused ──► pending …
       └───────────┴─► the ends, cancelled and paused, at once where no shard runs

    completed, error, cancelled ──► pending: only by `rerun.py`, which judges again what has no score

docs/job-life.md tells the same for users.
"""

import logging
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from assay.jobs.models import Job, State
from assay.platform import metrics
from assay.platform.texts import storable

logger = logging.getLogger(__name__)

RERUN = frozenset({State.CREATED, State.PENDING})
"""Where a rerun takes a job that has ended: to its planning where that never happened."""

MOVES: dict[State, frozenset[State]] = {
    State.CREATED: frozenset({State.PENDING, State.PAUSING, State.CANCELLING, State.ERROR}),
    State.PENDING: frozenset({State.ACTIVE, State.COMPLETED, State.PAUSING, State.CANCELLING, State.ERROR}),
    State.ACTIVE: frozenset({State.COMPLETED, State.PAUSING, State.CANCELLING, State.ERROR}),
    State.PAUSING: frozenset({State.PAUSED, State.CANCELLING, State.ERROR}),
    State.PAUSED: frozenset({State.CREATED, State.PENDING, State.CANCELLING}),
    State.CANCELLING: frozenset({State.CANCELLED}),
    State.CANCELLED: RERUN,
    State.ERROR: RERUN,
    State.COMPLETED: RERUN,
}

TERMINAL = frozenset({State.CANCELLED, State.ERROR, State.COMPLETED})
"""The ends. A job leaves them by a rerun, and by nothing else."""
RUNNABLE = frozenset({State.CREATED, State.PENDING, State.ACTIVE})
"""States in which workers have something to do for a job."""

STAMPS = {
    State.PENDING: "pending_at",
    State.ACTIVE: "active_at",
    State.PAUSED: "paused_at",
    State.CANCELLED: "finished_at",
    State.ERROR: "finished_at",
    State.COMPLETED: "finished_at",
}


def move(job: Job, to: State, *, only: State | None = None, **also: Any) -> bool:
    """Move the job to ``to`` where that is legal from the state it is in now, and set the fields in ``also``.

    With ``only`` it moves from that one state: who plans a job must not wake one that was paused meanwhile. A job that
    has ended moves by its own name only, so that nobody revives it in passing.
    Returns whether this call made the move: of several callers at once exactly one does. ``job`` is brought up to date.
    """
    sources = [
        state
        for state, onward in MOVES.items()
        if to in onward and (state not in TERMINAL if only is None else state == only)
    ]
    also = {name: storable(value) if isinstance(value, str) else value for name, value in also.items()}
    stamp = {STAMPS[to]: Now()} if to in STAMPS else {}
    moved = Job.objects.filter(pk=job.pk, state__in=sources).update(state=to, updated_at=Now(), **stamp, **also)
    job.refresh_from_db(fields=["state", "message", "error", "updated_at"])
    if moved:
        transaction.on_commit(lambda: _tell(job.uid, to))
    return bool(moved)


def _tell(uid: str, to: State) -> None:
    """Tell operators of a move that was made."""
    metrics.job_moves.labels(to.value).inc()
    logger.info("job %s is %s", uid, to.value)
