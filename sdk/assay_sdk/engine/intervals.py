"""95 % intervals: the bootstrap for any statistic of rows, Wilson's for shares. The same seed gives the same interval.

Rows are resampled with replacement, as many as there are, and the interval is bias-corrected and accelerated (BCa:
Efron, Better bootstrap confidence intervals, JASA 82, 1987; Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 14), with the acceleration from the jackknife. Where BCa does not exist, the plain percentiles of the
resamples stand in.

The work is bounded. Judges give few different scores, so rows are counted, not copied, and a million of them cost no
more than hundreds. Only if more than `MOST_CELLS` of them differ, resamples hold just that many rows, and their
deviations are scaled by sqrt(m/n) (the m out of n bootstrap: Bickel, Götze and van Zwet, Statistica Sinica 7, 1997).
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from random import Random
from statistics import NormalDist
from typing import Protocol, Self

from assay_sdk.engine.draws import multinomial

CONFIDENCE = 0.95
RESAMPLES = 1000
MOST_CELLS = 500
FEWEST_ROWS = 5
MOSTLY = 0.9
"""The share of resamples in which a statistic has to exist for its interval to mean anything."""

NORMAL = NormalDist()
TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True, slots=True)
class Undefined:
    """In the place of a number that does not exist: why."""

    reason: str


Measured = Mapping[str, float | Undefined]


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the statistic would probably be with all possible rows. `method` says how it was found."""

    low: float
    high: float
    method: str


class Cells(Protocol):
    """Rows of which equal ones are counted."""

    counts: Sequence[int]

    def measure(self, weights: Sequence[int]) -> Measured:
        """The statistics, had each cell occurred that often."""
        ...

    def part(self, cells: Sequence[int]) -> Self:
        """The same with only some of the cells."""
        ...


def bootstrap(cells: Cells, *, resamples: int, seed: int) -> dict[str, Interval | Undefined]:
    """An interval for each statistic of the cells that is defined for them."""
    measured = cells.measure(cells.counts)
    found = {name: value for name, value in measured.items() if isinstance(value, float)}
    n = sum(cells.counts)
    if n < FEWEST_ROWS or resamples < 1:
        why = f"no interval from fewer than {FEWEST_ROWS} rows" if n < FEWEST_ROWS else "no resamples were asked for"
        return dict.fromkeys(found, Undefined(why))
    drawn: dict[str, list[float]] = {name: [] for name in found}
    rng = Random(seed)
    whole = len(cells.counts) <= MOST_CELLS
    for replicate in _whole(cells, resamples, rng) if whole else _parts(cells, resamples, rng):
        for name, values in drawn.items():
            if isinstance(value := replicate[name], float):
                values.append(value)
    if not whole:
        shrink = math.sqrt(MOST_CELLS / n)
        drawn = {name: [found[name] + shrink * (v - found[name]) for v in values] for name, values in drawn.items()}
    without = [cells.measure(weights) for weights in _one_less(cells.counts)] if whole else []
    method = "percentile bootstrap" if whole else "m out of n bootstrap"
    return {
        name: _interval(found[name], sorted(values), resamples, _acceleration(name, without, cells.counts), method)
        for name, values in drawn.items()
    }


def wilson(successes: int, n: int) -> Interval:
    """The score interval of a share (Wilson, JASA 22, 1927), which holds near 0 and 1 too."""
    z = NORMAL.inv_cdf(1 - TAIL)
    share, z2 = successes / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half  # exactly, whatever the rounding
    return Interval(low, 1.0 if successes == n else centre + half, "Wilson")


def _whole(cells: Cells, resamples: int, rng: Random) -> Iterator[Measured]:
    rows = list(chain.from_iterable(map(repeat, range(len(cells.counts)), cells.counts)))
    for _ in range(resamples):
        yield cells.measure(multinomial(rng, cells.counts, rows))


def _parts(cells: Cells, resamples: int, rng: Random) -> Iterator[Measured]:
    rows = list(chain.from_iterable(map(repeat, range(len(cells.counts)), cells.counts)))
    for _ in range(resamples):
        taken = Counter(rng.choices(rows, k=MOST_CELLS))
        places = sorted(taken)
        yield cells.part(places).measure([taken[place] for place in places])


def _one_less(counts: Sequence[int]) -> Iterator[list[int]]:
    for place, count in enumerate(counts):
        yield [*counts[:place], count - 1, *counts[place + 1 :]]


def _acceleration(name: str, without: Sequence[Measured], counts: Sequence[int]) -> float | None:
    """How fast the spread changes with the value, from leaving out each row once; None if it cannot be told."""
    values = [value for measured in without if isinstance(value := measured[name], float)]
    if not values or len(values) < len(without):
        return None
    n = sum(counts)
    mean = math.fsum(v * count for v, count in zip(values, counts, strict=True)) / n
    reach = max(abs(mean - v) for v in values)
    if not reach or not math.isfinite(reach):
        return None
    away = [(mean - v) / reach for v in values]
    squares = math.fsum(count * d * d for d, count in zip(away, counts, strict=True))
    return math.fsum(count * d**3 for d, count in zip(away, counts, strict=True)) / (6 * squares**1.5)


def _interval(
    found: float, drawn: Sequence[float], resamples: int, acceleration: float | None, otherwise: str
) -> Interval | Undefined:
    if len(drawn) < MOSTLY * resamples:
        missing = 100 * (1 - len(drawn) / resamples)
        return Undefined(f"no interval: undefined in {missing:.0f} % of the resamples")
    if drawn[0] == drawn[-1]:
        return Undefined("no interval: the same in every resample, the rows are too much alike")
    shares = None if acceleration is None else _corrected(found, drawn, acceleration)
    low, high = (quantile(drawn, share) for share in shares or (TAIL, 1 - TAIL))
    return Interval(low, high, "BCa bootstrap" if shares else otherwise)


def _corrected(found: float, drawn: Sequence[float], acceleration: float) -> tuple[float, float] | None:
    """Which shares of the replicates the interval's ends leave below them, by BCa; None where it does not exist."""
    # Replicates that equal the value count half, as in SciPy: scores have many ties.
    below = (bisect_left(drawn, found) + bisect_right(drawn, found)) / (2 * len(drawn))
    if not 0 < below < 1:
        return None
    bias = NORMAL.inv_cdf(below)
    low, high = (bias + NORMAL.inv_cdf(tail) for tail in (TAIL, 1 - TAIL))
    if not (acceleration * low < 1 and acceleration * high < 1):
        return None
    return NORMAL.cdf(bias + low / (1 - acceleration * low)), NORMAL.cdf(bias + high / (1 - acceleration * high))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share of the ordered values lies, between neighbours in proportion."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    low, high = ordered[below], ordered[above]
    return low if low == high else low * (1 - (place - below)) + high * (place - below)
