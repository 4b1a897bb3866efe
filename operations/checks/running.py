"""What runs: the broker, workers, sweeps, and whether shards get on."""

import os
import time
from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from assay.jobs.attendance import PRESENT, present
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import RUNNABLE
from assay.jobs.waiting import broker as jobs_broker
from assay.operations.checks.finding import Depth, Found

UNSWEPT = timedelta(seconds=30)
"""What a sweep every two seconds would have found long since."""
UNRUNG = timedelta(seconds=60)
BARREN = 3
"""Claims in a row without anything stored; at twelve the job is given up."""
SHOWN = 3


def broker(depth: Depth) -> Found:
    """Workers can be called."""
    why = "Jobs start only when a sweep finds them, seconds later."
    if settings.EMBEDDED_BROKER:
        folder = settings.DATA_DIR / "broker" / "messages"
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            yield f"The broker's folder {folder} cannot be written to.", why, f"mkdir -p {folder}; chmod 700 {folder}"
    elif not jobs_broker.answers():
        yield "The broker does not answer.", why, "Start Redis, and look whether ASSAY_BROKER_URL is right."


def workers(depth: Depth) -> Found:
    """Somebody is there to judge."""
    if not present().exists():
        what = f"No worker was seen for {PRESENT.total_seconds():.0f} s."
        yield what, "Nothing is judged.", "manage.py serve, or for a team: manage.py worker"


def sweeps(depth: Depth) -> Found:
    """Nothing is left undone that a sweep does: whether one runs shows by nothing else."""
    now = timezone.now()
    held = Shard.objects.filter(job=OuterRef("pk"), state=ShardState.RUNNING)
    stopping = Job.objects.filter(
        ~Exists(held), state__in=(State.PAUSING, State.CANCELLING), updated_at__lt=now - UNSWEPT
    )
    free = Q(lease_until=None) | Q(lease_until__lt=now - UNSWEPT)
    unrung = Q(rung_at=None, updated_at__lt=now - UNRUNG) | Q(rung_at__lt=now - UNRUNG)
    forgotten = Job.objects.filter(~Exists(held), free, unrung, state__in=RUNNABLE)
    lapsed = Shard.objects.filter(state=ShardState.RUNNING, lease_until__lt=now - UNSWEPT)
    undone = {
        "shards of workers that are gone are not freed": lapsed.count(),
        "jobs that should stop do not": stopping.count(),
        "jobs that could go on are not called for": forgotten.count(),
    }
    if any(undone.values()):
        what = ", ".join(f"{count} {what}" for what, count in undone.items() if count)
        why = "What a dead worker or a lost message left stays where it is."
        mend = "manage.py sweep --once; and keep one running: `manage.py beat`, or `manage.py worker --sweeps`"
        yield f"No sweep seems to run: {what}.", why, mend


def shards(depth: Depth) -> Found:
    """Whoever takes a shard gets something done."""
    barren = Shard.objects.filter(barren_claims__gte=BARREN).exclude(state=ShardState.DONE)
    for shard in barren.select_related("job__workspace").order_by("pk")[:SHOWN]:
        rows = f"Rows {shard.start} to {shard.stop - 1} of job {shard.job}"
        what = f"{rows} were begun {shard.barren_claims} times for nothing."
        why = "A worker ends, or is ended for want of memory, whenever it judges them."
        mend = f"Look at the end of the worker's log; `dmesg | grep -i oom`; or cancel the job {shard.job}."
        yield what, why, mend


def machines(depth: Depth) -> Found:
    """Several machines share what they must share."""
    hosts = Counter(name.rpartition(":")[0] for name in present().values_list("name", flat=True))
    if len(hosts) > 1:
        alone = {
            "ASSAY_ENCRYPTION_KEYS": not settings.ENCRYPTION_KEYS,
            "ASSAY_SECRET_KEY": not os.environ.get("ASSAY_SECRET_KEY"),
            "ASSAY_BROKER_URL": settings.EMBEDDED_BROKER,
        }
        for variable in (name for name, unset in alone.items() if unset):
            yield (
                f"There are workers on {len(hosts)} machines, and {variable} is not set here.",
                "Unless they share one data folder, sessions, secrets or messages of one are nothing to another.",
                f"Set {variable} to the same value on all of them.",
            )
    ahead = present().filter(seen_at__gt=timezone.now() + timedelta(seconds=2))
    for name, seen_at in ahead.values_list("name", "seen_at")[:SHOWN]:
        late = seen_at.timestamp() - time.time()
        why = "Leases are held against the clock: jobs are taken from workers that live, or not from those that died."
        yield f"Worker {name} lives {late:.0f} s ahead of this machine.", why, "timedatectl set-ntp true, on both"
