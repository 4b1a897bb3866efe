"""How closely two columns go together: Pearson, Spearman, Kendall; and how far apart they are: MAE, RMSE, bias.

Textbook definitions, the values SciPy gives. Ranks and pairs are counted in whole numbers, so nothing is lost there.
"""

import math
from collections.abc import Sequence
from operator import mul

from assay_sdk.engine.crosstab import Tally
from assay_sdk.engine.intervals import Undefined

VANISHING = Undefined("the values differ by less than can be calculated with")


def pearson(tally: Tally) -> float | Undefined:
    """The linear correlation."""
    if tally.constant:
        return tally.constant
    judge, people = tally.table.away
    return _correlation(tally, _centred(judge, tally.by_judge, tally.n), _centred(people, tally.by_people, tally.n))


def spearman(tally: Tally) -> float | Undefined:
    """The correlation of the ranks, tied values sharing their average rank."""
    return tally.constant or _correlation(tally, _ranks(tally.by_judge, tally.n), _ranks(tally.by_people, tally.n))


def kendall(tally: Tally) -> float | Undefined:
    """Kendall's tau-b: concordant minus discordant pairs of rows, corrected for ties on either side."""
    if tally.constant:
        return tally.constant
    in_all = _couples([tally.n])
    untied_judge, untied_people = in_all - _couples(tally.by_judge), in_all - _couples(tally.by_people)
    concordant = _concordant(tally)
    discordant = untied_judge + untied_people - in_all + _couples(tally.weights) - concordant
    return _clamped((concordant - discordant) / math.sqrt(untied_judge * untied_people))


def mean_absolute_error(tally: Tally) -> float | Undefined:
    return _mean(tally, tally.table.absolute_errors, tally.table.shift)


def root_mean_square_error(tally: Tally) -> float | Undefined:
    square = _mean(tally, tally.table.squared_errors, 0)
    return square if isinstance(square, Undefined) else _unscaled(math.sqrt(square), tally.table.shift)


def bias(tally: Tally) -> float | Undefined:
    """How much higher the judge scores, on average."""
    return _mean(tally, tally.table.errors, tally.table.shift)


def _centred(away: Sequence[float], counts: Sequence[int], n: int) -> list[float]:
    mean = math.fsum(map(mul, away, counts)) / n
    return [distance - mean for distance in away]


def _ranks(counts: Sequence[int], n: int) -> list[float]:
    """Twice the average rank of each value, less the mean of them all: whole numbers."""
    before, ranks = 0, []
    for count in counts:
        ranks.append(float(2 * before + count - n))
        before += count
    return ranks


def _correlation(tally: Tally, judge: Sequence[float], people: Sequence[float]) -> float | Undefined:
    """Of deviations from the mean, one for each different value."""
    rows = map(judge.__getitem__, tally.table.rows)
    columns = map(people.__getitem__, tally.table.columns)
    together = math.fsum(map(mul, map(mul, rows, columns), tally.weights))
    spread_judge = math.fsum(map(mul, map(mul, judge, judge), tally.by_judge))
    spread_people = math.fsum(map(mul, map(mul, people, people), tally.by_people))
    product = spread_judge * spread_people
    # One root of the product, if it holds: then a column agrees with itself by exactly 1.
    root = math.sqrt(product) if product > 1e-280 else math.sqrt(spread_judge) * math.sqrt(spread_people)
    return _clamped(together / root) if root else VANISHING


def _concordant(tally: Tally) -> int:
    """Pairs of rows that both put in the same order. A Fenwick tree counts the rows below each, in n log n steps."""
    table, size = tally.table, len(tally.table.people)
    tree = [0] * (size + 1)
    found, start = 0, 0
    cells = list(zip(table.rows, table.columns, tally.weights, strict=True))
    for end in range(1, len(cells) + 1):
        if end < len(cells) and cells[end][0] == cells[start][0]:
            continue
        for _, column, weight in cells[start:end]:  # of the same judge's value: none is concordant with another
            below, place = 0, column
            while place:
                below += tree[place]
                place &= place - 1
            found += weight * below
        for _, column, weight in cells[start:end]:
            place = column + 1
            while weight and place <= size:
                tree[place] += weight
                place += place & -place
        start = end
    return found


def _couples(counts: Sequence[int]) -> int:
    return sum(count * (count - 1) for count in counts) // 2


def _clamped(correlation: float) -> float:
    return max(-1.0, min(1.0, correlation))


def _mean(tally: Tally, values: Sequence[float], shift: int) -> float | Undefined:
    if not tally.n:
        return Undefined("no row has both scores")
    return _unscaled(math.fsum(map(mul, values, tally.weights)) / tally.n, shift)


def _unscaled(value: float, shift: int) -> float | Undefined:
    try:
        return math.ldexp(value, shift)
    except OverflowError:
        return Undefined("beyond what a number can hold")
