"""What a comparison of runs on the same rows came to."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from assay_sdk.engine.intervals import CONFIDENCE
from assay_sdk.engine.paired import POWER
from assay_sdk.engine.statistic import Statistic, known
from assay_sdk.engine.tables import table

SHOWN = 5
"""How many of the rows that changed most are printed."""
HEAD = ("second - first", "rows", "higher", "lower", "mean diff", "95 % interval", "p (Holm)", "detectable", "test")


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run that takes part, by itself: the mean is that of all its scored rows."""

    run: str
    score: str
    rows: int
    scored: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that two runs score differently."""

    index: int
    first: float
    second: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The run `second` minus the run `first`, on the `n` rows that pair up and that both scored."""

    first: str
    second: str
    n: int
    only_first: int
    """Rows that only the first run has, and `only_second` those that only the second has."""
    only_second: int
    other_item: int
    """Rows at the same place that hold another item."""
    unscored: int
    """Rows that pair up, but lack a score in one run or both."""
    higher: int
    """Rows that the second run scores higher; `lower` and `equal` are the others."""
    lower: int
    equal: int
    difference: Statistic
    """The mean difference with its interval."""
    test: str | None
    """The test that was made; `statistic`, `p` and `p_holm`, the p-value among all comparisons, are its results."""
    statistic: float | None
    p: float | None
    p_holm: float | None
    untested: str | None
    """Why there is no p-value."""
    detectable: Statistic
    """The smallest difference that so many rows would show at 5 % four times out of five."""
    changed: list[ChangedRow]
    """The rows that changed most, the largest change first."""

    @property
    def unpaired(self) -> int:
        """Rows that do not pair up."""
        return self.only_first + self.only_second + self.other_item


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs on the same rows, and the difference of each two of them."""

    runs: list[ComparedRun]
    differences: list[Difference]
    resamples: int
    seed: int
    confidence: float = CONFIDENCE
    power: float = POWER

    def summary(self) -> str:
        """Return runs, differences and what does not pair up as a text to read."""
        runs = [
            (run.run, run.score, f"{run.scored} of {run.rows}", "-" if run.mean is None else f"{run.mean:.4g}")
            for run in self.runs
        ]
        differences = [_cells(found) for found in self.differences]
        notes = [note for found in self.differences for note in _notes(found)]
        tables = [*table(("run", "score", "scored", "mean"), runs), "", *table(HEAD, differences)]
        return "\n".join([*tables, *([""] if notes else []), *notes])

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_wire(cls, document: Mapping[str, Any]) -> Self:
        """Return what `to_wire` made; members of newer servers are left out."""
        differences = [
            known(
                Difference,
                {
                    **entry,
                    "difference": known(Statistic, entry["difference"]),
                    "detectable": known(Statistic, entry["detectable"]),
                    "changed": [known(ChangedRow, row) for row in entry["changed"]],
                },
            )
            for entry in document["differences"]
        ]
        runs = [known(ComparedRun, entry) for entry in document["runs"]]
        return known(cls, {**document, "runs": runs, "differences": differences})


def _cells(found: Difference) -> tuple[str, ...]:
    number = "-" if found.difference.value is None else f"{found.difference.value:+.4g}"
    p = "-" if found.p_holm is None else f"{found.p_holm:.3g}"
    detectable = "-" if found.detectable.value is None else f"{found.detectable.value:.4g}"
    counts = (str(found.n), str(found.higher), str(found.lower))
    label = f"{found.second} - {found.first}"
    return label, *counts, number, found.difference.range or "-", p, detectable, found.test or "-"


def _notes(found: Difference) -> Iterator[str]:
    label = f"{found.second} - {found.first}"
    if found.unpaired:
        yield (
            f"{label}: {found.unpaired} rows do not pair up: {found.only_first} only in {found.first}, "
            f"{found.only_second} only in {found.second}, {found.other_item} with another item"
        )
    if found.unscored:
        yield f"{label}: {found.unscored} rows lack a score"
    if found.untested:
        yield f"{label}: no p-value: {found.untested}"
    if found.difference.reason:
        yield f"{label}: {found.difference.reason}"
    if found.changed:
        rows = ", ".join(f"{row.index} ({row.first:g} to {row.second:g})" for row in found.changed[:SHOWN])
        yield f"{label}: rows that changed most: {rows}"
