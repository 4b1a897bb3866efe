"""Who works on what. A claim is a conditional update with a lease and a token; a lease that nobody renews runs out."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import move

LEASE = timedelta(seconds=6)
RENEW_SECONDS = 2.0

SHARDS_AT_ONCE = 4
"""Of one job; its parallelism is shared between them."""


class LeaseLost(Exception):
    """Another worker has taken the shard over, or the job is gone: nothing more may be written for it."""


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}"


def shards_at_once(parallelism: int, shards: int) -> int:
    return max(1, min(SHARDS_AT_ONCE, parallelism, shards))


def claim_shard(job_id: int) -> Shard | None:
    """Return the job's next free shard, now running and leased to the caller; None when there is nothing to claim."""
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
        claimed = shards.filter(free, pk=shard.pk, token=shard.token).update(
            state=ShardState.RUNNING, token=F("token") + 1, lease_until=now + LEASE, worker=worker_name()
        )
        if not claimed:
            return None
        if job.state == State.PENDING:
            move(job, State.ACTIVE, message=f"Judging {job.rows_total} rows")
        shard.refresh_from_db()
        shard.job = job
        return shard


def renew_shard(shard: Shard) -> None:
    """Renew the lease; inside a transaction this also locks out a take-over until it commits. Raises ``LeaseLost``."""
    held = Shard.objects.filter(pk=shard.pk, token=shard.token, state=ShardState.RUNNING)
    if not held.update(lease_until=timezone.now() + LEASE):
        raise LeaseLost(f"shard {shard.index} of job {shard.job_id} has been taken over")


def release_shard(shard: Shard, to: ShardState) -> bool:
    """Give the shard back, as done or to wait for the next worker; False when it was no longer ours."""
    held = Shard.objects.filter(pk=shard.pk, token=shard.token, state=ShardState.RUNNING)
    return bool(held.update(state=to, lease_until=None))


@contextmanager
def job_lease(job: Job) -> Iterator[bool]:
    """Hold the job alone while planning or finishing it; yields False when another worker already does.

    A thread renews the lease, since both may take long (a download, a large summary).
    """
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    if not Job.objects.filter(free, pk=job.pk).update(lease_until=now + LEASE):
        yield False
        return
    done = threading.Event()

    def keep() -> None:
        try:
            while not done.wait(RENEW_SECONDS):
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
        Job.objects.filter(pk=job.pk).update(lease_until=None)
