"""The database as tables of plain values: the same lines, whichever database they come from or go to."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
from django.apps import apps
from django.db import connection
from django.db.models import Field
from pydantic import BaseModel

Row = Sequence[Any]
Change = Callable[[Any], Any]

LEFT_OUT = {
    "platform.RowCount": "triggers keep it, and count anew what is restored",
    "sessions.Session": "a session opens the platform to whoever reads its key; people sign in again",
    "jobs.Worker": "processes that are not there",
}
"""Models whose rows are in no backup, and why."""


class Kind(StrEnum):
    WHOLE = "whole"
    TEXT = "text"
    TRUTH = "truth"
    TIME = "time"
    """``2030-01-31 12:00:00.123456``, UTC"""
    DECIMAL = "decimal"
    """Its digits, as text."""
    JSON = "json"
    """Its text, which nobody reads on the way: no number and no character changes."""
    BYTES = "bytes"
    """In base64."""
    ADDRESS = "address"
    """Of a machine, as text."""


OF_FIELD = {
    "AutoField": Kind.WHOLE,
    "BigAutoField": Kind.WHOLE,
    "BigIntegerField": Kind.WHOLE,
    "IntegerField": Kind.WHOLE,
    "PositiveBigIntegerField": Kind.WHOLE,
    "PositiveIntegerField": Kind.WHOLE,
    "PositiveSmallIntegerField": Kind.WHOLE,
    "SmallIntegerField": Kind.WHOLE,
    "CharField": Kind.TEXT,
    "SlugField": Kind.TEXT,
    "TextField": Kind.TEXT,
    "BooleanField": Kind.TRUTH,
    "DateTimeField": Kind.TIME,
    "DecimalField": Kind.DECIMAL,
    "JSONField": Kind.JSON,
    "BinaryField": Kind.BYTES,
    "GenericIPAddressField": Kind.ADDRESS,
}
"""By Django's name of a field's type; a reference has the kind of what it refers to."""


class Column(BaseModel):
    name: str
    kind: Kind


class Table(BaseModel):
    name: str
    columns: list[Column]

    def named(self) -> str:
        """Return the names of its columns as SQL."""
        return ", ".join(connection.ops.quote_name(column.name) for column in self.columns)

    def select(self) -> str:
        """Return the query for its rows, in the order that the database has them in."""
        names = (connection.ops.quote_name(column.name) for column in self.columns)
        if connection.vendor == "postgresql":
            names = (
                f"{name}::text" if column.kind == Kind.JSON else name
                for name, column in zip(names, self.columns, strict=True)
            )
        return f"SELECT {', '.join(names)} FROM {connection.ops.quote_name(self.name)}"

    def to_line(self) -> Callable[[Row], bytes]:
        """Return what makes a line of JSON of a row as the database gives it."""
        changes = self._changes(OUT_OF_POSTGRES if connection.vendor == "postgresql" else OUT_OF_SQLITE)
        return lambda row: orjson.dumps(_changed(row, changes), option=orjson.OPT_APPEND_NEWLINE)

    def from_line(self) -> Callable[[bytes], Row]:
        """Return what makes a row, as the database takes it, of a line; raises ``ValueError`` for another line."""
        changes = self._changes(INTO_POSTGRES if connection.vendor == "postgresql" else INTO_SQLITE)
        width = len(self.columns)

        def read(line: bytes) -> Row:
            row = orjson.loads(line)
            if not isinstance(row, list) or len(row) != width:
                raise ValueError("it is no row of this table")
            return _changed(row, changes)

        return read

    def _changes(self, by_kind: dict[Kind, Change]) -> list[tuple[int, Change]]:
        return [(place, by_kind[column.kind]) for place, column in enumerate(self.columns) if column.kind in by_kind]


def tables() -> list[Table]:
    """Return every table that a backup holds, as the code of today knows them; raises ``KeyError`` for a new type."""
    return [
        Table(
            name=model._meta.db_table,
            columns=[Column(name=field.column, kind=_kind(field)) for field in model._meta.local_concrete_fields],
        )
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.label not in LEFT_OUT
    ]


def _kind(field: "Field[Any, Any]") -> Kind:
    while field.is_relation:
        field = field.target_field  # type: ignore[attr-defined]  # a relation that has a column has a target
    return OF_FIELD[field.get_internal_type()]


def _changed(row: Row, changes: Sequence[tuple[int, Change]]) -> Row:
    changed = list(row)
    for place, change in changes:
        if changed[place] is not None:
            changed[place] = change(changed[place])
    return changed


def _utc(moment: datetime) -> str:
    return str(moment.astimezone(UTC).replace(tzinfo=None))


def _packed(content: bytes) -> str:
    return b64encode(content).decode()


OUT_OF_SQLITE: dict[Kind, Change] = {Kind.TRUTH: bool, Kind.DECIMAL: str, Kind.BYTES: _packed}
OUT_OF_POSTGRES: dict[Kind, Change] = {Kind.TIME: _utc, Kind.DECIMAL: str, Kind.BYTES: _packed, Kind.ADDRESS: str}
INTO_SQLITE: dict[Kind, Change] = {Kind.TRUTH: int, Kind.BYTES: b64decode}
INTO_POSTGRES: dict[Kind, Change] = {Kind.BYTES: b64decode}


def lines(source: Iterator[Row], table: Table) -> Iterator[bytes]:
    """Yield the rows that the database gives as lines of JSON."""
    line = table.to_line()
    return (line(row) for row in source)
