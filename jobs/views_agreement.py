"""The doors of agreement with people and of comparisons between jobs. Nothing is kept of either."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from assay.jobs.agreement import agreement_of
from assay.jobs.comparison import comparison_of
from assay.jobs.judged import find_job
from assay.jobs.views import described
from assay.jobs.wire_agreement import (
    AgreementQuery,
    AgreementReply,
    ComparisonReply,
    ComparisonRequest,
)
from assay.platform.api import Endpoint, read_body, read_query
from assay.platform.caller import Action


class EvaluationAgreement(Endpoint):
    @described(
        "get_evaluation_agreement",
        "How well does the judge agree with people, on the rows so far?",
        AgreementReply,
        404,
        422,
        parameters=[AgreementQuery],
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        asked = read_query(request, AgreementQuery)
        job = find_job(workspace, name)
        found = agreement_of(job, asked.column, score=asked.score, resamples=asked.resamples, seed=asked.seed)
        return Response(AgreementReply.of(job, found).model_dump(mode="json"))


class Comparisons(Endpoint):
    needs: ClassVar = {"POST": Action.READ}

    @described(
        "compare_evaluations",
        "How do evaluations of the same rows differ, and is it more than chance?",
        ComparisonReply,
        404,
        422,
        request=ComparisonRequest,
    )
    def post(self, request: Request, workspace: str) -> Response:
        asked = read_body(request, ComparisonRequest)
        jobs = [find_job(workspace, name) for name in asked.jobs]
        found = comparison_of(jobs, **asked.model_dump(exclude={"jobs"}))
        return Response(ComparisonReply.of(jobs, found).model_dump(mode="json"))
