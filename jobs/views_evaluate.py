"""The doors of jobs as evaluations (``/apis/evaluator/…/evaluate/jobs``): those of `views.py` with another reply."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from assay.evaluator.submission import read_submission
from assay.evaluator.wire import WRITTEN_BY_USERS, JobRequest
from assay.jobs import views
from assay.jobs.models import Job, Result
from assay.jobs.submit import submit
from assay.jobs.views import LOG_REPLY, LogQuery, described, downloads
from assay.jobs.wire import EvaluationReply, JobStatusReply, ResultList, ResultReply, evaluation_json
from assay.jobs.wire_steps import ExecutionProfile
from assay.platform.api import Endpoint, Listing, read_body
from assay.platform.auth import principal
from assay.platform.errors import Invalid
from assay.platform.openapi import extend_schema_view, list_query
from assay.platform.wire import Cascade, page_of
from assay.workspaces.lookup import list_in
from assay.workspaces.models import Project, Workspace

EVALUATIONS = Listing(
    size=10,
    largest=1000,
    sorts=views.TIMES,
    filters=views.FILTERS,
    empty_pages=1,
    omit_null=True,
    verbatim=WRITTEN_BY_USERS | {"ownership", "custom_fields"},
)


class Evaluations(Endpoint):
    @described(
        "list_evaluations",
        "List evaluations",
        page_of(EvaluationReply, omit_null=True),
        400,
        404,
        422,
        parameters=list_query(EVALUATIONS),
    )
    def get(self, request: Request, workspace: str) -> Response:
        return list_in(workspace, EVALUATIONS, request, views.LISTED, evaluation_json, counted=True)

    @described("create_evaluation", "Submit an evaluation", EvaluationReply, 409, 422, status=201, request=JobRequest)
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
        return Response(evaluation_json(job), status=201)


def _check_references(workspace: Workspace, asked: JobRequest) -> None:
    if asked.profile not in {None, ExecutionProfile().profile}:
        step = "evaluation" if "metric" in asked.spec.model_fields_set else "evaluate"
        raise Invalid(f"The execution profile 'cpu/{asked.profile}' specified in step '{step}' does not exist.")
    if asked.project is not None and not Project.objects.filter(workspace=workspace, name=asked.project).exists():
        raise Invalid(f"Invalid job request. Project '{asked.project}' not found in workspace '{workspace.name}'.")


class AsEvaluation:
    """Shows a job as an evaluation."""

    def wire(self, job: Job) -> dict[str, Any]:
        return evaluation_json(job)


class DownloadUrl:
    """Results of evaluations say where they can be fetched."""

    def download_url(self, request: Request, result: Result) -> str:
        job = f"/apis/evaluator/v2/workspaces/{result.job.workspace}/evaluate/jobs/{result.job.name}"
        return request.build_absolute_uri(f"{job}/results/{result.name}/download")


@extend_schema_view(
    get=described("get_evaluation", "Read an evaluation", EvaluationReply, 404),
    delete=described(
        "delete_evaluation",
        "Delete an evaluation that has ended",
        None,
        404,
        409,
        422,
        status=204,
        parameters=[Cascade],
    ),
)
class OneEvaluation(AsEvaluation, views.OneJob):
    """A job at the evaluator's address."""


@extend_schema_view(post=described("cancel_evaluation", "Stop an evaluation", EvaluationReply, 404, request=None))
class CancelEvaluation(AsEvaluation, views.CancelJob):
    """Cancels at the evaluator's address."""


@extend_schema_view(get=described("get_evaluation_status", "How far is the evaluation?", JobStatusReply, 404))
class EvaluationStatus(views.JobStatus):
    """The status of a job, at the evaluator's address."""


@extend_schema_view(
    get=described(
        "get_evaluation_logs", "Read the evaluation's log", LOG_REPLY, 400, 404, 422, 503, parameters=[LogQuery]
    )
)
class EvaluationLogs(views.JobLogs):
    """The log of a job, at the evaluator's address."""


@extend_schema_view(get=described("list_evaluation_results", "List the results, newest first", ResultList, 404))
class EvaluationResults(DownloadUrl, views.JobResults):
    """The results of a job, at the evaluator's address."""


@extend_schema_view(get=described("get_evaluation_result", "Read where a result is", ResultReply, 404))
class OneEvaluationResult(DownloadUrl, views.OneJobResult):
    """A result of a job, at the evaluator's address."""


@extend_schema_view(get=downloads("download_evaluation_result"))
class DownloadEvaluationResult(views.DownloadJobResult):
    """The content of a result, at the evaluator's address."""
