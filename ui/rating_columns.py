"""Which columns of a dataset look like ratings by people, guessed from the first rows."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from assay.ui.scales import Scale

WORDS = re.compile(r"human|people|person|rating|rated|label|grade|gold|annotat|expert|score|stars|truth|expected", re.I)
IDENTITY = re.compile(r"(?:^|[_.\- ])(?:id|idx|index|row|number|nr|key|timestamp|created|date|year)$", re.I)
PLAIN = re.compile(r"[^.\[\]'\"$]+")
FEW = 20
LONGEST_NAME = 200


class Columns(NamedTuple):
    """Columns by name, or by the path to them: those that look like ratings, the likeliest first, and the others."""

    likely: list[str]
    others: list[str]


def columns_in(items: Iterable[Mapping[str, Any]], scales: Iterable[Scale]) -> Columns:
    """Return the columns of these items, as ratings to hold one of the scores against."""
    values: dict[str, list[Any]] = {}
    for item in items:
        for name, value in _cells(item):
            values.setdefault(name, []).append(value)
    listed = list(scales)
    found = {name: max(_likeness(name, cells, scale) for scale in listed) for name, cells in values.items()}
    likely = sorted((name for name, points in found.items() if points > 0), key=lambda name: -found[name])
    return Columns(likely, [name for name in values if name not in likely])


def namesake(column: str, scales: Iterable[Scale]) -> Scale | None:
    """Return the score that is called like the column, if one is."""
    return next((scale for scale in scales if _last(column) == _last(scale.full_name)), None)


def _cells(item: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if above and not PLAIN.fullmatch(name) or len(name) > LONGEST_NAME:
            continue
        if isinstance(value, Mapping) and not above and PLAIN.fullmatch(name):
            yield from _cells(value, f"{name}.")
        else:
            yield above + name, value


def _likeness(name: str, cells: list[Any], scale: Scale) -> int:
    """Return how much the column looks like ratings on that scale: 0 for not at all."""
    said = [cell for cell in cells if cell is not None and str(cell).strip().casefold() not in ("", "nan")]
    if not said:
        return 0
    named = 8 * (_last(name) == _last(scale.full_name)) + 4 * bool(WORDS.search(name))
    labels = {label.strip().casefold() for label in scale.labels}
    if 2 * sum(str(cell).strip().casefold() in labels for cell in said) > len(said):  # some may be people's own
        return 6 + named
    numbers = [number for cell in said if (number := _number(cell)) is not None]
    if len(numbers) < len(said):
        return 0
    if not named and (IDENTITY.search(name) or _counts_up(numbers)):
        return 0
    within = scale.bounds is None or all(scale.bounds[0] <= number <= scale.bounds[1] for number in numbers)
    return named + (2 + (len(set(numbers)) <= FEW) if within else 0)


def _number(cell: Any) -> float | None:
    try:
        number = float(cell) if isinstance(cell, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _counts_up(numbers: list[float]) -> bool:
    return len(numbers) > 2 and all(after - before == 1 for before, after in zip(numbers, numbers[1:], strict=False))


def _last(path: str) -> str:
    return path.rpartition(".")[2].casefold()
