"""What a template may use up: so many steps and so many characters for each rendering, and not one more.

Everything that can repeat (loops, ranges, calls, filters) is charged for what it goes through, and everything that can
grow (products, powers, sums, formats, filters and methods that pad or repeat) for what it would give, before it does.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import wraps
from itertools import chain
from typing import Any

STEPS = 300_000
CHARACTERS = 50_000_000
LARGEST_POWER_BITS = 10_000

_GROWS_BY_NUMBER = frozenset(
    ["center", "indent", "batch", "slice", "tojson", "wordwrap", "ljust", "rjust", "zfill", "expandtabs"]
)
_GROWS_BY_TEXT = frozenset(["replace", "join", "wordwrap", "center", "batch", "indent", "translate"])
_WIDTH = re.compile(r"\d{5,}|\*|:[^}]*\{")


class TooMuch(Exception):
    """The template goes beyond its limits."""


class Budget(threading.local):
    """What the rendering at hand has left."""

    steps = STEPS
    characters = CHARACTERS
    weight = 0
    """How much text one round of a loop may write by itself: what the template is long."""

    def begin(self, source: str) -> None:
        """A new rendering begins."""
        self.steps, self.characters, self.weight = STEPS, CHARACTERS, len(source)

    def charge(self, characters: float, steps: int = 1) -> None:
        """Raises TooMuch when that is more than is left."""
        self.steps -= steps
        self.characters -= int(min(characters, CHARACTERS + 1.0))
        if self.steps < 0 or self.characters < 0:
            raise TooMuch("it takes too many steps, or makes too long a text")

    def counted(self, values: Any) -> Any:
        """What a loop goes through, charged for at once, or as it comes where nobody knows how much that will be."""
        if isinstance(values, Sized):
            self.charge(self.weight * len(values), len(values))
            return values
        return self._one_by_one(values) if isinstance(values, Iterable) else values  # the loop itself complains

    def _one_by_one(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self.charge(self.weight)
            yield value


BUDGET = Budget()


def size(value: Any, seen: dict[int, int] | None = None) -> int:
    """About how many characters a value is as text. What is shared is counted as often as it would be written."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() // 3 + 1
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return 8
    seen = {} if seen is None else seen
    if id(value) not in seen:
        seen[id(value)] = 0
        inner = chain.from_iterable(value.items()) if isinstance(value, dict) else value
        seen[id(value)] = 2 + sum(2 + size(part, seen) for part in inner)
    return seen[id(value)]


def guarded_filter(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is charged for what it is given and gives, and refused what would grow beyond all bounds."""

    own = slice(1 if hasattr(work, "jinja_pass_arg") else 0, None)  # the first is Jinja's

    @wraps(work)  # keeps the marks by which Jinja tells what to pass to it
    def charged(*args: Any, **kwargs: Any) -> Any:
        charge_call(name, args[own], kwargs)
        result = work(*args, **kwargs)
        if isinstance(result, str | list):
            BUDGET.charge(size(result))
        return result

    return charged


def charge_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Charge for a filter or a method; the first of `args` is what it works on."""
    options = [*args[1:], *kwargs.values()]
    sizes = 1.0 + sum(map(size, (*args, *kwargs.values())))
    BUDGET.charge(sizes)
    if name in _GROWS_BY_NUMBER:
        BUDGET.charge(sizes * max((abs(value) / 4 for value in options if isinstance(value, int)), default=0))
    if name in _GROWS_BY_TEXT:
        BUDGET.charge(sizes * max((len(value) / 4 for value in options if isinstance(value, str)), default=0))
    if name.startswith("format") and any(isinstance(value, str) and _WIDTH.search(value) for value in args):
        raise TooMuch("it formats with a width that is computed or very large")


def binary(operator: str, left: Any, right: Any) -> None:
    """Raises TooMuch for an operation whose result would be beyond the limits."""
    grown = 0.0
    match operator:
        case "*" if isinstance(left, int) and isinstance(right, int):
            grown = (left.bit_length() + right.bit_length()) / 3
        case "*":
            times = left if isinstance(left, int) else right if isinstance(right, int) else 1
            grown = (size(left) + size(right)) * float(min(abs(times), CHARACTERS))
        case "**" if isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * float(min(abs(right), CHARACTERS)) > LARGEST_POWER_BITS:
                raise TooMuch("it computes a number of thousands of digits")
        case "%" if isinstance(left, str):
            if _WIDTH.search(left):
                raise TooMuch("it formats with a width that is computed or very large")
            grown = size(left) + size(right)
        case "+":
            grown = (size(left) + size(right)) if not isinstance(left, int | float) else 0
    BUDGET.charge(grown)
