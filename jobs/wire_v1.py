"""Jobs as the v1 API shows them (microservices-v1 sections 5.1 and 10)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from assay.evaluator.definitions import full
from assay.evaluator.models import DefinitionKind
from assay.evaluator.wire_v1 import EXAMPLE, LinkedConfig, LinkedTarget
from assay.jobs.models import Job, State
from assay.jobs.progress_v1 import status, status_details
from assay.jobs.submit_v1 import RESULTS
from assay.platform.api import WireTime, wire_time
from assay.platform.v1 import DEFAULT_NAMESPACE, Described, V1Name

UNSTARTED: dict[str, Any] = {"message": None, "task_status": {}, "progress": None}
"""The ``status_details`` in the reply that made the job."""


class JobCreateV1(Described):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    config: LinkedConfig
    target: LinkedTarget
    namespace: V1Name = DEFAULT_NAMESPACE
    output_files_url: Annotated[str, Field(max_length=1024)] | None = None


class StatusDetailsV1(BaseModel):
    message: str | None
    task_status: dict[str, str]
    progress: float | None
    samples_processed: int | None = None


class JobReplyV1(BaseModel):
    """An evaluation, with full snapshots of its config and target."""

    created_at: WireTime
    updated_at: WireTime
    id: str
    namespace: str
    description: str | None
    target: dict[str, Any]
    config: dict[str, Any]
    result: str | None
    output_files_url: str | None
    status_details: StatusDetailsV1
    status: str
    project: str | None
    custom_fields: dict[str, Any]
    ownership: dict[str, Any] | None


def job_json(job: Job, *, made_now: bool = False) -> dict[str, Any]:
    """``job.workspace`` should be at hand, and its parts by ``with_progress``."""
    over = job.state == State.COMPLETED
    return {
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
        "id": job.uid,
        "namespace": job.workspace.name,
        "description": job.description,
        "target": snapshot_json(job, "target"),
        "config": snapshot_json(job, "config"),
        "result": result_id(job) if over else None,
        "output_files_url": f"hf://datasets/{RESULTS}/{job.uid}" if over else job.output_location,
        "status_details": UNSTARTED if made_now else status_details(job),
        "status": status(job),
        "project": job.project,
        "custom_fields": job.custom_fields,
        "ownership": job.ownership,
    }


def snapshot_json(job: Job, member: str) -> dict[str, Any]:
    """Return the job's config or target in full, keys masked."""
    kind = DefinitionKind.CONFIG if member == "config" else DefinitionKind.TARGET
    return full(kind, job.submitted[member])


def result_id(job: Job) -> str:
    return "evaluation_result-" + job.uid.removeprefix("eval-")


def job_of_result(identifier: str) -> str:
    """Return the id of the job whose result this is."""
    return "eval-" + identifier.removeprefix("evaluation_result-")


# The alias at /v2/evaluation/jobs


WORDS_V2 = {"running": "active", "failed": "error"}


class SpecV2(BaseModel):
    config: LinkedConfig
    target: LinkedTarget


class JobCreateV2(Described):
    model_config = ConfigDict(json_schema_extra={"examples": [{"spec": EXAMPLE}]})

    spec: SpecV2
    name: V1Name | None = None
    namespace: V1Name = DEFAULT_NAMESPACE


class JobReplyV2(BaseModel):
    id: str
    name: str
    namespace: str
    spec: dict[str, Any]
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any]
    project: str | None
    description: str | None
    custom_fields: dict[str, Any]
    ownership: dict[str, Any] | None
    created_at: WireTime
    updated_at: WireTime


def job_json_v2(job: Job) -> dict[str, Any]:
    return {
        "id": job_id_v2(job),
        "name": job.name,
        "namespace": job.workspace.name,
        "spec": {"config": snapshot_json(job, "config"), "target": snapshot_json(job, "target")},
        "status": status_v2(job),
        "status_details": status_details(job),
        "error_details": error_json(job),
        "project": job.project,
        "description": job.description,
        "custom_fields": job.custom_fields,
        "ownership": job.ownership,
        "created_at": wire_time(job.created_at),
        "updated_at": wire_time(job.updated_at),
    }


def status_v2(job: Job) -> str:
    word = status(job)
    return WORDS_V2.get(word, word)


def job_id_v2(job: Job) -> str:
    return job.uid.replace("eval-", "job-", 1)


def uid_of_v2(identifier: str) -> str:
    return identifier.replace("job-", "eval-", 1)


def error_json(job: Job) -> dict[str, Any]:
    return {"message": job.error} if job.error else {}
