"""The doors of the evaluator: its health, stored metrics, eval results. Jobs have their own (`jobs/views.py`)."""

from typing import Annotated

from django.db.models import BooleanField, CharField, TextField, Value
from django.db.models.functions import Cast
from pydantic import BaseModel, Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.evaluator.eval_results import delete_result
from assay.evaluator.metrics import find_metric, keep
from assay.evaluator.models import EvalResult, StoredMetric
from assay.evaluator.wire import (
    WRITTEN_BY_USERS,
    Bundle,
    EvalResultReply,
    EvaluatorHealthReply,
    MetricReply,
    eval_result_json,
)
from assay.platform.api import Endpoint, Listing, check, only, read_body, read_query
from assay.platform.errors import NotFound
from assay.platform.openapi import OpenApiParameter, extend_schema, list_query, refusals
from assay.platform.wire import Cascade, Name, page_of
from assay.workspaces import deletion
from assay.workspaces.lookup import list_in, workspace_for_create

TIMES_AND_NAME = {"name": "name", "created_at": "created_at", "updated_at": "updated_at"}
COMMON_FILTERS = {
    **TIMES_AND_NAME,
    "id": "uid",
    "workspace": "workspace__name",
    "project": "project",
    "entity_type": "entity_type",
}
METRICS = Listing(
    size=100,
    largest=1000,
    sorts=TIMES_AND_NAME,
    default_sort="created_at",
    filters={**COMMON_FILTERS, "metric_type": "metric_type", "description": "description", "derived": "derived"},
    omit_null=True,
    verbatim=WRITTEN_BY_USERS,
)
EVAL_RESULTS = Listing(
    size=100,
    largest=1000,
    sorts=TIMES_AND_NAME,
    filters={
        **COMMON_FILTERS,
        "job_id": "name",
        "dataset_ref": "dataset_ref",
        "target_kind": "target",
        "target_name": "target",
    },
    omit_null=True,
)
RESULTS = EvalResult.objects.defer("scores").annotate(scores_text=Cast("scores", TextField()))
"""Their scores are passed on as the text that the database holds."""
LISTED_RESULTS = RESULTS.alias(
    target=Value(None, CharField(null=True)), entity_type=Value("evaluate_result", CharField())
)


class EvaluatorHealth(Endpoint):
    @extend_schema(
        operation_id="evaluator_health",
        summary="Is the evaluator there?",
        tags=["Health"],
        responses=EvaluatorHealthReply,
    )
    def get(self, request: Request) -> Response:
        return Response(EvaluatorHealthReply().model_dump(mode="json"))


class MetricPath(BaseModel):
    name: Annotated[str, Field(pattern=r"^[\w\-\.]+$", max_length=255)]


class NewMetricPath(BaseModel):
    name: Name


class NewMetricQuery(BaseModel):
    project: str | None = Field(
        None, min_length=1, max_length=63, description="The project that the metric belongs to."
    )


def _named(*paths: type[BaseModel]) -> OpenApiParameter:
    """Return the description of a name that all of these models take."""
    forms = [path.model_json_schema()["properties"]["name"] for path in paths]
    return OpenApiParameter("name", {"type": "string", "allOf": forms}, OpenApiParameter.PATH)


class StoredMetrics(Endpoint):
    @extend_schema(
        operation_id="list_metrics",
        summary="List stored metrics",
        tags=["Metrics"],
        parameters=list_query(METRICS),
        responses={200: page_of(MetricReply, omit_null=True), **refusals(400, 404, 422)},
    )
    def get(self, request: Request, workspace: str) -> Response:
        rows = StoredMetric.objects.alias(
            derived=Value(False, BooleanField()), entity_type=Value("metric_bundle", CharField())
        )
        return list_in(workspace, METRICS, request, rows, lambda metric: MetricReply.of(metric).model_dump(mode="json"))


class OneStoredMetric(Endpoint):
    @extend_schema(
        operation_id="create_metric",
        summary="Store a metric bundle under a name, for good",
        tags=["Metrics"],
        parameters=[_named(MetricPath, NewMetricPath), NewMetricQuery],
        request=Bundle,
        responses={201: MetricReply, **refusals(409, 422)},
    )
    def post(self, request: Request, workspace: str, name: str) -> Response:
        check(MetricPath, {"name": name}, "path")
        check(NewMetricPath, {"name": name}, "path")
        project = read_query(request, NewMetricQuery).project
        bundle = read_body(request, Bundle)
        metric = keep(workspace_for_create(workspace), name, bundle, project)
        return Response(MetricReply.of(metric).model_dump(mode="json"), status=201)

    @extend_schema(
        operation_id="get_metric",
        summary="Get a stored metric",
        tags=["Metrics"],
        parameters=[_named(MetricPath)],
        responses={200: MetricReply, **refusals(404, 422)},
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        check(MetricPath, {"name": name}, "path")
        return Response(MetricReply.of(find_metric(workspace, name)).model_dump(mode="json"))

    @extend_schema(
        operation_id="delete_metric",
        summary="Delete a stored metric; jobs that were made from it keep theirs",
        tags=["Metrics"],
        parameters=[_named(MetricPath), Cascade],
        responses={204: None, **refusals(404, 422)},
    )
    def delete(self, request: Request, workspace: str, name: str) -> Response:
        check(MetricPath, {"name": name}, "path")
        deletion.delete(find_metric(workspace, name), cascade=read_query(request, Cascade).cascade)
        return Response(status=204)


class EvalResults(Endpoint):
    @extend_schema(
        operation_id="list_eval_results",
        summary="List the results of finished jobs, deleted ones included",
        tags=["Eval results"],
        parameters=list_query(EVAL_RESULTS),
        responses={200: page_of(EvalResultReply, omit_null=True), **refusals(400, 404, 422)},
    )
    def get(self, request: Request, workspace: str) -> Response:
        older = _older_client(request)
        return list_in(
            workspace,
            EVAL_RESULTS,
            request,
            LISTED_RESULTS,
            lambda result: eval_result_json(result, older=older),
            counted=True,
        )


class OneEvalResult(Endpoint):
    @extend_schema(
        operation_id="get_eval_result",
        summary="Get the result of a finished job",
        tags=["Eval results"],
        responses={200: EvalResultReply, **refusals(404)},
    )
    def get(self, request: Request, workspace: str, name: str) -> Response:
        return Response(eval_result_json(_result(workspace, name), older=_older_client(request)))

    @extend_schema(
        operation_id="delete_eval_result",
        summary="Delete the result of a finished job",
        tags=["Eval results"],
        responses={204: None, **refusals(404)},
    )
    def delete(self, request: Request, workspace: str, name: str) -> Response:
        delete_result(_result(workspace, name))
        return Response(status=204)


def _older_client(request: Request) -> bool:
    """Return whether a client before 0.6.0 asks: only those name JSON alone (platform-v2 section 10)."""
    return request.headers.get("Accept") == "application/json"


def _result(workspace: str, name: str) -> EvalResult:
    found = only(RESULTS.select_related("workspace").filter(workspace__name=workspace, name=name))
    if found is None:
        raise NotFound(f"Result not found: {workspace}/{name}")
    return found
