"""A job's rows as a table: what its columns are, and each row as its cells."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import orjson

from assay.jobs.columns import Columns, Kind
from assay.jobs.folded import Folding, columns_in
from assay.jobs.ledger import tokens_of
from assay.jobs.models import Job
from assay.jobs.packing import members
from assay.jobs.packs import Frames, members_in, read_members, sections
from assay.jobs.parts import metrics_of
from assay_sdk.engine.result import ScoreState

Cell = bool | int | float | str | None
NUMBERS = {Kind.NUMBER.value, Kind.FLOAT.value}


class Column(NamedTuple):
    name: str
    kind: Kind
    """What each of its cells is, if it is not None."""


class FlatRows:
    """The rows stored when it was made, whatever lands since; ``scratch`` is a file for those not packed yet.

    An item's columns are called ``item.<column>``; a nested cell, and any cell of a column that holds now this and now
    that, is text. Raises ``RowLost`` while it is read.
    """

    def __init__(self, job: Job, scratch: BinaryIO) -> None:
        metrics = metrics_of(job)
        self._sections = sections(job, folded=True)
        self._scratch = scratch
        self._drafts: dict[int, Frames] = {}
        items = Columns()
        for place, section in enumerate(self._sections):
            if section.pack is not None:
                items.merge(columns_in(section.pack.folded))
                continue
            folding, frames, base = Folding(metrics), list[list[int]](), scratch.tell()
            for member in members(job, section.start, section.stop, frames, folding):
                scratch.write(member)
            self._drafts[place] = [[first, base + offset, rows] for first, offset, rows in frames]
            items.merge(folding.columns)
        self._items = {name: _kind(kinds) for name, kinds in items.kinds.items()}
        self._scores = [
            (key, name, rubric is not None)
            for key, metric in metrics.items()
            for name, rubric in metric.scales().items()
        ]
        self.columns = _unique(self._columns())

    def _columns(self) -> Iterator[Column]:
        yield Column("row_index", Kind.NUMBER)
        for name, kind in self._items.items():
            yield Column(f"item.{name}", kind)
        yield Column("sample.output_text", Kind.TEXT)
        for key, name, graded in self._scores:
            yield Column(f"{key}.{name}", Kind.FLOAT)
            for part in ("label", "state", "reason") if graded else ("state", "reason"):
                yield Column(f"{key}.{name}.{part}", Kind.TEXT)
        yield Column("tokens_in", Kind.NUMBER)
        yield Column("tokens_out", Kind.NUMBER)
        yield Column("error", Kind.TEXT)

    def __iter__(self) -> Iterator[list[Cell]]:
        """Yield the cells of each row in the order of the columns."""
        for lines in self._lines():
            for line in lines.splitlines():
                yield self._cells(orjson.loads(line))

    def _lines(self) -> Iterator[bytes]:
        for place, section in enumerate(self._sections):
            if section.pack is not None:
                yield from read_members(section.pack.blob, section.pack.frames)
            else:
                yield from members_in(self._scratch, self._drafts[place])

    def _cells(self, row: Mapping[str, Any]) -> list[Cell]:
        item, states = row["item"], row.get("states") or {}
        cells: list[Cell] = [row["row_index"]]
        cells += [_cell(item.get(name), kind) for name, kind in self._items.items()]
        cells.append(_cell((row.get("sample") or {}).get("output_text"), Kind.TEXT))
        outputs = {key: {each["name"]: each["value"] for each in listed} for key, listed in row["metrics"].items()}
        for key, name, graded in self._scores:
            found = outputs.get(key, {})
            value, told = found.get(name), states.get(key, {}).get(name, {})
            value = None if value == "NaN" else value
            cells.append(value)
            if graded:
                cells.append(found.get(f"{name}.label") or None)
            cells += [told.get("state") or (None if value is None else ScoreState.SCORED.value), told.get("reason")]
        replies = [call.get("response") for call in row.get("requests") or []]
        known = [tokens for reply in replies if isinstance(reply, dict) and (tokens := tokens_of(reply))]
        cells += [sum(tokens[side] for tokens in known) if known else None for side in (0, 1)]
        cells.append("; ".join((row.get("metric_errors") or {}).values()) or None)
        return cells


def _kind(kinds: set[str]) -> Kind:
    """Return what every cell of a column can be that holds these kinds."""
    if not kinds or len(kinds) > 1:
        whole = {Kind.NUMBER.value, Kind.LONG_NUMBER.value}
        return Kind.TEXT if not kinds or not kinds <= NUMBERS | whole else _number(kinds)
    [only] = kinds
    return {Kind.LONG_NUMBER: Kind.NUMBER, Kind.OTHER: Kind.TEXT}.get(Kind(only), Kind(only))


def _number(kinds: set[str]) -> Kind:
    if Kind.FLOAT.value not in kinds:
        return Kind.NUMBER
    return Kind.TEXT if Kind.LONG_NUMBER.value in kinds else Kind.FLOAT


def _cell(value: Any, kind: Kind) -> Cell:
    if value is None or isinstance(value, str) or kind is not Kind.TEXT:
        found: Cell = value
        return found
    return orjson.dumps(value).decode() if not isinstance(value, int) else str(value)


def _unique(columns: Iterator[Column]) -> list[Column]:
    """Return the columns, each with a name of its own: an item may have a column called like a score."""
    found: dict[str, Column] = {}
    for column in columns:
        name, number = column.name, 1
        while name in found:
            number += 1
            name = f"{column.name}_{number}"
        found[name] = Column(name, column.kind)
    return list(found.values())
