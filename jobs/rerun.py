"""Judge again what an ended job has no score for, and what it never came to. What is scored stays and is not paid for.

A row that is not fully scored loses its row score, and the replies that led to no score are forgotten. Its other
replies are still in the store, so that only what was lost is asked anew. That is done a few rows at a time while the
job has still ended: nobody claims its shards then, and no other job waits for the database. A crash in between leaves
an ended job whose rerun goes on where this one stopped.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import Count, F, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from assay.jobs import logs
from assay.jobs.control import call_workers, refuse_exhausted
from assay.jobs.leases import job_lease
from assay.jobs.models import Job, Reply, RowScore, Shard, ShardState, State
from assay.jobs.states import TERMINAL, move
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import Conflict, NotFound
from assay.workspaces.lookup import need

ROWS_AT_ONCE = 500
KEY_BYTES = 32
PATIENCE_SECONDS = 8.0
"""Longer than calls in flight are given, and than a dead worker's lease lasts."""
LOOK_SECONDS = 0.1


def rerun_failed(job: Job) -> Job:
    """Send a job that has ended back to its workers, with every row that is not fully scored still to be judged.

    Of several callers at once one does it. Raises ``Conflict`` where the job has not ended, where there is nothing to
    judge again, or where its budget is used up; ``NotFound`` where it was deleted meanwhile.
    """
    need(Action.WRITE, job.workspace)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _try(job):
        if time.monotonic() > deadline:
            raise Conflict(f"Job '{job.name}' is still coming to its end, or is rerun by somebody. Ask again soon.")
        time.sleep(LOOK_SECONDS)
    job.refresh_from_db()
    return job


def _try(job: Job) -> bool:
    """Rerun the job unless a shard of it still runs, or a worker still finishes it; returns whether that was done."""
    _check(job)
    running = Shard.objects.filter(job=job, state=ShardState.RUNNING, lease_until__gte=timezone.now())
    if running.exists():
        return False  # when one shard fails the others take a moment to stop
    with _alone(job) as held:
        if not held:
            return False
        _check(job)
        lost = _forget(job)
        with transaction.atomic():
            _reopen(job, lost)
            record("job.rerun", job, after={"rows": lost})
    call_workers(job)
    return True


@contextmanager
def _alone(job: Job) -> Iterator[bool]:
    """Hold the job's lease; yields False where somebody else does."""
    # Of a job that workers did not survive the count would be refused; it begins anew.
    Job.objects.filter(pk=job.pk, state__in=TERMINAL).update(barren_claims=0)
    with job_lease(job) as held:
        yield held


def _check(job: Job) -> None:
    """Raise ``Conflict`` unless the job can be rerun as it stands now."""
    counts = Job.objects.filter(pk=job.pk).values_list("state", "rows_total").first()
    if counts is None:
        raise NotFound(f"Job '{job.name}' not found.")
    state, total = counts
    if state not in TERMINAL:
        raise Conflict(f"Job '{job.name}' is {state}: a rerun is for jobs that have ended.")
    stored = RowScore.objects.filter(job=job)
    if state == State.COMPLETED and stored.count() == total and not stored.filter(scored=False).exists():
        raise Conflict(f"Every row of job '{job.name}' is fully scored: there is nothing to judge again.")
    refuse_exhausted(job)
    job.state, job.rows_total = state, total


def _forget(job: Job) -> int:
    """Delete the row scores that are not whole, and the replies behind what is missing; returns how many rows."""
    lost, last = 0, -1
    failed = RowScore.objects.filter(job=job, scored=False).order_by("row_index")
    columns = ("pk", "row_index", "doubtful")
    while page := list(failed.filter(row_index__gt=last).values_list(*columns)[:ROWS_AT_ONCE]):
        rows = [row for _, row, _ in page]
        with transaction.atomic():
            _forget_replies(job, rows, {key for _, _, doubtful in page for key in _keys(bytes(doubtful))})
            RowScore.objects.filter(pk__in=[pk for pk, _, _ in page]).delete()
        lost, last = lost + len(page), rows[-1]
    return lost


def _forget_replies(job: Job, rows: Collection[int], keys: Collection[bytes]) -> None:
    """Delete what these rows would be given again: their own replies, and those that other jobs share with them.

    Not the replies that other rows were given to the same questions, nor those that another job keeps to itself.
    """
    listed = sorted(keys)
    given = Q(job_uid=job.uid, row_index__in=rows) | Q(~Q(job_uid=job.uid), private=False)
    for first in range(0, len(listed), ROWS_AT_ONCE):
        asked = listed[first : first + ROWS_AT_ONCE]
        Reply.objects.filter(given, workspace_id=job.workspace_id, key__in=asked).delete()


def _keys(doubtful: bytes) -> list[bytes]:
    return [doubtful[start : start + KEY_BYTES] for start in range(0, len(doubtful), KEY_BYTES)]


def _reopen(job: Job, lost: int) -> None:
    """Hand the shards that lack rows to the workers again, and the job with them. Raises ``Conflict``."""
    lacking = _lacking(job)
    for first in range(0, len(lacking), ROWS_AT_ONCE):
        Shard.objects.filter(pk__in=lacking[first : first + ROWS_AT_ONCE]).update(
            state=ShardState.WAITING, token=F("token") + 1, lease_until=None, worker="", barren_claims=0
        )
    kept = RowScore.objects.filter(job=job).count()
    left = None if job.rows_total is None else job.rows_total - kept
    rows = "its rows" if left is None else f"{left} of {job.rows_total} rows"
    moved = move(
        job,
        State.PENDING if Shard.objects.filter(job=job).exists() else State.CREATED,
        only=State(job.state),
        message=f"Rerun: waiting for a worker to judge {rows}",
        error="",
        pause_reason="",
        finished_at=None,
        rows_done=kept,
        rows_failed=0,
        reruns=F("reruns") + 1,
    )
    if not moved:
        raise Conflict(f"Job '{job.name}' was changed meanwhile. Look again before you repeat it.")
    never = "" if left is None or left == lost else f", and {left - lost} that it never came to"
    logs.write(job, f"Rerun requested: {lost} rows without a score{never}.")


def _lacking(job: Job) -> list[int]:
    """Return the shards that have rows without a score, or that nobody finished."""
    rows = RowScore.objects.filter(job=job, row_index__gte=OuterRef("start"), row_index__lt=OuterRef("stop"))
    count = rows.order_by().values("job").annotate(count=Count("row_index")).values("count")
    shards = Shard.objects.filter(job=job).annotate(stored=Coalesce(Subquery(count), 0, output_field=IntegerField()))
    whole = Q(state=ShardState.DONE, stored=F("stop") - F("start"))
    return list(shards.exclude(whole).values_list("pk", flat=True))
