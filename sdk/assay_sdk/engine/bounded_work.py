"""The work of `bounded_child`: reads tasks line by line, and exits in the middle of one that takes too long."""

import json
import re
import sys
from collections import deque
from functools import lru_cache
from typing import Any

MAX_MEMORY = 1 << 30  # bytes of address space
MOST_FOUND = 10_000_000  # characters of what all matches hold

Place = tuple[int, str | None, int, int]
"""Which text, what the first group holds, and where it begins and ends (-1 where it has no part in the match)."""


def first_match(pattern: "re.Pattern[str]", method: str, texts: list[str]) -> Place | None:
    """The first match in the texts (the last one, with the method `last`)."""
    for number, text in enumerate(texts):
        if method == "last":
            match = next(iter(deque(pattern.finditer(text), maxlen=1)), None)
        else:
            match = pattern.match(text) if method == "match" else pattern.search(text)
        if match is not None:
            return number, match[1], match.start(1), match.end(1)
    return None


def all_groups(pattern: "re.Pattern[str]", text: str) -> list[tuple[str | None, int, int, int]]:
    """(first group, its start, start of the match, its end) of every match. Raises MemoryError for far too much."""
    found, held = [], 0
    for match in pattern.finditer(text):
        held += len(match[1] or "")
        if held > MOST_FOUND:
            raise MemoryError
        found.append((match[1], match.start(1), match.start(), match.end()))
    return found


def done(task: dict[str, Any]) -> Any:
    """The answer to a task: what was found, or `{"error": …}`."""
    if "path" in task:
        try:
            return {"found": [found.value for found in parse_path(task["path"]).find(task["value"])]}
        except MemoryError:
            raise
        except Exception as error:  # a filter may compare what cannot be compared
            return {"error": str(error)}
    pattern = _compiled(task["pattern"])
    if task["method"] == "all":
        return all_groups(pattern, task["texts"][0])
    return first_match(pattern, task["method"], task["texts"])


@lru_cache(64)
def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern)


@lru_cache(64)
def parse_path(path: str) -> Any:
    """A JSONPath as the library's own object. Raises what the library raises: it has no error of its own."""
    from jsonpath_ng import ext, parser

    try:
        return parser.parse(path)
    except Exception:
        return ext.parser.parse(path)  # with filters and arithmetic


def main() -> None:
    import faulthandler  # its watchdog is a thread of C: it works while a pattern keeps Python busy
    import os

    _limit_memory()
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - pathlib takes a while to import
        for line in sys.stdin.buffer:
            task = json.loads(line)
            faulthandler.dump_traceback_later(task["seconds"], exit=True, file=nowhere)
            answer = json.dumps(done(task))
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MAX_MEMORY if hard == resource.RLIM_INFINITY else min(MAX_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
