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
from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel
from rest_framework.views import APIView

from assay.platform.wire import ErrorReply

DOCUMENT = Path(__file__).with_name("openapi.json")

Method = TypeVar("Method", bound=Callable[..., Any])
View = TypeVar("View", bound=type[APIView])

# What views say


class OpenApiTypes(Enum):
    """What a body is that no model describes."""

    OBJECT = "object"
    BINARY = "binary"


@dataclass(frozen=True)
class OpenApiParameter:
    """A parameter of an operation; ``type`` is a type of Python's."""

    HEADER: ClassVar[Literal["header"]] = "header"

    name: str
    type: type
    location: Literal["query", "header"] = "query"
    required: bool = False
    description: str = ""


@dataclass(frozen=True)
class Description:
    """What one method of a view says about itself.

    ``responses`` are models or ``OpenApiTypes`` by status, or by status and media type; ``request`` is one of them,
    such by media type, or None where there is no body.
    """

    operation_id: str
    summary: str
    tags: Sequence[str]
    responses: Mapping[Any, Any]
    request: Any = None
    parameters: Sequence[OpenApiParameter] = ()


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


def refusals(*statuses: int) -> dict[int, type[BaseModel]]:
    """Return the part of ``responses`` for these refusals."""
    return dict.fromkeys(statuses, ErrorReply)


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

# What is served


@cache
def _document() -> bytes:
    return DOCUMENT.read_bytes()


@cache
def schema() -> dict[str, Any]:
    """Return the OpenAPI document of every address, as the views were when it was last written."""
    document: dict[str, Any] = orjson.loads(_document())
    return document


def document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document(), content_type="application/json")
