"""The first rows of a file, read no further than a page needs, and what its columns hold."""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from assay_sdk.engine.dataset import Reading, read_items
from assay_sdk.engine.errors import DatasetError, DatasetUnfinished
from assay_sdk.engine.glance import Glance
from assay_sdk.engine.selection import READABLE
from assay_sdk.engine.unpack import suffix_of, unpacked

SHOWN = 25
"""Rows on a page."""
LOOKED_AT = 500
"""Rows, from the page's first on, that tell what the columns hold."""
DEEPEST = 10_000
"""The last row that a page may begin with: what comes before it is read again for each page."""
MOST_BYTES = 32 << 20
"""Of a text, unpacked, and of the rows at once."""
GLANCE = Reading(glance=Glance(seconds=5.0, most_bytes=MOST_BYTES))
LONGEST_CELL = 300
LONGEST_EXAMPLE = 120
LONGEST_VALUE = 20_000
LONGEST_TEXT = 20_000
MOST_COLUMNS = 40


@dataclass(frozen=True)
class Column:
    name: str
    holds: str
    """Types, the most frequent first."""
    empty: int
    """Rows in which it is null, an empty text, or not there."""
    example: str


@dataclass(frozen=True)
class Rows:
    """Rows from ``start`` on, all that were looked at; ``said`` tells why there are no more, if that is not the end."""

    start: int
    items: list[dict[str, Any]]
    said: str = ""

    @property
    def shown(self) -> list[dict[str, Any]]:
        return self.items[:SHOWN]

    @property
    def last(self) -> int:
        return self.start + len(self.shown) - 1

    @property
    def looked_to(self) -> int:
        return self.start + len(self.items) - 1

    @property
    def later(self) -> int | None:
        return self.last + 1 if len(self.items) > SHOWN and self.last < DEEPEST else None

    @property
    def earlier(self) -> int | None:
        return max(0, self.start - SHOWN) if self.start else None

    @property
    def too_deep(self) -> bool:
        return len(self.items) > SHOWN and self.later is None


def readable(name: str) -> bool:
    """Return whether a file of this name can be read as rows."""
    return suffix_of(name) in READABLE


def rows_from(place: Path, name: str, start: int, most: int = LOOKED_AT) -> Rows:
    """Return the rows from ``start`` on; what is wrong with the file is said, not raised."""
    start = min(start, DEEPEST)
    items: list[dict[str, Any]] = []
    said, weight = "", 0
    try:
        with place.open("rb") as file, closing(read_items(file, name, start, GLANCE)) as found:
            for item in islice(found, most):
                items.append(item)
                weight += len(repr(item))
                if weight > MOST_BYTES:
                    said = f"A page shows no more than {MOST_BYTES >> 20} MB of rows."
                    break
    except DatasetUnfinished as error:
        said = f"{error}. Download it to see the rest."
    except DatasetError as error:
        said = str(error)
    except FileNotFoundError:
        said = f"The content of '{name}' is missing from the data folder. Upload it again."
    return Rows(start, items, said)


def beginning(place: Path, name: str) -> str | None:
    """Return how a file begins that is no rows; None where it is no text."""
    try:
        with place.open("rb") as file:
            found = unpacked(file, name).read(LONGEST_TEXT)
    except (DatasetError, FileNotFoundError):
        return None
    if b"\x00" in found:
        return None
    text = found.decode("utf-8", "replace")
    return None if text[:-1].count("\ufffd") else text.rstrip("\ufffd")


def columns(items: list[dict[str, Any]]) -> list[Column]:
    """Return what each column holds, in the order in which they come."""
    names = list(dict.fromkeys(name for item in items for name in item))
    return [_column(name, [item.get(name) for item in items]) for name in names]


def table(items: Iterable[dict[str, Any]], names: list[str]) -> list[list[str | None]]:
    """Return the cells of each row as text, clipped; None for what is empty."""
    return [[cell(item.get(name), LONGEST_CELL) for name in names] for item in items]


def cell(value: Any, longest: int = LONGEST_VALUE) -> str | None:
    """Return a value as text; None for what is empty."""
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= longest else f"{text[:longest]}…"


def _column(name: str, values: list[Any]) -> Column:
    filled = [value for value in values if value is not None and value != ""]
    kinds = Counter(_kind(value) for value in filled)
    if "number" in kinds:  # 3 beside 3.5 is one of them
        kinds["number"] += kinds.pop("whole number", 0)
    holds = " or ".join(kind for kind, _ in kinds.most_common()) or "nothing"
    return Column(name, holds, len(values) - len(filled), cell(filled[0], LONGEST_EXAMPLE) or "" if filled else "")


KINDS: dict[type, str] = {
    str: "text", bool: "true or false", int: "whole number", float: "number", list: "list", dict: "object",
}  # fmt: skip


def _kind(value: Any) -> str:
    return KINDS.get(type(value), type(value).__name__)
