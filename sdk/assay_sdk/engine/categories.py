"""How often two columns of categories say the same: accuracy, Cohen's kappa, the confusion matrix.

The values scikit-learn gives, of whole numbers up to the last division.
"""

from collections.abc import Sequence
from itertools import accumulate

from assay_sdk.engine.crosstab import Tally
from assay_sdk.engine.intervals import Undefined

MOST = 101
"""So many different values can be categories: every whole number from 0 to 100."""
TOO_MANY = Undefined(f"more than {MOST} different values are no categories")


def same(tally: Tally) -> int:
    """On how many rows both say exactly the same."""
    return sum(w for (judge, human), w in zip(tally.table.pairs, tally.weights, strict=True) if judge == human)


def accuracy(tally: Tally) -> float | Undefined:
    """The share of rows on which both say exactly the same."""
    if not tally.n:
        return tally.constant or TOO_MANY
    return same(tally) / tally.n if tally.table.scale else TOO_MANY


def kappa(tally: Tally) -> float | Undefined:
    """Cohen's kappa: agreement beyond chance, all disagreements being alike."""
    if refusal := _none(tally):
        return refusal
    judge, people = _margins(tally)
    chance = sum(a * b for a, b in zip(judge, people, strict=True))
    return 1 - (tally.n - same(tally)) * tally.n / (tally.n**2 - chance)


def kappa_linear(tally: Tally) -> float | Undefined:
    """Cohen's kappa where a disagreement weighs as many steps as the two categories are apart."""
    if refusal := _none(tally):
        return refusal
    judge, people = (list(accumulate(counts)) for counts in _margins(tally))
    # By chance: of all pairs of a judge's row and a human's, those with one at or below a step and the other above it.
    expected = sum(a * (tally.n - b) + b * (tally.n - a) for a, b in zip(judge, people, strict=True))
    return 1 - _apart(tally, 1) * tally.n / expected


def kappa_quadratic(tally: Tally) -> float | Undefined:
    """Cohen's kappa where a disagreement weighs the square of the steps."""
    if refusal := _none(tally):
        return refusal
    judge, people = _margins(tally)
    squares = sum(place * place * (a + b) for place, (a, b) in enumerate(zip(judge, people, strict=True)))
    means = [sum(place * count for place, count in enumerate(counts)) for counts in (judge, people)]
    return 1 - _apart(tally, 2) * tally.n / (tally.n * squares - 2 * means[0] * means[1])


def confusion(tally: Tally) -> list[list[int]]:
    """Rows per (human, judge) category; empty where there are no categories."""
    size = len(tally.table.scale)
    table = [[0] * size for _ in range(size)]
    for (judge, human), weight in zip(tally.table.pairs, tally.weights, strict=True):
        if size:
            table[tally.table.scale[human]][tally.table.scale[judge]] += weight
    return table


def _none(tally: Tally) -> Undefined | None:
    # Of a constant column kappa is 0 whatever the other one holds, which looks like a finding and is none.
    return tally.constant or (None if tally.table.scale else TOO_MANY)


def _margins(tally: Tally) -> tuple[list[int], list[int]]:
    size = len(tally.table.scale)
    margins = ([0] * size, [0] * size)
    for margin, places, counts in zip(margins, tally.table.places, (tally.by_judge, tally.by_people), strict=True):
        for place, count in zip(places, counts, strict=True):
            margin[place] += count
    return margins


def _apart(tally: Tally, power: int) -> int:
    judge, people = tally.table.places
    cells: Sequence[tuple[int, int, int]] = list(zip(tally.table.rows, tally.table.columns, tally.weights, strict=True))
    return sum(abs(judge[row] - people[column]) ** power * weight for row, column, weight in cells)
