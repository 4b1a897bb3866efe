"""Comparing our replies with recorded ones: same fields and types at every depth, same sentences, ids by their pattern.

for exchange in exchanges("secrets.jsonl"):
    assert not same_shape(exchange["response"], ours)
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).resolve().parent / "recordings"

IDENTIFIER = re.compile(r"(?P<kind>[a-z]+(-[a-z]+)*)-[1-9A-HJ-NP-Za-km-z]{21,22}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?P<zone>Z|[+-]\d\d:\d\d)?")


def exchanges(file: str, server: str = "0.6.0", path: str = "") -> Iterator[dict[str, Any]]:
    """Yield the recorded exchanges of one server, those whose path matches the pattern ``path``."""
    for line in (RECORDINGS / file).read_text().splitlines():
        exchange = json.loads(line)
        if exchange["server"] == server and re.search(path, exchange["path"]):
            yield exchange


def play(client: Any, exchange: dict[str, Any]) -> Any:
    """Send the recorded request with a Django test client and return the reply."""
    path = exchange["path"] + (f"?{exchange['query']}" if exchange["query"] else "")
    body = exchange["request"]
    if body is None:
        return client.generic(exchange["method"], path)
    raw = body if isinstance(body, str) else json.dumps(body)
    return client.generic(exchange["method"], path, raw, content_type="application/json")


def differences(exchange: dict[str, Any], reply: Any) -> list[str]:
    """Return how a reply of the Django test client differs from the recorded one."""
    told = f"{exchange['method']} {exchange['path']}?{exchange['query']}"
    if reply.status_code != exchange["status"]:
        return [f"{told}: recorded {exchange['status']}, ours {reply.status_code} {_short(reply.content)}"]
    ours = json.loads(reply.content) if reply.content else None
    return [f"{told}: {difference}" for difference in same_shape(exchange["response"], ours)]


def same_shape(recorded: Any, ours: Any, at: str = "$") -> list[str]:
    """Return how our JSON differs from the recorded one, each difference with its place; empty if it does not.

    A null matches only a null. Each item of our list must look like one of the recorded items; lengths may differ, but
    not nothing for something. A top-level ``detail`` that is a sentence must be that sentence, and a list of mistakes
    must name the same types and places.
    """
    if _kind(recorded) != _kind(ours):
        return [f"{at}: recorded {_kind(recorded)} {_short(recorded)}, ours {_kind(ours)} {_short(ours)}"]
    if isinstance(recorded, dict):
        return _members(recorded, ours, at)
    if isinstance(recorded, list):
        return _items(recorded, ours, at)
    if isinstance(recorded, str):
        return _text(recorded, ours, at)
    return []


def _members(recorded: dict[str, Any], ours: dict[str, Any], at: str) -> list[str]:
    found = [f"{at}.{key}: recorded, not in ours" for key in recorded.keys() - ours.keys()]
    found += [f"{at}.{key}: ours, not recorded" for key in ours.keys() - recorded.keys()]
    for key in recorded.keys() & ours.keys():
        if at == "$" and key == "detail":
            found += _detail(recorded[key], ours[key])
        else:
            found += same_shape(recorded[key], ours[key], f"{at}.{key}")
    return sorted(found)


def _items(recorded: list[Any], ours: list[Any], at: str) -> list[str]:
    if bool(recorded) != bool(ours):
        return [f"{at}: recorded {len(recorded)} items, ours {len(ours)}"]
    found = []
    for position, item in enumerate(ours):
        # The closest of the recorded items says most about what is wrong.
        found += min((same_shape(each, item, f"{at}[{position}]") for each in recorded), key=len)
    return found


def _detail(recorded: Any, ours: Any) -> list[str]:
    if isinstance(recorded, str):
        return [] if recorded == ours else [f"$.detail: recorded {recorded!r}, ours {ours!r}"]
    found = same_shape(recorded, ours, "$.detail")
    if not found:
        places = [[(mistake["type"], mistake["loc"]) for mistake in detail] for detail in (recorded, ours)]
        found = [] if places[0] == places[1] else [f"$.detail: recorded {places[0]}, ours {places[1]}"]
    return found


def _text(recorded: str, ours: str, at: str) -> list[str]:
    identifier = IDENTIFIER.fullmatch(recorded)
    if identifier:
        same = IDENTIFIER.fullmatch(ours)
        return (
            []
            if same and same["kind"] == identifier["kind"]
            else [f"{at}: recorded the id {recorded}, ours {_short(ours)}"]
        )
    time = TIME.fullmatch(recorded)
    if time:
        same = TIME.fullmatch(ours)
        return (
            []
            if same and same["zone"] == time["zone"]
            else [f"{at}: recorded the time {recorded}, ours {_short(ours)}"]
        )
    return []


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _short(value: Any) -> str:
    return repr(value)[:80]
