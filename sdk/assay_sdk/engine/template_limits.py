"""What a template may use up: so many steps, characters and seconds for each rendering, and not one more.

Everything that can repeat (loops, ranges, calls, filters) is charged for what it goes through, and everything that can
grow (products, powers, sums, formats, filters and methods that pad or repeat) for what it would give, before it does.
What looks at whole values (comparisons, tests, keys) is charged for their size. So nothing takes long between two looks
at the clock, and the clock ends the rest.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import wraps
from itertools import chain
from typing import Any

from jinja2 import Undefined

from assay_sdk.engine.worktime import WORK_TIME

STEPS = 300_000
CHARACTERS = 50_000_000
SECONDS = 2.0
"""Of the thread's own time at work: a machine that is busy with something else makes no template slow."""
LARGEST_POWER_BITS = 10_000
LARGEST_INTEGER_BITS = 40_000
MOST_PLACES = 1000
MOST_DOTS = 100
LOOK_UNITS = 500
"""Charges, or thousands of characters, between two looks at the clock."""

REFUSED_METHODS = frozenset(["encode", "to_bytes", "from_bytes"])
"""A prompt is text; bytes would only be a way around the limits."""

_GROWS_BY_NUMBER = frozenset(
    ["center", "indent", "batch", "slice", "tojson", "wordwrap", "ljust", "rjust", "zfill", "expandtabs"]
)
_GROWS_BY_TEXT = frozenset(["replace", "join", "wordwrap", "center", "batch", "indent", "translate"])
_WEIGHS = {"pprint": 100, "wordwrap": 50, "title": 20, "urlize": 20, "xmlattr": 20, "urlencode": 4, "lipsum": 4} | (
    dict.fromkeys(["split", "rsplit", "splitlines", "striptags", "wordcount", "indent"], 16)
)
"""Work that takes so many times what others take for a character, in time or in memory."""
_GOES_THROUGH = frozenset(
    ["batch", "dictsort", "groupby", "items", "join", "list", "map", "max", "min", "reject", "rejectattr", "select"]
    + ["selectattr", "slice", "sort", "sum", "unique"]
)
_GROWS = _GROWS_BY_NUMBER | _GROWS_BY_TEXT | _GOES_THROUGH | {"round", "format", "format_map"}
_KINDS = frozenset(
    ["boolean", "callable", "defined", "escaped", "even", "false", "filter", "float", "integer", "iterable", "mapping"]
    + ["none", "number", "odd", "sameas", "sequence", "string", "test", "true", "undefined"]
)
"""Tests that do not look into a value."""
_DATA = frozenset([str, int, float, bool, type(None), list, dict, tuple])
"""What is surely no iterator; to ask takes longer."""
_WIDTH = re.compile(r"\d{5,}|\*|:[^}]*\{")
_WIDE = re.compile(r"\d{3,4}")


class TooMuch(Exception):
    """The template goes beyond its limits."""


