"""How the values of a score are spread: bars that people can read, each with the rows that it stands for."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.ui.charts import Chart, bars
from assay.ui.job_scores import JobScore
from assay_sdk.engine.aggregate import histogram

BINS = 20
"""About so many, where the values are not few."""
MOST_WHOLE = 31
"""Of whole numbers so many have a bar each."""


@dataclass(frozen=True)
class Bar:
    name: str
    rows: int
    low: float | None = None
    high: float | None = None
    """The highest value that is in it."""
    label: str = ""


def bars_of(score: JobScore, values: Sequence[float], labels: Mapping[str, int]) -> list[Bar]:
    """Return the bars of sorted finite values; of a rubric one for each label, from the lowest up."""
    if score.labels:
        graded = [Bar(label, labels.get(label, 0), label=label) for label in score.labels]
        other = len(values) - sum(bar.rows for bar in graded)
        return [*graded, Bar("without a label", other)] if other > 0 else graded
    if not values:
        return []
    return _whole(score, values) or _binned(values)


def chart_of(score: JobScore, found: Sequence[Bar]) -> Chart:
    """Return the bars as a chart."""
    touching = not score.labels and any(bar.low != bar.high for bar in found)
    counts: list[float] = [bar.rows for bar in found]
    return bars([bar.name for bar in found], [("rows", counts)], x=score.title, y="rows", touching=touching)


def _whole(score: JobScore, values: Sequence[float]) -> list[Bar]:
    """Return a bar for each whole number of the scale, or from the lowest to the highest; none if there are others."""
    low, high = values[0], values[-1]
    if score.low is not None and score.high is not None and score.high - score.low < MOST_WHOLE:
        low, high = min(low, math.ceil(score.low)), max(high, math.floor(score.high))
    if high - low >= MOST_WHOLE:
        return []
    counts = Counter(values)
    if not all(value.is_integer() for value in counts):
        return []
    return [Bar(f"{value:,}", counts[value], value, value) for value in range(int(low), int(high) + 1)]


def _binned(values: Sequence[float]) -> list[Bar]:
    """Return bars of one width, whose edges are round numbers."""
    low, high = values[0], values[-1]
    width = _round_width((high - low) / BINS)
    if low == high:
        return [Bar(_said(low), len(values), low, high)]
    if not width or math.isinf(width) or max(abs(low), abs(high)) / width > 2**50:
        return [
            Bar(f"{_said(each['lower_bound'])} – {_said(each['upper_bound'])}", each["count"])
            for each in histogram(values)
        ]
    # Multiples of the width, rounded to what people write; one to spare at either end, for a quotient may be off.
    steps = range(math.floor(low / width) - 1, math.floor(high / width) + 3)
    digits = max(0, 3 - math.floor(math.log10(width)))
    edges = [round(step * width, digits) for step in steps]
    counts = [0] * len(edges)
    for value, count in Counter(values).items():
        counts[bisect_right(edges, value) - 1] += count
    found = [
        Bar(f"{_said(edge)} – {_said(after)}", count, edge, math.nextafter(after, -math.inf))
        for edge, after, count in zip(edges, edges[1:], counts, strict=False)
    ]
    held = [place for place, bar in enumerate(found) if bar.rows]
    return found[held[0] : held[-1] + 1]


def _round_width(width: float) -> float:
    """Return the next larger of 1, 2, 2.5, 5 times a power of ten."""
    if not width or math.isinf(width):
        return width
    power = 10.0 ** math.floor(math.log10(width))
    return next((step * power for step in (1, 2, 2.5, 5) if step * power >= width), 10 * power)


def _said(value: float) -> str:
    return f"{value:,.10g}"
