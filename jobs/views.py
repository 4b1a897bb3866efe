"""The doors of jobs as the platform's (``/apis/jobs/v2``). `views_evaluate.py` shows the same jobs as evaluations."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import CharField, ExpressionWrapper, F, QuerySet, Value
from django.http import StreamingHttpResponse
from pydantic import BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.filesets import local
from assay.filesets.ranges import Pieces, Span, read_range
from assay.jobs import control, logs, results
from assay.jobs.followed import MEDIA_TYPE, FollowedLog
from assay.jobs.models import Job, Result, State
from assay.jobs.shown_spec import with_spec_text
from assay.jobs.steps import Step, step_names, steps_of
from assay.jobs.wire import (
    JobReply,
    JobStatusReply,
    LogReply,
    ResultList,
    ResultReply,
    job_json,
    log_json,
    result_json,
    status_json,
)
from assay.jobs.wire_steps import (
    ExecutionProfile,
    StepEntry,
    StepReply,
    TaskList,
    TaskReply,
    step_entry_json,
    step_json,
)
from assay.platform.api import Endpoint, Listing, only, page_model, read_query, without_nulls
from assay.platform.errors import BadRequest, Forbidden, NotFound, Unavailable
from assay.platform.openapi import (
    BYTES,
    JSON,
    RANGE,
    OpenApiTypes,
    answers,
    extend_schema,
    list_query,
    refusals,
)
from assay.platform.wire import Cascade, ErrorReply, Pagination, list_of, page_of
from assay.workspaces import deletion
from assay.workspaces.lookup import list_in

RESUMING = "resuming"
"""A state of the contract that no job of ours stays in; one may ask for it all the same."""
TIMES = {"created_at": "created_at", "updated_at": "updated_at"}
FILTERS = {
    **TIMES,
    "id": "uid",
    "name": "name",
    "project": "project",
    "status": "status",
    "workspace": "workspace__name",
    "entity_type": "entity_type",
}
VERBATIM = {"spec", "config", "ownership", "custom_fields"}
"""Members in which a null is not ours to leave out."""
JOBS = Listing(
    size=10,
    largest=1000,
    sorts={**TIMES, "source": "source"},
    filters={**FILTERS, "source": "source"},
    empty_pages=1,
    omit_null=True,
    verbatim=VERBATIM,
)
STATUS_FIELDS = (
    "uid", "name", "dialect", "dataset_fileset", "state", "message", "error", "rows_total", "rows_done",
    "created_at", "updated_at", "active_at", "finished_at",
)  # fmt: skip
SHOWN_FIELDS = (
    *STATUS_FIELDS, "project", "description", "source", "ownership", "custom_fields", "output_location", "created_by",
    "workspace",
)  # fmt: skip
LIGHT = Job.objects.only(*STATUS_FIELDS)
"""Without what the job was submitted with, which may be megabytes."""
PLACED = Job.objects.select_related("workspace", "result_fileset").only(
    *STATUS_FIELDS, "project", "workspace__name", "result_fileset__name"
)
"""What its results say of a job."""
WHOLE = with_spec_text(PLACED.only(*SHOWN_FIELDS, "workspace__name", "result_fileset__name"))
LISTED = with_spec_text(Job.objects.only(*SHOWN_FIELDS)).alias(
    status=ExpressionWrapper(F("state"), CharField(choices=[*State.choices, (RESUMING, RESUMING)])),
    entity_type=Value("platform_job", CharField()),
)
"""With the fields by which lists may be filtered."""
LISTED_WITH_FILESET = LISTED.select_related("result_fileset").only(*SHOWN_FIELDS, "result_fileset__name")


Method = TypeVar("Method", bound=Callable[..., Any])


def described(
    operation: str, summary: str, reply: Any, *refused: int, status: int | tuple[int, ...] = 200, **also: Any
) -> Callable[[Method], Method]:
    """Describe one operation of the API; ``reply`` is a model, or what there is by media type."""
    tag = "Evaluations" if "_evaluation" in operation else "Jobs"
    responses = refusals(*refused)
    for each in status if isinstance(status, tuple) else (status,):
        responses |= answers(each, reply)
    return extend_schema(operation_id=operation, summary=summary, tags=[tag], responses=responses, **also)


# Finding


def _find(rows: QuerySet[Job], workspace: str, name: str) -> Job:
    job = only(rows.filter(workspace__name=workspace, name=name))
    if job is None:
        raise NotFound(f"Job '{name}' not found in workspace '{workspace}'.")
    return job


def _job(workspace: str, name: str) -> Job:
    return _find(WHOLE, workspace, name)


def _light_job(workspace: str, name: str) -> Job:
    return _find(LIGHT, workspace, name)


def _step(workspace: str, job: str, name: str) -> Step:
    for step in steps_of(_job(workspace, job)):
        if step.name == name:
            return step
    raise NotFound(f"Step '{name}' for job '{job}' not found in workspace '{workspace}'.")


# Jobs of the platform


class Jobs(Endpoint):
    @described("list_jobs", "List jobs", page_of(JobReply, omit_null=True), 400, 404, 422, parameters=list_query(JOBS))
    def get(self, request: Request, workspace: str) -> Response:
        return list_in(workspace, JOBS, request, LISTED_WITH_FILESET, job_json, counted=True)

    @described("create_job", "Refused: nobody's commands are run here", ErrorReply, status=403, request=None)
    def post(self, request: Request, workspace: str) -> Response:
        raise Forbidden(
            "This platform runs evaluations only, never a command that a caller chose. "
            f"Create an evaluation at /apis/evaluator/v2/workspaces/{workspace}/evaluate/jobs."
        )


class ShowsJob(Endpoint):
    def shown(self, job: Job) -> Response:
        return Response(self.wire(job))

    def wire(self, job: Job) -> dict[str, Any]:
        return job_json(job)


class OneJob(ShowsJob):
    @described("get_job", "Read a job", JobReply, 404)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(_job(workspace, name))

    @described(
        "delete_job",
        "Delete a job that has ended, and its results",
        None,
        404,
        409,
        422,
        status=204,
        parameters=[Cascade],
    )
    def delete(self, request: Request, workspace: str, name: str) -> Response:
        deletion.delete(_light_job(workspace, name), cascade=read_query(request, Cascade).cascade)
        return Response(status=204)


class CancelJob(ShowsJob):
    @described("cancel_job", "Stop a job for good; its rows so far are kept", JobReply, 404, request=None)
    def post(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(control.cancel(_job(workspace, name)))


class PauseJob(ShowsJob):
    @described("pause_job", "Stop a job until it is resumed", JobReply, 404, request=None)
    def post(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(control.pause(_job(workspace, name)))


class ResumeJob(ShowsJob):
    @described("resume_job", "Go on with a paused job", JobReply, 404, request=None)
    def post(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(control.resume(_job(workspace, name)))


class JobStatus(Endpoint):
    @described("get_job_status", "How far is the job?", JobStatusReply, 404)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        return Response(status_json(_light_job(workspace, name)))


LOG_REPLY = {JSON: LogReply, MEDIA_TYPE: OpenApiTypes.BINARY}


class LogQuery(BaseModel):
    limit: int | None = Field(None, ge=1, le=10_000, description="Lines on a page; 100 if not said.")
    page_cursor: str | None = Field(None, description="The next_page or prev_page of an earlier page.")
    tail: int | None = Field(None, ge=1, le=10_000, description="Instead of a page, the last so many lines.")
    follow: bool = Field(False, description="Stream lines as JSON, one a line, until the job ends.")
    attempt_id: str | None = Field(None, description="Only lines of this attempt.")
    step_id: str | None = Field(None, description="Only lines of this step.")
    task_id: str | None = Field(None, description="Only lines of this task.")

    def steps(self, job: Job) -> list[str]:
        """Return the names of the job's steps whose lines are asked for."""
        return [
            name
            for name, step in ((name, Step(job, name, job.state, {})) for name in step_names(job))
            if self.attempt_id in {None, job.attempt_id}
            and self.step_id in {None, step.id, name}
            and self.task_id in {None, step.task_id, step.task_name}
        ]


