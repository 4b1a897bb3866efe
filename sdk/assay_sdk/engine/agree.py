"""How well a judge agrees with people: association, error, agreement beyond chance. Pure Python, textbook definitions.

A statistic that does not exist for the data (the correlation with a constant, say) is undefined and says why; it is
never NaN, nor 0.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

MAX_CATEGORIES = 50
CONSTANT = "{} always the same value"

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number, perhaps with a confidence interval; or None and the reason why there is none."""

    value: float | None
    reason: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge against people on `n` rows that both scored; `left_out` rows miss one score or both.

    `bias` is judge minus human. In `confusion[i][j]`, i is the human's category and j the judge's, both in the order
    of `categories`; it is empty, and so are accuracy and kappas, when there are too many different values to be
    categories.
    """

    n: int
    left_out: int
    statistics: dict[str, Statistic]
    categories: list[float]
    confusion: list[list[int]]


def agreement(
    judge: Sequence[float | None],
    human: Sequence[float | None],
    *,
    categories: Sequence[float] | None = None,
    resamples: int = 0,
    seed: int = 0,
) -> Agreement:
    """Compare two columns of the same rows.

    `categories` is the scale, in order, where rows need not use all of it; by default the values that occur. With
    `resamples` (some hundreds) each statistic gets a 95 % percentile bootstrap interval, the same for the same seed.
    """
    pairs = [(j, h) for j, h in zip(judge, human, strict=True) if _is_number(j) and _is_number(h)]
    numbers = [(float(j), float(h)) for j, h in pairs if j is not None and h is not None]
    scale = sorted({value for pair in numbers for value in pair} | set(categories or ()))
    if categories and set(scale) == set(categories):
        scale = list(categories)
    statistics = {name: _statistic(compute, numbers, scale) for name, compute in STATISTICS.items()}
    if resamples:
        statistics = _with_intervals(statistics, numbers, scale, resamples, random.Random(seed))
    table = confusion_matrix(numbers, scale) if len(scale) <= MAX_CATEGORIES else []
    return Agreement(len(numbers), len(judge) - len(numbers), statistics, scale if table else [], table)


class Undefined(Exception):
    """Internal: the statistic does not exist for these pairs."""


def pearson(pairs: Sequence[Pair]) -> float:
    """The linear correlation."""
    xs, ys = _centred([x for x, _ in pairs], "the judge gives"), _centred([y for _, y in pairs], "people give")
    covariance = math.fsum(x * y for x, y in zip(xs, ys, strict=True))
    return _clamped(covariance / (math.hypot(*xs) * math.hypot(*ys)))


def spearman(pairs: Sequence[Pair]) -> float:
    """The correlation of the ranks, tied values sharing their average rank."""
    return pearson(list(zip(ranks([x for x, _ in pairs]), ranks([y for _, y in pairs]), strict=True)))


def kendall(pairs: Sequence[Pair]) -> float:
    """Kendall's tau-b: concordant minus discordant pairs of rows, corrected for ties on either side."""
    n = len(pairs)
    in_all = n * (n - 1) // 2
    tied_x = _tied(Counter(x for x, _ in pairs))
    tied_y = _tied(Counter(y for _, y in pairs))
    tied_both = _tied(Counter(pairs))
    if tied_x == in_all or tied_y == in_all:
        raise Undefined(CONSTANT.format("the judge gives" if tied_x == in_all else "people give"))
    discordant = _inversions([y for _, y in sorted(pairs)])
    concordant = in_all - tied_x - tied_y + tied_both - discordant
    return _clamped((concordant - discordant) / (math.sqrt(in_all - tied_x) * math.sqrt(in_all - tied_y)))


def mean_absolute_error(pairs: Sequence[Pair]) -> float:
    return math.fsum(abs(j - h) for j, h in pairs) / len(pairs)


def root_mean_square_error(pairs: Sequence[Pair]) -> float:
    return math.hypot(*(j - h for j, h in pairs)) / math.sqrt(len(pairs))


def bias(pairs: Sequence[Pair]) -> float:
    """How much higher the judge scores, on average."""
    return math.fsum(value for j, h in pairs for value in (j, -h)) / len(pairs)


def accuracy(pairs: Sequence[Pair]) -> float:
    """The share of rows on which both say exactly the same."""
    return sum(j == h for j, h in pairs) / len(pairs)


