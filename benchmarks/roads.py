"""The ways of a large file into a server and out of it, all taken by the same client.

The client sends with `sendfile` and reads into one buffer, so that it takes as little as it can of the cores it shares.
"""

import hashlib
import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

BLOCK = 1024 * 1024
JSON = "application/json"
FILES = "/apis/files/v2/workspaces/default/filesets"
HUB = "/v1/hf"


class Content:
    """A file on the disk that can be made one that no server has seen, without writing it anew."""

    def __init__(self, path: Path, megabytes: int) -> None:
        self.path = path
        self.megabytes = megabytes
        self.size = megabytes * BLOCK
        block = os.urandom(BLOCK)
        with path.open("wb", buffering=0) as file:
            for _ in range(megabytes):
                file.write(block)
        self.renew()

    def renew(self) -> None:
        with self.path.open("r+b") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()


class Road(Protocol):
    """A server's way to store a file and give it back."""

    name: str

    def put(self, content: Content, name: str) -> None: ...

    def get(self, content: Content, name: str) -> None: ...


@dataclass
class Addressed:
    """One PUT to an address, and one GET from it."""

    name: str
    port: int
    under: str

    def put(self, content: Content, name: str) -> None:
        send(self.port, f"{self.under}/{name}", content)

    def get(self, content: Content, name: str) -> None:
        receive(self.port, f"{self.under}/{name}", content)


@dataclass
class HubRoad:
    """What a client of the Hub does for a large file: ask where, send, verify, commit. Then resolve."""

    name: str
    port: int
    repo: str

    def put(self, content: Content, name: str) -> None:
        thing = {"oid": content.sha256, "size": content.size}
        asked = {"operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256", "objects": [thing]}
        told = call(self.port, f"{HUB}/datasets/{self.repo}.git/info/lfs/objects/batch", asked)
        assert told["transfer"] == "basic", told
        actions = told["objects"][0]["actions"]
        send(self.port, _path(actions["upload"]["href"]), content)
        call(self.port, _path(actions["verify"]["href"]), thing)
        lines = [{"key": "lfsFile", "value": {"path": name, "algo": "sha256", **thing}}]
        commit(self.port, self.repo, lines)

    def get(self, content: Content, name: str) -> None:
        receive(self.port, f"{HUB}/datasets/{self.repo}/resolve/main/{name}", content)


def commit(port: int, repo: str, lines: list[dict[str, Any]]) -> None:
    """Commit the lines to `main`."""
    header = {"key": "header", "value": {"summary": "bench", "description": ""}}
    body = b"".join(json.dumps(line).encode() + b"\n" for line in [header, *lines])
    call(port, f"{HUB}/api/datasets/{repo}/commit/main", body, "application/x-ndjson")


def call(port: int, path: str, body: Any, content_type: str = JSON) -> Any:
    """POST, and return what the reply's JSON says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, sent, {"Content-Type": content_type})
    return json.loads(_whole(connection, path) or b"null")


def send(port: int, path: str, content: Content) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.putrequest("PUT", path)
    connection.putheader("Content-Length", str(content.size))
    connection.putheader("Content-Type", "application/octet-stream")
    connection.endheaders()
    with content.path.open("rb") as file:
        connection.sock.sendfile(file)
    _whole(connection, path)


def receive(port: int, path: str, content: Content) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    reply = connection.getresponse()
    assert reply.status == 200, (path, reply.status, reply.read(200))
    buffer, got = bytearray(BLOCK), 0
    while count := reply.readinto(buffer):
        got += count
    connection.close()
    assert got == content.size, (path, got)


def _whole(connection: http.client.HTTPConnection, path: str) -> bytes:
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    assert reply.status in {200, 201}, (path, reply.status, body[:300])
    return body


def _path(href: str) -> str:
    return "/" + href.split("/", 3)[3]


@dataclass
class ClientRoad:
    """The Hub's own client; it hashes the file first, and writes what it reads to the disk."""

    name: str
    port: int
    repo: str
    folder: Path

    def __post_init__(self) -> None:
        os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_XET="1")
        from huggingface_hub import HfApi  # it reads its settings when it is imported

        self.api = HfApi(endpoint=f"http://127.0.0.1:{self.port}{HUB}", token=False)

    def put(self, content: Content, name: str) -> None:
        self.api.upload_file(path_or_fileobj=content.path, path_in_repo=name, repo_id=self.repo, repo_type="dataset")

    def get(self, content: Content, name: str) -> None:
        got = self.api.hf_hub_download(self.repo, name, repo_type="dataset", cache_dir=self.folder)
        assert Path(got).stat().st_size == content.size

    def put_folder(self, folder: Path, under: str) -> None:
        self.api.upload_folder(folder_path=folder, path_in_repo=under, repo_id=self.repo, repo_type="dataset")
