"""What every JSON endpoint shares: reading a body or a query into a model, pages, times, and the reply's encoding."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar

import orjson
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from pydantic import BaseModel, Field, PlainSerializer, ValidationError, create_model
from pydantic.json_schema import SkipJsonSchema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from assay.platform.errors import Invalid, NotFound, TooLarge
from assay.platform.filters import read_filter
from assay_sdk.engine.worktime import WORK_TIME

M = TypeVar("M", bound=BaseModel)
D = TypeVar("D", bound=Model)

MASK = "******"
LAST_PAGE = 2**53
"""The largest number that every JSON reader takes for what it is."""
DEEPEST = 100
"""How deep a body may be nested. orjson writes 254 levels, and a reply may hold what a body held some levels deeper."""
MOST_VALUES = 4_000_000
"""What a body may hold: small values take a hundred times the memory of their text."""
ORJSON_DEEPEST = 254
SPOKEN_TYPES = {"model_type": "model_attributes_type"}
"""Mistakes that the contract calls by another name than pydantic does."""


WORK_SECONDS = 10.0
"""Of a thread's own work, for all templates and patterns that a request brings or asks for."""


class Endpoint(APIView):
    """A JSON endpoint: one class an address, one method a verb."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with WORK_TIME.within(WORK_SECONDS):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any("\x00" in str(value) for name, value in kwargs.items() if name != "path"):
            # Nothing has such a name, and Postgres would not even look for it. File paths are judged by `filesets`.
            raise NotFound("Not Found")


def wire_time(moment: datetime) -> str:
    """Return the time as the contracts write it: UTC, microseconds, no zone (platform-v2 section 2)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


WireTime = Annotated[datetime, PlainSerializer(wire_time, return_type=str)]

# Reading


def read_body(request: Request, model: type[M], *, confidential: bool = False) -> M:
    """Return the JSON body as ``model``.

    Raises ``Invalid`` with every mistake and its place. With ``confidential`` the reply repeats nothing of the body.
    """
    raw = django_request(request).body
    if not raw:
        raise Invalid([{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}])
    is_json = "json" in (request.content_type or "")
    data = decode(raw) if is_json else raw.decode("utf-8", "replace")
    return check(model, data, "body", confidential=confidential)


def decode(raw: bytes) -> Any:
    """Return the JSON in ``raw``; raises ``Invalid`` for what is no JSON, too deep or not storable; ``TooLarge``."""
    if len(raw) > MOST_VALUES and sum(raw.count(sign) for sign in (b",", b"[", b"{")) > MOST_VALUES:
        raise TooLarge(f"The request body holds more than {MOST_VALUES:,} values.")
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        detail = {
            "type": "json_invalid",
            "loc": ["body", error.pos],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": str(error).partition(":")[0]},
        }
        raise Invalid([detail]) from None
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _too_deep(data):
        reason = f"Value error, nested deeper than {DEEPEST} levels"
        raise Invalid([{"type": "value_error", "loc": ["body"], "msg": reason, "input": {}}])
    if b"\\u0000" in raw:
        # Postgres stores no NUL character, neither in text nor in JSON.
        detail = {
            "type": "value_error",
            "loc": ["body"],
            "msg": "Value error, NUL characters are not allowed",
            "input": {},
        }
        raise Invalid([detail])
    return data


def _too_deep(data: Any) -> bool:
    """Return whether ``data`` is nested deeper than DEEPEST: what comes in has to fit into what goes out again."""
    for _ in range(ORJSON_DEEPEST - DEEPEST):
        data = [data]
    try:
        orjson.dumps(data)
    except orjson.JSONEncodeError:
        return True
    return False


def read_query(request: Request, model: type[M]) -> M:
    """Return the query parameters as ``model``; of a repeated parameter the last one counts."""
    known = {name: value for name, value in request.query_params.items() if name in model.model_fields}
    return check(model, known, "query")


def check(model: type[M], data: Any, where: str, *, confidential: bool = False) -> M:
    """Return ``data`` as ``model`` or raise ``Invalid`` with one entry a mistake, each below ``where``."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Invalid(mistakes(error, where, confidential=confidential)) from None


def mistakes(error: ValidationError, *where: str, confidential: bool = False) -> list[dict[str, Any]]:
    """Return the mistakes that pydantic found in the shape of platform-v2 section 2.1."""
    found = []
    for entry in error.errors(include_url=False):
        mistake: dict[str, Any] = {
            "type": entry["type"],
            "loc": [*where, *entry["loc"]],
            "msg": entry["msg"],
            "input": _masked(entry["input"]) if confidential else plain(entry["input"]),
        }
        mistake["type"] = SPOKEN_TYPES.get(entry["type"], entry["type"])
        if "ctx" in entry:
            mistake["ctx"] = {
                key: {} if isinstance(value, Exception) else plain(value) for key, value in entry["ctx"].items()
            }
        found.append(mistake)
    return found


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    return value if value is None or isinstance(value, bool) else MASK


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it: what it cannot hold becomes text."""
    try:
        return orjson.loads(orjson.dumps(value))
    except TypeError:
        return str(value)


