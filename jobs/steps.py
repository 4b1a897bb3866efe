"""The steps and tasks of a job as the contract shows them. They are read off the job: it has no rows for them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay.jobs.models import Dialect, Job, State

EVALUATE = "evaluate"
DOWNLOAD = "dataset-download"
EVALUATION = "evaluation"


@dataclass(frozen=True)
class Step:
    job: Job
    name: str
    status: str
    """In the words of the job's states."""
    details: dict[str, Any]

    @property
    def id(self) -> str:
        return f"platform-job-step-{self._tail}"

    @property
    def task_id(self) -> str:
        return f"platform-job-task-{self._tail}"

    @property
    def task_name(self) -> str:
        return task_name(self.job, self.name)

    @property
    def task_since(self) -> datetime | None:
        """When its one task began; None while there is none."""
        job = self.job
        return job.active_at or (job.finished_at if job.state == State.ERROR else None)

    @property
    def error(self) -> dict[str, str] | None:
        return {"message": self.job.error} if self.status == State.ERROR else None

    @property
    def _tail(self) -> str:
        # Of two steps the first one's id is the job's read backwards: as random, and never the same.
        return self.job.tail[::-1] if self.name == DOWNLOAD else self.job.tail


def main_step(job: Job) -> str:
    return EVALUATION if job.dialect == Dialect.SINGLE else EVALUATE


def step_names(job: Job) -> list[str]:
    """Return the steps that the job goes through, in order.

    In the oldest dialect the rows of a fileset are fetched in a step of their own.
    """
    fetches = job.dialect == Dialect.SINGLE and job.dataset_fileset_id is not None
    return [DOWNLOAD, EVALUATION] if fetches else [main_step(job)]


def task_name(job: Job, step: str) -> str:
    return "task-" + hashlib.sha256(f"{job.uid} {step}".encode()).hexdigest()[:32]


def steps_of(job: Job) -> list[Step]:
    """Return the steps that the job has come to by now, in order."""
    main = Step(job, main_step(job), job.state, progress(job))
    if DOWNLOAD not in step_names(job):
        return [main]
    if job.rows_total is None:
        return [Step(job, DOWNLOAD, job.state, progress(job))]
    return [Step(job, DOWNLOAD, State.COMPLETED, {"message": f"{job.rows_total} rows found"}), main]


def progress(job: Job) -> dict[str, Any]:
    """Return the job's ``status_details``: what it does and how far it is, and nothing about this machine."""
    if job.state == State.CREATED:
        return {}
    counts = {"samples_processed": job.rows_done, "samples_total": job.rows_total}
    return {"message": job.message, "progress": percent(job), **counts}


def percent(job: Job) -> float:
    if job.state == State.COMPLETED:
        return 100.0
    return round(100.0 * job.rows_done / job.rows_total, 1) if job.rows_total else 0.0
