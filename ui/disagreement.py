"""A judge against people, found in one reading of the rows: the agreement, its pictures, and where they differ most."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from typing import Any, NamedTuple

from assay.jobs.judged import JobScore, check_size, judged_rows, score_of
from assay.jobs.models import Job
from assay.platform.errors import Invalid
from assay.ui.rows_shown import RowsAsOf, as_of
from assay.ui.spreads import Spread, of_labels, of_numbers
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.errors import NotComparable
from assay_sdk.engine.paths import find, steps_of
from assay_sdk.engine.people import Judged, agreement_with_people, said

MOST_LISTED = 50
MOST_MARKS = 400
"""More different pairs of ratings are drawn together, by the squares of a grid."""
GRID = 24
MOST_CATEGORIES = 12
"""Of a confusion matrix that is shown."""
KEPT = 16
"""Findings that are kept, so that going back and forth between them and the rows reads nothing again."""

Rating = float | str


class Couple(NamedTuple):
    """What people and the judge said of a row, and how far the judge is above; None where labels have no order."""

    row: int
    people: Rating
    judge: Rating
    apart: float | None


class Mark(NamedTuple):
    """A place in the scatter plot: what people said, what the judge said, how many rows, and the first of them."""

    people: float
    judge: float
    rows: int
    first: int


@dataclass(frozen=True)
class Disagreement:
    """Everything that the page says of a job against a column."""

    agreement: Agreement
    labelled: bool
    """Whether labels were compared, not numbers."""
    marks: list[Mark]
    gathered: bool
    """Whether a mark stands for a square of the plot."""
    judge: Spread
    people: Spread
    apart: Spread
    ends: tuple[float, float] | None
    """Between which values people's ratings lie; None for labels."""
    differ: int
    """Rows on which they do not say the same; on ``above`` of them the judge is higher, on ``below`` lower."""
    above: int
    below: int
    worst: list[Couple]
    cells: Mapping[tuple[Rating, Rating], list[Couple]]
    """The first rows of each field of the confusion matrix, by what people and the judge said."""


def disagreement_of(job: Job, column: str, score: str, *, resamples: int, seed: int = 0) -> Disagreement:
    """Return how the job's score stands to what people said in a column, on the rows judged so far.

    Raises ``Invalid`` if there is no such score or column, or the column holds something else than ratings.
    """
    check_size(job)
    return _found(as_of(job), column, score, resamples, seed)


@lru_cache(maxsize=KEPT)
def _found(rows: RowsAsOf, column: str, score: str, resamples: int, seed: int) -> Disagreement:
    job = rows.job()
    try:
        return _read(job, column, score_of(job, score), resamples, seed)
    except NotComparable as error:
        raise Invalid(f"Job '{job.name}': {error}.") from None


def _read(job: Job, column: str, score: JobScore, resamples: int, seed: int) -> Disagreement:
    steps = steps_of(column)
    seen: list[tuple[int, Any, Any]] = []

    def noted() -> Iterator[Judged]:
        for row in judged_rows(job, score):
            seen.append((row.index, row.score, row.item[column] if column in row.item else find(row.item, steps)))
            yield row

    agreement = agreement_with_people(
        noted(), column, score=score.full_name, labels=score.labels, resamples=resamples, seed=seed
    )
    labelled = "bias" not in agreement.statistics
    couples = list(_labels(seen, score.labels) if labelled else _numbers(seen))
    differing = [couple for couple in couples if couple.people != couple.judge]
    marks, gathered = ([], False) if labelled else _marks(couples)
    judge, people, apart = _spreads(couples, (agreement.categories or score.labels) if labelled else None)
    return Disagreement(
        agreement=agreement,
        labelled=labelled,
        marks=marks,
        gathered=gathered,
        judge=judge,
        people=people,
        apart=apart,
        ends=None if labelled else _ends([float(couple.people) for couple in couples]),
        differ=len(differing),
        above=sum((couple.apart or 0) > 0 for couple in differing),
        below=sum((couple.apart or 0) < 0 for couple in differing),
        worst=nsmallest(MOST_LISTED, differing, key=_size),
        cells=_cells(couples) if 0 < len(agreement.categories) <= MOST_CATEGORIES else {},
    )


def _numbers(seen: Sequence[tuple[int, Any, Any]]) -> Iterator[Couple]:
    for index, score, rating in seen:
        if score is None or score.value is None or said(rating) is None:
            continue
        judge, people = float(score.value), float(rating)
        if math.isfinite(judge) and math.isfinite(people):
            yield Couple(index, people, judge, judge - people)


def _labels(seen: Sequence[tuple[int, Any, Any]], labels: Sequence[str]) -> Iterator[Couple]:
    known = {label.strip().casefold(): label for label in labels}
    place = {label: position for position, label in enumerate(labels)}
    for index, score, rating in seen:
        text = said(rating)
        if score is None or not score.label or text is None:
            continue
        people = known.get(text.casefold(), text)
        ordered = people in place and score.label in place
        yield Couple(index, people, score.label, float(place[score.label] - place[people]) if ordered else None)


def _size(couple: Couple) -> tuple[float, int]:
    # A label that the rubric lacks is wrong by no known number of steps: after those that are.
    return -abs(couple.apart) if couple.apart is not None else 0.0, couple.row


def _spreads(couples: Sequence[Couple], categories: Sequence[Rating] | None) -> tuple[Spread, Spread, Spread]:
    """Return how the judge's ratings are spread, people's, and the differences; ``categories`` of labels."""
    steps = [couple.apart for couple in couples if couple.apart is not None and math.isfinite(couple.apart)]
    if categories is not None:
        judged = of_labels([str(each) for each in categories], [str(couple.judge) for couple in couples])
        rated = of_labels(judged.labels, [str(couple.people) for couple in couples])
        return judged, rated, of_numbers(steps, about_zero=True)
    both = of_numbers([float(each.judge) for each in couples], [float(each.people) for each in couples])
    judge, people = (Spread(both.labels, [column], both.touching) for column in both.counts)
    return judge, people, of_numbers(steps, about_zero=True)


def _marks(couples: Sequence[Couple]) -> tuple[list[Mark], bool]:
    """Return the places of the scatter plot, and whether each stands for a square of it."""
    places = [(float(couple.people), float(couple.judge)) for couple in couples]
    gathered = len(set(places)) > MOST_MARKS
    if gathered:
        places = list(zip(*(_squared(axis) for axis in zip(*places, strict=True)), strict=True))
    rows = Counter(places)
    first: dict[tuple[float, float], int] = {}
    for place, couple in zip(places, couples, strict=True):
        first.setdefault(place, couple.row)
    return [Mark(*place, rows[place], first[place]) for place in sorted(rows)], gathered


def _ends(values: Sequence[float]) -> tuple[float, float] | None:
    return (min(values), max(values)) if values else None


def _squared(values: Sequence[float]) -> list[float]:
    """Return for each value the middle of its square's side."""
    low, high = min(values), max(values)
    side = (high - low) / GRID
    if not side or not math.isfinite(side):
        return list(values)
    return [low + side * (min(GRID - 1, math.floor((value - low) / side)) + 0.5) for value in values]


def _cells(couples: Sequence[Couple]) -> dict[tuple[Rating, Rating], list[Couple]]:
    cells: dict[tuple[Rating, Rating], list[Couple]] = {}
    for couple in couples:
        listed = cells.setdefault((couple.people, couple.judge), [])
        if len(listed) < MOST_LISTED:
            listed.append(couple)
    return cells
