"""The way along a job's rows: which are wanted, in which order, and where a page of them begins.

Values are looked up in the columns of `score_column.py`, so that rows far apart are found without those in between.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Max

from assay.jobs.models import Job, RowScore, Shard
from assay.ui.job_scores import JobScore, Stored
from assay.ui.score_column import ScoreColumn, column_of
from assay_sdk.engine.result import ScoreState

ROWS_AT_ONCE = 500
WINDOW = 20_000
"""Row numbers that one query looks at: few of them may be what is wanted."""
FEW = 2000
"""Rows within bounds of one score that are read to be sorted by another."""
NUMBERS = 2**62
"""Beyond the number of any row."""


@dataclass(frozen=True)
class Wanted:
    """Which rows are wanted, and in which order."""

    state: str = ""
    """``scored``: all of the row's scores are; ``unscored``: one is not; any other state: one is in it."""
    score: JobScore | None = None
    """The one that ``low`` and ``high`` bound; both belong to the range."""
    low: float | None = None
    high: float | None = None
    label: tuple[JobScore, str] | None = None
    text: str = ""
    sort: JobScore | None = None
    """By row number, if none."""
    falling: bool = False

    @property
    def ranged(self) -> JobScore | None:
        """Return the score whose range is wanted, if any."""
        return self.score if self.low is not None or self.high is not None else None

    def admits(self, row: "Found") -> bool:
        """Return whether a row is one of them, as far as its scores tell."""
        return self._in_state(row) and self._labelled(row) and self._in_range(row)

    def _in_state(self, row: "Found") -> bool:
        if self.state in {"", "unscored", ScoreState.SCORED}:
            return not self.state or row.scored == (self.state == ScoreState.SCORED)
        return any(entry[3] == self.state for entries in row.scores.values() for entry in entries)

    def _labelled(self, row: "Found") -> bool:
        if self.label is None:
            return True
        score, label = self.label
        entry = score.entry(row.scores)
        return entry is not None and entry[2] == label

    def _in_range(self, row: "Found") -> bool:
        if self.ranged is None:
            return True
        value = self.ranged.value(row.scores)
        if value is None:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class Found(NamedTuple):
    """A row, without what it holds."""

    number: int
    batch: int | None
    scored: bool
    scores: Stored


class Place(NamedTuple):
    """Where a page begins: beyond this row, forwards in the order that is wanted, or backwards."""

    forwards: bool = True
    row: int | None = None
    """None: from the very beginning, or backwards from the very end."""
    value: float | None = None
    """The row's value of the score that is sorted by, if it has one."""

    def __str__(self) -> str:
        return f"{self.row}" if self.value is None else f"{self.row}:{self.value!r}"

    @classmethod
    def read(cls, text: str, *, forwards: bool = True) -> "Place":
        """Return the place that a page named; raises ``ValueError``."""
        row, _, value = text.partition(":")
        place = cls(forwards, int(row), float(value) if value else None)
        if not -1 <= int(row) <= NUMBERS or (place.value is not None and not math.isfinite(place.value)):
            raise ValueError(f"there is no place {text}")
        return place


