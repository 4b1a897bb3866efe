"""How a job stands in the words of the v1 API (microservices-v1 sections 5.2 and 5.3)."""

from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from assay.jobs.models import Job, JobPart, Shard, ShardState, State
from assay.jobs.states import TERMINAL

STATUSES = ("created", "pending", "running", "completed", "failed", "cancelling", "cancelled")
WORDS = {
    State.CREATED: "created",
    State.PENDING: "running",  # a worker has planned it
    State.ACTIVE: "running",
    State.PAUSING: "running",
    State.PAUSED: "pending",
    State.CANCELLING: "cancelling",
    State.CANCELLED: "cancelled",
    State.ERROR: "failed",
    State.COMPLETED: "completed",
}
COMPLETED = "Job completed successfully."


_SHARDS = Shard.objects.filter(job=OuterRef("job"), part=OuterRef("index"))
_PARTS = (
    JobPart.objects.order_by("index")
    .only("job", "index", "name", "metrics")
    .annotate(
        planned=Exists(_SHARDS),
        unfinished=Exists(_SHARDS.exclude(state=ShardState.DONE)),
        begun=Exists(_SHARDS.filter(token__gt=0)),
    )
)


def with_progress(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Have each job's parts at hand, and how far each of them is; two queries however many jobs there are."""
    return jobs.prefetch_related(Prefetch("parts", _PARTS))


def status(job: Job) -> str:
    """Return the job's status. A job runs from the moment that a worker takes it up, which begins with its planning."""
    if job.state == State.CREATED and job.lease_until is not None:
        return "running"
    return WORDS[State(job.state)]


def in_status(word: str) -> Q:
    """Return the condition on jobs of that status."""
    states = Q(state__in=[state for state, meant in WORDS.items() if meant == word])
    planning = Q(state=State.CREATED, lease_until__isnull=False)
    return states | planning if word == "running" else states & ~planning if word == "created" else states


def status_details(job: Job) -> dict[str, Any]:
    """Return how far the job is; its parts are at hand by ``with_progress``."""
    return {
        "message": _message(job),
        "task_status": {part.name: _task(job, part) for part in job.parts.all()},
        "progress": percent(job),
        "samples_processed": job.rows_done,
    }


def percent(job: Job) -> float:
    """Return the share of samples that are done. It says 100 once the results are there, and not before."""
    if job.state == State.COMPLETED:
        return 100.0
    total = job.rows_total or 0
    done = min(job.rows_done, total - 1)
    return round(100.0 * done / total, 2) if done > 0 else 0.0


def _message(job: Job) -> str | None:
    if job.state == State.COMPLETED:
        return COMPLETED
    return job.error or job.message or None


def _task(job: Job, part: Any) -> str:
    if part.planned and not part.unfinished:
        return "completed"
    if job.state in TERMINAL:
        return "completed" if job.state == State.COMPLETED else "failed"
    return "running" if part.begun else "pending"
