"""Makes ``/openapi.json`` of what the views say. A developer's tool: it needs drf-spectacular, the server does not."""

from collections.abc import Mapping
from typing import Any

import orjson
from drf_spectacular.contrib.pydantic import PydanticExtension
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, get_doc
from drf_spectacular.types import OpenApiTypes as SpectacularTypes
from drf_spectacular.utils import OpenApiParameter as SpectacularParameter

from assay.platform.openapi import Description, OpenApiTypes


class Undescribed(Exception):
    """A view says too little about itself; the message names what is missing."""


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
    """Describes an endpoint as its method does; a body is JSON, though no parser of DRF's reads it."""

    @property
    def _said(self) -> Description:
        said: Description | None = getattr(self._handler, "description", None)
        if said is None:
            raise Undescribed(f"{self.method} {self.path} has no extend_schema")
        return said

    @property
    def _handler(self) -> Any:
        return getattr(self.view, self.method.lower())

    def get_operation_id(self) -> str:
        return self._said.operation_id

    def get_summary(self) -> str:
        return self._said.summary

    def get_description(self) -> str:  # type: ignore[override]
        # Not the class's own text, which may be inherited and is meant for its reader.
        return str(get_doc(self._handler))

    def get_tags(self) -> list[str]:
        return list(self._said.tags)

    def get_override_parameters(self) -> list[Any]:
        return [
            SpectacularParameter(
                each.name, each.type, each.location, required=each.required, description=each.description
            )
            for each in self._said.parameters
        ]

    def get_request_serializer(self) -> Any:
        return _translated(self._said.request)

    def get_response_serializers(self) -> Any:
        return _translated(self._said.responses)

    def map_parsers(self) -> list[str]:
        return super().map_parsers() or ["application/json"]


def _translated(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {key: _translated(value) for key, value in part.items()}
    return SpectacularTypes[part.name] if isinstance(part, OpenApiTypes) else part


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "assay.platform.auth.Caller"
    name = "account"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "Only where ASSAY_AUTH is on."}


def made() -> bytes:
    """Return the OpenAPI document of every address, as JSON text.

    Raises ``Undescribed`` where a view says nothing, or what cannot be described.
    """
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    complaints = [*GENERATOR_STATS._error_cache, *GENERATOR_STATS._warn_cache]
    if complaints:
        raise Undescribed("\n".join(complaints))
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
