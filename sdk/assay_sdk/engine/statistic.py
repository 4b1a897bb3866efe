"""A number with its interval, or the reason why there is none: what agreement and comparison are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from assay_sdk.engine.intervals import Interval, Undefined

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number of `n` rows, with its 95 % interval and the method that gave it.

    Where the number or its interval does not exist it is None, and `reason` says why.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    method: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, value: float | Undefined, n: int, interval: Interval | Undefined | None = None) -> "Statistic":
        """Return what was found; without an interval if there is to be none."""
        if isinstance(value, Undefined):
            return cls(None, n, reason=value.reason)
        if isinstance(interval, Interval):
            return cls(value, n, interval.low, interval.high, interval.method)
        return cls(value, n, reason=interval.reason if interval else None)

    @property
    def range(self) -> str:
        """The interval as text; empty if there is none."""
        return "" if self.low is None or self.high is None else f"{self.low:.4g} to {self.high:.4g}"

    def __str__(self) -> str:
        if self.value is None:
            return f"undefined: {self.reason}"
        return f"{self.value:.4g}" + (f" ({self.range})" if self.range else "")


def known(kind: type[V], members: Mapping[str, Any]) -> V:
    """Return a dataclass from the members that it knows: newer servers may send more."""
    fields: Mapping[str, Any] = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: value for name, value in members.items() if name in fields})
