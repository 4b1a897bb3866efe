"""Charts as plain values; `static/ui/charts.js` draws them. Whoever shows one says the same in words or a table."""

from collections.abc import Iterable, Sequence
from typing import Any

Chart = dict[str, Any]


def bars(
    labels: Sequence[str],
    series: Iterable[tuple[str, Sequence[float]]],
    *,
    x: str = "",
    y: str = "",
    touching: bool = False,
    lying: bool = False,
) -> Chart:
    """Return a bar chart: one bar a label and series; ``touching`` for a histogram, ``lying`` for bars to the right."""
    named = [{"name": name, "values": list(values)} for name, values in series]
    axes = {"x": y, "y": x} if lying else {"x": x, "y": y}
    return {"kind": "bars", "labels": list(labels), "series": named, "touching": touching, "lying": lying, **axes}


def points(
    found: Iterable[tuple[float, float, int, str]],
    *,
    x: str,
    y: str,
    bounds: tuple[float, float] | None = None,
) -> Chart:
    """Return a scatter plot of ``(x, y, how many rows, address)``; ``bounds`` of both axes draw the line of equals."""
    marks = [{"x": across, "y": up, "n": rows, "href": address} for across, up, rows, address in found]
    return {"kind": "points", "points": marks, "x": x, "y": y, "bounds": list(bounds) if bounds else None}
