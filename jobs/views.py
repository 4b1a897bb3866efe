"""The doors of jobs: as evaluations (``…/evaluate/jobs``), and as jobs of the platform (``/apis/jobs/v2``).

Both show the same jobs, so most evaluation doors are those of the platform with another reply.
"""

from typing import Any, ClassVar

from django.db.models import CharField, ExpressionWrapper, F, QuerySet, Value
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiTypes, extend_schema, extend_schema_view
from pydantic import BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.evaluator.submission import read_submission
from assay.evaluator.wire import JobRequest
from assay.filesets import local
from assay.filesets.ranges import Pieces, Span, read_range
from assay.jobs import control, logs, results
from assay.jobs.models import Job, Result, State
from assay.jobs.steps import Step, step_names, steps_of
from assay.jobs.submit import submit
from assay.jobs.wire import EvaluationReply, JobReply, LogReply, ResultList, ResultReply, StatusReply
from assay.jobs.wire_steps import ExecutionProfile, StepEntry, StepReply, TaskList, TaskReply
from assay.platform.api import Endpoint, Listing, flag, read_body, read_query
from assay.platform.auth import principal
from assay.platform.errors import BadRequest, Forbidden, Invalid, NotFound
from assay.platform.openapi import CASCADE, LIST_QUERY, refusals
from assay.platform.wire import page_of
from assay.workspaces import deletion
from assay.workspaces.lookup import in_workspace
from assay.workspaces.models import Project, Workspace

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
EVALUATIONS = Listing(size=10, largest=1000, sorts=TIMES, filters=FILTERS, empty_pages=1)
JOBS = Listing(
    size=10,
    largest=1000,
    sorts={**TIMES, "source": "source"},
    filters={**FILTERS, "source": "source"},
    empty_pages=1,
)
STATUS_FIELDS = (
    "uid", "name", "dialect", "dataset_fileset", "state", "message", "error", "rows_total", "rows_done",
    "created_at", "updated_at", "active_at", "finished_at",
)  # fmt: skip


def described(operation: str, summary: str, reply: Any, *refused: int, status: int = 200, **also: Any) -> Any:
    """Describe one operation; its tag is the second word of its name."""
    tag = {"evaluation": "Evaluations"}.get(operation.split("_")[1].rstrip("s"), "Jobs")
    responses = {status: reply, **refusals(*refused)}
    return extend_schema(operation_id=operation, summary=summary, tags=[tag], responses=responses, **also)


# Finding


def _listed(workspace: str) -> QuerySet[Job]:
    states = [*State.choices, (RESUMING, RESUMING)]
    rows = in_workspace(Job.objects.all(), workspace).select_related("result_fileset").defer("metrics", "forms")
    return rows.alias(
        status=ExpressionWrapper(F("state"), CharField(choices=states)), entity_type=Value("platform_job", CharField())
    )


def _find(rows: QuerySet[Job], workspace: str, name: str) -> Job:
    job = rows.filter(workspace__name=workspace, name=name).first()
    if job is None:
        raise NotFound(f"Job '{name}' not found in workspace '{workspace}'.")
    return job


def _job(workspace: str, name: str) -> Job:
    rows = Job.objects.select_related("workspace", "result_fileset").defer("metrics", "forms")
    return _find(rows, workspace, name)


def _light_job(workspace: str, name: str) -> Job:
    """Return the job without what it was submitted with, which may be megabytes."""
    return _find(Job.objects.only(*STATUS_FIELDS), workspace, name)


def _step(workspace: str, job: str, name: str) -> Step:
    for step in steps_of(_job(workspace, job)):
        if step.name == name:
            return step
    raise NotFound(f"Step '{name}' for job '{job}' not found in workspace '{workspace}'.")


# Jobs of the platform


class Jobs(Endpoint):
    @described("list_jobs", "List jobs", page_of(JobReply), 400, 404, 422, parameters=LIST_QUERY)
    def get(self, request: Request, workspace: str) -> Response:
        return JOBS.reply(request, _listed(workspace), lambda job: JobReply.of(job, listed=True).listed())

    @described("create_job", "Refused: nobody's commands are run here", None, 403, status=201, request=None)
    def post(self, request: Request, workspace: str) -> Response:
        raise Forbidden(
            "This platform runs evaluations only, never a command that a caller chose. "
            f"Create an evaluation at /apis/evaluator/v2/workspaces/{workspace}/evaluate/jobs."
        )


