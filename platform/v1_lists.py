"""Lists of the v1 API (microservices-v1 section 1.5): pages, sorting, ``filter[…]`` and ``search[…]``.

Rows of one table: ``LIST.reply(request, rows, wire)``. Of two: ``asked = LIST.read(request)``, then
``LIST.envelope(asked, total, entries)``.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from assay.platform.api import LAST_PAGE
from assay.platform.errors import BadRequest, Invalid
from assay.platform.openapi import OpenApiParameter
from assay.platform.v1 import fault
from assay.platform.v1_conditions import Between, Condition, Moments

D = TypeVar("D", bound=Model)

AGES = {"created_at": "created_at"}
DEFAULT_SORT = "-created_at"
DEFAULT_SIZE = 10
LARGEST_SIZE = 1000
LONGEST = 16_384
"""Characters in all filters and searches of one request."""
MOST = 100
"""Filters and searches in one request, a comma-joined list counted as its entries."""
DEEPEST = 10
"""Brackets after a field."""
ENTRIES = f"Entries on a page; {DEFAULT_SIZE} if not said."
SORT = "With a leading minus the other way round."
EXACTLY = "``filter[field]=value``: exactly this; entries joined by commas mean any of them."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list's query asks for."""

    page: int
    page_size: int
    sort: str
    """As sent, such as ``-created_at``."""
    filters: Mapping[str, Any]
    """As sent, brackets as objects; the reply repeats it."""
    q: Q

    @property
    def span(self) -> slice:
        """Where the page lies in all that was found."""
        start = (self.page - 1) * self.page_size
        return slice(start, start + self.page_size)


class V1List:
    """How one collection is listed: ``sorts`` maps the names it may be sorted by to model fields."""

    def __init__(
        self,
        *,
        sorts: Mapping[str, str] = AGES,
        filters: Mapping[str, Condition],
        searches: Mapping[str, Condition] | None = None,
    ) -> None:
        self.sorts = sorts
        self.filters = filters
        self.searches = searches or {}

    @property
    def query(self) -> list[OpenApiParameter]:
        """The parameters that its query takes, for the API description."""
        sorts = [sign + name for name in self.sorts for sign in ("", "-")]
        return [
            OpenApiParameter("page", Annotated[int, Field(ge=1, le=LAST_PAGE)]),
            OpenApiParameter("page_size", Annotated[int, Field(ge=1, le=LARGEST_SIZE)], description=ENTRIES),
            OpenApiParameter("sort", {"type": "string", "enum": sorts, "default": DEFAULT_SORT}, description=SORT),
            *_described("filter", self.filters, EXACTLY),
            *_described("search", self.searches, "A part of the text, whatever its case."),
        ]

    def read(self, request: Request) -> Asked:
        """Return what the query asks for; raises ``BadRequest`` for a bad value, ``Invalid`` for an unknown name."""
        query = request.query_params
        sort = query.get("sort", DEFAULT_SORT)
        if sort.removeprefix("-") not in self.sorts:
            known = ", ".join(sign + name for name in self.sorts for sign in ("", "-"))
            raise Invalid([fault(["query", "sort"], f"Lists of this kind sort by {known}.", "enum")])
        filters, searches = _bracketed(query, "filter"), _bracketed(query, "search")
        if sum(len(way[-1]) + len(text) for way, text in (*filters, *searches)) > LONGEST:
            raise BadRequest(f"The filters are longer than {LONGEST} characters.")
        if sum(text.count(",") + 1 for _, text in (*filters, *searches)) > MOST:
            raise BadRequest(f"The filters hold more than {MOST} values.")
        return Asked(
            page=_number(query, "page", 1, LAST_PAGE),
            page_size=_number(query, "page_size", DEFAULT_SIZE, LARGEST_SIZE),
            sort=sort,
            filters=_nested(filters),
            q=_condition("filter", filters, self.filters) & _condition("search", searches, self.searches),
        )

    def envelope(self, asked: Asked, total: int, entries: Sequence[dict[str, Any]]) -> Response:
        """Return the reply that holds ``entries``, one page of ``total``; past the end it is an empty page."""
        return Response(
            {
                "object": "list",
                "data": entries,
                "pagination": {
                    "page": asked.page,
                    "page_size": asked.page_size,
                    "current_page_size": len(entries),
                    "total_pages": math.ceil(total / asked.page_size),
                    "total_results": total,
                },
                "sort": asked.sort,
                "filter": asked.filters or None,
            }
        )

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
        asked = self.read(request)
        found = rows.filter(asked.q)
        total = total_of_all() if total_of_all and not asked.q else found.count()
        sign = "-" if asked.sort.startswith("-") else ""
        ordered = found.order_by(sign + self.sorts[asked.sort.removeprefix("-")], sign + "pk")
        # An offset past the end may be larger than the database counts.
        page = ordered[asked.span] if asked.span.start < total else ()
        return self.envelope(asked, total, [wire(row) for row in page])


