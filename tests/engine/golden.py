"""The golden vectors, and how values are compared with them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parent / "vectors"


def cases(*files: str) -> list[Any]:
    """The cases of the given files as pytest parameters, each with its id."""
    found = [case for file in files for case in json.loads((VECTORS / f"{file}.json").read_text("utf-8"))]
    return [pytest.param(case, id=case["id"]) for case in found]


def same(ours: Any, theirs: Any) -> bool:
    """Floats within 1e-9 (relative) or 1e-12; everything else exactly."""
    if isinstance(ours, float) and isinstance(theirs, int | float) and not isinstance(theirs, bool):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(theirs, float) and isinstance(ours, int) and not isinstance(ours, bool):
        return ours == theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two values differ, for messages."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted(ours.keys() | theirs.keys(), key=str)
        return [d for key in keys for d in differences(ours.get(key), theirs.get(key), f"{path}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [d for i in range(len(ours)) for d in differences(ours[i], theirs[i], f"{path}[{i}]")]
    return [] if same(ours, theirs) else [f"{path}: {ours!r}, expected {theirs!r}"]