class Budget(threading.local):
    """What the rendering at hand has left."""

    steps = STEPS
    characters = CHARACTERS
    weight = 0
    """How much text one round of a loop may write by itself: what the template is long."""
    until = float("inf")
    """When the rendering has to be over, on the clock of this thread's work."""
    unlooked = LOOK_UNITS

    def begin(self) -> None:
        """A new rendering begins."""
        self.steps, self.characters, self.unlooked = STEPS, CHARACTERS, LOOK_UNITS
        self.until = min(time.thread_time() + SECONDS, WORK_TIME.until)

    def charge(self, characters: float, steps: int = 1) -> None:
        """Raises TooMuch when that is more than is left."""
        if characters > CHARACTERS:
            raise TooMuch("it makes too long a text")
        characters = int(characters)
        self.steps -= steps
        self.characters -= characters
        if self.steps < 0 or self.characters < 0:
            raise TooMuch("it takes too many steps, or makes too long a text")
        self.unlooked -= 1 + characters // 1000
        if self.unlooked < 0:
            self.unlooked = LOOK_UNITS
            if time.thread_time() > self.until:
                raise TooMuch("it takes too long")

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

    def looked_into(self, value: Any) -> Any:
        """A value of which every part may be looked at; what it gives one by one is charged for as it comes."""
        if type(value) not in _DATA and isinstance(value, Iterator):
            return self._looked_into(value)
        self.charge(size(value), 0)
        return value

    def _looked_into(self, values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            self.charge(size(value))
            yield value

    def sliced(self, value: Any) -> Any:
        """A value of which a part is about to be copied."""
        self.charge(len(value) if isinstance(value, Sized) else 0, 0)
        return value


BUDGET = Budget()


def size(value: Any, seen: dict[int, int] | None = None) -> int:
    """About how many characters a value is as text. What is shared is counted as often as it would be written."""
    if isinstance(value, str):
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
        given = args[own]
        if given and type(given[0]) not in _DATA and isinstance(given[0], Iterator):
            value = BUDGET.looked_into(given[0])
            if name in ("join", "sum"):  # what comes of them depends on how much there is
                value = list(value)
            given = (value, *given[1:])
            args = (*args[: own.start], *given)
        charge_call(name, given, kwargs)
        return checked(work(*args, **kwargs))

    return charged


def guarded_test(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """A test that is charged for what it looks into."""
    if name in _KINDS:
        return work

    @wraps(work)
    def charged(*args: Any, **kwargs: Any) -> Any:
        return work(*map(BUDGET.looked_into, args), **kwargs)

    return charged


def checked(result: Any) -> Any:
    """What a filter or a method gave, charged for. Raises TooMuch for a number of very many digits."""
    if isinstance(result, str | list):
        BUDGET.charge(size(result), 0)
    elif isinstance(result, int) and result.bit_length() > LARGEST_INTEGER_BITS:
        raise TooMuch("it computes a number of thousands of digits")
    return result


def charge_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Charge for a filter or a method; the first of `args` is what it works on."""
    sizes = sum(map(size, args)) + sum(map(size, kwargs.values()))
    BUDGET.charge(1 + sizes * _WEIGHS.get(name, 1), 2)
    if name not in _GROWS:
        return
    value, options = args[0] if args else None, [*args[1:], *kwargs.values()]
    number = max((abs(option) for option in options if isinstance(option, int)), default=0)
    texts = [option for option in options if isinstance(option, str)]
    length = len(value) if isinstance(value, Sized) and not isinstance(value, Undefined) else 0
    if name in _GROWS_BY_NUMBER:
        BUDGET.charge(sizes * number / 4)
    if name in _GROWS_BY_TEXT:
        BUDGET.charge(sizes * max(map(len, texts), default=0) / 4)
    if name in _GOES_THROUGH:
        BUDGET.charge(0, length)
        if name != "join" and any(text.count(".") > MOST_DOTS for text in texts):
            raise TooMuch(f"it follows a path of more than {MOST_DOTS} dots")
    match name:
        case "batch" | "slice":
            BUDGET.charge(0, number)
        case "round" if number > MOST_PLACES:
            raise TooMuch(f"it rounds to more than {MOST_PLACES} places")
        case "sum" if any(isinstance(option, list | tuple) for option in options):
            BUDGET.charge(sizes * length)
        case "wordwrap" if isinstance(value, str):
            width = next((option for option in options if isinstance(option, int)), 79)
            BUDGET.charge(sizes * max(map(len, value.split()), default=0) / max(1, width))
        case "format" | "format_map" if isinstance(value, str):
            _charge_format(value, options)


def _charge_format(text: str, values: Iterable[Any]) -> None:
    """Charge for a text with fields; each may be as wide as it says, and hold the largest value that there is."""
    if _WIDTH.search(text):
        raise TooMuch("it formats with a width that is computed or very large")
    width = 9999 if _WIDE.search(text) else 99
    fields = text.count("%") + text.count("{")
    BUDGET.charge(len(text) + fields * (width + float(max(map(size, values), default=0))))


def binary(operator: str, left: Any, right: Any) -> None:
    """Raises TooMuch for an operation whose result would be beyond the limits."""
    grown = 0.0
    match operator:
        case "*" if isinstance(left, int) and isinstance(right, int):
            grown = (left.bit_length() + right.bit_length()) / 3
            if grown * 3 > LARGEST_INTEGER_BITS:
                raise TooMuch("it computes a number of thousands of digits")
        case "*":
            times = left if isinstance(left, int) else right if isinstance(right, int) else 1
            grown = (size(left) + size(right)) * float(min(abs(times), CHARACTERS))
        case "**" if isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * float(min(abs(right), CHARACTERS)) > LARGEST_POWER_BITS:
                raise TooMuch("it computes a number of thousands of digits")
        case "%" if isinstance(left, str):
            inside = right.values() if isinstance(right, dict) else right if isinstance(right, tuple) else (right,)
            _charge_format(left, inside)
        case "+":
            grown = (size(left) + size(right)) if not isinstance(left, int | float) else 0
    BUDGET.charge(grown)