class JobLogs(Endpoint):
    @described(
        "get_job_logs",
        "Read the job's log, page by page or its end, or follow it",
        LOG_REPLY,
        400,
        404,
        422,
        503,
        parameters=[LogQuery],
    )
    def get(self, request: Request, workspace: str, name: str) -> Response | StreamingHttpResponse:
        asked = read_query(request, LogQuery)
        if asked.tail is not None and (asked.limit is not None or asked.page_cursor is not None):
            raise BadRequest("Give tail, or limit and page_cursor, but not both.")
        job = _light_job(workspace, name)
        steps = asked.steps(job)
        if asked.follow:
            return _followed(job, steps, asked)
        if asked.tail is not None:
            page = logs.read_tail(job, steps, asked.tail)
        else:
            page = logs.read(job, steps, limit=asked.limit or 100, cursor=asked.page_cursor)
        return Response(log_json(job, page))


def _followed(job: Job, steps: list[str], asked: LogQuery) -> Response | StreamingHttpResponse:
    try:
        following = logs.Following(job, steps, cursor=asked.page_cursor, tail=asked.tail)
    except logs.TooManyFollow:
        detail = f"{logs.FOLLOWERS} others follow a log here already. Try again soon, or read it page by page."
        return Response({"detail": detail}, status=503, headers={"Retry-After": "5"})
    return StreamingHttpResponse(FollowedLog(job, following), content_type=MEDIA_TYPE)