class Road:
    """The way along the rows in the order that is wanted, leaving out what columns tell not to be."""

    def __init__(self, job: Job, wanted: Wanted) -> None:
        self.job = job
        self.wanted = wanted
        self.edge: int | None = None
        """The row number up to which the rows given out last were all there are, if they came in row order."""
        self.bounds = (wanted.low, wanted.high)
        self.by = wanted.ranged
        if self.by is None and wanted.label is not None and wanted.label[0].exact:
            self.by, label = wanted.label
            value = (self.by.labels or {})[label]
            self.bounds = (value, value)
        used = {score.full: score for score in (self.by, wanted.sort) if score}
        self.columns: dict[str, ScoreColumn] = {name: column_of(job, score) for name, score in used.items()}

    def matching(self) -> int | None:
        """Return how many rows are wanted in all, where a column or the job's counts tell."""
        wanted, job = self.wanted, self.job
        if wanted.text or (wanted.label and wanted.ranged):
            return None
        if self.by is not None and not wanted.state:
            values = list((self.by.labels or {}).values())
            told = wanted.label is None or values.count(self.bounds[0] or 0.0) == 1
            return self.columns[self.by.full].count(self.bounds) if told else None
        counts = {"": job.rows_done, "unscored": job.rows_failed, "scored": job.rows_done - job.rows_failed}
        return counts.get(wanted.state) if self.by is None and wanted.label is None else None

    def rows(self, place: Place, first: int) -> Iterator[list[Found]]:
        """Yield rows beyond the place, some at a time: ``first`` of them, and then more."""
        sort, falling = self.wanted.sort, self.wanted.falling
        if sort is None:
            forwards = place.forwards is not falling
            start = place.row if place.row is not None else -1 if forwards else NUMBERS
            if self.by is None:
                return self._stored(start, forwards, first)
            return self._chosen(self.columns[self.by.full].by_row(self.bounds, start, forwards=forwards), first)
        return self._by_value(sort, place, first)

    def _by_value(self, sort: JobScore, place: Place, first: int) -> Iterator[list[Found]]:
        """Yield rows by value, and behind them those that have none; or backwards."""
        rising = place.forwards is not self.wanted.falling
        same = self.by is not None and self.by.full == sort.full
        if self.by is not None and not same and self.columns[self.by.full].count(self.bounds) <= FEW:
            yield self._few(self.columns[self.by.full], sort, place)
            return
        begun = place.row is not None
        start = None if place.row is None or place.value is None else (place.value, place.row)
        ranked = self.columns[sort.full].by_value(self.bounds if same else (None, None), start, rising=rising)
        number = -1 if place.forwards else NUMBERS
        number = place.row if place.row is not None and place.value is None else number

        def lacking() -> Iterator[list[Found]]:
            for rows in self._stored(number, place.forwards, first, lacking=sort):
                yield [row for row in rows if sort.value(row.scores) is None]

        if place.forwards:
            if not begun or start is not None:
                yield from self._chosen(ranked, first)
            if not same:
                yield from lacking()
            return
        if start is None and not same:
            yield from lacking()
        yield from self._chosen(ranked, first)

    def _few(self, column: ScoreColumn, sort: JobScore, place: Place) -> list[Found]:
        """Return the rows beyond the place that are within the bounds of another score, sorted as they were read."""
        sign = -1 if self.wanted.falling else 1

        def rank(number: int, value: float | None) -> tuple[int, float, int]:
            return (1, number, 0) if value is None else (0, sign * value, sign * number)

        rows = [
            row for rows in self._chosen(column.by_row(self.bounds, -1, forwards=True), ROWS_AT_ONCE) for row in rows
        ]
        ranked = sorted((rank(row.number, sort.value(row.scores)), row) for row in rows)
        if not place.forwards:
            ranked.reverse()
        start = None if place.row is None else rank(place.row, place.value)
        return [row for own, row in ranked if start is None or (own > start if place.forwards else own < start)]

    def _chosen(self, indexes: Iterator[int], count: int) -> Iterator[list[Found]]:
        """Yield the rows with these numbers, in their order."""
        while chosen := list(islice(indexes, count)):
            rows = {row.number: row for row in self._found(row_index__in=chosen)}
            self.edge = None
            yield [rows[index] for index in chosen if index in rows]
            count = ROWS_AT_ONCE

    def _stored(
        self, start: int, forwards: bool, count: int, *, lacking: JobScore | None = None
    ) -> Iterator[list[Found]]:
        """Yield the rows beyond that number, in row order or backwards."""
        state = self.wanted.state
        if lacking is not None and state == ScoreState.SCORED:
            return
        filters: dict[str, bool] = {"scored": state == ScoreState.SCORED and lacking is None}
        filters = filters if state or lacking else {}
        end = Shard.objects.filter(job=self.job).aggregate(stop=Max("stop"))["stop"] or 0
        start = min(max(start, -1), end)
        order = "row_index" if forwards else "-row_index"
        while start < end - 1 if forwards else start > 0:
            window = (start + 1, min(start + WINDOW, end)) if forwards else (max(0, start - WINDOW), start - 1)
            rows = self._found(order, count, row_index__range=window, **filters)
            start = rows[-1].number if len(rows) == count else window[1] if forwards else window[0]
            self.edge = start
            yield rows
            count = ROWS_AT_ONCE
        self.edge = None

    def _found(self, order: str = "row_index", count: int | None = None, **which: Any) -> list[Found]:
        rows = RowScore.objects.filter(job=self.job, **which).order_by(order)
        return [Found(*row) for row in rows.values_list("row_index", "batch_id", "scored", "scores")[:count]]
