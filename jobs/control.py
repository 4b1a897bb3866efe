"""Cancel, pause, resume. Each asks; the shards that run see it when they next store, within half a second."""

from assay.jobs import logs
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import move
from assay.jobs.wake import wake


def cancel(job: Job) -> Job:
    """Stop the job for good; rows that are judged already stay readable. No change where it has ended."""
    if move(job, State.CANCELLING, message="Cancelling"):
        logs.write(job, "Cancel requested.")
    settle(job)
    return job


def pause(job: Job) -> Job:
    """Stop the job until ``resume``. No change where it has ended or is stopping."""
    if move(job, State.PAUSING, message="Pausing"):
        logs.write(job, "Pause requested.")
    settle(job)
    return job


def resume(job: Job) -> Job:
    """Go on with a paused job from the rows that are missing. No change in any other state."""
    planned = Shard.objects.filter(job=job).exists()
    if move(job, State.PENDING if planned else State.CREATED, only=State.PAUSED, message="Resumed"):
        logs.write(job, "Resumed.")
        wake(job.pk)
    return job


def settle(job: Job) -> None:
    """Complete a stop that was asked for, once no shard of the job runs any more."""
    if job.state not in (State.CANCELLING, State.PAUSING):
        return
    if Shard.objects.filter(job=job, state=ShardState.RUNNING).exists():
        return
    if job.state == State.CANCELLING:
        moved = move(job, State.CANCELLED, message="Cancelled")
    else:
        moved = move(job, State.PAUSED, message="Paused; resume to go on")
    if moved:
        logs.write(job, f"Job {job.state}.")
