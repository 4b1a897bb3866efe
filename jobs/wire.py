"""Jobs as the two wire forms show them: as evaluations (platform-v2 section 8) and as platform jobs (section 7)."""

from typing import Any, Self

from pydantic import BaseModel

from assay.jobs.logs import LogPage
from assay.jobs.models import Job, Result, State
from assay.jobs.steps import Step, progress, steps_of, task_name
from assay.jobs.wire_steps import step_spec
from assay.platform.api import WireTime


def error_details(job: Job) -> dict[str, Any] | None:
    return {"message": job.error} if job.state == State.ERROR else None


class EvaluationReply(BaseModel):
    """A job of the evaluator."""

    id: str
    name: str
    description: str | None
    project: str | None
    workspace: str
    created_at: WireTime
    updated_at: WireTime
    spec: dict[str, Any]
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any] | None
    ownership: Any
    custom_fields: dict[str, Any]

    @classmethod
    def of(cls, job: Job) -> Self:
        """``job.workspace`` should be at hand."""
        return cls(
            id=job.uid,
            name=job.name,
            description=job.description,
            project=job.project,
            workspace=job.workspace.name,
            created_at=job.created_at,
            updated_at=job.updated_at,
            spec=job.spec,
            status=job.state,
            status_details=progress(job),
            error_details=error_details(job),
            ownership=job.ownership,
            custom_fields=job.custom_fields,
        )


class JobReply(BaseModel):
    """A job of the platform."""

    id: str
    attempt_id: str
    name: str
    workspace: str
    project: str | None
    description: str | None
    source: str
    spec: dict[str, Any]
    platform_spec: dict[str, Any]
    fileset: str
    output_location: str | None
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any] | None
    created_at: WireTime
    updated_at: WireTime
    ownership: Any
    custom_fields: dict[str, Any]

    @classmethod
    def of(cls, job: Job) -> Self:
        """``job.workspace`` and ``job.result_fileset`` should be at hand."""
        return cls(
            id=job.uid,
            attempt_id=job.attempt_id,
            name=job.name,
            workspace=job.workspace.name,
            project=job.project,
            description=job.description,
            source=job.source,
            spec=job.spec,
            platform_spec={"steps": [step_spec(step) for step in steps_of(job)], "secrets": None},
            fileset=job.result_fileset.name,
            output_location=job.output_location,
            status=job.state,
            status_details=progress(job),
            error_details=error_details(job),
            created_at=job.created_at,
            updated_at=job.updated_at,
            ownership=job.ownership,
            custom_fields=job.custom_fields,
        )


class TaskStatus(BaseModel):
    id: str
    name: str
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any]
    error_stack: str | None
    created_at: WireTime
    updated_at: WireTime


class StepStatus(BaseModel):
    id: str
    name: str
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any]
    tasks: list[TaskStatus]
    created_at: WireTime
    updated_at: WireTime


class StatusReply(BaseModel):
    id: str
    name: str
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any] | None
    steps: list[StepStatus]
    created_at: WireTime
    updated_at: WireTime

    @classmethod
    def of(cls, job: Job) -> Self:
        """Reads nothing of what the job was submitted with."""
        return cls(
            id=job.uid,
            name=job.name,
            status=job.state,
            status_details=progress(job),
            error_details=error_details(job),
            steps=[_step_status(step) for step in steps_of(job)],
            created_at=job.created_at,
            updated_at=job.updated_at,
        )


def _step_status(step: Step) -> StepStatus:
    shared = {
        "status": step.status,
        "status_details": step.details,
        "error_details": step.error or {},
        "updated_at": step.job.updated_at,
    }
    since = step.task_since
    task = (
        TaskStatus(id=step.task_id, name=step.task_name, error_stack=None, created_at=since, **shared)
        if since
        else None
    )
    tasks = [task] if task else []
    return StepStatus(id=step.id, name=step.name, tasks=tasks, created_at=step.job.created_at, **shared)


class LogEntry(BaseModel):
    timestamp: WireTime
    job: str
    job_step: str
    job_task: str
    message: str


class LogReply(BaseModel):
    data: list[LogEntry]
    total: int
    next_page: str | None
    prev_page: str | None

    @classmethod
    def of(cls, job: Job, page: LogPage) -> Self:
        entries = [
            LogEntry(
                timestamp=line.at,
                job=job.name,
                job_step=line.step,
                job_task=task_name(job, line.step),
                message=line.message,
            )
            for line in page.lines
        ]
        return cls(data=entries, total=page.total, next_page=page.next, prev_page=page.previous)


class ResultReply(BaseModel):
    name: str
    job: str
    workspace: str
    project: str | None
    created_at: WireTime
    updated_at: WireTime
    artifact_url: str
    artifact_storage_type: str
    download_url: str | None

    @classmethod
    def of(cls, result: Result, download_url: str | None = None) -> Self:
        """``result.job`` with its workspace and result fileset should be at hand."""
        job = result.job
        return cls(
            name=result.name,
            job=job.uid,
            workspace=job.workspace.name,
            project=job.project,
            created_at=result.created_at,
            updated_at=result.created_at,
            artifact_url=f"{job.workspace.name}/{job.result_fileset.name}#results/{job.attempt_id}/{result.name}",
            artifact_storage_type="fileset",
            download_url=download_url,
        )


class ResultList(BaseModel):
    data: list[ResultReply]
