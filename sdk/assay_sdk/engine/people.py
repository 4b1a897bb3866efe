"""What people said, in a column of the items: read beside the judge's scores, as numbers or as labels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay_sdk.engine.agree import Agreement, agreement
from assay_sdk.engine.errors import NotComparable
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.paths import find, steps_of
from assay_sdk.engine.result import Score

LONGEST_LABEL = 200
SHOWN_NAMES = 50
SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with the score that is to be held against people's; None if the row has no such score."""

    index: int
    item: Mapping[str, Any]
    score: Score | None


def agreement_with_people(
    rows: Iterable[Judged],
    column: str,
    *,
    score: str,
    labels: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Agreement:
    """Hold a score against a column of the items: its name, or a path to it.

    `labels` are those of the score, from the lowest value to the highest, if it has any; a column that holds them is
    compared label by label. Numbers may be written as text. Raises NotComparable if there is no such column, or if it
    holds something else: it says what, and in which row.
    """
    reader = _Column(column, score, labels)
    judged = [(row.score, reader.read(row)) for row in rows]
    if judged and not reader.found:
        raise NotComparable(f"no row has a column '{column}'; there are: {_listed(reader.names)}")
    options: dict[str, Any] = {"resamples": resamples, "seed": seed, "score": score, "column": column}
    if reader.holds_labels:
        given = [found.label or None if found else None for found, _ in judged]
        return agreement(given, [rating and rating[0] for _, rating in judged], categories=labels, **options)
    values = [found.value if found else None for found, _ in judged]
    return agreement(values, [rating and rating[1] for _, rating in judged], **options)


def find_score(names: Sequence[str], wanted: str | None, *, like: str = "") -> str:
    """The one of the names `metric.score` that is meant: by the whole of it, or by its end; if None, the only one.

    `like` decides among several: the score that is called like the column. Raises NotComparable.
    """
    asked = wanted if wanted is not None else like if len(names) > 1 else None
    found = [name for name in names if asked is None or asked in (name, name.partition(".")[2])]
    if len(found) == 1:
        return found[0]
    if wanted is None and names:
        raise NotComparable(f"say which score: there are {_listed(names)}")
    trouble = "several scores are" if found else "no score is"
    raise NotComparable(f"{trouble} called '{wanted}'; there are: {_listed(names)}")


def labels_of(values: Mapping[str, float]) -> list[str]:
    """The labels of a rubric, given with their values, from the lowest value to the highest."""
    return sorted(values, key=values.__getitem__)


Rating = tuple[str, float | None]
"""What a person said, as a label and as a number; None in the place of what it cannot be."""


class _Column:
    """Reads one column, row by row."""

    def __init__(self, name: str, score: str, labels: Sequence[str]) -> None:
        self.name = name
        self.score = score
        self.steps = steps_of(name)
        self.labels = {label.strip().casefold(): label for label in labels}
        self.names: dict[str, None] = {}
        self.found = False
        self.worded: tuple[int, str] | None = None
        """The first row that holds no number, and what it holds."""
        self.known, self.foreign = False, False
        """Whether some ratings are labels of the score, and whether some are not."""

    @property
    def holds_labels(self) -> bool:
        """Whether the column is to be compared label by label. Raises NotComparable if it is neither fish nor fowl."""
        if self.worded and not self.known:
            raise self._refusal(*self.worded)
        return self.worded is not None or (self.known and not self.foreign)

    def read(self, row: Judged) -> Rating | None:
        """What people said of the row; None if they said nothing."""
        value = row.item[self.name] if self.name in row.item else find(row.item, self.steps)
        if self.name in row.item or value is not None:
            self.found = True
        elif len(self.names) <= SHOWN_NAMES:
            self.names.update(dict.fromkeys(row.item))
        text = said(value)
        if text is None:
            return None
        number = _number(value)
        if number is None and (not isinstance(value, str) or not self.labels or len(text) > LONGEST_LABEL):
            raise self._refusal(row.index, text)
        if number is None:
            self.worded = self.worded or (row.index, text)
        label = self.labels.get(text.casefold())
        self.known, self.foreign = self.known or label is not None, self.foreign or label is None
        return label or text, number

    def _refusal(self, index: int, text: str) -> NotComparable:
        shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
        also = f", nor a label of '{self.score}' ({_listed(list(self.labels.values()))})" if self.labels else ""
        return NotComparable(f"column '{self.name}' holds '{shown}' in row {index}, which is not a number{also}")


def said(value: Any) -> str | None:
    """What a person said, as text; None if they said nothing."""
    try:
        text = str(value).strip()
    except ValueError:  # Python writes no whole number of thousands of digits
        return "a huge number"
    return None if value is None or text.casefold() in ("", "nan") else text


def _number(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN_NAMES]) + (", …" if len(listed) > SHOWN_NAMES else "")
