"""JSONPath, by the library of the field: wildcards, descent, slices, filters. Loaded when a metric asks for it.

A path that only names members and places is followed right here; any other may take years on some replies, or hold a
regular expression, and is followed by a child process that ends itself when time is up.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from assay_sdk.engine.bounded_child import CHILD, TookTooLong
from assay_sdk.engine.bounded_work import parse_path
from assay_sdk.engine.worktime import WORK_TIME

LONGEST_PATH = 1_000

Find = Callable[[Any], list[Any]]


def compile_path(path: str) -> Find:
    """A function that gives all values that a path leads to, in order. Raises ValueError for what is no JSONPath.

    The function raises ValueError where a value cannot be followed, or not within a second.
    """
    if find_spec("jsonpath_ng") is None:
        raise ValueError("JSONPath needs the package jsonpath-ng: pip install 'assay-sdk[remote]'")
    if len(path) > LONGEST_PATH:
        raise ValueError(f"a JSONPath has {LONGEST_PATH:,} characters at most")
    if WORK_TIME.over():
        raise ValueError("there are too many paths and templates")
    try:
        compiled = parse_path(path)
    except Exception as error:
        raise ValueError(f"{path!r} is no JSONPath: {' '.join(str(error).split())}") from None
    if _is_plain(compiled):
        return lambda value: [found.value for found in compiled.find(value)]
    return lambda value: _followed(path, value)


def _is_plain(step: Any) -> bool:
    from jsonpath_ng import Child, Fields, Index, Root

    match step:
        case Child():
            return _is_plain(step.left) and _is_plain(step.right)
        case Fields():
            return "*" not in step.fields
    return isinstance(step, Index | Root)


def _followed(path: str, value: Any) -> list[Any]:
    try:
        answer = CHILD.asked(path=path, value=value)
    except TookTooLong as error:
        raise ValueError(f"it takes {error}") from None
    if "error" in answer:
        raise ValueError(answer["error"])
    found: list[Any] = answer["found"]
    return found
