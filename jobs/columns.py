"""What the columns of a job's items hold, so that a table of them has its types before its first row is read."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

EXACT = 2**53
"""Whole numbers below it are what they are as a float, too."""
LARGEST = 2**63


class Kind(StrEnum):
    """What a cell holds; a column is known by the letters of all of its cells."""

    TRUTH = "b"
    NUMBER = "i"
    LONG_NUMBER = "l"
    """Whole, and beyond what a float holds exactly."""
    FLOAT = "f"
    TEXT = "s"
    OTHER = "j"
    """A list, an object, or a number beyond 64 bits."""


def kind_of(value: Any) -> Kind | None:
    """Return what a value is; None for a null, which any column may hold."""
    match value:
        case None:
            return None
        case bool():
            return Kind.TRUTH
        case int():
            if -LARGEST <= value < LARGEST:
                return Kind.NUMBER if -EXACT <= value <= EXACT else Kind.LONG_NUMBER
            return Kind.OTHER
        case float():
            return Kind.FLOAT
        case str():
            return Kind.TEXT
        case _:
            return Kind.OTHER


class Columns:
    """The columns of items seen so far, in the order in which they were first seen, and the kinds of their cells."""

    def __init__(self, kinds: Mapping[str, Iterable[str]] | None = None) -> None:
        self.kinds = {name: set(letters) for name, letters in (kinds or {}).items()}

    def see(self, item: Mapping[str, Any]) -> None:
        """Take in one item."""
        for name, value in item.items():
            kinds = self.kinds.setdefault(name, set())
            if (kind := kind_of(value)) is not None:
                kinds.add(kind.value)

    def merge(self, other: "Columns") -> None:
        """Take in all that another one has seen."""
        for name, kinds in other.kinds.items():
            self.kinds.setdefault(name, set()).update(kinds)

    def to_json(self) -> dict[str, str]:
        """Return the letters of each column's kinds by its name."""
        return {name: "".join(sorted(kinds)) for name, kinds in self.kinds.items()}
