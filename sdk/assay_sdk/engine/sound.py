"""JSON values as every store, file and page can hold them, whatever somebody's server or template made of them."""

import math
from typing import Any

DEEPEST = 200
TOO_DEEP = "…"


def sound(value: Any, depth: int = 0) -> Any:
    """A copy with whole characters and finite numbers; what is nested too deeply is cut off."""
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case float():
            return value if math.isfinite(value) else None
        case dict() | list() if depth >= DEEPEST:
            return TOO_DEEP
        case dict():
            return {sound(str(key)): sound(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple():
            return [sound(inner, depth + 1) for inner in value]
    return value
