"""Files through the server as it is deployed: what reaches Django decoded, chunked, or cut off."""

import json
import socket
from pathlib import Path

import pytest

from tests.platform_process import PlatformProcess

FILESETS = "/apis/files/v2/workspaces/default/filesets"
FILES = f"{FILESETS}/over-http/-"


@pytest.fixture(scope="module")
def platform(shared_platform: PlatformProcess) -> PlatformProcess:
    made = send(shared_platform, "POST", FILESETS, b'{"name":"over-http"}', "Content-Type: application/json")
    assert made[0] == 200, made
    return shared_platform


def send(
    platform: PlatformProcess, method: str, target: str, body: bytes = b"", *headers: str
) -> tuple[int, str, bytes]:
    """Send exactly this target and body, which a well-meaning client would tidy up; returns status, head and body."""
    length = () if any("chunked" in header for header in headers) else (f"Content-Length: {len(body)}",)
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *length, *headers]
    with socket.create_connection(("127.0.0.1", platform.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return receive(connection)


def receive(connection: socket.socket) -> tuple[int, str, bytes]:
    reply = b""
    while piece := connection.recv(65536):
        reply += piece
    head, _, content = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), content


def stored(platform: PlatformProcess) -> list[str]:
    return [file["path"] for file in json.loads(send(platform, "GET", f"{FILESETS}/over-http/files")[2])["data"]]


@pytest.mark.parametrize(
    "path", ["..%2Fx", "%2e%2e/x", "../x", "%2e%2e%2fx", "%2Fetc%2Fx", "a/..%2F..%2Fx", "a%00b", ""]
)
def test_no_spelling_of_a_path_leads_out(platform: PlatformProcess, path: str) -> None:
    for method in ("PUT", "GET", "DELETE"):
        assert send(platform, method, f"{FILES}/{path}", b"x" if method == "PUT" else b"")[0] in {400, 404}
    assert not list(Path(platform.data_dir).parent.glob("**/x"))
    assert "x" not in stored(platform)


def test_names_arrive_as_they_are(platform: PlatformProcess) -> None:
    for encoded, path in (("sp%20ace%23%3F.txt", "sp ace#?.txt"), ("%C3%AF%2Fin", "ï/in"), ("100%25", "100%")):
        assert send(platform, "PUT", f"{FILES}/{encoded}", b"here")[0] == 200
        assert path in stored(platform)
        assert send(platform, "GET", f"{FILES}/{encoded}")[2] == b"here"
        assert send(platform, "DELETE", f"{FILES}/{encoded}")[0] == 200


def test_head_and_ranges(platform: PlatformProcess) -> None:
    send(platform, "PUT", f"{FILES}/b.bin", b"0123456789")
    status, head, content = send(platform, "HEAD", f"{FILES}/b.bin")
    assert (status, content) == (200, b"")
    assert "content-length: 10\r\n" in f"{head}\r\n"
    status, head, content = send(platform, "GET", f"{FILES}/b.bin", b"", "Range: bytes=2-4")
    assert (status, content) == (206, b"234")
    assert "content-range: bytes 2-4/10" in head
    assert "transfer-encoding" not in head


def test_an_upload_in_chunks_is_stored_whole(platform: PlatformProcess) -> None:
    chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    assert send(platform, "PUT", f"{FILES}/chunked", chunks, "Transfer-Encoding: chunked")[0] == 200
    assert send(platform, "GET", f"{FILES}/chunked")[2] == b"hello world"


def test_an_upload_that_is_cut_off_stores_nothing(platform: PlatformProcess) -> None:
    send(platform, "PUT", f"{FILES}/kept", b"old")
    head = f"PUT {FILES}/kept HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", platform.port), timeout=30) as connection:
        connection.sendall(head.encode() + b"x" * 2_000_000)
        connection.shutdown(socket.SHUT_WR)
        receive_anything(connection)
    assert send(platform, "GET", f"{FILES}/kept")[2] == b"old"
    assert not list((Path(platform.data_dir) / "blobs" / "drafts").iterdir())


def receive_anything(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def test_a_download_that_is_left_holds_nothing_up(platform: PlatformProcess) -> None:
    content = b"y" * 30_000_000
    send(platform, "PUT", f"{FILES}/large", content)
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", platform.port), timeout=30) as connection:
            connection.sendall(f"GET {FILES}/large HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            connection.recv(1000)
    assert send(platform, "GET", f"{FILES}/large")[2] == content
