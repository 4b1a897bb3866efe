"""What schemathesis is told: every check, and existing names for the parameters of addresses."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.schema.furnishing import Known

EXISTING = 0.85
"""So often a parameter is given a name that exists; an address of two such is met about three times of four."""
PATH_PARAMETER = re.compile(r"\{(\w+)\}")
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "416", "422", "5xx"]
"""What a request that breaks the description may be answered; a range that is none is a 416 (platform-v2 section 6)."""
BOUND = {
    "query.filter": ("filters", 0.5),
    "query.page_cursor": ("cursors", 0.3),
    "query.column": ("columns", 0.8),
    "query.path": ("-", 0.5),
    "body.jobs[*]": ("jobs", 0.8),
    "body.config": ("v1 references", 0.6),
    "body.target": ("v1 references", 0.6),
    "body.namespace": ("workspaces", 0.3),
    "body.project": ("projects", 0.3),
}
"""Other parameters with values of their own, and how often they are given one."""
Table = Mapping[str, Any]


def settings(
    description: Mapping[str, Any], known: Known, examples: int, seed: int, phases: Sequence[str], headers: Table
) -> Table:
    """Return schemathesis's settings as a table of its configuration file."""
    operations = [
        {"include-name": f"{method.upper()} {path}", "parameters": _bindings(method.upper(), path, known)}
        for path, methods in description["paths"].items()
        for method in methods
    ]
    return {
        "seed": seed,
        "hooks": str(Path(__file__).with_name("hooks.py")),
        "continue-on-failure": True,
        "request-timeout": 60,
        "warnings": False,
        "headers": headers,
        "generation": {"mode": "all", "max-examples": examples, "database": "none", "no-shrink": True},
        "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
        "checks": {"enabled": True, "negative_data_rejection": {"expected-statuses": REFUSED}},
        "parameters": {name: {"dictionary": held, "probability": often} for name, (held, often) in BOUND.items()},
        "dictionaries": {name: {"values": values} for name, values in known.items() if values},
        "operations": [operation for operation in operations if operation["parameters"]],
    }


def _bindings(method: str, path: str, known: Known) -> Table:
    return {
        f"path.{name}": {"dictionary": collection, "probability": EXISTING}
        for name, collection in known_for(method, path, known).items()
    }


def known_for(method: str, path: str, known: Known) -> dict[str, str]:
    """Return the collection that each path parameter of an operation is in, of those that are known."""
    found = {}
    before = ""
    for segment in path.split("/"):
        if match := PATH_PARAMETER.fullmatch(segment):
            found[match[1]] = _collection(path, match[1], before)
        else:
            before = segment
    if method == "DELETE" and found:
        last = list(found)[-1]
        found[last] = f"spare {found[last]}"
    if path.endswith("/evaluate/jobs/{name}") and method == "PATCH":
        found["name"] = "waiting jobs"
    return {name: collection for name, collection in found.items() if collection in known}


def _collection(path: str, parameter: str, before: str) -> str:
    version = path.split("/")[1]
    if parameter == "namespace":
        return "workspaces"
    return before if version == "apis" or before == "namespaces" else f"{version} {before}"


def as_toml(table: Table) -> str:
    """Return a table as a TOML file of one line a key."""
    return "".join(f"{json.dumps(key)} = {_inline(value)}\n" for key, value in table.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_inline(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)
