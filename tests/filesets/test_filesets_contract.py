"""Every recorded exchange of the files service, played again here in its order."""

import json
from typing import Any

import pytest
from contract.replay import exchanges, same_shape
from rest_framework.test import APIClient

from assay.filesets.models import Fileset
from assay.secrets.store import create_secret
from assay.workspaces.models import Workspace
from tests.hub.server import Hub

pytestmark = pytest.mark.django_db

RECORDED_HUB = "http://hub.example:9092"
FILES = "^/apis/files/"
BYTES = "application/octet-stream"
CASES = {"bytes=0-999": "cut off at the end, as the standard says"}
SAID_OTHERWISE = {"", "nope"}
"""Repository id and revision that the recorded server, or the hub behind it, did not look at."""


@pytest.fixture
def recorded_workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="ha-w10")


@pytest.fixture
def recorded_hub(hub: Hub) -> Hub:
    hub.add_commit(
        "nvidia/HelpSteer2",
        {"README.md": b"---\nlicense: cc-by-4.0\n---\n# HelpSteer2-like\n", "validation.jsonl.gz": b"x" * 169305},
    )
    return hub


def play(client: APIClient, exchange: dict[str, Any], url: str = "") -> list[str]:
    """Send the request as recorded, with our hub in place of the recorded one, and compare all of the reply."""
    exchange = json.loads(json.dumps(exchange).replace(RECORDED_HUB, url))
    path = exchange["path"] + (f"?{exchange['query']}" if exchange["query"] else "")
    body = exchange["request"]
    raw = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    kind = BYTES if isinstance(body, str) else "application/json"
    headers = {f"HTTP_{name.upper()}": value for name, value in exchange.get("request_headers", {}).items()}
    reply: Any = client.generic(exchange["method"], path, raw, content_type=kind, **headers)
    told = f"{exchange['method']} {path} {headers or ''} {raw[:200]}"
    if reply.status_code != exchange["status"]:
        return [f"{told}: recorded {exchange['status']}, ours {reply.status_code} {reply.content[:300]!r}"]
    wrong = [
        f"{told}: header {name}: recorded {value}, ours {reply.headers.get(name)}"
        for name, value in exchange["response_headers"].items()
        if name != "content-length" and reply.headers.get(name) != value
    ]
    if exchange["response_headers"]["content-type"] == BYTES:
        if reply["Content-Length"] != exchange["response_headers"]["content-length"]:
            wrong.append(f"{told}: length {reply['Content-Length']}")
        got = b"".join(reply.streaming_content).decode() if reply.streaming else None
        return wrong if got == exchange["response"] else [*wrong, f"{told}: {got!r}"]
    ours = json.loads(reply.content) if reply.content else None
    if exchange["method"] == "HEAD":
        return wrong
    return wrong + [f"{told}: {difference}" for difference in same_shape(exchange["response"], ours)]


def test_uploads_and_downloads_as_recorded(client: APIClient, recorded_workspace: Workspace) -> None:
    found: list[str] = []
    for exchange in exchanges("files-upload-download.jsonl", path=FILES):
        if exchange["method"] == "GET" and exchange["path"].endswith("/up/files") and not exchange["query"]:
            # The recording leaves out the upload of some files that it lists.
            client.put(f"{exchange['path'][:-5]}-/b.bin", b"0123456789", content_type=BYTES)
        if exchange.get("request_headers", {}).get("range") in CASES:
            continue
        found += play(client, exchange)
    assert found == []


def test_filesets_on_a_hub_as_recorded(client: APIClient, recorded_workspace: Workspace, recorded_hub: Hub) -> None:
    create_secret(recorded_workspace, "hf-token", "hf_x", None)
    Fileset.objects.create(workspace=recorded_workspace, name="up")
    found: list[str] = []
    for exchange in exchanges("filesets-huggingface.jsonl", path=FILES):
        storage = (exchange["request"] or {}).get("storage", {}) if isinstance(exchange["request"], dict) else {}
        if {storage.get("repo_id"), storage.get("revision")} & SAID_OTHERWISE or exchange["status"] == 500:
            continue
        found += play(client, exchange, recorded_hub.url)
    assert found == []


def test_mistakes_as_recorded(client: APIClient, recorded_workspace: Workspace) -> None:
    Fileset.objects.create(workspace=recorded_workspace, name="up")
    found = [line for exchange in exchanges("errors.jsonl", path=FILES) for line in play(client, exchange)]
    assert found == []


def test_what_the_client_sends_is_taken(client: APIClient) -> None:
    """Its replies are canned; its requests are real, so each has to succeed here, and reply with the same fields."""
    Workspace.objects.create(name="ha-cl")
    client.post("/apis/files/v2/workspaces/ha-cl/filesets", {"name": "up"}, format="json")
    for exchange in exchanges("client-helpers-0.6.jsonl", server="stub", path=FILES):
        raw = exchange["request"] or ""
        headers = {"HTTP_ACCEPT": exchange["request_headers"]["accept"]}
        reply: Any = client.generic(exchange["method"], exchange["path"], raw, content_type=BYTES, **headers)
        assert reply.status_code == exchange["status"], exchange["path"]
        if isinstance(exchange["response"], dict):
            assert reply.json().keys() == exchange["response"].keys()


def test_deletions_as_recorded(client: APIClient, recorded_hub: Hub) -> None:
    """There the fileset went from under a running job; here no job uses it, and what is sent back is the same."""
    workspace = Workspace.objects.create(name="ha-d6")
    storage = {
        "type": "huggingface",
        "repo_id": "nvidia/HelpSteer2",
        "repo_type": "dataset",
        "endpoint": recorded_hub.url,
    }
    address = f"/apis/files/v2/workspaces/{workspace.name}/filesets"
    client.post(address, {"name": "up"}, format="json")
    client.post(address, {"name": "ds", "storage": storage}, format="json")
    found = [line for each in exchanges("deletion.jsonl", path=FILES) for line in play(client, each, recorded_hub.url)]
    assert found == []
