"""What a field of a v1 ``filter[…]`` or ``search[…]`` may ask, and the condition on the rows that it means."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, TextField
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast
from django.db.models.lookups import IContains, In, IsNull

from assay.platform.errors import BadRequest, Invalid
from assay.platform.filter_values import read_moment
from assay.platform.v1 import fault

Condition = Callable[[str, tuple[str, ...], str], Q]
"""From the field's name, the brackets after it and the value as sent, to a condition.

Raises ``Invalid`` for brackets that the field does not have, ``BadRequest`` for a value that it cannot hold.
"""

COMPARISONS = {"eq": "exact", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}
DATES = ("eq", "neq", "gt", "gte", "lt", "lte")


def exactly(lookup: str) -> Condition:
    """The text itself, or any of a comma-joined list."""

    def condition(name: str, way: tuple[str, ...], text: str) -> Q:
        _no_brackets(name, way)
        return Q(**{f"{lookup}__in": choices(text)})

    return condition


def containing(lookup: str) -> Condition:
    """A part of the text, whatever its case, or any of a comma-joined list."""

    def condition(name: str, way: tuple[str, ...], text: str) -> Q:
        _no_brackets(name, way)
        return _any(Q(**{f"{lookup}__icontains": part}) for part in parts(text))

    return condition


@dataclass(frozen=True)
class Moments:
    """A time, compared with an operator in brackets: ``[created_at][gte]=2025-01-01``."""

    lookup: str
    words: tuple[str, ...] = DATES
    """What may stand in the brackets."""

    def __call__(self, name: str, way: tuple[str, ...], text: str) -> Q:
        operator = way[0] if way else "eq"
        if len(way) > 1 or operator not in self.words:
            known = ", ".join(self.words)
            raise Invalid([fault(["query", "filter", name, *way], f"Unknown operator; there are: {known}.")])
        moment = read_moment(name, text)
        if operator == "neq":
            return ~Q(**{self.lookup: moment})
        return Q(**{f"{self.lookup}__{COMPARISONS[operator]}": moment})


@dataclass(frozen=True)
class Between:
    """A range of times: ``[created_at][start]=…``, ``[end]=…``, both included."""

    lookup: str
    words: tuple[str, ...] = ("start", "end")

    def __call__(self, name: str, way: tuple[str, ...], text: str) -> Q:
        if len(way) != 1 or way[0] not in self.words:
            raise Invalid([fault(["query", "search", name, *way], "A range of times has [start] and [end].")])
        return Q(**{f"{self.lookup}__{'gte' if way == ('start',) else 'lte'}": read_moment(name, text)})


def inside(field: str, *to: str) -> Condition:
    """What stands in a JSON field at ``to`` and then at the brackets; numbers, true and false as JSON writes them."""

    def condition(name: str, way: tuple[str, ...], text: str) -> Q:
        return Q(In(_written(field, (*to, *way)), choices(text)))

    return condition


def within(field: str, *to: str) -> Condition:
    """A part of the text of what stands in a JSON field at ``to`` and then at the brackets, whatever it is."""

    def condition(name: str, way: tuple[str, ...], text: str) -> Q:
        written = _written(field, (*to, *way))
        return _any(Q(IContains(written, part)) for part in parts(text))

    return condition


def filled(field: str, *to: str) -> Condition:
    """Whether there is anything at ``to``: true or false."""

    def condition(name: str, way: tuple[str, ...], text: str) -> Q:
        _no_brackets(name, way)
        if text.lower() not in {"true", "false"}:
            raise BadRequest(f"{name} must be true or false.")
        return Q(IsNull(_written(field, to), text.lower() == "false"))

    return condition


def either(*conditions: Condition) -> Condition:
    """Whichever of them understands the brackets that were sent, in this order."""

    def condition(name: str, way: tuple[str, ...], text: str) -> Q:
        *others, last = conditions
        for each in others:
            try:
                return each(name, way, text)
            except (Invalid, BadRequest):
                continue
        return last(name, way, text)

    return condition


def parts(text: str) -> list[str]:
    return text.split(",")


def choices(text: str) -> list[str]:
    """Return what may be meant: each entry of the comma-joined list, or a text that holds commas itself."""
    return list(dict.fromkeys([text, *parts(text)]))


def _any(conditions: Iterable[Q]) -> Q:
    whole = Q()
    for condition in conditions:
        whole |= condition
    return whole


def _no_brackets(name: str, way: tuple[str, ...]) -> None:
    if way:
        raise Invalid([fault(["query", name, *way], "This field is compared as a whole.")])


def _written(field: str, way: tuple[str, ...]) -> Any:
    """Return what stands at a place in a JSON field, as text; a key is never taken for one of the ORM's own words."""
    place: Any = F(field)
    for key in way[:-1]:
        place = KeyTransform(key, place)
    if way:
        place = KeyTextTransform(way[-1], place)
    return Cast(place, TextField())
