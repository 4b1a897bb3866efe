"""The doors to a job while it runs and after: how it comes along, what may be changed of it, what is judged again."""

from pydantic import BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.jobs import control, views, views_evaluate
from assay.jobs.custom_results import fold
from assay.jobs.finish import wire_summary
from assay.jobs.judged import find_job
from assay.jobs.options import Changes
from assay.jobs.rerun import rerun_failed
from assay.jobs.views import described
from assay.jobs.wire import EvaluationReply, evaluation_json
from assay.jobs.wire_control import ProgressReply
from assay.platform.api import Endpoint, read_body, read_query
from assay.platform.openapi import extend_schema_view


class ProgressQuery(BaseModel):
    aggregates: bool = Field(True, description="false leaves out the aggregates of the rows so far.")


class OneEvaluation(views_evaluate.OneEvaluation):
    @described(
        "change_evaluation",
        "Change parallelism, budget or cache of an evaluation that has not ended",
        EvaluationReply,
        404,
        409,
        422,
        request=Changes,
    )
    def patch(self, request: Request, workspace: str, name: str) -> Response:
        asked = read_body(request, Changes)
        return self.shown(control.change(find_job(workspace, name), **asked.fields()))


@extend_schema_view(
    post=described("pause_evaluation", "Stop an evaluation until it is resumed", EvaluationReply, 404, request=None)
)
class PauseEvaluation(views.PauseJob):
    wire = staticmethod(evaluation_json)


@extend_schema_view(
    post=described("resume_evaluation", "Go on with a paused evaluation", EvaluationReply, 404, 409, request=None)
)
class ResumeEvaluation(views.ResumeJob):
    wire = staticmethod(evaluation_json)


class RerunFailed(views.ShowsJob):
    wire = staticmethod(evaluation_json)

    @described(
        "rerun_failed_evaluation",
        "Judge again the rows of an ended evaluation that are not fully scored",
        EvaluationReply,
        404,
        409,
        request=None,
    )
    def post(self, request: Request, workspace: str, name: str) -> Response:
        return self.shown(rerun_failed(find_job(workspace, name)))


class EvaluationProgress(Endpoint):
    @described(
        "get_evaluation_progress",
        "How does the evaluation come along, and what does it wait for?",
        ProgressReply,
        404,
        422,
        parameters=[ProgressQuery],
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        job = find_job(workspace, name)
        asked = read_query(request, ProgressQuery)
        aggregates = wire_summary(job, fold(job)) if asked.aggregates else None
        return Response(ProgressReply.of(job, aggregates).model_dump(mode="json"))
