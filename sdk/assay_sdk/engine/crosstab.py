"""Rows that a judge and people both scored, as a table: each different pair of scores, and how often it occurs."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Self

from assay_sdk.engine.intervals import Undefined

Pair = tuple[float, float]
"""What the judge gave, and what people gave."""
ORDINARY = 400
"""The largest binary exponent of a value that is taken as it is."""


class Crosstab:
    """The different pairs in order, their counts, and the statistics that are wanted of them.

    `scale` maps the values to their places among the categories; it is empty where there are too many.
    """

    def __init__(
        self, pairs: Sequence[Pair], counts: Sequence[int], scale: Mapping[float, int], statistics: "Statistics"
    ) -> None:
        self.pairs = pairs
        self.counts = counts
        self.scale = scale
        self.statistics = statistics
        self.judged, self.rows = _places([judge for judge, _ in pairs])
        self.people, self.columns = _places([human for _, human in pairs])

    @classmethod
    def of(cls, rows: Iterable[Pair], scale: Sequence[float], statistics: "Statistics") -> Self:
        """Count equal rows."""
        found = Counter(rows)
        pairs = sorted(found)
        places = {value: place for place, value in enumerate(scale)}
        return cls(pairs, [found[pair] for pair in pairs], places, statistics)

    def part(self, cells: Sequence[int]) -> Self:
        """Only some of the pairs, each once."""
        return type(self)([self.pairs[cell] for cell in cells], [1] * len(cells), self.scale, self.statistics)

    def measure(self, weights: Sequence[int]) -> dict[str, float | Undefined]:
        """All statistics, had each pair occurred that often."""
        tally = Tally(self, weights)
        return {name: compute(tally) for name, compute in self.statistics.items()}

    @cached_property
    def away(self) -> tuple[list[float], list[float]]:
        """How far each value of the judge's, and of people's, is from a middle one, in units of its own."""
        return _away(self.judged), _away(self.people)

    @cached_property
    def shift(self) -> int:
        """The power of two by which errors are divided: 0 but for values whose squares a float cannot hold."""
        exponent = math.frexp(max((abs(value) for pair in self.pairs for value in pair), default=0.0))[1]
        return exponent if abs(exponent) > ORDINARY else 0

    @cached_property
    def errors(self) -> list[float]:
        """Judge minus human for each pair, divided."""
        shift = self.shift
        return [math.ldexp(judge, -shift) - math.ldexp(human, -shift) for judge, human in self.pairs]

    @cached_property
    def absolute_errors(self) -> list[float]:
        """Their sizes."""
        return [abs(error) for error in self.errors]

    @cached_property
    def squared_errors(self) -> list[float]:
        """Their squares."""
        return [error * error for error in self.errors]

    @cached_property
    def places(self) -> tuple[list[int], list[int]]:
        """Where each value of the judge's, and of people's, stands among the categories."""
        return [self.scale[value] for value in self.judged], [self.scale[value] for value in self.people]


class Tally:
    """A table in which each pair occurs so and so often: as it does in fact, or in a resample."""

    def __init__(self, table: Crosstab, weights: Sequence[int]) -> None:
        self.table = table
        self.weights = weights
        self.n = sum(weights)
        self.by_judge = [0] * len(table.judged)
        self.by_people = [0] * len(table.people)
        for row, column, weight in zip(table.rows, table.columns, weights, strict=True):
            self.by_judge[row] += weight
            self.by_people[column] += weight

    @cached_property
    def constant(self) -> Undefined | None:
        """Why nothing can be said about how the two vary together, if one of them does not."""
        if not self.n:
            return Undefined("no row has both scores")
        if sum(map(bool, self.by_judge)) < 2:
            return Undefined("the judge always gives the same value")
        if sum(map(bool, self.by_people)) < 2:
            return Undefined("people always give the same value")
        return None


Statistics = Mapping[str, Callable[[Tally], float | Undefined]]


def _places(values: Sequence[float]) -> tuple[list[float], list[int]]:
    different = sorted(set(values))
    place = {value: position for position, value in enumerate(different)}
    return different, [place[value] for value in values]


def _away(values: Sequence[float]) -> list[float]:
    # From a middle value, not from zero: 1e15 + 1 and 1e15 + 2 keep their difference. Brought near 1 by powers of two,
    # which changes no digit, so that no square overflows.
    if not values:
        return []
    exponent = math.frexp(max(-values[0], values[-1]))[1]
    scaled = [math.ldexp(value, -exponent) for value in values]
    away = [value - scaled[len(scaled) // 2] for value in scaled]
    exponent = math.frexp(max(-away[0], away[-1]))[1]
    return [math.ldexp(distance, -exponent) for distance in away]
