"""One score of two runs on rows that pair up: how far apart is it, how sure is that, and is it more than chance?"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Self

from assay_sdk.engine.aggregate import statistics_of
from assay_sdk.engine.intervals import NORMAL, TAIL, Bootstrap, Interval, Undefined
from assay_sdk.engine.significance import Test, mcnemar, wilcoxon
from assay_sdk.engine.student import t_quantile

POWER = 0.8
NO_ROW = Undefined("no row has both scores")
BEYOND = Undefined("beyond what a number can hold")
UNCHANGED = Undefined("no row changed")
ALIKE = Undefined("every row changed by the same")


class Changes:
    """What became of each row: the first run's value, and the second's. `difference` is second minus first."""

    def __init__(self, pairs: Sequence[tuple[float, float]]) -> None:
        self.pairs = pairs
        self.differences = [second - first for first, second in pairs]
        self.higher = sum(difference > 0 for difference in self.differences)
        self.lower = sum(difference < 0 for difference in self.differences)

    @cached_property
    def values(self) -> list[float]:
        """The different values of both runs, in order."""
        return sorted({value for pair in self.pairs for value in pair})

    @property
    def two_valued(self) -> bool:
        """Whether the score is a yes or no, by any name."""
        return len(self.values) <= 2

    @cached_property
    def mean(self) -> float | Undefined:
        """The mean difference."""
        return self._moments[0]

    @cached_property
    def _moments(self) -> tuple[float | Undefined, float | Undefined]:
        if not self.pairs:
            return NO_ROW, NO_ROW
        if not all(map(math.isfinite, self.differences)):
            return BEYOND, BEYOND
        found = statistics_of(sorted(self.differences))
        mean, deviation = found["mean"], found["sample_std_dev"]
        return BEYOND if mean is None else mean, Undefined("only one row") if deviation is None else deviation

    @property
    def spread(self) -> float | Undefined:
        """The standard deviation of the differences, if there is any."""
        deviation = self._moments[1]
        if deviation:
            return deviation
        return ALIKE if self.higher or self.lower else UNCHANGED

    def interval(self) -> Interval | Undefined:
        """Of the mean difference: Student's t of the differences; of a two-valued score that of Bonett and Price.

        Theirs adds one row to each kind of change (J. Educ. Behav. Statist. 37, 2012), and so holds where few rows
        changed.
        """
        n = len(self.pairs)
        if isinstance(self.mean, Undefined):
            return self.mean
        if self.two_valued:
            if len(self.values) < 2:
                return UNCHANGED
            up, down = (self.higher + 1) / (n + 2), (self.lower + 1) / (n + 2)
            half = NORMAL.inv_cdf(1 - TAIL) * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
            low, high = (max(-1.0, min(1.0, up - down + side)) for side in (-half, half))
            step = self.values[1] - self.values[0]
            return Interval(low * step, high * step, "Bonett and Price")
        if isinstance(self.spread, Undefined):
            return self.spread
        half = t_quantile(1 - TAIL, n - 1) * self.spread / math.sqrt(n)
        return Interval(self.mean - half, self.mean + half, "Student's t")

    def detectable(self) -> float | Undefined:
        """The smallest true difference that so many rows would show at 5 %, two-sided, four times out of five.

        The standard error of the mean difference times t(97.5 %) + t(80 %), with n - 1 degrees of freedom (Bloom,
        Minimum detectable effects, Evaluation Review 19, 1995).
        """
        if isinstance(self.spread, Undefined):
            return self.spread
        degrees = len(self.pairs) - 1
        reach = t_quantile(1 - TAIL, degrees) + t_quantile(POWER, degrees)
        return reach * self.spread / math.sqrt(len(self.pairs))

    def test(self, *, ranks: bool) -> Test | Undefined:
        """Whether the difference is 0: Wilcoxon's test, or McNemar's, for which a score may have only two values."""
        if not self.pairs:
            return NO_ROW
        return wilcoxon(self.differences) if ranks else mcnemar(self.higher, self.lower)

    def bootstrap(self, resamples: int, seed: int) -> tuple[Interval | Undefined, Test | Undefined]:
        """The interval of the mean difference, and the test whether it is 0, from resampled rows."""
        if isinstance(self.mean, Undefined):
            return self.mean, self.mean
        drawn = Bootstrap(_Means.of(self.differences), {"mean": self.mean}, resamples=resamples, seed=seed)
        interval = drawn.intervals()["mean"]
        chance = drawn.chance("mean")
        if isinstance(self.spread, Undefined):
            return interval, self.spread
        tested = Undefined("no resamples to test with") if chance is None else Test("bootstrap", self.mean, chance)
        return interval, tested


class _Means:
    """Differences of which equal ones are counted."""

    def __init__(self, values: Sequence[float], counts: Sequence[int]) -> None:
        self.values = values
        self.counts = counts

    @classmethod
    def of(cls, differences: Sequence[float]) -> Self:
        found = Counter(differences)
        values = sorted(found)
        return cls(values, [found[value] for value in values])

    def measure(self, weights: Sequence[int]) -> dict[str, float | Undefined]:
        n = sum(weights)
        # Shares, not counts: no product can overflow.
        return {"mean": math.fsum(value * (weight / n) for value, weight in zip(self.values, weights, strict=True))}

    def part(self, cells: Sequence[int]) -> Self:
        return type(self)([self.values[cell] for cell in cells], [1] * len(cells))
