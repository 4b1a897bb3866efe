"""Who works on what. A claim is a conditional update with a lease and a token; a lease that nobody renews runs out."""

import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import move
from assay.platform import metrics
from assay_sdk.engine.pace import Waiting

LEASE = timedelta(seconds=6)
RENEW_SECONDS = 2.0
CERTAIN_SECONDS = LEASE.total_seconds() - 1.0
"""So long after a renewal began nobody else can have the shard, even where clocks differ by a little."""
LOOK_AGAIN_SECONDS = 0.05

SHARDS_AT_ONCE = 4
"""Of one job; its parallelism is shared between them."""


BARREN_CLAIMS = 12
"""So often in a row a shard or a job is claimed without anything coming of it, before the job is given up."""
LONGEST_SECONDS = 3600.0
"""So long a job may be planned, or finished, before another worker may try."""


class Exhausted(Exception):
    """Whoever judges a shard ends before anything is stored; the message says so."""


class LeaseLost(Exception):
    """Another worker has taken the shard over, or the job is gone: nothing more may be written for it."""


@dataclass
class Hold:
    """Until when a run may take its shard for its own without asking: one that stood still may have lost it."""

    until: float = math.inf
    """By the monotonic clock."""

    def renewed(self, began: float) -> None:
        """Take in that a renewal succeeded, and when it began."""
        self.until = began + CERTAIN_SECONDS

    async def wait(self, waiting: Waiting) -> None:
        """Return while the shard is certainly ours. One that is lost ends the run, and with it the wait."""
        while time.monotonic() >= self.until:
            await waiting.sleep(LOOK_AGAIN_SECONDS)


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}"


def shards_at_once(parallelism: int, shards: int) -> int:
    return max(1, min(SHARDS_AT_ONCE, parallelism, shards))


def share_of(shard: Shard, parallelism: int) -> tuple[int, int]:
    """Return how much of the job's parallelism the shard has, and among how many shards it is shared by now.

    Nothing is left for a shard that runs beside as many as may: its job's parallelism was lowered.
    """
    unfinished = list(
        Shard.objects.filter(job_id=shard.job_id)
        .exclude(state=ShardState.DONE)
        .order_by("index")
        .values_list("index", "state")
    )
    among = shards_at_once(parallelism, len(unfinished))
    running = [index for index, state in unfinished if state == ShardState.RUNNING]
    place = running.index(shard.index) if shard.index in running else 0
    if place >= among:
        return 0, among
    return max(1, parallelism // among + (place < parallelism % among)), among


def claim_shard(job_id: int) -> Shard | None:
    """Return the job's next free shard, now running and leased to the caller; None when there is nothing to claim.

    Raises ``Exhausted`` for a shard that workers do not survive.
    """
    with transaction.atomic():
        job = Job.objects.select_for_update().defer("spec").filter(pk=job_id).first()
        if job is None or job.state not in (State.PENDING, State.ACTIVE):
            return None
        now = timezone.now()
        shards = Shard.objects.filter(job=job)
        running = shards.filter(state=ShardState.RUNNING, lease_until__gte=now).count()
        if running >= shards_at_once(job.parallelism, shards.count()):
            return None
        free = Q(state=ShardState.WAITING) | Q(state=ShardState.RUNNING, lease_until__lt=now)
        shard = shards.filter(free).order_by("index").first()
        if shard is None:
            return None
        if shard.barren_claims >= BARREN_CLAIMS:
            raise Exhausted(
                f"Rows {shard.start} to {shard.stop - 1} were begun {BARREN_CLAIMS} times, and each time the worker "
                "ended before it stored anything. Is there memory enough for these rows?"
            )
        claimed = shards.filter(free, pk=shard.pk, token=shard.token).update(
            state=ShardState.RUNNING,
            token=F("token") + 1,
            barren_claims=F("barren_claims") + 1,
            lease_until=now + LEASE,
            worker=worker_name(),
        )
        if not claimed:
            return None
        if shard.state == ShardState.RUNNING:
            transaction.on_commit(metrics.shards_taken_over.inc)
        if job.state == State.PENDING:
            move(job, State.ACTIVE, message=f"Judging {job.rows_total} rows")
        shard.refresh_from_db()
        shard.job = job
        return shard


def renew_shard(shard: Shard, *, fruitful: bool = True) -> None:
    """Renew the lease; inside a transaction this also locks out a take-over until it commits. Raises ``LeaseLost``.

    ``fruitful``: something is stored with it.
    """
    held = Shard.objects.filter(pk=shard.pk, token=shard.token, state=ShardState.RUNNING)
    fruit = {"barren_claims": 0} if fruitful else {}
    if not held.update(lease_until=timezone.now() + LEASE, **fruit):
        raise LeaseLost(f"shard {shard.index} of job {shard.job_id} has been taken over")


def release_shard(shard: Shard, to: ShardState) -> bool:
    """Give the shard back, as done or to wait for the next worker; False when it was no longer ours."""
    held = Shard.objects.filter(pk=shard.pk, token=shard.token, state=ShardState.RUNNING)
    return bool(held.update(state=to, lease_until=None))


@contextmanager
def job_lease(job: Job) -> Iterator[bool]:
    """Hold the job alone while planning or finishing it; yields False when another worker already does.

    A thread renews the lease, since both may take long (a download, a large summary), but not for ever. Raises
    ``Exhausted`` for a job that workers do not survive.
    """
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    mine = Job.objects.filter(free, pk=job.pk)
    if not mine.update(lease_until=now + LEASE, barren_claims=F("barren_claims") + 1):
        yield False
        return
    if Job.objects.filter(pk=job.pk, barren_claims__gt=BARREN_CLAIMS).exists():
        raise Exhausted(f"The job was planned or finished {BARREN_CLAIMS} times, and each time the worker ended at it.")
    done = threading.Event()
    longest = time.monotonic() + LONGEST_SECONDS

    def keep() -> None:
        try:
            while not done.wait(RENEW_SECONDS) and time.monotonic() < longest:
                Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() + LEASE)
        finally:
            connection.close()

    keeper = threading.Thread(target=keep, name=f"lease of job {job.pk}", daemon=True)
    keeper.start()
    try:
        yield True
    finally:
        done.set()
        keeper.join()
        Job.objects.filter(pk=job.pk).update(lease_until=None, barren_claims=0)


def bury_the_dead() -> set[int]:
    """Free the shards of worker processes of this machine that are gone; return the ids of their jobs.

    Called by a worker as it starts: it need not wait for their leases to run out.
    """
    host = socket.gethostname()
    held = Shard.objects.filter(state=ShardState.RUNNING, worker__startswith=f"{host}:")
    freed = set()
    for shard in held.only("job_id", "token", "worker"):
        pid = int(shard.worker.removeprefix(f"{host}:").partition(":")[0])
        if pid != os.getpid() and _alive(pid):
            continue
        lapsed = Shard.objects.filter(pk=shard.pk, token=shard.token, state=ShardState.RUNNING)
        if lapsed.update(state=ShardState.WAITING, lease_until=None):
            metrics.shards_taken_over.inc()
            freed.add(shard.job_id)
    return freed


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's process: there is one
    return True