def _described(word: str, known: Mapping[str, Condition], note: str) -> Iterator[OpenApiParameter]:
    """Yield the parameters of ``filter[…]`` or ``search[…]``: one for all texts, one a word that a time takes."""
    texts = [name for name, condition in known.items() if not isinstance(condition, Moments | Between)]
    if texts:
        fields: dict[str, Any] = {name: {"type": "string"} for name in texts}
        schema = {"type": "object", "properties": fields, "additionalProperties": False}
        yield OpenApiParameter(word, schema, description=f"{note} Fields: {', '.join(texts)}.", style="deepObject")
    for name, condition in known.items():
        for inner in condition.words if isinstance(condition, Moments | Between) else ():
            moment = {"type": "string", "format": "date-time"}
            yield OpenApiParameter(f"{word}[{name}][{inner}]", moment, description="A time, or a day.")


# The query

Bracketed = list[tuple[tuple[str, ...], str]]
"""``filter[created_at][gte]=x`` as ``(("created_at", "gte"), "x")``."""


def _bracketed(query: QueryDict, word: str) -> Bracketed:
    found: Bracketed = []
    for name in query:
        if not name.startswith(word) or (name != word and name[len(word)] != "["):
            continue
        if not re.fullmatch(rf"{word}(\[[^\[\]]+\])+", name) or name.count("[") > DEEPEST:
            raise BadRequest(f"Invalid {word} parameter; write {word}[field]=value.")
        way = tuple(name[len(word) + 1 : -1].split("]["))
        # The same parameter again means the same as a comma.
        text = ",".join(query.getlist(name))
        if "\x00" in name + text:
            raise BadRequest(f"A {word} cannot hold NUL characters.")
        found.append((way, text))
    return found


def _nested(filters: Bracketed) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (*way, last), text in filters:
        inner: Any = found
        for key in way:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise BadRequest(f"The filters on '{way[0][:100]}' contradict each other.")
        if last in inner:
            raise BadRequest(f"The filters on '{[*way, last][0][:100]}' contradict each other.")
        inner[last] = text
    return found


def _condition(word: str, given: Bracketed, known: Mapping[str, Condition]) -> Q:
    whole = Q()
    for (name, *inside), text in given:
        if name not in known:
            fields = ", ".join(sorted(known)) or "none"
            raise Invalid([fault(["query", word, name[:100]], f"Unknown {word} field; there are: {fields}.")])
        whole &= known[name](name, tuple(inside), text)
    return whole


def _number(query: QueryDict, name: str, default: int, largest: int) -> int:
    if name not in query:
        return default
    text = str(query[name])
    if re.fullmatch("[0-9]{1,16}", text) and 1 <= int(text) <= largest:
        return int(text)
    raise BadRequest(f"{name} must be a whole number from 1 to {largest}.")
