"""``/metrics``: what the platform counts of itself, and what the database says of its jobs, for Prometheus."""

from collections.abc import Sequence
from typing import ClassVar

from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from rest_framework.request import Request

from assay.platform.api import Endpoint
from assay.platform.caller import Action
from assay.platform.metrics_read import exposition
from assay.platform.openapi import OpenApiTypes, extend_schema


class Metrics(Endpoint):
    needs: ClassVar = {"GET": Action.MEASURE}
    figures: Sequence[Collector] = ()
    """What is looked up at the moment of asking."""

    @extend_schema(
        operation_id="metrics",
        summary="What the platform counts of itself, in Prometheus's text format",
        tags=["Health"],
        responses={(200, "text/plain"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(exposition(*self.figures), content_type=CONTENT_TYPE_LATEST)
