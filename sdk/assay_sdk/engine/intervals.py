"""95 % intervals: the bootstrap for any statistic of rows, Wilson's for shares. The same seed gives the same interval.

Rows are resampled with replacement, as many as there are, and the interval is bias-corrected and accelerated (BCa:
Efron, Better bootstrap confidence intervals, JASA 82, 1987; Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 14), with the acceleration from the jackknife. Where BCa does not exist, the plain percentiles of the
resamples stand in.

The work is bounded. Judges give few different scores, so equal rows are counted, not copied, and a hundred thousand
cost little more than a hundred. Only if more than `MOST_CELLS` of them differ, resamples hold just that many rows, and
their deviations are scaled by sqrt(m/n) (the m out of n bootstrap: Bickel, Götze and van Zwet, Statistica Sinica 7,
1997).
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import mul
from random import Random
from statistics import NormalDist
from typing import Protocol, Self

from assay_sdk.engine.draws import multinomial

CONFIDENCE = 0.95
RESAMPLES = 1000
MOST_CELLS = 300
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


class Bootstrap:
    """The statistics of many resamples of the same rows. `measured` are those of the rows themselves."""

    def __init__(self, cells: Cells, measured: Measured, *, resamples: int, seed: int) -> None:
        self.cells = cells
        self.resamples = resamples
        self.rows = sum(cells.counts)
        self.whole = len(cells.counts) <= MOST_CELLS
        self.found = {name: value for name, value in measured.items() if isinstance(value, float)}
        self.drawn: dict[str, list[float]] = {name: [] for name in self.found}
        self.without: list[Measured] = []
        """The statistics with one row less, for each cell."""
        if resamples and self.rows >= FEWEST_ROWS:
            self._draw(Random(seed))

    def _draw(self, rng: Random) -> None:
        for replicate in (_whole if self.whole else _parts)(self.cells, self.resamples, rng):
            for name, values in self.drawn.items():
                if isinstance(value := replicate[name], float):
                    values.append(value)
        if self.whole:
            self.without = [self.cells.measure(weights) for weights in _one_less(self.cells.counts)]
        else:
            shrink = math.sqrt(MOST_CELLS / self.rows)
            for name, values in self.drawn.items():
                self.drawn[name] = [(1 - shrink) * self.found[name] + shrink * value for value in values]
        for values in self.drawn.values():
            values.sort()

    def intervals(self) -> dict[str, Interval | Undefined]:
        """The interval of each statistic that is defined for the rows themselves."""
        return {name: self._interval(name) for name in self.found}

    def chance(self, name: str) -> float | None:
        """How probable a value so far from 0 is, if 0 is right (Efron and Tibshirani, section 16.4); None if unknown.

        Replicates stray around the value as it would stray around 0, so those count that are as far from it as it is
        from 0. The value itself is one of them: the chance is never 0.
        """
        found, drawn = self.found[name], self.drawn[name]
        return (1 + sum(abs(value - found) >= abs(found) for value in drawn)) / (1 + len(drawn)) if drawn else None

    def _interval(self, name: str) -> Interval | Undefined:
        drawn = self.drawn[name]
        if not self.resamples:
            return Undefined("no interval: no resamples were asked for")
        if self.rows < FEWEST_ROWS:
            return Undefined(f"no interval: fewer than {FEWEST_ROWS} rows")
        if len(drawn) < MOSTLY * self.resamples:
            missing = 100 * (1 - len(drawn) / self.resamples)
            return Undefined(f"no interval: undefined in {missing:.0f} % of the resamples")
        if drawn[0] == drawn[-1]:
            return Undefined("no interval: the same in every resample, the rows are too much alike")
        shares = self._corrected(name)
        otherwise = "percentile bootstrap" if self.whole else "m out of n bootstrap"
        low, high = (quantile(drawn, share) for share in shares or (TAIL, 1 - TAIL))
        return Interval(low, high, "BCa bootstrap" if shares else otherwise)

    def _corrected(self, name: str) -> tuple[float, float] | None:
        """Which shares of the replicates the ends of the BCa interval leave below them; None where it has none."""
        found, drawn, acceleration = self.found[name], self.drawn[name], self._acceleration(name)
        # Replicates that equal the value count half, as in SciPy: scores have many ties.
        below = (bisect_left(drawn, found) + bisect_right(drawn, found)) / (2 * len(drawn))
        if acceleration is None or not 0 < below < 1:
            return None
        bias = NORMAL.inv_cdf(below)
        low, high = (bias + NORMAL.inv_cdf(tail) for tail in (TAIL, 1 - TAIL))
        if not (acceleration * low < 1 and acceleration * high < 1):
            return None
        return NORMAL.cdf(bias + low / (1 - acceleration * low)), NORMAL.cdf(bias + high / (1 - acceleration * high))

    def _acceleration(self, name: str) -> float | None:
        """How fast the spread changes with the value, by the jackknife; None if it cannot be told."""
        values = [value for measured in self.without if isinstance(value := measured[name], float)]
        if not values or len(values) < len(self.without):
            return None
        counts = self.cells.counts
        largest = max(map(abs, values)) or 1.0
        shares = [value / largest for value in values]  # no sum of them can overflow
        mean = math.fsum(map(mul, shares, counts)) / self.rows
        reach = max(abs(mean - share) for share in shares)
        if not reach:
            return None
        away = [(mean - share) / reach for share in shares]
        squares = math.fsum(count * distance**2 for distance, count in zip(away, counts, strict=True))
        cubes = math.fsum(count * distance**3 for distance, count in zip(away, counts, strict=True))
        return cubes / (6 * squares * math.sqrt(squares))


def wilson(successes: int, n: int) -> Interval:
    """The score interval of a share (Wilson, JASA 22, 1927), which holds near 0 and 1 too."""
    z = NORMAL.inv_cdf(1 - TAIL)
    share, z2 = successes / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half  # exactly, whatever the rounding
    return Interval(low, 1.0 if successes == n else centre + half, "Wilson")


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share of the ordered values lies, between neighbours in proportion."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low if low == high else low * (1 - (place - below)) + high * (place - below)


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
