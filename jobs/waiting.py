"""Why an unfinished job is where it is, in one line, and when the platform will next look at it by itself."""

import time
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Min, Q, Sum
from django.utils import timezone
from kombu.exceptions import OperationalError

from assay.jobs.attendance import PRESENT, present
from assay.jobs.leases import LEASE, shards_at_once
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.recover import RING_AGAIN
from assay.jobs.states import TERMINAL
from assay.platform.celery import SWEEPS, app

SWEEP = timedelta(seconds=SWEEPS["assay.jobs.tasks.sweep"])
SILENCE = timedelta(seconds=2.5)
"""A lease is renewed every half second; one that was not for so long is worth a word."""
PROMPT = timedelta(seconds=3)
"""So soon after it was called a worker usually begins."""
BROKER_SECONDS = 5.0
"""How long what was found out about the broker holds."""


class Waiting(NamedTuple):
    """Why the job is where it is, and when it will next be looked at; None: when somebody asks for it."""

    why: str
    next_look_at: datetime | None


class _Shards(NamedTuple):
    waiting: int
    running: int
    total: int
    lease_until: datetime | None
    """The first lease of a running one to end."""


def waiting_of(job: Job) -> Waiting | None:
    """Return why the unfinished job has not ended yet; None for one that has."""
    now = timezone.now()
    state = State(job.state)
    if state in TERMINAL:
        return None
    if state == State.PAUSED:
        return Waiting(job.message or "Paused; resume to go on", None)
    if job.lease_until is not None and job.lease_until >= now:
        doing = "planned: its files are looked at, its rows counted" if state == State.CREATED else "finished"
        return Waiting(f"A worker has it: it is being {doing}", job.lease_until + SWEEP)
    shards = _shards_of(job)
    if state in (State.PAUSING, State.CANCELLING):
        word = "paused" if state == State.PAUSING else "cancelled"
        if not shards.running:
            return Waiting(f"It is {word} as soon as it is next looked at", now + SWEEP)
        calls = f"{shards.running} shards have calls in flight, which get a second to come home"
        return Waiting(f"It is being {word}: {calls}", (shards.lease_until or now) + SWEEP)
    if shards.running:
        return _judged(job, shards, now)
    return _unheld(job, state, shards, now)


def _shards_of(job: Job) -> _Shards:
    running = Q(state=ShardState.RUNNING)
    found = Shard.objects.filter(job=job).aggregate(
        waiting=Count("pk", filter=Q(state=ShardState.WAITING)),
        running=Count("pk", filter=running),
        total=Count("pk"),
        lease_until=Min("lease_until", filter=running),
    )
    return _Shards(**found)


def _judged(job: Job, shards: _Shards, now: datetime) -> Waiting:
    """Return what is done for a job that workers hold."""
    until = shards.lease_until or now
    silent = now - (until - LEASE)
    if silent > SILENCE:
        late = Shard.objects.filter(job=job, state=ShardState.RUNNING, lease_until=until).first()
        if late is not None:
            rows = f"rows {late.start} to {late.stop - 1}"
            at = f"{until + SWEEP:%H:%M:%S} UTC"
            why = f"Worker {late.worker} has been silent for {silent.total_seconds():.0f} s: its {rows} go to another"
            return Waiting(f"{why} at {at} unless it reports", until + SWEEP)
    wanted = shards_at_once(job.parallelism, shards.running + shards.waiting)
    share = f" by {shards.running} of {wanted} workers" if shards.running < wanted else ""
    return Waiting(f"{job.message or 'Judging'}{share}", until + SWEEP)


def _unheld(job: Job, state: State, shards: _Shards, now: datetime) -> Waiting:
    """Return why no worker has taken the job up."""
    if state == State.CREATED:
        what = "plan it"
    elif shards.waiting:
        what = f"judge {shards.waiting} of its {shards.total} shards"
    else:
        what = "write its results"
    rung = job.rung_at
    look = max(now, rung + RING_AGAIN if rung else now) + SWEEP
    threads = present().aggregate(threads=Sum("threads"))["threads"] or 0
    if not threads:
        gone = f"no worker was seen for {PRESENT.total_seconds():.0f} s; start one with `manage.py worker`"
        return Waiting(f"Waiting to {what}: {gone}", look)
    busy = Shard.objects.filter(state=ShardState.RUNNING, lease_until__gte=now).count()
    if busy >= threads:
        return Waiting(f"Waiting to {what}: all workers are busy, with {busy} shards of other jobs", look)
    if rung is None or now - rung < PROMPT:
        return Waiting(f"Waiting to {what}: a worker has been called", look)
    if not broker.answers():
        return Waiting(f"Waiting to {what}: the broker, which calls workers, cannot be reached", look)
    return Waiting(f"Waiting to {what}: no worker came when it was called; it will be called again", look)


class _Broker:
    """Whether the broker can be reached, found out every few seconds at most."""

    def __init__(self) -> None:
        self._answers = True
        self._asked = float("-inf")

    def answers(self) -> bool:
        if time.monotonic() - self._asked > BROKER_SECONDS:
            self._asked = time.monotonic()
            self._answers = self._ask()
        return self._answers

    def _ask(self) -> bool:
        try:
            with app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=2, reraise_as_library_errors=True)
        except (OperationalError, OSError):
            return False
        return True


broker = _Broker()
