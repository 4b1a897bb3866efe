"""A dataset's own column names under the names that templates use."""

from collections.abc import Iterable
from typing import Any

from assay_sdk.engine.paths import find
from assay_sdk.engine.spec import FieldMapping

SHOWN = 20
"""Columns that a message names."""


def apply_field_mapping(item: dict[str, Any], mapping: FieldMapping) -> dict[str, Any]:
    """The item with each mapped value added under its canonical name. A path that leads nowhere adds nothing."""
    added = {}
    for name, path in mapping.paths().items():
        value = item[path] if path in item else find(item, path.split("."))
        if value is not None:
            added[name] = value
    return item | added


class Unmapped:
    """The mapped paths that no row has had so far: a misspelt column would otherwise be noticed by nobody."""

    def __init__(self, mapping: FieldMapping | None) -> None:
        self._left = mapping.paths() if mapping else {}
        self._columns: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._left)

    def see(self, items: Iterable[dict[str, Any]]) -> None:
        """Look at rows until every path has been met; takes no more of them than that needs."""
        if not self._left:
            return
        for item in items:
            self._columns |= dict.fromkeys(item)
            self._left = {name: path for name, path in self._left.items() if not _has(item, path)}
            if not self._left:
                return

    def __str__(self) -> str:
        """What to fix."""
        missing = ", ".join(f"'{path}' (for '{name}')" for name, path in self._left.items())
        columns = list(self._columns)
        there = ", ".join(columns[:SHOWN]) + (f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else "")
        return f"field_mapping names what no row has: {missing}. Columns there are: {there}."


def _has(item: dict[str, Any], path: str) -> bool:
    if path in item:
        return True
    value: Any = item
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
