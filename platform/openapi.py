"""The API's description of itself: ``/openapi.json``, and what views say about themselves with."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.contrib.pydantic import PydanticExtension
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, get_doc
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter
from pydantic import BaseModel

from assay.platform.wire import ErrorReply

# What views say

PAGE_QUERY = [
    OpenApiParameter("page", int, description="The first page is 1."),
    OpenApiParameter("page_size", int, description="Entries on a page."),
]
LIST_QUERY = [
    *PAGE_QUERY,
    OpenApiParameter("sort", str, description="A field to sort by; with a leading minus the other way round."),
    OpenApiParameter(
        "filter",
        str,
        description='JSON, such as {"name":{"$like":"x"}}, or text, such as name~"x" AND created_at>2026-01-01.',
    ),
]
CASCADE = [
    OpenApiParameter("cascade", bool, description="Delete what stands in the way first; refused while a job runs.")
]


def refusals(*statuses: int) -> dict[int, type[BaseModel]]:
    """Return the part of ``responses`` for these refusals."""
    return dict.fromkeys(statuses, ErrorReply)


class WireModels(PydanticExtension):  # type: ignore[no-untyped-call]
    """Describes a pydantic model as it travels: what has a default may miss in a body, but is there in a reply."""

    priority = 1

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = self.target.model_json_schema(
            ref_template="#/components/schemas/{model}",
            mode="validation" if direction == "request" else "serialization",
        )
        for name, part in schema.pop("$defs", {}).items():
            component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=part)  # type: ignore[no-untyped-call]
            auto_schema.registry.register_on_missing(component)
        return schema


class WireSchema(AutoSchema):
    """Describes an endpoint: its body is JSON unless it says otherwise, though no parser of DRF's reads it."""

    def get_description(self) -> str:  # type: ignore[override]
        # Not the class's own text, which may be inherited and is meant for its reader.
        return str(get_doc(getattr(self.view, self.method.lower())))

    def map_parsers(self) -> list[str]:
        return super().map_parsers() or ["application/json"]


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "assay.platform.auth.Caller"
    name = "account"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "Only where ASSAY_AUTH is on."}


# What is served


@cache
def schema() -> dict[str, Any]:
    """Return the OpenAPI document of every address; it is made once in a process."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    document: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document


@cache
def _document() -> bytes:
    rendered: bytes = OpenApiJsonRenderer().render(schema())
    return rendered


def document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document(), content_type="application/json")
