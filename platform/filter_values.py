"""The values of a filter, read by the type of the field that they are compared with."""

import re
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, CharField, DateTimeField, Field, IntegerField, QuerySet, TextField
from django.utils.dateparse import parse_date, parse_datetime

from assay.platform.errors import BadRequest

MaybeField: TypeAlias = "Field[Any, Any] | None"


def field_at(rows: QuerySet[Any] | None, lookup: str) -> MaybeField:
    """Return the model field, or the annotation's, that ``lookup`` ends at."""
    if rows is None:
        return None
    if lookup in rows.query.annotations:
        output: Field[Any, Any] = rows.query.annotations[lookup].output_field
        return output
    model: Any = rows.model
    field: Any = None
    for part in lookup.split("__"):
        try:
            field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            return None
        model = field.related_model or model
    return field if isinstance(field, Field) else None


def is_text(field: MaybeField) -> bool:
    return field is None or isinstance(field, CharField | TextField)


def read_value(name: str, field: MaybeField, value: Any) -> Any:
    """Return the value as its field's type; raises ``BadRequest`` for one that the field cannot hold."""
    if isinstance(value, str) and "\x00" in value:
        raise BadRequest("A filter cannot hold NUL characters.")
    if isinstance(field, DateTimeField):
        return read_moment(name, value)
    if isinstance(field, BooleanField):
        if isinstance(value, bool) or str(value).lower() in {"true", "false"}:
            return str(value).lower() == "true"
        raise _bad(name, value, "true or false")
    if isinstance(field, IntegerField):
        if isinstance(value, str) and re.fullmatch("-?[0-9]{1,19}", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return value
        raise _bad(name, value, "a whole number")
    if not isinstance(value, str):
        raise _bad(name, value, "a text")
    choices = sorted(str(choice) for choice, _ in field.flatchoices) if field is not None and field.flatchoices else []
    if choices and value not in choices:
        raise BadRequest(f"Invalid {name} value '{value[:100]}'; valid values: {choices}")
    return value


def read_moment(name: str, value: Any) -> datetime:
    text = value.strip() if isinstance(value, str) else ""
    try:
        moment = parse_datetime(text)
        if moment is None:
            day: date | None = parse_date(text)
            moment = datetime(day.year, day.month, day.day) if day else None
        if moment is not None:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _bad(name, value, "a time such as 2026-01-31T12:00:00")


def _bad(name: str, value: Any, wanted: str) -> BadRequest:
    return BadRequest(f"Invalid {name} value '{str(value)[:100]}'; it must be {wanted}")