def django_request(request: Request) -> HttpRequest:
    """Return the request below DRF's wrapper, whose body can be read as bytes or as a stream."""
    return request._request


def only(rows: QuerySet[D]) -> D | None:
    """Return the one row that there can be, or None: ``first()``, without the sorting that it would ask for."""
    return next(iter(rows[:1]), None)


# Pages

DEEP = 1000
"""So many entries before it make a page a deep one."""


class Page(BaseModel):
    page: int
    page_size: int
    sort: str


@cache
def page_model(default_size: int, largest: int, sorts: tuple[str, ...], default_sort: str) -> type[Page]:
    """Return the query model of a list: ``sorts`` are its fields, each also taken with a leading minus."""
    choices = tuple(sign + name for name in sorts for sign in ("", "-"))
    sort: Any = StrEnum("Sort", {choice: choice for choice in choices}) if choices else SkipJsonSchema[str]
    return create_model(
        "Page",
        __base__=Page,
        page=(int, Field(1, ge=1, le=LAST_PAGE)),
        page_size=(int, Field(default_size, ge=1, le=largest, description="Entries on a page.")),
        sort=(sort, Field(default_sort, description="With a leading minus the other way round.")),
    )


class Listing:
    """How one collection is listed (platform-v2 section 2.2).

    ``sorts`` maps a sort name to a model field; ``filters`` maps a filter field to a model lookup. A collection without
    filters ignores the parameter and sends neither ``sort`` nor ``filter`` back, as secrets do. ``omit_null`` leaves
    out null fields, but not inside the members named in ``verbatim``, where a null is a user's data.
    """

    def __init__(
        self,
        *,
        size: int,
        largest: int,
        sorts: Mapping[str, str] | None = None,
        default_sort: str = "-created_at",
        filters: Mapping[str, str] | None = None,
        empty_pages: int = 0,
        omit_null: bool = False,
        verbatim: Iterable[str] = (),
    ) -> None:
        self.sorts = dict(sorts or {})
        self.filters = dict(filters or {})
        self.default_sort = default_sort
        self.page = page_model(size, largest, tuple(self.sorts), default_sort)
        self.empty_pages = empty_pages
        self.omit_null = omit_null
        self.verbatim = frozenset(verbatim)

    def reply(
        self,
        request: Request,
        rows: QuerySet[D],
        wire: Callable[[D], dict[str, Any]],
        total_of_all: Callable[[], int] | None = None,
    ) -> Response:
        """Return one page of ``rows``, filtered and sorted as the query asks.

        ``total_of_all`` says how many ``rows`` there are where nothing is filtered; by default they are counted.
        """
        asked = read_query(request, self.page)
        echo: dict[str, Any] = {}
        if self.filters:
            wanted = read_filter(request.query_params, self.filters, rows)
            if wanted.q:
                rows, total_of_all = rows.filter(wanted.q), None
            echo = {"sort": asked.sort} | ({"filter": wanted.echo} if wanted.echo or not self.omit_null else {})
        order = asked.sort if self.sorts else self.default_sort
        sign, name = ("-", order[1:]) if order.startswith("-") else ("", order)
        total = (total_of_all or rows.count)()
        start = (asked.page - 1) * asked.page_size
        ordered = rows.order_by(sign + self.sorts.get(name, name), sign + "pk")
        page = page_of_rows(ordered, start, asked.page_size) if start < total else ()
        found = [wire(row) for row in page]
        return Response(
            {
                "data": [without_nulls(entry, self.verbatim) for entry in found] if self.omit_null else found,
                "pagination": {
                    "page": asked.page,
                    "page_size": asked.page_size,
                    "current_page_size": len(found),
                    "total_pages": math.ceil(total / asked.page_size) or self.empty_pages,
                    "total_results": total,
                },
                **echo,
            }
        )


def page_of_rows(ordered: QuerySet[D], start: int, size: int) -> QuerySet[D]:
    """Return the rows from ``start`` on. On the way to a deep page nothing but keys is read."""
    if start < DEEP:
        return ordered[start : start + size]
    keys = ordered.values("pk")[start : start + size]
    return ordered.filter(pk__in=keys)


def without_nulls(entry: Any, verbatim: Collection[str] = ()) -> Any:
    """Return ``entry`` without its null members, at every depth but inside the members named in ``verbatim``."""
    if isinstance(entry, dict):
        kept = {key: value for key, value in entry.items() if value is not None}
        return {key: value if key in verbatim else without_nulls(value, verbatim) for key, value in kept.items()}
    if isinstance(entry, list):
        return [without_nulls(value, verbatim) for value in entry]
    return entry
