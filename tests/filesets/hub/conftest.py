"""A running platform for all tests of the Hub's API, and the same API without a server."""

import hashlib
import json
from base64 import b64encode
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.platform_process import PlatformProcess

HF = "/v1/hf"
REPO = f"{HF}/api/datasets/ns/data"
WEB = f"{HF}/datasets/ns/data"


@pytest.fixture(scope="session")
def platform(shared_platform: PlatformProcess) -> PlatformProcess:
    return shared_platform


class HubClient:
    """The API over Django's test client, with a dataset ``ns/data`` to work on."""

    def __init__(self, client: APIClient) -> None:
        self.client = client

    def get(self, path: str, **also: Any) -> Any:
        return self.client.get(path, **also)

    def head(self, path: str, **also: Any) -> Any:
        return self.client.head(path, **also)

    def put(self, path: str, content: bytes, **also: Any) -> Any:
        return self.client.put(path, content, content_type="application/octet-stream", **also)

    def post(self, path: str, body: Any = None, **also: Any) -> Any:
        return self.client.post(path, json.dumps(body or {}), content_type="application/json", **also)

    def delete(self, path: str, body: Any = None) -> Any:
        return self.client.delete(path, json.dumps(body or {}), content_type="application/json")

    def create(self, name: str = "ns/data", kind: str = "dataset", **also: Any) -> Any:
        namespace, _, name = name.rpartition("/")
        body = {"name": name, "organization": namespace or None, "type": kind, **also}
        return self.post(f"{HF}/api/repos/create", body)

    def commit(self, *lines: dict[str, Any], branch: str = "main", **header: Any) -> Any:
        return self.commit_raw(body_of(*lines, **header), branch=branch)

    def commit_raw(self, body: bytes, branch: str = "main", query: str = "") -> Any:
        return self.client.post(f"{REPO}/commit/{branch}{query}", body, content_type="application/x-ndjson")

    def sha(self) -> str:
        return str(self.get(REPO).json()["sha"])

    def files(self, revision: str = "main") -> list[str]:
        return [file["rfilename"] for file in self.get(f"{REPO}/revision/{revision}").json()["siblings"]]

    def batch(self, *contents: bytes, **also: Any) -> Any:
        objects = [{"oid": sha256(content), "size": len(content)} for content in contents]
        body = {"operation": "upload", "transfers": ["basic", "multipart"], "objects": objects, **also}
        return self.post(f"{WEB}.git/info/lfs/objects/batch", body).json()

    def send_large(self, content: bytes) -> str:
        """Upload a large file, without committing it, and return its SHA-256."""
        action = self.batch(content)["objects"][0]["actions"]["upload"]
        assert self.put(action["href"], content).status_code == 200
        return sha256(content)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file(path: str, content: bytes = b"x") -> dict[str, Any]:
    return {
        "key": "file",
        "value": {"content": b64encode(content).decode(), "path": path, "encoding": "base64"},
    }


def large(path: str, oid: str, size: int | None = None) -> dict[str, Any]:
    sized = {} if size is None else {"size": size}
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, **sized}}


def deleted(path: str) -> dict[str, Any]:
    return {"key": "deletedFile", "value": {"path": path}}


def body_of(*lines: dict[str, Any], **header: Any) -> bytes:
    first = {"key": "header", "value": {"summary": "a change", "description": "", **header}}
    return b"".join(json.dumps(line).encode() + b"\n" for line in (first, *lines))


@pytest.fixture
def hf(client: APIClient, db: None) -> HubClient:
    hub_client = HubClient(client)
    assert hub_client.create().status_code == 200
    return hub_client
