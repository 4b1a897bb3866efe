"""Find jobs that nobody holds and get them going again: after a lost message, a dead worker, a flushed broker."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from assay.jobs.control import settle
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import RUNNABLE
from assay.jobs.wake import wake

RING_AGAIN = timedelta(seconds=5)


def sweep() -> int:
    """Free shards whose lease ran out, complete stops that were asked for, ring for jobs that lie idle.

    Returns for how many jobs it rang.
    """
    now = timezone.now()
    lapsed = Shard.objects.filter(state=ShardState.RUNNING, lease_until__lt=now)
    freed = set(lapsed.values_list("job_id", flat=True))
    lapsed.update(state=ShardState.WAITING)
    for job in Job.objects.filter(state__in=(State.CANCELLING, State.PAUSING)).defer("spec"):
        settle(job)
    running = Shard.objects.filter(job=OuterRef("pk"), state=ShardState.RUNNING)
    idle = Job.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now),
        Q(rung_at=None) | Q(rung_at__lt=now - RING_AGAIN),
        ~Exists(running),
        state__in=RUNNABLE,
    )
    rung = freed | set(idle.values_list("pk", flat=True))
    for job_id in rung:
        wake(job_id)
    return len(rung)
