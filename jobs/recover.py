"""Find jobs that nobody holds and get them going again: after a lost message, a dead worker, a flushed broker."""

from datetime import timedelta

from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from assay.jobs import packing
from assay.jobs.control import settle
from assay.jobs.leases import bury_the_dead, shards_at_once
from assay.jobs.models import Job, Reply, Shard, ShardState, State, Worker
from assay.jobs.states import RUNNABLE, TERMINAL
from assay.jobs.wake import wake
from assay.platform import metrics

RING_AGAIN = timedelta(seconds=5)
FORGET_WORKERS = timedelta(hours=1)
LEFT_OVERS = 200
"""Shards that are packed at once, of those that nobody packed when their job ended."""


def sweep(ring_again: timedelta = RING_AGAIN) -> int:
    """Free shards whose lease ran out, complete stops that were asked for, ring for jobs that want more workers.

    Not for a job that somebody rang for less than ``ring_again`` ago. Returns for how many jobs it rang.
    """
    if not Job.objects.exclude(state__in=TERMINAL).exists():
        return 0  # asked every two seconds, mostly of a platform at rest
    now = timezone.now()
    lapsed = Shard.objects.filter(state=ShardState.RUNNING, lease_until__lt=now)
    freed = set(lapsed.values_list("job_id", flat=True))
    metrics.shards_taken_over.inc(lapsed.update(state=ShardState.WAITING))
    for job in Job.objects.filter(state__in=(State.CANCELLING, State.PAUSING)).defer("spec"):
        settle(job)
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    long_ago = Q(rung_at=None) | Q(rung_at__lte=now - ring_again) | Q(pk__in=freed)
    unheld = Job.objects.filter(free, long_ago, state__in=RUNNABLE)
    rung = 0
    counted = unheld.annotate(
        waiting=Count("shards", filter=Q(shards__state=ShardState.WAITING)),
        running=Count("shards", filter=Q(shards__state=ShardState.RUNNING)),
    )
    for job_id, parallelism, waiting, running in counted.values_list("pk", "parallelism", "waiting", "running"):
        wanted = min(shards_at_once(parallelism, waiting + running) - running, waiting)
        if wanted > 0 or not running:
            wake(job_id, max(1, wanted))
            rung += 1
    return rung


def take_over() -> None:
    """Free what dead workers of this machine held, and ring for whatever waits: called by a worker as it starts.

    Rings of before may have been for workers that have ended since.
    """
    bury_the_dead()
    sweep(ring_again=timedelta(0))


def tidy() -> None:
    """Put away what ended jobs and workers left behind: unpacked rows, replies kept for one job, workers long gone."""
    packing.pack_left_overs(LEFT_OVERS)
    day = timezone.now() - timedelta(days=1)
    ended = Job.objects.filter(uses_cache=False, state__in=TERMINAL, finished_at__gt=day).values("uid")
    private = Reply.objects.filter(private=True)
    private.filter(job_uid__in=ended).delete()
    private.exclude(Exists(Job.objects.filter(uid=OuterRef("job_uid")))).delete()
    Worker.objects.filter(seen_at__lt=timezone.now() - FORGET_WORKERS).delete()
