"""Every recorded exchange of the entities service and of health, played again here in its order."""

from typing import Any

import pytest
from contract.replay import differences, exchanges, play
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

OURS = r"^/(apis/entities/|health/|status|cluster-info|nope)"

INTENDED = {
    ("POST", "/apis/entities/v2/workspaces/ha-w10/members", "Bogus"): (
        422,
        "roles are checked (platform-v2 section 11)",
    ),
}
"""Where we mean to differ: method, path and a word of the request; our status instead, and why."""


def intended(exchange: dict[str, Any]) -> int | None:
    for (method, path, word), (status, _) in INTENDED.items():
        if (exchange["method"], exchange["path"]) == (method, path) and word in str(exchange["request"]):
            return status
    return None


def test_workspaces_members_projects_and_health_as_recorded(client: APIClient) -> None:
    found: list[str] = []
    for exchange in exchanges("workspaces.jsonl", path=OURS):
        if exchange["path"] == "/status":
            # The parts of a server are its own; that each is a name and a boolean is the contract.
            exchange["response"]["controllers"]["status"] = {"job_sweep": True}
        reply = play(client, exchange)
        status = intended(exchange)
        if status is None:
            found += differences(exchange, reply)
        else:
            assert reply.status_code == status
    assert found == []


def test_errors_as_recorded(client: APIClient) -> None:
    client.post("/apis/entities/v2/workspaces", {"name": "ha-w10"}, format="json")
    found: list[str] = []
    played = 0
    for exchange in exchanges("errors.jsonl", path=OURS):
        found += differences(exchange, play(client, exchange))
        played += 1
    assert found == []
    assert played == 7


def test_deletion_as_recorded_where_the_workspace_is_empty(client: APIClient) -> None:
    """The recorded server also deletes a workspace that holds things, later and in the background; ours refuses.

    So the recording is played on an empty workspace, where both delete at once, and its re-creation is not a conflict.
    """
    client.post("/apis/entities/v2/workspaces", {"name": "ha-d6"}, format="json")
    found: list[str] = []
    for exchange in exchanges("deletion.jsonl", path="^/apis/entities/"):
        reply = play(client, exchange)
        if exchange.get("note") == "re-create while deletion pending":
            assert reply.status_code == 201
            client.delete("/apis/entities/v2/workspaces/ha-d6")
        else:
            found += differences(exchange, reply)
    assert found == []
