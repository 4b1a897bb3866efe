"""How fast a job's rows are judged, read off the row scores: nothing is written down for it."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.db.models import F, Max
from django.utils import timezone

from assay.jobs.models import Job, RowScore, State

LATELY = timedelta(seconds=10)
SPANS = (1_000, 4_000, 16_000, 64_000)
"""So many of the newest rows of all jobs are looked at, until they reach far enough back."""


class Rates(NamedTuple):
    """Rows a second: over the last ten seconds, and since the job was last taken up. None where it is not judged."""

    recent: float | None
    overall: float | None

    def eta(self, rows_left: int | None) -> float | None:
        """Return the seconds that the rest will take at this rate; None where nothing can be said."""
        rate = self.recent or self.overall
        return rows_left / rate if rate and rows_left is not None else None


def rates_of(job: Job) -> Rates:
    """Return how fast the job is; of one that has ended, how fast it was."""
    if job.active_at is None:
        return Rates(None, None)
    now = timezone.now()
    until = job.finished_at or (job.paused_at if job.state == State.PAUSED else None) or now
    seconds = (until - job.active_at).total_seconds()
    if seconds <= 0:
        return Rates(None, None)
    went_on = job.reruns or job.paused_at is not None
    before = _rows_before(job.pk, job.active_at) if went_on else 0
    overall = max(0, job.rows_done - before) / seconds
    if job.state != State.ACTIVE:
        return Rates(None, overall)
    since = max(now - LATELY, job.active_at)
    return Rates(_landed(job, since) / (now - since).total_seconds(), overall)


def _landed(job: Job, since: datetime) -> int:
    """Return how many of the job's rows were stored after ``since``.

    Rows are numbered as they are stored, whatever their job: the newest ones are at the end of that numbering, and
    no index by time is needed to find them.
    """
    newest = RowScore.objects.aggregate(newest=Max("pk"))["newest"] or 0
    first = newest
    for span in SPANS:
        first = newest - span
        oldest = RowScore.objects.filter(pk__gt=first).order_by("pk").values_list("created_at", flat=True).first()
        if oldest is None or oldest < since:
            break
    # The sum keeps the planner from the job's own index, which leads through all of its rows.
    rows = RowScore.objects.alias(owner=F("job_id") + 0).filter(owner=job.pk, pk__gt=first, created_at__gt=since)
    return rows.count()


@lru_cache(maxsize=1024)
def _rows_before(job_id: int, active_at: datetime) -> int:
    """Return how many rows the job had when it was taken up then: after a pause or a rerun they are many."""
    return RowScore.objects.filter(job_id=job_id, created_at__lt=active_at).count()
