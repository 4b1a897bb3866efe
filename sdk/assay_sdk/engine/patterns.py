"""Users' regular expressions, within a bound of time.

Python's `re` cannot be interrupted, and some patterns take years on some texts. A pattern whose cost on the text at
hand is surely small runs right here; any other runs in a child process that ends itself when time is up.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from assay_sdk.engine.bounded_child import CHILD, TookTooLong
from assay_sdk.engine.bounded_work import Place, all_groups, first_match
from assay_sdk.engine.worktime import WORK_TIME

__all__ = ["Method", "Pattern", "TookTooLong", "compile_pattern"]

LONGEST_PATTERN = 2_000
MOST_SETS = 20
"""Sets `[…]` in a pattern that ignores case: a large one takes 8 ms to compile."""
# An honest verdict is near one of the ends of a reply.
SEARCHED_CHARACTERS = 100_000
CHEAP_STEPS = 5e6
MANY = 32  # a repeat of up to so many times is a factor; of more, a loop over the text

_IGNORES_CASE = re.compile(r"\(\?[a-zA-Z]*i")

Method = Literal["match", "search", "last"]


def compile_pattern(pattern: str) -> "re.Pattern[str]":
    """The pattern, compiled. Raises ValueError, which says why it cannot be."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"it is longer than {LONGEST_PATTERN:,} characters")
    if _IGNORES_CASE.search(pattern) and pattern.count("[") > MOST_SETS:
        raise ValueError(f"it ignores case and has more than {MOST_SETS} sets")
    if WORK_TIME.over():
        raise ValueError("there are too many patterns and templates")
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None


class Pattern:
    """A compiled pattern with its way of being looked for. Raises ValueError for one that does not compile."""

    def __init__(self, pattern: str, method: Method) -> None:
        self._compiled = compile_pattern(pattern)
        self._method = method
        self._loops, self._factor = _cost(pattern)
        self.groups = self._compiled.groups

    def first_group(self, text: str) -> str | None:
        """What the first capture group of the match holds; None if there is no match, or the group has no part in it.

        Raises TookTooLong after about a second.
        """
        found = self._first(text)
        return None if found is None else found[1]

    def place(self, text: str) -> tuple[int, int] | None:
        """Where in the text that group stands, under the same conditions."""
        found = self._first(text)
        if found is None or found[1] is None:
            return None
        number, _, start, end = found
        before = self._searched(text)[number][0]
        return before + start, before + end

    def _first(self, text: str) -> Place | None:
        texts = [piece for _, piece in self._searched(text)]
        length = max(map(len, texts), default=0)
        loops = self._loops if self._method == "match" else self._loops + 1
        if self._cheap(length, loops):
            return first_match(self._compiled, self._method, texts)
        found = CHILD.asked(pattern=self._compiled.pattern, method=self._method, texts=texts)
        return None if found is None else (found[0], found[1], found[2], found[3])

    def all(self, text: str) -> list[tuple[str | None, int, int, int]]:
        """(first group, its start, start of the match, its end) of every match near the text's beginning.

        Raises TookTooLong after about a second.
        """
        head = text[:SEARCHED_CHARACTERS]
        if self._cheap(len(head), self._loops + 1):
            return all_groups(self._compiled, head)
        found = CHILD.asked(pattern=self._compiled.pattern, method="all", texts=[head])
        return [(group, *places) for group, *places in found]

    def _cheap(self, length: int, loops: float) -> bool:
        steps: float = self._factor * float(max(length, 2)) ** min(loops, 50)
        return steps <= CHEAP_STEPS

    def _searched(self, text: str) -> list[tuple[int, str]]:
        """The parts of the text in which to look, one after the other until there is a match, and where they begin."""
        late = max(0, len(text) - SEARCHED_CHARACTERS)
        head, tail = (0, text[:SEARCHED_CHARACTERS]), (late, text[late:])
        match self._method:
            case "match":  # the line break that models like to begin with is no reason to miss what follows it
                stripped = head[1].lstrip()
                return [head] if head[1] == stripped else [head, (len(head[1]) - len(stripped), stripped)]
            case "search":
                return [head, tail] if late else [head]
            case _:
                return [tail]


@lru_cache(1000)
def _cost(pattern: str) -> tuple[float, float]:
    """(loops, factor): matching a text of n characters takes at most about factor · n^loops steps."""
    try:
        from re import _parser  # type: ignore[attr-defined]  # the only way to look into a pattern

        return _cost_of(_parser.parse(pattern))
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError):
        return 50.0, 1.0


def _cost_of(parsed: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    loops, factor = 0.0, 1.0
    for operation, argument in parsed:
        name, within = str(operation), (0.0, 1.0)
        if name.endswith("REPEAT"):
            low, high, repeated = argument
            within = _cost_of(repeated)
            single = len(repeated) == 1 and str(repeated[0][0]) in ("LITERAL", "NOT_LITERAL", "IN", "ANY", "CATEGORY")
            if not single and high > 1:
                within = (50.0, 1.0)  # loops within loops: no bound that is worth the name
            elif high > MANY:
                within = (within[0] + 1, within[1])
            else:
                within = (within[0], within[1] * (high - low + 1))
        elif name == "SUBPATTERN":
            within = _cost_of(argument[-1])
        elif name == "BRANCH":
            costs = [_cost_of(branch) for branch in argument[1]]
            within = max(cost[0] for cost in costs), sum(cost[1] for cost in costs)
        elif name in ("ASSERT", "ASSERT_NOT"):
            within = _cost_of(argument[1])
        elif name == "ATOMIC_GROUP":
            within = _cost_of(argument)
        elif name in ("GROUPREF", "GROUPREF_IGNORE", "GROUPREF_EXISTS"):
            within = (50.0, 1.0)
        loops, factor = min(loops + within[0], 50.0), min(factor * within[1], 1e9)
    return loops, factor
