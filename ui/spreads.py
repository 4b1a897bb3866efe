"""How values are spread: a bar for each where they are few, else equal bins. Columns side by side share their bars."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from assay.ui.templatetags.figures import number

MOST_BARS = 21
STEPS = (1, 2, 4, 5, 10, 20)
"""Of scales, as parts of one."""
HUGE, TINY = 1e12, 1e-300
BINS = 20
"""About so many; their edges are round numbers."""
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Spread:
    """Bars with their labels, and how many rows each column of values has in each."""

    labels: list[str]
    counts: list[list[int]]
    touching: bool = False
    """Whether the bars are bins that follow each other."""

    def shares(self) -> list[list[float]]:
        """Return the counts as percentages of their column's sum."""
        return [[round(100 * count / (sum(column) or 1), 2) for count in column] for column in self.counts]

    def table(self) -> list[tuple[str, list[int]]]:
        """Return the bars as lines: a label, and each column's count."""
        return [(label, [column[place] for column in self.counts]) for place, label in enumerate(self.labels)]


def of_labels(order: Sequence[str], *columns: Sequence[str]) -> Spread:
    """Return how often each label occurs, in that order."""
    counted = [Counter(column) for column in columns]
    return Spread(list(order), [[found[label] for label in order] for found in counted])


def of_numbers(*columns: Sequence[float], about_zero: bool = False) -> Spread:
    """Return how the columns are spread; ``about_zero`` shows as much below zero as above it."""
    counted = [Counter(column) for column in columns]
    values = sorted(set().union(*counted))
    if not values:
        return Spread([], [[] for _ in columns])
    low, high = values[0], values[-1]
    if about_zero:
        high = max(abs(low), abs(high))
        low = -high
    places = _places(values, low, high)
    if places:
        write = signed if about_zero else number
        return Spread([write(place) for place in places], [[found[place] for place in places] for found in counted])
    edges = _edges(low, high, middle=about_zero)
    sums = [[0] * (len(edges) - 1) for _ in columns]
    for column, found in zip(sums, counted, strict=True):
        for value, rows in found.items():
            column[min(bisect_right(edges, value), len(edges) - 1) - 1] += rows
    return Spread([_range(*pair) for pair in zip(edges, edges[1:], strict=False)], sums, touching=True)


def signed(value: float, digits: int = 4) -> str:
    """Return a difference with its sign; none for zero."""
    if not value:
        return "0"
    return ("+" if value > 0 else MINUS) + brief(abs(value), digits)


def minus(value: float | None) -> str:
    """Return a number whose minus, if it has one, is a true one."""
    return number(value).replace("-", MINUS)


def brief(value: float | None, digits: int = 2) -> str:
    """Return a number in so few digits as a sentence takes."""
    if value is not None and abs(value) >= HUGE:
        return f"{value:.{digits}g}".replace("-", MINUS)
    return minus(None if value is None else float(f"{value:.{digits}g}"))


def _places(values: Sequence[float], low: float, high: float) -> list[float]:
    """Return the steps of a scale on which all values lie; none if there is none, or it is long."""
    for per_unit in STEPS:
        scaled = [value * per_unit for value in (low, high, *values)]
        if (high - low) * per_unit < MOST_BARS and all(value == round(value) for value in scaled):
            first, last = round(low * per_unit), round(high * per_unit)
            return [step / per_unit for step in range(first, last + 1)]
    return list(values) if len(values) == 1 else []


def _edges(low: float, high: float, *, middle: bool) -> list[float]:
    """Return round numbers from below ``low`` to above ``high``, about as many as bins are wanted.

    With ``middle`` one bin lies around zero.
    """
    if high / BINS - low / BINS < TINY:
        return [low, high]
    width = _round_up(high / BINS - low / BINS)
    shift = 0.5 if middle else 0.0
    first, last = math.floor(low / width + shift), math.ceil(high / width + shift)
    return [(place - shift) * width for place in range(first, max(last, first + 1) + 1)]


def _round_up(width: float) -> float:
    """Return the next of 1, 2, 5, 10… times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return next((power * step for step in (1, 2, 5) if power * step >= width), power * 10)


def _range(low: float, high: float) -> str:
    return f"{brief(low, 3)} to {brief(high, 3)}"
