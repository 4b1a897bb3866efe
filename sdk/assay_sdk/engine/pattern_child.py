"""The child process of `patterns`: reads tasks line by line, and exits in the middle of one that takes too long."""

import json
import re
import sys
from collections import deque
from functools import lru_cache


def first_group(pattern: "re.Pattern[str]", method: str, texts: list[str]) -> str | None:
    """The first group of the first match in the texts (of the last match, with the method `last`)."""
    for text in texts:
        if method == "last":
            match = next(iter(deque(pattern.finditer(text), maxlen=1)), None)
        else:
            match = pattern.match(text) if method == "match" else pattern.search(text)
        if match is not None:
            found: str | None = match[1]
            return found
    return None


def all_groups(pattern: "re.Pattern[str]", texts: list[str]) -> list[tuple[str | None, int, int, int]]:
    """(first group, its start, start of the match, its end) of every match in the texts."""
    return [(m[1], m.start(1), m.start(), m.end()) for text in texts for m in pattern.finditer(text)]


def main() -> None:
    import faulthandler  # its watchdog is a thread of C: it works while a pattern keeps Python busy
    import os

    compiled = lru_cache(64)(re.compile)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - pathlib takes a while to import
        for line in sys.stdin.buffer:
            task = json.loads(line)
            faulthandler.dump_traceback_later(task["seconds"], exit=True, file=nowhere)
            pattern, method, texts = compiled(task["pattern"]), task["method"], task["texts"]
            found = all_groups(pattern, texts) if method == "all" else first_group(pattern, method, texts)
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
