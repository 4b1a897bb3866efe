"""What views say about themselves, and the API's description as it is served: ``/openapi.json``.

The words are those of drf-spectacular, but saying them needs nothing of it: they are kept on the view's methods.
`openapi_document.py` makes the document of them (``manage.py openapi --write``), where drf-spectacular is installed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, wraps
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel
from rest_framework.views import APIView

from assay.platform.api import Listing
from assay.platform.auth import known_only
from assay.platform.wire import ErrorReply

DOCUMENT = Path(__file__).with_name("openapi.json")
JSON = "application/json"
BYTES = "application/octet-stream"

Method = TypeVar("Method", bound=Callable[..., Any])
View = TypeVar("View", bound=type[APIView])

# What views say


class OpenApiTypes(Enum):
    """What a body is that no model describes."""

    OBJECT = "object"
    BINARY = "binary"


@dataclass(frozen=True)
class OpenApiParameter:
    """A parameter of an operation; ``type`` is a type as pydantic reads it, limits and all, or a JSON schema."""

    HEADER: ClassVar[Literal["header"]] = "header"
    PATH: ClassVar[Literal["path"]] = "path"

    name: str
    type: Any
    location: Literal["query", "header", "path"] = "query"
    required: bool = False
    description: str = ""
    style: Literal["deepObject"] | None = None
    """How an object is written in a query: ``deepObject`` is ``filter[field]=value``."""


@dataclass(frozen=True)
class Description:
    """What one method of a view says about itself.

    ``responses`` are models or ``OpenApiTypes`` by status, or by status and media type; ``request`` is one of them,
    such by media type, or None where there is no body. A model among the ``parameters`` is what reads the query: each
    of its fields is one.
    """

    operation_id: str
    summary: str
    tags: Sequence[str]
    responses: Mapping[Any, Any]
    request: Any = None
    parameters: Sequence[OpenApiParameter | type[BaseModel]] = ()


def extend_schema(**said: Any) -> Callable[[Method], Method]:
    """Describe one method of a view, in the fields of ``Description``."""
    description = Description(**said)

    def note(method: Method) -> Method:
        method.__dict__["description"] = description
        return method

    return note


def extend_schema_view(**notes: Callable[[Any], Any]) -> Callable[[View], View]:
    """Describe methods that a view inherits, each by its verb: ``get=extend_schema(…)``."""

    def note(view: View) -> View:
        for verb, describe in notes.items():
            setattr(view, verb, describe(_own(getattr(view, verb))))
        return view

    return note


def _own(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy to write on: the one that is inherited may be described otherwise elsewhere."""

    @wraps(method)
    def same(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return same


def answers(status: int, body: Any) -> dict[Any, Any]:
    """Return the part of ``responses`` for this status: a model, None, or what there is by media type."""
    return {(status, media): each for media, each in body.items()} if isinstance(body, dict) else {status: body}


def refusals(*statuses: int) -> dict[int, type[BaseModel]]:
    """Return the part of ``responses`` for these refusals."""
    return dict.fromkeys(statuses, ErrorReply)


RANGE = OpenApiParameter(
    "Range",
    {"type": "string", "pattern": "^bytes=([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})(,|$)"},
    OpenApiParameter.HEADER,
    description="A range of bytes; of several the first.",
)
FILTER = OpenApiParameter(
    "filter",
    str,
    description='JSON, such as {"name":{"$like":"x"}}, or text, such as name~"x" AND created_at>2026-01-01.',
)


def list_query(listing: Listing) -> list[OpenApiParameter | type[BaseModel]]:
    """Return the parameters of a list."""
    return [listing.page, FILTER] if listing.filters else [listing.page]


# What is served


@cache
def schema() -> dict[str, Any]:
    """Return the OpenAPI document of every address, as the views were when it was last written."""
    document: dict[str, Any] = orjson.loads(DOCUMENT.read_bytes())
    return document


@cache
def _served(auth: bool) -> bytes:
    """Return the document as it holds here: with sign-in off no operation asks for credentials."""
    whole = schema()
    paths = {
        path: {method: said if auth else _without(said, "security") for method, said in operations.items()}
        for path, operations in whole["paths"].items()
    }
    return orjson.dumps({**whole, "paths": paths}, option=orjson.OPT_INDENT_2)


def _without(said: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != name}


@known_only
def document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_served(settings.AUTH), content_type="application/json")
