"""How well a judge agrees with people: association, error, agreement beyond chance, each with a 95 % interval.

Pure Python. The statistics are those of SciPy and scikit-learn (`association`, `categories`), the intervals seeded
bootstraps (`intervals`; Wilson's for accuracy). Not Fisher's z for Pearson: it supposes that both columns are normal,
and scores are few-valued, skewed and piled up at the ends of their scale.

A statistic that does not exist for the data (the correlation with a constant, say) is undefined and says why; it is
never NaN, nor 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from assay_sdk.engine.association import bias, kendall, mean_absolute_error, pearson, root_mean_square_error, spearman
from assay_sdk.engine.categories import MOST, accuracy, confusion, kappa, kappa_linear, kappa_quadratic, same
from assay_sdk.engine.crosstab import Crosstab, Statistics, Tally
from assay_sdk.engine.intervals import CONFIDENCE, RESAMPLES, Bootstrap, Undefined, wilson
from assay_sdk.engine.statistic import Statistic, known
from assay_sdk.engine.tables import table

UNORDERED = Undefined("the labels have no order: not all of them are on the scale")
OF_CATEGORIES: Statistics = {
    "accuracy": accuracy,
    "kappa": kappa,
    "kappa_linear": kappa_linear,
    "kappa_quadratic": kappa_quadratic,
}
OF_LABELS: Statistics = {**OF_CATEGORIES, **dict.fromkeys(("kappa_linear", "kappa_quadratic"), lambda _: UNORDERED)}
OF_NUMBERS: Statistics = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
    "mae": mean_absolute_error,
    "rmse": root_mean_square_error,
    "bias": bias,
    **OF_CATEGORIES,
}
SHOWN = 12
"""Larger confusion matrices are not printed."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge against people, on the `n` of `rows` rows that both scored.

    `bias` is judge minus human. In `confusion[i][j]`, i is the human's category and j the judge's, both in the order
    of `categories`; there are none, and no accuracy and no kappa, when too many values differ.
    """

    score: str
    column: str
    rows: int
    n: int
    unscored: int
    """Rows without a judge's score; `unrated` are those without a human's. A row can be both."""
    unrated: int
    statistics: dict[str, Statistic]
    categories: list[float] | list[str]
    confusion: list[list[int]]
    resamples: int
    seed: int
    confidence: float = CONFIDENCE

    def __getitem__(self, name: str) -> Statistic:
        return self.statistics[name]

    @property
    def left_out(self) -> int:
        """Rows that miss one score or both."""
        return self.rows - self.n

    def summary(self) -> str:
        """Return the statistics and the confusion matrix as a text to read."""
        head = f"{self.score} against people's '{self.column}': {self.n} of {self.rows} rows have both"
        if self.left_out:
            head += f" ({self.unscored} unscored, {self.unrated} unrated)"
        lines = table(("", "value", "95 % interval"), [_cells(*entry) for entry in self.statistics.items()])
        lines += [f"{name}: {found.reason}" for name, found in self.statistics.items() if found.reason]
        if 0 < len(self.categories) <= SHOWN:
            names = [f"{category:g}" if isinstance(category, float) else category for category in self.categories]
            counts = [[name, *map(str, row)] for name, row in zip(names, self.confusion, strict=True)]
            lines += ["", *table(("people \\ judge", *names), counts)]
        return "\n".join([head, "", *lines])

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_wire(cls, document: Mapping[str, Any]) -> Self:
        """Return what `to_wire` made; members of newer servers are left out."""
        statistics = {name: known(Statistic, entry) for name, entry in document["statistics"].items()}
        return known(cls, {**document, "statistics": statistics})


def agreement(
    judge: Sequence[float | str | None],
    human: Sequence[float | str | None],
    *,
    categories: Sequence[float] | Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    score: str = "judge",
    column: str = "people",
) -> Agreement:
    """Compare two columns of the same rows: both of numbers, or both of labels.

    `categories` is the scale, in order, where rows need not use all of it; by default the values that occur. Labels
    have an order only by `categories`: without it their weighted kappas are undefined. The same seed gives the same
    intervals, whatever the order of the rows. Raises ValueError if numbers and labels are mixed.
    """
    judged, people = [_given(value) for value in judge], [_given(value) for value in human]
    both = [(j, h) for j, h in zip(judged, people, strict=True) if j is not None and h is not None]
    crosstab, scale = _crosstab(both, categories)
    tally = Tally(crosstab, crosstab.counts)
    found = crosstab.measure(crosstab.counts)
    intervals = Bootstrap(crosstab, found, resamples=resamples, seed=seed).intervals()
    if isinstance(found["accuracy"], float) and resamples:
        intervals["accuracy"] = wilson(same(tally), tally.n)
    return Agreement(
        score=score,
        column=column,
        rows=len(judged),
        n=tally.n,
        unscored=judged.count(None),
        unrated=people.count(None),
        statistics={name: Statistic.of(value, tally.n, intervals.get(name)) for name, value in found.items()},
        categories=scale,
        confusion=confusion(tally),
        resamples=resamples,
        seed=seed,
    )


def _crosstab(
    both: Sequence[tuple[float | str, float | str]], categories: Sequence[float] | Sequence[str] | None
) -> tuple[Crosstab, list[Any]]:
    """The table of what both gave, and the categories in order."""
    values: set[Any] = {value for pair in both for value in pair}
    labels = any(isinstance(value, str) for value in (*values, *(categories or ())))
    if labels and not all(isinstance(value, str) for value in values):
        raise ValueError("numbers cannot be compared with labels")
    given: list[Any] = list(dict.fromkeys(categories or ()))
    foreign = sorted(values.difference(given))
    # Numbers have an order of their own, in which those that the scale lacks find their place.
    scale: list[Any] = [*given, *foreign] if labels else sorted([*given, *foreign]) if foreign else given
    if len(scale) > MOST:
        scale = []
    if not labels:
        return Crosstab.of([(float(j), float(h)) for j, h in both], scale, OF_NUMBERS), [float(v) for v in scale]
    place = {value: float(position) for position, value in enumerate([*given, *foreign])}
    statistics = OF_LABELS if foreign else OF_CATEGORIES
    return Crosstab.of([(place[j], place[h]) for j, h in both], [place[v] for v in scale], statistics), scale


def _given(value: float | str | None) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else None


def _cells(name: str, found: Statistic) -> tuple[str, str, str]:
    if found.value is None:
        return name, "undefined", ""
    return name, f"{found.value:.4g}", found.range or "none"
