"""The Hub's API through the server as it is deployed: encoded addresses, bodies in chunks or cut off, flat memory."""

import json
import os
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.filesets.hub.conftest import HF, body_of, file, large, sha256
from tests.platform_process import PlatformProcess

GROWTH = 20 * 1024
"""KB that the server may grow by."""


@pytest.fixture(scope="module")
def api(platform: PlatformProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=platform.url, timeout=60) as client:
        yield client


def create(api: httpx.Client, name: str) -> str:
    made = api.post(f"{HF}/api/repos/create", json={"name": name, "organization": "wire", "type": "dataset"})
    assert made.status_code == 200, made.text
    return f"{HF}/api/datasets/wire/{name}"


def commit(api: httpx.Client, repo: str, *lines: dict[str, Any], branch: str = "main") -> dict[str, Any]:
    sent = api.post(f"{repo}/commit/{branch}", content=body_of(*lines))
    assert sent.status_code == 200, sent.text
    return dict(sent.json())


def send(platform: PlatformProcess, head: str, *pieces: bytes, cut: bool = False) -> bytes:
    """Send a request as it is and return the reply; with ``cut`` stop sending after the pieces."""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=60) as connection:
        connection.sendall(f"{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        for piece in pieces:
            connection.sendall(piece)
        if cut:
            connection.shutdown(socket.SHUT_WR)
        reply = b""
        while piece := connection.recv(65536):
            reply += piece
        return reply


def drafts(platform: PlatformProcess) -> list[Path]:
    return list((Path(platform.data_dir) / "blobs" / "drafts").iterdir())


def test_revisions_and_paths_keep_their_slashes_apart(api: httpx.Client, platform: PlatformProcess) -> None:
    repo = create(api, "slashes")
    web = repo.replace("/api", "")
    assert api.post(f"{repo}/branch/dev%2Fx", json={}).status_code == 200
    assert api.post(f"{repo}/branch/dev", json={}).status_code == 200
    commit(api, repo, file("a", b"branch dev/x"), branch="dev%2Fx")
    commit(api, repo, file("a", b"branch dev"), file("d i/a #1.txt", b"odd"), file("100%/é", b"odder"), branch="dev")
    content = {
        "dev%2Fx/a": b"branch dev/x",
        "refs%2Fheads%2Fdev%2Fx/a": b"branch dev/x",
        "dev/a": b"branch dev",
        "dev/d%20i/a%20%231.txt": b"odd",
        "dev/100%25/%C3%A9": b"odder",
    }
    for address, expected in content.items():
        assert api.get(f"{web}/resolve/{address}").content == expected, address
        head = api.head(f"{web}/resolve/{address}")
        assert head.headers["Content-Length"] == str(len(expected)) and "transfer-encoding" not in head.headers
    assert [entry["path"] for entry in api.get(f"{repo}/tree/dev%2Fx").json()] == ["a"]
    assert [entry["path"] for entry in api.get(f"{repo}/tree/dev/d%20i").json()] == ["d i/a #1.txt"]
    for address in ("refs%2Fpr%2F1/a", "refs%2Fconvert%2Fparquet/a", "no%2Fx/a"):
        assert api.get(f"{web}/resolve/{address}").headers["X-Error-Code"] == "RevisionNotFound"
    missing = api.get(f"{web}/resolve/dev%2Fx/b")
    assert (missing.headers["X-Error-Code"], missing.headers["X-Repo-Commit"]) == (
        "EntryNotFound",
        api.get(f"{repo}/revision/dev%2Fx").json()["sha"],
    )
    for outside in ("%2e%2e/%2e%2e/a", "..%2Fa", "/etc/passwd", "%00", "a%0d%0ax: y"):
        assert api.get(f"{web}/resolve/dev/{outside}").headers["X-Error-Code"] == "EntryNotFound", outside
    assert b" 404 " in send(platform, f"GET {web}/resolve/dev/../../../a HTTP/1.1")


def test_the_next_page_can_be_fetched_as_it_is_named(api: httpx.Client) -> None:
    repo = create(api, "pages")
    api.post(f"{repo}/branch/dev%2Fx", json={})
    commit(api, repo, *(file(f"d #&+%/é{number}") for number in range(5)), branch="dev%2Fx")
    reply = api.get(f"{repo}/tree/dev%2Fx/d%20%23&+%25", params={"limit": 2, "recursive": "True", "expand": "False"})
    found = reply.json()
    while "next" in reply.links:
        reply = api.get(reply.links["next"]["url"])
        found += reply.json()
    assert [entry["path"] for entry in found] == [f"d #&+%/é{number}" for number in range(5)]


def test_a_commit_in_chunks_is_read_whole(api: httpx.Client) -> None:
    repo = create(api, "chunks")
    content = os.urandom(3_000_000)
    body = body_of(file("a", content))
    sent = api.post(f"{repo}/commit/main", content=(body[at : at + 70_001] for at in range(0, len(body), 70_001)))
    assert sent.status_code == 200
    assert api.get(f"{HF}/datasets/wire/chunks/resolve/main/a").content == content


@pytest.mark.parametrize("length", [40, 1000, 1_500_000], ids=["header", "short line", "long line"])
def test_half_a_commit_is_none(api: httpx.Client, platform: PlatformProcess, length: int) -> None:
    repo = create(api, f"half-{length}")
    body = body_of(file("a", b"a" * 500), file("b", b"b" * 2_000_000))
    head = f"POST {repo}/commit/main HTTP/1.1\r\nContent-Length: {len(body)}"
    send(platform, head, body[:length], cut=True)
    info = api.get(repo).json()
    assert info["siblings"] == [] and len(api.get(f"{repo}/commits/main").json()) == 1
    assert drafts(platform) == []
    commit(api, repo, file("a"))


def test_half_a_large_file_is_none(api: httpx.Client, platform: PlatformProcess) -> None:
    create(api, "half-large")
    content = os.urandom(2_000_000)
    href = upload(api, "half-large", content)
    head = f"PUT {href.removeprefix(platform.url)} HTTP/1.1\r\nContent-Length: {len(content)}"
    send(platform, head, content[:1_500_000], cut=True)
    assert drafts(platform) == []
    assert not list((Path(platform.data_dir) / "blobs").glob(f"*/{sha256(content)}"))
    assert api.put(href, content=content).status_code == 200


def upload(api: httpx.Client, name: str, content: bytes, oid: str | None = None, size: int | None = None) -> str:
    objects = [{"oid": oid or sha256(content), "size": size or len(content)}]
    batch = f"{HF}/datasets/wire/{name}.git/info/lfs/objects/batch"
    answer = api.post(batch, json={"operation": "upload", "objects": objects}).json()
    return str(answer["objects"][0]["actions"]["upload"]["href"])


def test_who_is_refused_early_still_gets_the_reply(api: httpx.Client, platform: PlatformProcess) -> None:
    body = b"x" * 20_000_000
    for address in (f"{HF}/api/datasets/wire/gone/commit/main", f"{HF}/lfs/upload/{'0' * 64}?token=x"):
        method = "PUT" if "lfs" in address else "POST"
        reply = send(platform, f"{method} {address} HTTP/1.1\r\nContent-Length: {len(body)}", body)
        assert b"x-error-message" in reply.lower()


def test_addresses_of_uploads_are_those_of_the_request(api: httpx.Client, platform: PlatformProcess) -> None:
    create(api, "hosts")
    assert upload(api, "hosts", b"x").startswith(f"{platform.url}{HF}/lfs/upload/")
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Host": f"localhost:{platform.port}"}
    objects = [{"oid": sha256(b"x"), "size": 1}]
    batch = f"{HF}/datasets/wire/hosts.git/info/lfs/objects/batch"
    answer = api.post(batch, json={"operation": "upload", "objects": objects}, headers=forwarded).json()
    href = answer["objects"][0]["actions"]["upload"]["href"]
    assert href.startswith(f"http://localhost:{platform.port}{HF}/lfs/upload/")


def peak(platform: PlatformProcess) -> int:
    """Return the most memory, in KB, that a process of the web server has held since ``forget``."""
    lines = [Path(f"/proc/{pid}/status").read_text().splitlines() for pid in platform.children("granian")]
    return max(int(line.split()[1]) for status in lines for line in status if line.startswith("VmHWM"))


def forget(platform: PlatformProcess) -> int:
    for pid in platform.children("granian"):
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak(platform)


def test_uploads_and_downloads_are_never_held_in_memory(
    api: httpx.Client, platform: PlatformProcess, tmp_path: Path
) -> None:
    repo = create(api, "memory")
    piece = os.urandom(1_500_000)
    commit(api, repo, file("warm", piece))
    api.get(f"{HF}/datasets/wire/memory/resolve/main/warm")
    api.put(upload(api, "memory", piece[1:]), content=piece[1:])

    before = forget(platform)
    encoded = b64encode(piece)

    def lines() -> Iterator[bytes]:
        yield body_of()
        yield b'{"key":"file","value":{"content":"'
        yield from [encoded] * 60
        yield b'","path":"regular","encoding":"base64"}}\n'

    sent = api.post(f"{repo}/commit/main", content=lines())
    assert sent.status_code == 200, sent.text
    assert peak(platform) - before < GROWTH

    before = forget(platform)
    content = tmp_path / "content"
    with content.open("wb") as out:
        for _ in range(100):
            out.write(piece)
    with content.open("rb") as out:
        import hashlib

        oid = hashlib.file_digest(out, "sha256").hexdigest()
    size = content.stat().st_size
    with content.open("rb") as out:
        href = upload(api, "memory", b"", oid, size)
        sent = api.put(href, content=iter(lambda: out.read(1 << 20), b""), headers={"Content-Length": str(size)})
    assert sent.status_code == 200, sent.text
    commit(api, repo, large("large", oid, size))
    with api.stream("GET", f"{HF}/datasets/wire/memory/resolve/main/large") as reply:
        assert sum(len(each) for each in reply.iter_raw()) == size
    assert peak(platform) - before < GROWTH
    info = {entry["rfilename"]: entry for entry in api.get(f"{repo}?blobs=1").json()["siblings"]}
    assert (info["regular"]["size"], info["large"]["size"]) == (60 * len(piece), size)


def test_the_server_knows_none_but_its_own_parts_of_the_hub(api: httpx.Client) -> None:
    for address in ("api/agent-harnesses", "api/spaces", "api/datasets/wire/x/discussions", "ns/data.git/info/refs"):
        reply = api.get(f"{HF}/{address}")
        assert reply.status_code == 404 and json.loads(reply.content)["error"]
        assert "X-Error-Code" not in reply.headers
