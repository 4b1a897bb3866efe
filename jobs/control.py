"""Cancel, pause, resume, change. Each asks; the shards that run see it when they next store, within half a second."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from assay.jobs import logs
from assay.jobs.budget import left_of
from assay.jobs.leases import shards_at_once
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import TERMINAL, move
from assay.jobs.wake import wake
from assay.platform.audit import record
from assay.platform.caller import Action
from assay.platform.errors import Conflict
from assay.workspaces.lookup import need

CHANGEABLE = ("parallelism", "uses_cache", "budget_tokens", "budget_cost")
NAMES = {"uses_cache": "cache", "budget_tokens": "budget in tokens", "budget_cost": "budget in USD"}


def cancel(job: Job) -> Job:
    """Stop the job for good; rows that are judged already stay readable. No change where it has ended."""
    need(Action.WRITE, job.workspace)
    with transaction.atomic():
        if move(job, State.CANCELLING, message="Cancelling"):
            logs.write(job, "Cancel requested.")
            record("job.cancel", job)
    settle(job)
    return job


def pause(job: Job) -> Job:
    """Stop the job until ``resume``. No change where it has ended or is stopping."""
    need(Action.WRITE, job.workspace)
    with transaction.atomic():
        if move(job, State.PAUSING, message="Pausing"):
            logs.write(job, "Pause requested.")
            record("job.pause", job)
    settle(job)
    return job


def resume(job: Job) -> Job:
    """Go on with a paused job from the rows that are missing. No change in any other state.

    Raises ``Conflict`` where its budget is used up.
    """
    need(Action.WRITE, job.workspace)
    if job.state == State.PAUSED:
        refuse_exhausted(job)
    planned = Shard.objects.filter(job=job).exists()
    onward = State.PENDING if planned else State.CREATED
    with transaction.atomic():
        resumed = move(job, onward, only=State.PAUSED, message="Resumed", pause_reason="")
        if resumed:
            logs.write(job, "Resumed.")
            record("job.resume", job)
    if resumed:
        call_workers(job)
    return job


def change(job: Job, **fields: Any) -> Job:
    """Set fields of ``CHANGEABLE`` of a job that has not ended; its running shards follow within half a second.

    Whether it uses the cache counts from the next shard on. Raises ``Conflict`` for a job that has ended.
    """
    assert fields.keys() <= set(CHANGEABLE)
    need(Action.WRITE, job.workspace)
    with transaction.atomic():
        unfinished = Job.objects.filter(pk=job.pk).exclude(state__in=TERMINAL)
        if not unfinished.update(updated_at=Now(), **fields):
            job.refresh_from_db(fields=["state"])
            raise Conflict(f"Job '{job.name}' is {job.state}: nothing of it can be changed any more.")
        if fields:
            told = ", ".join(f"{NAMES.get(name, name)} {_told(value)}" for name, value in fields.items())
            logs.write(job, f"Changed: {told}.")
            record("job.change", job, before={name: getattr(job, name) for name in fields}, after=fields)
    before = job.parallelism
    job.refresh_from_db(fields=[*CHANGEABLE, "state", "updated_at"])
    if job.parallelism > before and job.state in (State.PENDING, State.ACTIVE):
        call_workers(job)
    return job


def call_workers(job: Job) -> None:
    """Wake as many workers as the job can keep busy beside those that it has."""
    states = list(Shard.objects.filter(job=job).exclude(state=ShardState.DONE).values_list("state", flat=True))
    running = states.count(ShardState.RUNNING)
    wake(job.pk, max(1, min(shards_at_once(job.parallelism, len(states)) - running, len(states) - running)))


def refuse_exhausted(job: Job) -> None:
    """Raise ``Conflict`` if the job could make no call, because its budget is used up."""
    why = left_of(job).exhausted
    if why:
        raise Conflict(f"Job '{job.name}' cannot go on: {why}. Raise or remove the budget first.")


def settle(job: Job) -> None:
    """Complete a stop that was asked for, once no shard of the job runs any more."""
    if job.state not in (State.CANCELLING, State.PAUSING):
        return
    if Shard.objects.filter(job=job, state=ShardState.RUNNING).exists():
        return
    with transaction.atomic():
        if job.state == State.CANCELLING:
            moved = move(job, State.CANCELLED, message="Cancelled")
        else:
            moved = move(job, State.PAUSED, message=_paused(job))
        if moved:
            logs.write(job, f"Job {job.state}.")


def _paused(job: Job) -> str:
    job.refresh_from_db(fields=["pause_reason"])
    return f"Paused: {job.pause_reason}" if job.pause_reason else "Paused; resume to go on"


def _told(value: Any) -> str:
    return "none" if value is None else "on" if value is True else "off" if value is False else f"{value}"
