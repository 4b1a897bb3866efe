"""Evaluation jobs of the v1 API (microservices-v1 section 5)."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Q
from django.http import StreamingHttpResponse
from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response

from assay.jobs import control
from assay.jobs.custom_results import fold, log_text
from assay.jobs.live import LiveReply, evaluate_live
from assay.jobs.models import Dialect, Job
from assay.jobs.progress_v1 import STATUSES, in_status, status, status_details, with_progress
from assay.jobs.publish_v1 import files, result_json
from assay.jobs.removal_v1 import remove
from assay.jobs.results_v1 import result_of
from assay.jobs.states import TERMINAL
from assay.jobs.submit_v1 import submit_v1
from assay.jobs.wire_v1 import JobCreateV1, JobReplyV1, StatusDetailsV1, job_json
from assay.jobs.zipped import zipped
from assay.platform.api import django_request, only
from assay.platform.auth import principal
from assay.platform.caller import Action
from assay.platform.counts import rows_of
from assay.platform.errors import Conflict, NotFound
from assay.platform.openapi import OpenApiTypes, answers, extend_schema, refusals
from assay.platform.v1 import V1Endpoint, given, read_v1, v1_page
from assay.platform.v1_conditions import Between, Moments, choices, containing, exactly, inside, within
from assay.platform.v1_lists import V1List
from assay.workspaces.lookup import need

Method = TypeVar("Method", bound=Callable[..., Any])


def described(
    operation: str, summary: str, reply: Any, *refused: int, status: int = 200, **also: Any
) -> Callable[[Method], Method]:
    responses = {**answers(status, reply), **refusals(*refused)}
    return extend_schema(operation_id=operation, summary=summary, tags=["v1 jobs"], responses=responses, **also)


def _statuses(name: str, way: tuple[str, ...], text: str) -> Q:
    meant = Q(pk__in=())
    for word in choices(text):
        meant |= in_status(word) if word in STATUSES else Q(pk__in=())
    return meant


def _named_or_inside(member: str) -> Callable[[str, tuple[str, ...], str], Q]:
    """``filter[config]=namespace/name``, or ``filter[config][type]=custom``."""
    within_it = inside("submitted", member)

    def condition(name: str, way: tuple[str, ...], text: str) -> Q:
        if way:
            return within_it(name, way, text)
        meant = Q(pk__in=())
        for choice in choices(text):
            namespace, _, rest = choice.partition("/")
            meant |= within_it(name, ("namespace",), namespace) & within_it(name, ("name",), rest)
        return meant

    return condition


SHOWN_V1 = (
    "uid", "name", "dialect", "project", "description", "submitted", "ownership", "custom_fields", "output_location",
    "state", "message", "error", "rows_total", "rows_done", "lease_until", "created_at", "updated_at", "finished_at",
    "active_at",
)  # fmt: skip
JOBS = V1List(
    filters={
        "namespace": exactly("workspace__name"),
        "project": exactly("project"),
        "status": _statuses,
        "config": _named_or_inside("config"),
        "target": _named_or_inside("target"),
        "custom_fields": inside("custom_fields"),
        "created_at": Moments("created_at"),
    },
    searches={
        "id": containing("uid"),
        "namespace": containing("workspace__name"),
        "description": containing("description"),
        "project": containing("project"),
        "custom_fields": within("custom_fields"),
        "ownership": within("ownership"),
        "config": within("submitted", "config"),
        "target": within("submitted", "target"),
        "created_at": Between("created_at"),
        "updated_at": Between("updated_at"),
    },
)


V1_JOBS = with_progress(
    Job.objects.filter(dialect=Dialect.CUSTOM)
    .select_related("workspace", "result_fileset")
    .only(*SHOWN_V1, "workspace__name", "result_fileset__name")
)
"""The jobs that v1 shows, with what it shows of them at hand."""


def count_v1() -> int:
    return rows_of(Job, kind=Dialect.CUSTOM)


def find_v1(identifier: str) -> Job:
    job = only(V1_JOBS.filter(uid=identifier))
    if job is None:
        raise NotFound(f"Job {identifier} not found")
    return job


def own_hosts(request: Request) -> frozenset[str]:
    """Return the names and ports that this platform is called by: the hub there is the one at hand."""
    host = django_request(request).get_host().lower()
    _, colon, port = host.rpartition(":") if ":" in host else ("", "", "")
    named = {name for name in settings.ALLOWED_HOSTS if "*" not in name}
    return frozenset({host, *(f"{name}{colon}{port}" for name in named)})


class JobsV1(V1Endpoint):
    @described("list_v1_evaluation_jobs", "List jobs", v1_page(JobReplyV1), 400, 422, parameters=JOBS.query)
    def get(self, request: Request) -> Response:
        return JOBS.reply(request, V1_JOBS, job_json, count_v1)

    @described("create_v1_evaluation_job", "Evaluate a target", JobReplyV1, 400, 404, 409, 422, request=JobCreateV1)
    def post(self, request: Request) -> Response:
        asked = read_v1(request, JobCreateV1)
        about = given(asked, "config", "target", "namespace", "output_files_url")
        job = submit_v1(
            asked.config,
            asked.target,
            namespace=asked.namespace,
            own_hosts=own_hosts(request),
            principal=principal(request),
            output_location=asked.output_files_url,
            **about,
        )
        return Response(job_json(job, made_now=True))


class OneJobV1(V1Endpoint):
    @described("get_v1_evaluation_job", "Read a job", JobReplyV1, 404)
    def get(self, request: Request, identifier: str) -> Response:
        return Response(job_json(find_v1(identifier)))

    @described("delete_v1_evaluation_job", "Delete a job; one that runs is stopped first", None, 404, 409, status=204)
    def delete(self, request: Request, identifier: str) -> Response:
        remove(find_v1(identifier))
        return Response(status=204)


class JobStatusV1(V1Endpoint):
    @described("get_v1_evaluation_job_status", "How far is the job?", StatusDetailsV1, 404)
    def get(self, request: Request, identifier: str) -> Response:
        return Response(status_details(find_v1(identifier)))


class CancelJobV1(V1Endpoint):
    @described("cancel_v1_evaluation_job", "Stop a job for good", JobReplyV1, 404, 409, request=None)
    def post(self, request: Request, identifier: str) -> Response:
        job = find_v1(identifier)
        need(Action.WRITE, job.workspace)
        if job.state in TERMINAL:
            raise Conflict(f"Job {identifier} is {status(job)} and cannot be cancelled.")
        control.cancel(job)
        return Response(job_json(find_v1(identifier)))


class JobResultsV1(V1Endpoint):
    @described("get_v1_evaluation_job_results", "Read the scores, of tasks that are done", OpenApiTypes.OBJECT, 404)
    def get(self, request: Request, identifier: str) -> Response:
        return Response(result_of(find_v1(identifier)))


class LogV1(BaseModel):
    job: str
    logs: str
    truncated: bool


class JobLogsV1(V1Endpoint):
    @described("get_v1_evaluation_job_logs", "Read the job's log", LogV1, 404)
    def get(self, request: Request, identifier: str) -> Response:
        text, truncated = log_text(find_v1(identifier))
        return Response(LogV1(job=identifier, logs=text, truncated=truncated).model_dump(mode="json"))


class DownloadV1(V1Endpoint):
    @described(
        "download_v1_evaluation_job_results",
        "Download everything as a ZIP archive",
        {"application/zip": OpenApiTypes.BINARY},
        404,
        409,
    )
    def get(self, request: Request, identifier: str) -> StreamingHttpResponse:
        job = find_v1(identifier)
        if status(job) in {"created", "pending"}:
            raise Conflict(f"Job {identifier} has not begun; there is nothing to download yet.")
        shown = result_of(job) if job.state in TERMINAL else result_json(job, fold(job))
        return StreamingHttpResponse(
            zipped(files(job, shown), job.created_at),
            content_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{identifier}.zip"'},
        )


class LiveV1(V1Endpoint):
    @described(
        "evaluate_v1_live", "Evaluate a few rows at once; nothing is kept", LiveReply, 400, 422, request=JobCreateV1
    )
    def post(self, request: Request) -> Response:
        asked = read_v1(request, JobCreateV1)
        return Response(evaluate_live(asked.config, asked.target, own_hosts=own_hosts(request)))
