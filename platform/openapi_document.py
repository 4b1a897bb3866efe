"""Makes ``/openapi.json`` of what the views say. A developer's tool: it needs drf-spectacular, the server does not."""

from collections.abc import Iterator, Mapping
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
from pydantic import BaseModel, TypeAdapter

from assay.platform.openapi import Description, OpenApiParameter, OpenApiTypes, refusals
from assay.platform.v1 import V1Endpoint


class Undescribed(Exception):
    """A view says too little about itself; the message names what is missing."""


class WireModels(PydanticExtension):  # type: ignore[no-untyped-call]
    """Describes a pydantic model as it travels: what has a default may miss in a body, but is there in a reply."""

    priority = 1

    def get_name(self, auto_schema: Any, direction: str) -> str:
        """Return the model's name; raises ``Undescribed`` where another model has it as well."""
        name = str(super().get_name(auto_schema, direction))  # type: ignore[no-untyped-call]
        if _parts.named.setdefault(name, self.target) is not self.target:
            raise Undescribed(
                f"two models are called {name}: {self.target.__module__}, {_parts.named[name].__module__}"
            )
        return name

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = self.target.model_json_schema(
            ref_template=PART + "{model}", mode="validation" if direction == "request" else "serialization"
        )
        schema, inner = _parts.tell_apart(self.target.__name__, schema, direction)
        for name, part in inner.items():
            component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=part)  # type: ignore[no-untyped-call]
            auto_schema.registry.register_on_missing(component)
        return schema


class Parts:
    """The models of a document and the parts they are made of, each under a name of its own.

    A part that a body may hold in a wider form than a reply does is two: the body's is called ``<name>Given``. Which
    parts are such is known once all have been seen.
    """

    def __init__(self, wider: frozenset[str] = frozenset()) -> None:
        self.named: dict[str, type[BaseModel]] = {}
        self.wider = wider
        self.found: dict[str, dict[str, Any]] = {}
        """By name and direction."""

    def tell_apart(self, model: str, schema: dict[str, Any], direction: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a model's schema without its parts, and these; raises ``Undescribed`` for two of one name."""
        text = orjson.dumps(schema).decode()
        for name in self.wider if direction == "request" else ():
            text = text.replace(f'"{PART}{name}"', f'"{PART}{name}Given"')
        schema = orjson.loads(text)
        inner = schema.pop("$defs", {})
        for name, part in {**inner, model: schema}.items():
            if self.found.setdefault(name, {}).setdefault(direction, part) != part:
                raise Undescribed(f"two parts of models are called {name}; {model} has one of them")
        given = self.wider if direction == "request" else frozenset()
        return schema, {f"{name}Given" if name in given else name: part for name, part in inner.items()}

    def two_faced(self) -> frozenset[str]:
        return frozenset(
            name for name, said in self.found.items() if len(said) == 2 and said["request"] != said["response"]
        )


PART = "#/components/schemas/"
_parts = Parts()


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
                each.name,
                each.type if isinstance(each.type, dict) else _without_null(TypeAdapter(each.type).json_schema()),
                each.location,
                required=each.required,
                description=each.description,
                style=each.style,
                explode=True if each.style else None,
            )
            for said in self._said.parameters
            for each in ([said] if isinstance(said, OpenApiParameter) else _fields(said))
        ]

    def get_request_serializer(self) -> Any:
        return _translated(self._said.request)

    def get_response_serializers(self) -> Any:
        said = self._said.responses
        if not isinstance(said, Mapping):
            said = {200: said}
        usual = (401, 403) if self.view.authentication_classes else ()
        # A name with a slash in it leads to an address that is not there.
        missing = (404,) if "{" in self.path else ()
        return _translated({**refusals(*missing), **said, **refusals(*usual)})

    def map_parsers(self) -> list[str]:
        return super().map_parsers() or ["application/json"]

    def _get_request_body(self, direction: str = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body is None:
            return None
        said = self._said.request
        models = said.values() if isinstance(said, Mapping) else [said]
        return {**body, "required": self._needs_body(list(models))}

    def _needs_body(self, models: list[Any]) -> bool:
        """Return whether an absent body is refused: bytes may be none, and to v1 it is an empty object."""
        if all(model is OpenApiTypes.BINARY for model in models):
            return False
        if not isinstance(self.view, V1Endpoint):
            return True
        return any(field.is_required() for model in models for field in model.model_fields.values())


def _fields(model: type[BaseModel]) -> Iterator[OpenApiParameter]:
    """Yield a parameter for each field of what reads a query."""
    schema = model.model_json_schema()
    for name, said in schema["properties"].items():
        part = _without_null(said)
        if "$ref" in part:
            part = {**schema["$defs"][part.pop("$ref").rpartition("/")[2]], **part}
        yield OpenApiParameter(
            name,
            {key: value for key, value in part.items() if key not in {"title", "description"}},
            required=name in schema.get("required", ()),
            description=said.get("description", ""),
        )


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of something that a query leaves out where it has no value."""
    some = [each for each in part.get("anyOf", ()) if each != {"type": "null"}]
    inner = some[0] if len(some) == 1 else {"anyOf": some} if some else {}
    return {key: value for key, value in part.items() if key != "anyOf" and (key, value) != ("default", None)} | inner


def _translated(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {key: _translated(value) for key, value in part.items()}
    return SpectacularTypes[part.name] if isinstance(part, OpenApiTypes) else part


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "assay.platform.auth.KnownCaller"
    name = ["token", "account"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        note = "Only where ASSAY_AUTH is on."
        return [{"type": "http", "scheme": scheme, "description": note} for scheme in ("bearer", "basic")]


def made() -> bytes:
    """Return the OpenAPI document of every address, as JSON text.

    Raises ``Undescribed`` where a view says nothing, or what cannot be described.
    """
    global _parts
    _parts = Parts()
    _generated()
    _parts = Parts(_parts.two_faced())
    return orjson.dumps(_generated(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def _generated() -> Any:
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    complaints = [*GENERATOR_STATS._error_cache, *GENERATOR_STATS._warn_cache]
    if complaints:
        raise Undescribed("\n".join(complaints))
    return document
