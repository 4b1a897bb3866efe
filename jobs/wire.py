"""Jobs as the two wire forms show them: as evaluations (platform-v2 section 8) and as platform jobs (section 7).

The models describe the replies; functions write them, which a poll of the status would notice if models did.
"""

from typing import Any

from pydantic import BaseModel

from assay.jobs.logs import LogPage
from assay.jobs.models import Job, Result, State
from assay.jobs.shown_spec import shown_spec
from assay.jobs.steps import Step, progress, steps_of, task_name
from assay.jobs.wire_steps import step_spec
from assay.platform.api import WireTime, wire_time


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
    ownership: dict[str, Any] | None
    custom_fields: dict[str, Any]


def evaluation_json(job: Job) -> dict[str, Any]:
    """``job.workspace`` should be at hand, and its spec by ``with_spec_text``."""
    return {
        "id": job.uid,
        "name": job.name,
        "description": job.description,
        "project": job.project,
        "workspace": job.workspace.name,
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
        "spec": shown_spec(job),
        "status": job.state,
        "status_details": progress(job),
        "error_details": error_details(job),
        "ownership": job.ownership,
        "custom_fields": job.custom_fields,
    }


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
    ownership: dict[str, Any] | None
    custom_fields: dict[str, Any]


def job_json(job: Job) -> dict[str, Any]:
    """``job.workspace`` and ``job.result_fileset`` should be at hand, and its spec by ``with_spec_text``."""
    spec = shown_spec(job)
    return {
        "id": job.uid,
        "attempt_id": job.attempt_id,
        "name": job.name,
        "workspace": job.workspace.name,
        "project": job.project,
        "description": job.description,
        "source": job.source,
        "spec": spec,
        "platform_spec": {"steps": [step_spec(step, spec) for step in steps_of(job)], "secrets": None},
        "fileset": job.result_fileset.name,
        "output_location": job.output_location,
        "status": job.state,
        "status_details": progress(job),
        "error_details": error_details(job),
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
        "ownership": job.ownership,
        "custom_fields": job.custom_fields,
    }


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


class JobStatusReply(BaseModel):
    id: str
    name: str
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any] | None
    steps: list[StepStatus]
    created_at: WireTime
    updated_at: WireTime


def status_json(job: Job) -> dict[str, Any]:
    """Reads nothing of what the job was submitted with."""
    return {
        "id": job.uid,
        "name": job.name,
        "status": job.state,
        "status_details": progress(job),
        "error_details": error_details(job),
        "steps": [_step_status(step) for step in steps_of(job)],
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
    }


def _step_status(step: Step) -> dict[str, Any]:
    shared: dict[str, Any] = {"status": step.status, "status_details": step.details, "error_details": step.error or {}}
    updated_at, since = wire_time(step.job.updated_at), step.task_since
    tasks = []
    if since is not None:
        about = {"id": step.task_id, "name": step.task_name, **shared, "error_stack": None}
        tasks.append({**about, "created_at": wire_time(since), "updated_at": updated_at})
    about = {"id": step.id, "name": step.name, **shared, "tasks": tasks}
    return {**about, "created_at": wire_time(step.job.created_at), "updated_at": updated_at}


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


def log_json(job: Job, page: LogPage) -> dict[str, Any]:
    tasks = {step: task_name(job, step) for step in {line.step for line in page.lines}}
    entries = [
        {
            "timestamp": wire_time(line.at),
            "job": job.name,
            "job_step": line.step,
            "job_task": tasks[line.step],
            "message": line.message,
        }
        for line in page.lines
    ]
    return {"data": entries, "total": page.total, "next_page": page.next, "prev_page": page.previous}


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


def result_json(result: Result, download_url: str | None = None) -> dict[str, Any]:
    """``result.job`` with its workspace and result fileset should be at hand."""
    job, created_at = result.job, wire_time(result.created_at)
    return {
        "name": result.name,
        "job": job.uid,
        "workspace": job.workspace.name,
        "project": job.project,
        "created_at": created_at,
        "updated_at": created_at,
        "artifact_url": f"{job.workspace.name}/{job.result_fileset.name}#results/{job.attempt_id}/{result.name}",
        "artifact_storage_type": "fileset",
        "download_url": download_url,
    }


class ResultList(BaseModel):
    data: list[ResultReply]