def confusion_matrix(pairs: Sequence[Pair], scale: Sequence[float]) -> list[list[int]]:
    """Rows per (human, judge) category."""
    counts = Counter((h, j) for j, h in pairs)
    return [[counts[h, j] for j in scale] for h in scale]


def kappa(pairs: Sequence[Pair], scale: Sequence[float], power: int = 0) -> float:
    """Cohen's kappa; a disagreement weighs as its distance in categories to the given power (0: all alike)."""
    place = {value: position for position, value in enumerate(scale)}
    judged = Counter(place[j] for j, _ in pairs)
    labelled = Counter(place[h] for _, h in pairs)

    def weight(a: int, b: int) -> int:
        return 0 if a == b else abs(a - b) ** power

    observed = sum(weight(place[j], place[h]) for j, h in pairs) * len(pairs)
    expected = sum(weight(a, b) * judged[a] * labelled[b] for a in judged for b in labelled)
    if not expected:
        raise Undefined("both always give the same one value")
    return 1 - observed / expected


def _categorical(compute: Callable[[Sequence[Pair], Sequence[float]], float]) -> "Compute":
    def guarded(pairs: Sequence[Pair], scale: Sequence[float]) -> float:
        if len(scale) > MAX_CATEGORIES:
            raise Undefined(f"more than {MAX_CATEGORIES} different values are no categories")
        return compute(pairs, scale)

    return guarded


Compute = Callable[[Sequence[Pair], Sequence[float]], float]

STATISTICS: dict[str, Compute] = {
    "pearson": lambda pairs, _: pearson(pairs),
    "spearman": lambda pairs, _: spearman(pairs),
    "kendall": lambda pairs, _: kendall(pairs),
    "mae": lambda pairs, _: mean_absolute_error(pairs),
    "rmse": lambda pairs, _: root_mean_square_error(pairs),
    "bias": lambda pairs, _: bias(pairs),
    "accuracy": _categorical(lambda pairs, _: accuracy(pairs)),
    "kappa": _categorical(lambda pairs, scale: kappa(pairs, scale, 0)),
    "kappa_linear": _categorical(lambda pairs, scale: kappa(pairs, scale, 1)),
    "kappa_quadratic": _categorical(lambda pairs, scale: kappa(pairs, scale, 2)),
}


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, tied values sharing the average of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            result[place] = (start + end) / 2 + 1
        start = end + 1
    return result


def _statistic(compute: Compute, pairs: Sequence[Pair], scale: Sequence[float]) -> Statistic:
    if not pairs:
        return Statistic(None, "no row has both scores")
    try:
        return Statistic(compute(pairs, scale))
    except Undefined as reason:
        return Statistic(None, str(reason))


def _with_intervals(
    statistics: dict[str, Statistic], pairs: Sequence[Pair], scale: Sequence[float], resamples: int, rng: random.Random
) -> dict[str, Statistic]:
    drawn: dict[str, list[float]] = {name: [] for name, found in statistics.items() if found.value is not None}
    for _ in range(resamples if len(pairs) > 1 else 0):
        sample = rng.choices(pairs, k=len(pairs))
        for name, values in drawn.items():
            found = _statistic(STATISTICS[name], sample, scale)
            if found.value is not None:
                values.append(found.value)
    result = dict(statistics)
    for name, values in drawn.items():
        if len(values) >= resamples / 2 and values:  # else it exists by luck only, and so would its interval
            values.sort()
            low, high = (values[round(share * (len(values) - 1))] for share in (0.025, 0.975))
            result[name] = replace(statistics[name], low=low, high=high)
    return result


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _centred(values: Sequence[float], who: str) -> list[float]:
    if min(values) == max(values):
        raise Undefined(CONSTANT.format(who))
    mean = math.fsum(values) / len(values)
    return [value - mean for value in values]


def _clamped(correlation: float) -> float:
    return max(-1.0, min(1.0, correlation))


def _tied(counts: Counter[float] | Counter[Pair]) -> int:
    return sum(count * (count - 1) // 2 for count in counts.values())


def _inversions(values: list[float]) -> int:
    """Pairs in the wrong order (equal ones are not), by merge sort."""
    if len(values) < 2:
        return 0
    middle = len(values) // 2
    left, right = values[:middle], values[middle:]
    count = _inversions(left) + _inversions(right)
    left.sort()
    right.sort()
    taken = 0
    for value in left:
        while taken < len(right) and right[taken] < value:
            taken += 1
        count += taken
    return count