class OneJob(Endpoint):
    reply: ClassVar[type[JobReply] | type[EvaluationReply]] = JobReply

    @described("get_job", "Read a job", JobReply, 404)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(_job(workspace, name))

    @described(
        "delete_job", "Delete a job that has ended, and its results", None, 404, 409, status=204, parameters=CASCADE
    )
    def delete(self, request: Request, workspace: str, name: str) -> Response:
        deletion.delete(_light_job(workspace, name), cascade=flag(request.query_params, "cascade"))
        return Response(status=204)

    def shown(self, job: Job) -> Response:
        return Response(self.reply.of(job).model_dump(mode="json"))


class CancelJob(OneJob):
    http_method_names = ["post", "options"]

    @described("cancel_job", "Stop a job for good; its rows so far are kept", JobReply, 404, request=None)
    def post(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(control.cancel(_job(workspace, name)))


class PauseJob(OneJob):
    http_method_names = ["post", "options"]

    @described("pause_job", "Stop a job until it is resumed", JobReply, 404, request=None)
    def post(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(control.pause(_job(workspace, name)))


class ResumeJob(OneJob):
    http_method_names = ["post", "options"]

    @described("resume_job", "Go on with a paused job", JobReply, 404, request=None)
    def post(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(control.resume(_job(workspace, name)))


class JobStatus(Endpoint):
    @described("get_job_status", "How far is the job?", StatusReply, 404)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        return Response(StatusReply.of(_light_job(workspace, name)).model_dump(mode="json"))


class LogQuery(BaseModel):
    limit: int | None = Field(None, ge=1, le=10_000)
    page_cursor: str | None = None
    tail: int | None = Field(None, ge=1, le=10_000)
    attempt_id: str | None = None
    step_id: str | None = None
    task_id: str | None = None

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
    @described("get_job_logs", "Read the job's log, page by page or its end", LogReply, 400, 404, 422)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        asked = read_query(request, LogQuery)
        if asked.tail is not None and (asked.limit is not None or asked.page_cursor is not None):
            raise BadRequest("Give tail, or limit and page_cursor, but not both.")
        job = _light_job(workspace, name)
        steps = asked.steps(job)
        if asked.tail is not None:
            page = logs.read_tail(job, asked.tail, steps)
        else:
            page = logs.read(job, steps, limit=asked.limit or 100, cursor=asked.page_cursor)
        return Response(LogReply.of(job, page).model_dump(mode="json"))


class JobResults(Endpoint):
    @described("list_job_results", "List the job's results, newest first", ResultList, 404)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        found = results.results_of(_light_job(workspace, name))
        return Response({"data": [self.shown(request, result) for result in found]})

    def shown(self, request: Request, result: Result) -> dict[str, Any]:
        return ResultReply.of(result, self.download_url(request, result)).model_dump(mode="json")

    def download_url(self, request: Request, result: Result) -> str | None:
        return None


class OneJobResult(JobResults):
    @described("get_job_result", "Read where a result is", ResultReply, 404)
    def get(self, request: Request, workspace: str, name: str, result: str) -> Response:  # type: ignore[override]
        return Response(self.shown(request, results.find_result(workspace, name, result)))


class DownloadJobResult(Endpoint):
    @described("download_job_result", "Download a result", OpenApiTypes.BINARY, 404, 416)
    def get(self, request: Request, workspace: str, name: str, result: str) -> StreamingHttpResponse:
        return _file_of(request, results.find_result(workspace, name, result))


def _file_of(request: Request, result: Result) -> StreamingHttpResponse:
    fileset, path = result.job.result_fileset, results.path_of(result.job, result.name)
    stored = local.find(fileset, path)
    asked = request.headers.get("Range")
    span = read_range(asked, stored.size) if asked else Span(0, stored.size)
    archive = result.name == results.ARTIFACTS
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(len(span)),
        "Content-Disposition": f'attachment; filename="{result.name}{".tar.gz" if archive else ""}"',
        "ETag": f'"{stored.etag}"',
    }
    if asked:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{stored.size}"
    return StreamingHttpResponse(
        Pieces(local.content(fileset, path), span),
        status=206 if asked else 200,
        content_type="application/x-tar" if archive else "application/octet-stream",
        headers=headers,
    )


class JobSteps(Endpoint):
    LISTING: ClassVar[Listing]

    @described("list_job_steps", "List the job's steps", page_of(StepEntry), 404)
    def get(self, request: Request, workspace: str, name: str) -> Response:
        found = [StepEntry.of(step).listed() for step in steps_of(_job(workspace, name))]
        pagination = {"page": 1, "page_size": 25, "current_page_size": len(found), "total_pages": 1}
        return Response(
            {
                "data": found,
                "pagination": {**pagination, "total_results": len(found)},
                "sort": "created_at",
                "filter": {"job": name},
            }
        )


class OneJobStep(Endpoint):
    @described("get_job_step", "Read a step", StepReply, 404)
    def get(self, request: Request, workspace: str, name: str, step: str) -> Response:
        return Response(StepReply.of(_step(workspace, name, step)).model_dump(mode="json"))


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
    @described("list_job_execution_profiles", "List what jobs can run on", list[ExecutionProfile])
    def get(self, request: Request) -> Response:
        return Response([ExecutionProfile().model_dump(mode="json")])


# Evaluations


class Evaluations(Endpoint):
    @described("list_evaluations", "List evaluations", page_of(EvaluationReply), 400, 404, 422, parameters=LIST_QUERY)
    def get(self, request: Request, workspace: str) -> Response:
        return EVALUATIONS.reply(request, _listed(workspace), lambda job: EvaluationReply.of(job).listed())

    @described(
        "create_evaluation", "Submit an evaluation", EvaluationReply, 409, 422, status=201, request=JobRequest
    )
    def post(self, request: Request, workspace: str) -> Response:
        asked = read_body(request, JobRequest)
        # In a workspace that is not there, what is wrong with the request itself is still said first.
        home = Workspace.objects.filter(name=workspace).first()
        submission = read_submission(home or Workspace(name=workspace), asked.spec)
        if home is None:
            raise Invalid(f"Workspace '{workspace}' does not exist. Please create the workspace first.")
        _check_references(home, asked)
        job = submit(
            home,
            submission,
            name=asked.name,
            description=asked.description,
            project=asked.project,
            ownership=asked.ownership,
            custom_fields=asked.custom_fields,
            output_location=asked.output_location,
            principal=principal(request),
        )
        return Response(EvaluationReply.of(job).model_dump(mode="json"), status=201)


def _check_references(workspace: Workspace, asked: JobRequest) -> None:
    if asked.profile not in {None, ExecutionProfile().profile}:
        step = "evaluation" if "metric" in asked.spec.model_fields_set else "evaluate"
        raise Invalid(f"The execution profile 'cpu/{asked.profile}' specified in step '{step}' does not exist.")
    if asked.project is not None and not Project.objects.filter(workspace=workspace, name=asked.project).exists():
        raise Invalid(f"Invalid job request. Project '{asked.project}' not found in workspace '{workspace.name}'.")


@extend_schema_view(
    get=described("get_evaluation", "Read an evaluation", EvaluationReply, 404),
    delete=described("delete_evaluation", "Delete an evaluation that has ended", None, 404, 409, status=204),
)
class OneEvaluation(OneJob):
    reply = EvaluationReply


@extend_schema_view(post=described("cancel_evaluation", "Stop an evaluation for good", EvaluationReply, 404, request=None))
class CancelEvaluation(CancelJob):
    reply = EvaluationReply


@extend_schema_view(get=described("get_evaluation_status", "How far is the evaluation?", StatusReply, 404))
class EvaluationStatus(JobStatus):
    pass


@extend_schema_view(get=described("get_evaluation_logs", "Read the evaluation's log", LogReply, 400, 404, 422))
class EvaluationLogs(JobLogs):
    pass
