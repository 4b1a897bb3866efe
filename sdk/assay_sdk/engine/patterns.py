"""Users' regular expressions, within a bound of time.

Python's `re` cannot be interrupted, and some patterns take years on some texts. A pattern whose cost on the text at
hand is surely small runs right here; any other runs in a child process that ends itself when time is up.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from assay_sdk.engine.pattern_child import all_groups, first_group

# An honest verdict is near one of the ends of a reply.
SEARCHED_CHARACTERS = 100_000
SECONDS = 1.0
CHEAP_STEPS = 5e6
MANY = 32  # a repeat of up to so many times is a factor; of more, a loop over the text

Method = Literal["match", "search", "last"]


class TookTooLong(Exception):
    """The pattern did not come to an end on this text."""


class Pattern:
    """A compiled pattern with its way of being looked for. Raises re.error for one that does not compile."""

    def __init__(self, pattern: str, method: Method) -> None:
        self._compiled = re.compile(pattern)
        self._method = method
        self._loops, self._factor = _cost(pattern)
        self.groups = self._compiled.groups

    def first_group(self, text: str) -> str | None:
        """What the first capture group of the match holds; None if there is no match, or the group has no part in it.

        Raises TookTooLong after about a second.
        """
        texts = self._searched(text)
        length = max(map(len, texts), default=0)
        loops = self._loops if self._method == "match" else self._loops + 1
        if self._factor * float(max(length, 2)) ** min(loops, 50) <= CHEAP_STEPS:
            return first_group(self._compiled, self._method, texts)
        group: str | None = _CHILD.asked(self._compiled.pattern, self._method, texts)
        return group

    def all(self, text: str) -> list[tuple[str | None, int, int, int]]:
        """(first group, its start, start of the match, its end) of every match near the text's beginning.

        Raises TookTooLong after about a second.
        """
        head = text[:SEARCHED_CHARACTERS]
        if self._factor * float(max(len(head), 2)) ** min(self._loops + 1, 50) <= CHEAP_STEPS:
            return all_groups(self._compiled, [head])
        return [(group, *places) for group, *places in _CHILD.asked(self._compiled.pattern, "all", [head])]

    def _searched(self, text: str) -> list[str]:
        """The texts in which to look, one after the other until there is a match."""
        head, tail = text[:SEARCHED_CHARACTERS], text[-SEARCHED_CHARACTERS:]
        match self._method:
            case "match":  # the line break that models like to begin with is no reason to miss what follows it
                return [head] if head == head.lstrip() else [head, head.lstrip()]
            case "search":
                return [head] if head == tail else [head, tail]
            case _:
                return [tail]


@cache
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


class _Child:
    """One process that matches for all others, begun when first needed and again after it had to be given up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def asked(self, pattern: str, method: str, texts: list[str]) -> Any:
        task = {"pattern": pattern, "method": method, "texts": texts, "seconds": SECONDS}
        with self._lock:
            process = self._running()
            assert process.stdin and process.stdout
            try:
                process.stdin.write(json.dumps(task).encode() + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = b""
            if not answer:
                self._process = None
                process.stdin.close()
                process.stdout.close()
                process.wait()
                raise TookTooLong(f"more than {SECONDS:g} s")
        return json.loads(answer)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            script = str(Path(__file__).with_name("pattern_child.py"))
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen([sys.executable, "-I", "-S", script], **pipes)
            self._owner = os.getpid()
        return self._process


_CHILD = _Child()
