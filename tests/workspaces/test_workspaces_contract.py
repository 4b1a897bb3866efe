"""Every recorded exchange of the entities service and of health, played again here."""

from typing import Any

import pytest
from contract.replay import exchanges, same_shape
from rest_framework.test import APIClient

OURS = r"^/(apis/entities/|health/|status|cluster-info)"

ROLE_CHECKED = "role names are checked here, so 'Bogus' is refused (platform-v2 section 11)"
"""Where we mean to differ, by method, path and request of the recording; the reason is part of the test's output."""


def play(client: APIClient, exchange: dict[str, Any]) -> Any:
    path = exchange["path"] + (f"?{exchange['query']}" if exchange["query"] else "")
    if exchange["request"] is None:
        return client.generic(exchange["method"], path)
    body = exchange["request"]
    if isinstance(body, str):
        return client.generic(exchange["method"], path, body, content_type="application/json")
    return getattr(client, exchange["method"].lower())(path, body, format="json")
