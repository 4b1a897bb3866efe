"""The filter language of lists (platform-v2 section 2.2), from the query to a condition on the rows.

Three spellings, one meaning: ``filter[name][$like]=x``, ``filter={"name":{"$like":"x"}}`` and ``filter=name~"x"``.
Each becomes the JSON form with every operator written out, which is also what the reply echoes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import Q, QuerySet
from django.http import QueryDict

from assay.platform.errors import BadRequest
from assay.platform.filter_text import DEEPEST, read_text
from assay.platform.filter_values import MaybeField, field_at, is_text, read_value
from assay.platform.like import pattern

LONGEST = 16_384
MOST_CONDITIONS = 100
MOST_VALUES = 1_000

COMPARISONS = {"$eq": "exact", "$like": "matches", "$lt": "lt", "$lte": "lte", "$gt": "gt", "$gte": "gte"}
OPERATORS = ["$and", "$eq", "$gt", "$gte", "$in", "$like", "$lt", "$lte", "$nin", "$not", "$or"]


@dataclass(frozen=True)
class Filter:
    """A condition on rows, and its parsed form for the reply; None when the query has no filter."""

    q: Q
    echo: dict[str, Any] | None


def read_filter(query: QueryDict, fields: Mapping[str, str], rows: QuerySet[Any] | None = None) -> Filter:
    """Return the filter that the query asks for; ``fields`` maps the names it may use to lookups on ``rows``.

    Values are read by the type of the field that ``rows`` has; without ``rows`` they are text. Raises ``BadRequest``.
    """
    asked = _from_query(query)
    if not asked:
        return Filter(Q(), None)
    q, echo = _Meaning(fields, rows).of(asked, 0)
    return Filter(q, echo)


# From the query to the JSON form


def _from_query(query: QueryDict) -> dict[str, Any]:
    whole = query.get("filter", "").strip()
    bracketed = {name: str(value) for name, value in query.items() if name.startswith("filter[")}
    if len(whole) + sum(len(name) + len(value) for name, value in bracketed.items()) > LONGEST:
        raise BadRequest(f"The filter is longer than {LONGEST} characters.")
    if "\x00" in whole or any("\x00" in name + value for name, value in bracketed.items()):
        raise BadRequest("A filter cannot hold NUL characters.")
    parts = [part for part in (_whole(whole), _bracketed(bracketed)) if part]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else {}


def _whole(text: str) -> dict[str, Any]:
    if not text:
        return {}
    if text[0] not in "{[":
        return read_text(text)
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(f"Invalid JSON in filter parameter: {text[:200]}") from None
    if not isinstance(found, dict):
        raise BadRequest("The filter must be a JSON object.")
    return found


def _bracketed(given: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in given.items():
        if not re.fullmatch(r"filter(\[[^\[\]]*\])+", name) or name.count("[") > DEEPEST:
            raise BadRequest(f"Invalid filter parameter: {name[:200]}")
        *way, last = name[len("filter[") : -1].split("][")
        inner: Any = found
        for key in way:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise BadRequest(f"Filter parameters contradict each other at: {name[:200]}")
        if isinstance(inner.get(last), dict):
            raise BadRequest(f"Filter parameters contradict each other at: {name[:200]}")
        inner[last] = value.split(",") if last in {"$in", "$nin"} else value
    return found


# From the JSON form to a condition


class _Meaning:
    """Reads one filter; counts what it holds, so that no request makes the database plan thousands of terms."""

    def __init__(self, fields: Mapping[str, str], rows: QuerySet[Any] | None) -> None:
        self.fields = fields
        self.rows = rows
        self.conditions = 0
        self.values = 0

    def of(self, asked: Any, depth: int) -> tuple[Q, dict[str, Any]]:
        """Return the condition of an object such as ``{"name": "x", "$or": […]}``: all of its members hold."""
        self._descend(depth)
        if not isinstance(asked, dict) or not asked:
            raise BadRequest("Each part of a filter must be an object of fields and operators.")
        whole, echo = Q(), {}
        for key, value in asked.items():
            q, echo[key] = self._member(key, value, depth)
            whole &= q
        return whole, echo

    def _member(self, key: str, value: Any, depth: int) -> tuple[Q, Any]:
        if key in {"$and", "$or"}:
            parts = [self.of(part, depth + 1) for part in _branches(key, value)]
            joined = Q()
            for q, _ in parts:
                joined = joined & q if key == "$and" else joined | q
            return joined, [echo for _, echo in parts]
        if key == "$not":
            q, echo = self.of(value, depth + 1)
            return ~q, echo
        if key.startswith("$"):
            raise _unknown_operator(key)
        if key not in self.fields:
            raise BadRequest(f"Unknown filter field '{key[:100]}'. Valid fields: {sorted(self.fields)}")
        return self._field(key, value if isinstance(value, dict) else {"$eq": value}, depth)

    def _field(self, name: str, operators: dict[str, Any], depth: int) -> tuple[Q, Any]:
        """Return the condition of ``{"$gt": 1, "$lt": 3}`` on one field: all of the operators hold."""
        self._descend(depth)
        if not operators:
            raise BadRequest(f"The filter on '{name}' has no operator.")
        field = field_at(self.rows, self.fields[name])
        whole, echo = Q(), {}
        for operator, value in operators.items():
            if operator in {"$and", "$or"}:
                parts = [self._field(name, _operators(part), depth + 1) for part in _branches(operator, value)]
                q = Q()
                for part, _ in parts:
                    q = q & part if operator == "$and" else q | part
                echo[operator] = [said for _, said in parts]
            elif operator == "$not":
                inner, echo[operator] = self._field(name, _operators(value), depth + 1)
                q = ~inner
            else:
                q, echo[operator] = self._comparison(name, field, operator, value)
            whole &= q
        return whole, echo

    def _comparison(self, name: str, field: MaybeField, operator: str, value: Any) -> tuple[Q, Any]:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise BadRequest(f"The filter has more than {MOST_CONDITIONS} conditions.")
        lookup = self.fields[name]
        if operator in {"$in", "$nin"}:
            listed = value if isinstance(value, list) else [value]
            self.values += len(listed)
            if self.values > MOST_VALUES:
                raise BadRequest(f"The filter lists more than {MOST_VALUES} values.")
            q = Q(**{f"{lookup}__in": [read_value(name, field, entry) for entry in listed]})
            return (~q if operator == "$nin" else q), listed
        if operator not in COMPARISONS:
            raise _unknown_operator(operator)
        if value is None:
            if operator != "$eq":
                raise BadRequest(f"Operator '{operator}' on '{name}' needs a value, not null.")
            return Q(**{f"{lookup}__isnull": True}), None
        if operator == "$like":
            if not isinstance(value, str) or not is_text(field):
                raise BadRequest(f"Operator '$like' on '{name}' needs a text field and a text.")
            return Q(**{f"{lookup}__matches": pattern(value)}), value
        return Q(**{f"{lookup}__{COMPARISONS[operator]}": read_value(name, field, value)}), value

    def _descend(self, depth: int) -> None:
        if depth > DEEPEST:
            raise BadRequest(f"The filter is nested more than {DEEPEST} deep.")


def _branches(operator: str, value: Any) -> list[Any]:
    """Return the branches of ``$and`` or ``$or``: a list, or what brackets make of one, ``{"0": …, "1": …}``."""
    if isinstance(value, dict):
        if value and all(re.fullmatch("[0-9]{1,4}", key) for key in value):
            return [value[key] for key in sorted(value, key=int)]
        value = [{key: entry} for key, entry in value.items()]
    if not isinstance(value, list) or not value:
        raise BadRequest(f"Operator '{operator}' needs a list of conditions.")
    return value


def _operators(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"$eq": value}


def _unknown_operator(operator: str) -> BadRequest:
    return BadRequest(f"Unknown filter operator '{operator[:100]}'. Valid operators: {OPERATORS}")
