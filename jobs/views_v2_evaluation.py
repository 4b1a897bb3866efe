"""The same jobs at ``/v2/evaluation/jobs``, as later clients of the microservices know them (section 10)."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response

from assay.jobs import control, logs
from assay.jobs.models import Job
from assay.jobs.publish_v1 import files
from assay.jobs.removal_v1 import remove
from assay.jobs.results_v1 import result_of
from assay.jobs.states import TERMINAL
from assay.jobs.steps import main_step, task_name
from assay.jobs.submit_v1 import RESULTS, submit_v1
from assay.jobs.views_v1 import JOBS, V1_JOBS, count_v1, described, find_v1, own_hosts
from assay.jobs.wire_v1 import JobCreateV2, JobReplyV2, error_json, job_id_v2, job_json_v2, status_v2, uid_of_v2
from assay.jobs.zipped import zipped
from assay.platform.api import wire_time
from assay.platform.auth import principal
from assay.platform.caller import Action
from assay.platform.errors import Conflict, NotFound
from assay.platform.openapi import BYTES, OpenApiParameter, OpenApiTypes
from assay.platform.v1 import DeletedV1, V1Endpoint, deleted, given, read_v1, v1_page
from assay.platform.v1_lists import AGES, V1List
from assay.workspaces.lookup import need

LOG_LINES = 1000
SCORES, ARTIFACTS = "evaluation-results", "artifacts"
JOBS_V2 = V1List(sorts=AGES | {"updated_at": "updated_at"}, filters=JOBS.filters, searches=JOBS.searches)


def _find(identifier: str) -> Job:
    try:
        return find_v1(uid_of_v2(identifier))
    except NotFound:
        raise NotFound(f"Job {identifier} not found") from None


class StatusV2(BaseModel):
    job_id: str
    status: str
    status_details: dict[str, Any]
    error_details: dict[str, Any]
    steps: list[Any]


class LogLineV2(BaseModel):
    timestamp: str
    job_id: str
    job_step: str
    job_task: str
    message: str


class LogPageV2(BaseModel):
    data: list[LogLineV2]
    next_page: str
    prev_page: str
    total: int


class JobsV2(V1Endpoint):
    @described("list_v2_evaluation_jobs", "List jobs", v1_page(JobReplyV2), 400, 422, parameters=JOBS_V2.query)
    def get(self, request: Request) -> Response:
        return JOBS_V2.reply(request, V1_JOBS, job_json_v2, count_v1)

    @described("create_v2_evaluation_job", "Evaluate a target", JobReplyV2, 400, 404, 409, 422, request=JobCreateV2)
    def post(self, request: Request) -> Response:
        asked = read_v1(request, JobCreateV2)
        about = given(asked, "spec", "namespace", "name")
        job = submit_v1(
            asked.spec.config,
            asked.spec.target,
            namespace=asked.namespace,
            name=asked.name,
            own_hosts=own_hosts(request),
            principal=principal(request),
            **about,
        )
        return Response(job_json_v2(find_v1(job.uid)))


class OneJobV2(V1Endpoint):
    @described("get_v2_evaluation_job", "Read a job", JobReplyV2, 404)
    def get(self, request: Request, identifier: str) -> Response:
        return Response(job_json_v2(_find(identifier)))

    @described("delete_v2_evaluation_job", "Delete a job; one that runs is stopped first", DeletedV1, 404, 409)
    def delete(self, request: Request, identifier: str) -> Response:
        remove(_find(identifier))
        return deleted(identifier)


class CancelJobV2(V1Endpoint):
    @described("cancel_v2_evaluation_job", "Stop a job for good", JobReplyV2, 404, 409, request=None)
    def post(self, request: Request, identifier: str) -> Response:
        job = _find(identifier)
        need(Action.WRITE, job.workspace)
        if job.state in TERMINAL:
            raise Conflict(f"Job {identifier} is {status_v2(job)} and cannot be cancelled.")
        control.cancel(job)
        return Response(job_json_v2(_find(identifier)))


class JobStatusV2(V1Endpoint):
    @described("get_v2_evaluation_job_status", "How far is the job?", StatusV2, 404)
    def get(self, request: Request, identifier: str) -> Response:
        shown = job_json_v2(job := _find(identifier))
        return Response(
            {
                "job_id": shown["id"],
                "status": shown["status"],
                "status_details": shown["status_details"],
                "error_details": error_json(job),
                "steps": [],
            }
        )


class JobLogsV2(V1Endpoint):
    @described(
        "get_v2_evaluation_job_logs",
        "Read the job's log, page by page",
        LogPageV2,
        400,
        404,
        parameters=[OpenApiParameter("page_cursor", str, description="The next_page or prev_page of an earlier page.")],
    )
    def get(self, request: Request, identifier: str) -> Response:
        job = _find(identifier)
        step = main_step(job)
        page = logs.read(job, [step], limit=LOG_LINES, cursor=request.query_params.get("page_cursor") or None)
        data = [
            {
                "timestamp": wire_time(line.at),
                "job_id": identifier,
                "job_step": line.step,
                "job_task": task_name(job, line.step),
                "message": line.message,
            }
            for line in page.lines
        ]
        pages = {"next_page": page.next or "", "prev_page": page.previous or ""}
        return Response({"data": data, **pages, "total": page.total})


class JobResultsV2(V1Endpoint):
    @described("list_v2_evaluation_job_results", "List what can be downloaded", OpenApiTypes.OBJECT, 404)
    def get(self, request: Request, identifier: str) -> Response:
        job = _find(identifier)
        about = {
            "job_id": job_id_v2(job),
            "namespace": job.workspace.name,
            "artifact_url": f"hf://datasets/{RESULTS}/{job.uid}",
            "artifact_storage_type": "nds",
            "created_at": wire_time(job.created_at),
            "updated_at": wire_time(job.updated_at),
        }
        data = [{"result_name": name, **about} for name in (SCORES, ARTIFACTS)]
        return Response({"object": "list", "data": data})


class DownloadScoresV2(V1Endpoint):
    @described("download_v2_evaluation_results", "Download the scores", OpenApiTypes.OBJECT, 404)
    def get(self, request: Request, identifier: str) -> Response:
        found = result_of(_find(identifier))
        return Response({"tasks": found["tasks"], "groups": found["groups"]})


class DownloadArtifactsV2(V1Endpoint):
    @described(
        "download_v2_evaluation_artifacts",
        "Download everything as a ZIP archive",
        {BYTES: OpenApiTypes.BINARY},
        404,
    )
    def get(self, request: Request, identifier: str) -> HttpResponse | StreamingHttpResponse:
        job = _find(identifier)
        return StreamingHttpResponse(
            zipped(files(job, result_of(job)), job.created_at),
            content_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{identifier}.zip"'},
        )
