"""JSONPath, by the library of the field: wildcards, descent, slices, filters. Loaded when a metric asks for it."""

from collections.abc import Callable
from typing import Any

Find = Callable[[Any], list[Any]]


def compile_path(path: str) -> Find:
    """A function that gives all values that a path leads to, in order. Raises ValueError for what is no JSONPath."""
    try:
        from jsonpath_ng import ext, parser
    except ImportError:
        raise ValueError("JSONPath needs the package jsonpath-ng: pip install 'assay-sdk[remote]'") from None
    try:
        compiled = parser.parse(path)
    except Exception:  # the library has no error of its own
        try:
            compiled = ext.parser.parse(path)  # with filters and arithmetic
        except Exception as error:
            raise ValueError(f"{path!r} is no JSONPath: {' '.join(str(error).split())}") from None
    return lambda value: [found.value for found in compiled.find(value)]
