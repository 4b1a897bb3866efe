"""Every recorded exchange of the secrets service, played again here in its order."""

import pytest
from contract.replay import differences, exchanges, play
from rest_framework.test import APIClient

from assay.secrets.store import create_secret
from assay.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def test_secrets_as_recorded(client: APIClient) -> None:
    Workspace.objects.create(name="ha-w10")
    found: list[str] = []
    for exchange in exchanges("secrets.jsonl"):
        if exchange["query"]:
            # The recorded server held ten secrets by then, of which the recording shows the making of one.
            for number in range(9):
                body = {"name": f"extra-{number}", "value": "x"}
                client.post("/apis/secrets/v2/workspaces/ha-w10/secrets", body, format="json")
        if exchange["request"] and exchange["request"].get("value") == 5:
            # A refused body is never repeated here, not even a number.
            exchange["response"]["detail"][0]["input"] = "******"
        reply = play(client, exchange)
        if exchange["query"]:
            # None of those nine has a description, and a list leaves nulls out.
            assert reply.json()["pagination"]["total_results"] == 10
        found += differences(exchange, reply)
    assert found == []


def test_secrets_around_a_deletion_as_recorded(client: APIClient) -> None:
    """There the workspace was being deleted in the background; here it is simply there, or made again, empty."""
    workspace = Workspace.objects.create(name="ha-d6")
    found: list[str] = []
    for exchange in exchanges("deletion.jsonl", path="^/apis/secrets/"):
        if exchange.get("note") == "after purge and re-create":
            workspace.secrets.all().delete()
        elif exchange["method"] != "POST":
            create_secret(workspace, "jk", "x", None)
        found += differences(exchange, play(client, exchange))
    assert found == []