class ShowsResult(Endpoint):
    def shown(self, request: Request, result: Result) -> dict[str, Any]:
        return result_json(result, self.download_url(request, result))

    def download_url(self, request: Request, result: Result) -> str | None:
        return None


class JobResults(ShowsResult):
    @described("list_job_results", "List the job's results, newest first", ResultList, 404)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        job = _find(PLACED, workspace, name)
        found = results.results_of(job).select_related(None).only("name", "created_at", "job")
        for result in found:
            result.job = job
        return Response({"data": [self.shown(request, result) for result in found]})


class OneJobResult(ShowsResult):
    @described("get_job_result", "Read where a result is", ResultReply, 404)
    def get(self, request: Request, workspace: str, name: str, result: str) -> Response:
        return Response(self.shown(request, results.find_result(workspace, name, result)))


ARTIFACTS_TYPE = "application/x-tar"
RESULT_FILE = dict.fromkeys((BYTES, ARTIFACTS_TYPE), OpenApiTypes.BINARY)


def downloads(operation: str) -> Callable[[Method], Method]:
    """Describe the download of a result."""
    return described(
        operation,
        "Download a result, or one range of it",
        RESULT_FILE,
        404,
        416,
        503,
        status=(200, 206),
        parameters=[RANGE],
    )


class DownloadJobResult(Endpoint):
    @downloads("download_job_result")
    def get(self, request: Request, workspace: str, name: str, result: str) -> StreamingHttpResponse:
        return _file_of(request, results.find_result(workspace, name, result))


def _file_of(request: Request, result: Result) -> StreamingHttpResponse:
    job = result.job
    file, place = local.content(job.result_fileset, results.path_of(job, result.name))
    asked = request.headers.get("Range")
    span = Span(0, file.size) if asked is None else read_range(asked, file.size)
    archive = result.name == results.ARTIFACTS
    headers = {
        "Content-Type": ARTIFACTS_TYPE if archive else BYTES,
        "Content-Disposition": f'attachment; filename="{result.name}{".tar.gz" if archive else ""}"',
        "Content-Length": str(len(span)),
        "Accept-Ranges": "bytes",
        "ETag": f'"{file.etag}"',
    }
    if asked is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
    try:
        pieces = Pieces(place, span)
    except FileNotFoundError:
        raise Unavailable(f"The content of '{result.name}' is missing from this server's data folder.") from None
    return StreamingHttpResponse(pieces, status=200 if asked is None else 206, headers=headers)


STEPS_PAGE = page_model(25, 1000, tuple(TIMES), "created_at")


class JobSteps(Endpoint):
    @described(
        "list_job_steps", "List the job's steps", page_of(StepEntry, omit_null=True), 404, 422, parameters=[STEPS_PAGE]
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        asked = read_query(request, STEPS_PAGE)
        steps = steps_of(_job(workspace, name))
        if asked.sort.startswith("-"):
            steps.reverse()
        shown = steps[(asked.page - 1) * asked.page_size :][: asked.page_size]
        pagination = Pagination(
            page=asked.page,
            page_size=asked.page_size,
            current_page_size=len(shown),
            total_pages=-(-len(steps) // asked.page_size),
            total_results=len(steps),
        )
        return Response(
            {
                "data": [without_nulls(step_entry_json(step), VERBATIM) for step in shown],
                "pagination": pagination.model_dump(mode="json"),
                "sort": asked.sort,
                "filter": {"job": name},
            }
        )


class OneJobStep(Endpoint):
    @described("get_job_step", "Read a step", StepReply, 404)
    def get(self, request: Request, workspace: str, name: str, step: str) -> Response:
        return Response(step_json(_step(workspace, name, step)))


class JobTasks(Endpoint):
    @described("list_job_tasks", "List a step's tasks", TaskList, 404)
    def get(self, request: Request, workspace: str, name: str, step: str) -> Response:
        tasks = TaskReply.all_of(_step(workspace, name, step))
        return Response({"data": [task.model_dump(mode="json") for task in tasks]})


class OneJobTask(Endpoint):
    @described("get_job_task", "Read a task", TaskReply, 404)
    def get(self, request: Request, workspace: str, name: str, step: str, task: str) -> Response:
        for found in TaskReply.all_of(_step(workspace, name, step)):
            if found.name == task:
                return Response(found.model_dump(mode="json"))
        raise NotFound(f"Task '{task}' of step '{step}' for job '{name}' not found in workspace '{workspace}'.")


class ExecutionProfiles(Endpoint):
    @described("list_job_execution_profiles", "List what jobs can run on", list_of(ExecutionProfile))
    def get(self, request: Request) -> Response:
        return Response([ExecutionProfile().model_dump(mode="json")])
