"""Steps and tasks on their own addresses (platform-v2 section 7). What runs a step here is always a worker of ours."""

from typing import Any, Self

from pydantic import BaseModel

from assay.jobs.shown_spec import shown_spec
from assay.jobs.steps import Step
from assay.platform.api import WireTime, wire_time

PLATFORM = "service:platform"
"""Who is said to have made steps and tasks."""


def step_spec(step: Step, spec: dict[str, Any]) -> dict[str, Any]:
    """Return how a step of this spec is run: by this platform's own worker, with these secrets in its hands."""
    return {
        "name": step.name,
        "environment": [
            {"name": name, "value": None, "from_secret": {"name": reference}}
            for name, reference in _environment(spec).items()
        ],
        "executor": {"provider": "subprocess", "profile": "default", "command": ["manage.py", "worker"]},
        "config": spec,
        "lifecycle": {"staleness_timeout_seconds": 0},
    }


def _environment(spec: dict[str, Any]) -> dict[str, str]:
    if "metric" in spec:
        secret = spec["metric"]["model"].get("api_key_secret")
        return {secret.replace("-", "_"): secret} if secret else {}
    return {name: secret for bundle in spec["metrics"] for name, secret in bundle["secrets"].items()}


class StepEntry(BaseModel):
    """A step as the list of a job's steps shows it."""

    id: str
    job: str
    attempt_id: str
    fileset: str
    workspace: str
    name: str
    step_spec: dict[str, Any]
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any] | None
    auth_context: dict[str, Any]
    created_at: WireTime
    updated_at: WireTime


def step_entry_json(step: Step) -> dict[str, Any]:
    job = step.job
    return {
        "id": step.id,
        "job": job.name,
        "attempt_id": job.attempt_id,
        "fileset": job.result_fileset.name,
        "workspace": job.workspace.name,
        "name": step.name,
        "step_spec": step_spec(step, shown_spec(job)),
        "status": step.status,
        "status_details": step.details,
        "error_details": step.error,
        "auth_context": {"principal_id": job.created_by, "principal_groups": []},
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
    }


class StepReply(BaseModel):
    name: str
    workspace: str
    project: str | None
    attempt_id: str
    config: dict[str, Any]
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any] | None
    id: str
    created_at: WireTime
    created_by: str
    updated_at: WireTime
    updated_by: str
    entity_id: str
    parent: str
    db_version: int


def step_json(step: Step) -> dict[str, Any]:
    job = step.job
    return {
        "name": step.name,
        "workspace": job.workspace.name,
        "project": job.project,
        "attempt_id": job.attempt_id,
        "config": {**shown_spec(job), "_step_spec_name": step.name},
        "status": step.status,
        "status_details": step.details,
        "error_details": step.error,
        "id": step.id,
        "created_at": wire_time(job.created_at),
        "created_by": PLATFORM,
        "updated_at": wire_time(job.updated_at),
        "updated_by": PLATFORM,
        "entity_id": step.id,
        "parent": job.attempt_id,
        "db_version": 1,
    }


class TaskReply(BaseModel):
    name: str
    workspace: str
    project: str | None
    step_id: str
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any]
    error_stack: str | None
    id: str
    created_at: WireTime
    created_by: str
    updated_at: WireTime
    updated_by: str
    entity_id: str
    parent: str
    db_version: int

    @classmethod
    def all_of(cls, step: Step) -> list[Self]:
        """Return the step's one task, once there is one."""
        job, since = step.job, step.task_since
        if since is None:
            return []
        return [
            cls(
                name=step.task_name,
                workspace=job.workspace.name,
                project=job.project,
                step_id=step.id,
                status=step.status,
                status_details=step.details,
                error_details=step.error or {},
                error_stack=None,
                id=step.task_id,
                created_at=since,
                created_by=PLATFORM,
                updated_at=job.updated_at,
                updated_by=PLATFORM,
                entity_id=step.task_id,
                parent=step.id,
                db_version=1,
            )
        ]


class TaskList(BaseModel):
    data: list[TaskReply]


class ExecutionProfile(BaseModel):
    """What a step may run on: nothing but the platform's own workers, which run evaluations and no commands."""

    provider: str = "subprocess"
    profile: str = "default"
    backend: str = "subprocess"
    config: dict[str, Any] = {}
