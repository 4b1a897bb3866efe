"""The small part of JSONPath that definitions use: `$.grade.clarity`, `grades[0]`, `$['odd key']`."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

Step = str | int

_STEP = re.compile(r"""\.?([^.\[\]]+) | \[(-?\d+)\] | \['([^']*)'\] | \["([^"]*)"\]""", re.VERBOSE)


@lru_cache(1000)
def steps_of(path: str) -> tuple[Step, ...]:
    """The keys and indexes a path names, or () if it is not a path."""
    rest = path.removeprefix("$")
    steps: list[Step] = []
    while rest:
        step = _STEP.match(rest)
        if not step:
            return ()
        key, index, *quoted = step.groups()
        steps.append(int(index) if index else next(text for text in (key, *quoted) if text is not None))
        rest = rest[step.end() :]
    return tuple(steps)


def find(value: Any, steps: Sequence[Step]) -> Any:
    """What lies at the end of the steps, or None if they lead nowhere (or there are none)."""
    for step in steps:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value if steps else None
