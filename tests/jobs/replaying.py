"""Sending recorded requests again, and comparing the replies but for what differs on purpose."""

import json
from typing import Any

from rest_framework.test import APIClient

from tests.contract.replay import same_shape

Departures = dict[tuple[str, str], int]
"""Method and the end of the path → our status, where it is another one on purpose."""


def comparable(reply: Any) -> Any:
    """Return a reply without details of the host, telemetry, and the null of a key that is newer than the request."""
    if isinstance(reply, list):
        return [comparable(entry) for entry in reply]
    if not isinstance(reply, dict):
        return reply
    kept = {key: comparable(value) for key, value in reply.items()}
    if "status_details" in kept:
        kept["status_details"] = {}
    if isinstance(kept.get("custom_fields"), dict):
        kept["custom_fields"].pop("_nemo_telemetry", None)
    if kept.get("publication", ...) is None:
        del kept["publication"]
    return kept


def send(client: APIClient, exchange: dict[str, Any]) -> Any:
    path = exchange["path"] + (f"?{exchange['query']}" if exchange["query"] else "")
    body = "" if exchange["request"] is None else json.dumps(exchange["request"])
    return client.generic(exchange["method"], path, body, content_type="application/json")


def replay(client: APIClient, exchange: dict[str, Any], departures: Departures | None = None) -> list[str]:
    """Send the request and return how the reply differs from the recorded one, empty if in nothing."""
    reply = send(client, exchange)
    where = f"{exchange['method']} {exchange['path']} {exchange['query']}"
    wanted = exchange["status"]
    for (method, end), status in (departures or {}).items():
        if exchange["method"] == method and exchange["path"].endswith(end) and wanted != status:
            wanted = status
    if reply.status_code != wanted:
        return [f"{where}: recorded {exchange['status']}, ours {reply.status_code} {reply.content[:300]!r}"]
    if exchange["response"] is None or wanted != exchange["status"]:
        return []
    if reply.streaming:
        return [] if b"".join(reply.streaming_content) else [f"{where}: nothing to download"]
    return [f"{where} {found}" for found in same_shape(comparable(exchange["response"]), comparable(reply.json()))]
