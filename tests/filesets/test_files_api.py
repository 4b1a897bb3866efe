"""Files on the wire: in, out, in part, listed and deleted; and nothing of them outside their fileset."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.test import APIClient

from assay.filesets import local
from assay.filesets.models import Blob, File, Fileset
from assay.filesets.views_files import OneFile
from assay.platform.errors import NotFound
from tests.filesets.conftest import FILESETS
from tests.hub.server import Hub

pytestmark = pytest.mark.django_db

FILES = f"{FILESETS}/data/-"
HUB_FILES = f"{FILESETS}/hub-data/-"
BYTES = "application/octet-stream"


def put(client: APIClient, path: str, content: bytes = b"x") -> Any:
    return client.put(f"{FILES}/{path}", content, content_type=BYTES)


def body(reply: Any) -> bytes:
    return b"".join(reply.streaming_content)


def names(client: APIClient, **query: str) -> list[str]:
    return [file["path"] for file in client.get(f"{FILESETS}/data/files", query).json()["data"]]


def test_what_goes_in_comes_out(client: APIClient, fileset: Fileset) -> None:
    content = bytes(range(256)) * 10_000
    reply = put(client, "data/a.bin", content)
    assert reply.status_code == 200
    assert reply.json() == {
        "file_ref": "w-one/data#data/a.bin",
        "file_url": f"{FILES}/data/a.bin",
        "path": "data/a.bin",
        "size": len(content),
        "cache_status": None,
    }
    got = client.get(f"{FILES}/data/a.bin", HTTP_ACCEPT=BYTES)
    assert got.status_code == 200
    assert body(got) == content
    assert got["Content-Type"] == BYTES
    assert got["Content-Length"] == str(len(content))
    assert got["Accept-Ranges"] == "bytes"
    head = client.head(f"{FILES}/data/a.bin", HTTP_RANGE="bytes=0-1")
    assert (head.status_code, head["Content-Length"], head.content) == (200, str(len(content)), b"")
    assert head["ETag"] == got["ETag"]


def test_an_empty_file_is_a_file(client: APIClient, fileset: Fileset) -> None:
    assert put(client, "empty", b"").json()["size"] == 0
    got = client.get(f"{FILES}/empty")
    assert (got.status_code, body(got), got["Content-Length"]) == (200, b"", "0")
    assert client.get(f"{FILES}/empty", HTTP_RANGE="bytes=0-").status_code == 416


def test_a_put_over_a_file_replaces_it_whole(client: APIClient, fileset: Fileset) -> None:
    put(client, "a.txt", b"first version")
    old = client.get(f"{FILES}/a.txt")
    put(client, "a.txt", b"second")
    assert body(old) == b"first version", "who was reading goes on with what they began"
    assert body(client.get(f"{FILES}/a.txt")) == b"second"
    assert names(client) == ["a.txt"]


def test_the_same_content_under_two_names_is_stored_once(client: APIClient, fileset: Fileset) -> None:
    put(client, "a", b"same")
    put(client, "b", b"same")
    assert (File.objects.count(), Blob.objects.count()) == (2, 1)
    client.delete(f"{FILES}/a")
    assert body(client.get(f"{FILES}/b")) == b"same"


def test_a_part_of_a_file(client: APIClient, fileset: Fileset) -> None:
    put(client, "b.bin", b"0123456789")
    for asked, range_, part in (
        ("bytes=2-4", "bytes 2-4/10", b"234"),
        ("bytes=-3", "bytes 7-9/10", b"789"),
        ("bytes=5-", "bytes 5-9/10", b"56789"),
        ("bytes=0-999", "bytes 0-9/10", b"0123456789"),
        ("bytes=0-1,4-5", "bytes 0-1/10", b"01"),
    ):
        got = client.get(f"{FILES}/b.bin", HTTP_RANGE=asked)
        assert (got.status_code, got["Content-Range"], got["Content-Length"]) == (206, range_, str(len(part)))
        assert body(got) == part
    for asked in ("junk", "bytes=50-60", "bytes=4-2", "bytes=-0"):
        got = client.get(f"{FILES}/b.bin", HTTP_RANGE=asked)
        assert (got.status_code, got.json()) == (416, {"detail": f"Invalid range: {asked}"})


def test_a_download_that_goes_on_notices_a_new_file(client: APIClient, fileset: Fileset) -> None:
    put(client, "a", b"0123456789")
    etag = client.head(f"{FILES}/a")["ETag"]
    part = client.get(f"{FILES}/a", HTTP_RANGE="bytes=5-", HTTP_IF_RANGE=etag)
    assert (part.status_code, body(part)) == (206, b"56789")
    put(client, "a", b"another one")
    whole = client.get(f"{FILES}/a", HTTP_RANGE="bytes=5-", HTTP_IF_RANGE=etag)
    assert (whole.status_code, body(whole)) == (200, b"another one")


def test_a_list_is_of_a_folder_or_a_file(client: APIClient, fileset: Fileset) -> None:
    for path in ("data/a.jsonl", "data/sub/b.jsonl", "data.txt", "Data2/c", "x"):
        put(client, path)
    assert names(client) == ["Data2/c", "data.txt", "data/a.jsonl", "data/sub/b.jsonl", "x"]
    assert names(client, path="data") == names(client, path="data/") == ["data/a.jsonl", "data/sub/b.jsonl"]
    assert names(client, path="data.txt") == ["data.txt"]
    assert names(client, path="data2") == names(client, path="dat") == names(client, path="nope") == []
    assert names(client, path="DATA") == []
    assert client.get(f"{FILESETS}/data/files").json()["data"][0]["cache_status"] == "not_cacheable"


def test_what_is_not_there(client: APIClient, fileset: Fileset) -> None:
    put(client, "dir/a", b"x")
    for reply in (client.get(f"{FILES}/nope.txt"), client.delete(f"{FILES}/nope.txt")):
        sentence = "File 'nope.txt' not found in fileset 'w-one/data'"
        assert (reply.status_code, reply.json()) == (404, {"detail": sentence})
    assert client.head(f"{FILES}/nope.txt").status_code == 404
    for verb in (client.get, client.head, client.delete):
        assert verb(f"{FILES}/dir").status_code == 404, "a folder is no file"
    missing = {"detail": "Fileset 'none' not found in workspace 'w-one'"}
    for reply in (client.put(f"{FILESETS}/none/-/a", b"x", content_type=BYTES), client.get(f"{FILESETS}/none/files")):
        assert (reply.status_code, reply.json()) == (404, missing)


def test_a_delete_shows_what_it_was(client: APIClient, fileset: Fileset) -> None:
    stored = put(client, "a").json()
    reply = client.delete(f"{FILES}/a")
    assert (reply.status_code, reply.json()) == (200, stored)
    assert client.delete(f"{FILES}/a").status_code == 404


@pytest.mark.parametrize("path", ["..%2Fesc.txt", "%2e%2e/x", "%2Fetc%2Fpass", "a/..%2F..%2Fx", "..%2F..%2Fx"])
@pytest.mark.parametrize("verb", ["put", "get", "head", "delete"])
def test_no_path_leads_out(verb: str, path: str, client: APIClient, fileset: Fileset, data_folder: Path) -> None:
    before = sorted(data_folder.parent.rglob("*"))
    reply = client.generic(verb.upper(), f"{FILES}/{path}", b"x", content_type=BYTES)
    assert reply.status_code == 400
    assert verb == "head" or "resolves outside of the storage root" in reply.json()["detail"]
    assert sorted(data_folder.parent.rglob("*")) == before
    assert not File.objects.exists()


def test_a_list_does_not_lead_out(client: APIClient, fileset: Fileset) -> None:
    for path in ("../", "..", "/etc"):
        reply = client.get(f"{FILESETS}/data/files", {"path": path})
        assert reply.status_code == 400
        assert reply.json()["detail"].startswith(f"Path '{path}' resolves outside of the storage root. ")
    assert client.get(f"{FILESETS}/data/files", {"path": "a\0"}).status_code == 400


@pytest.mark.parametrize("path", ["a%00b", "", "x" * 300, "."])
@pytest.mark.parametrize("verb", ["put", "get", "head", "delete"])
def test_paths_that_no_disk_takes(verb: str, path: str, client: APIClient, fileset: Fileset) -> None:
    assert client.generic(verb.upper(), f"{FILES}/{path}", b"x", content_type=BYTES).status_code == 400
    assert not File.objects.exists()


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("a//b.txt", "a/b.txt"),
        ("dir/", "dir"),
        ("./dot.txt", "dot.txt"),
        ("a%5Cb", "a\\b"),
        (".hidden", ".hidden"),
        ("un%C3%AF%20code.txt", "unï code.txt"),
        ("a%2Fb", "a/b"),
        ("100%25", "100%"),
        ("q%3F%23", "q?#"),
        ("new%0Aline", "new\nline"),
    ],
)
def test_other_paths_are_normalised(path: str, stored: str, client: APIClient, fileset: Fileset) -> None:
    reply = put(client, path, b"here")
    assert (reply.status_code, reply.json()["path"]) == (200, stored)
    assert names(client) == [stored]
    assert body(client.get(f"{FILES}/{path}")) == b"here"


def test_a_file_is_no_folder(client: APIClient, fileset: Fileset) -> None:
    put(client, "a", b"x")
    assert "leads through 'a'" in put(client, "a/b").json()["detail"]
    put(client, "dir/x", b"x")
    assert "is a folder" in put(client, "dir").json()["detail"]
    assert names(client) == ["a", "dir/x"]
    assert put(client, "A/b").status_code == 200, "case counts"


def raw_put(content: bytes, **environ: Any) -> HttpResponse:
    """A PUT as the server below Django hands it over, with a length that need not be true."""
    request = RequestFactory(SERVER_NAME="localhost").put(f"{FILES}/a", content, content_type=BYTES)
    request.META.update(environ)
    request = type(request)({**request.META, "wsgi.input": io.BytesIO(content)})
    reply = OneFile.as_view()(request, workspace="w-one", name="data", path="a")
    return reply.render() if hasattr(reply, "render") else reply  # type: ignore[no-any-return]


def test_a_short_body_stores_nothing(client: APIClient, fileset: Fileset, data_folder: Path) -> None:
    put(client, "a", b"old")
    reply = raw_put(b"only a part", CONTENT_LENGTH="1000")
    assert reply.status_code == 400
    assert b"after 11 of 1000 bytes" in reply.content
    assert body(client.get(f"{FILES}/a")) == b"old"
    assert Blob.objects.count() == 1
    assert not list((data_folder / "blobs" / "drafts").iterdir())


def test_a_body_without_a_length_is_read_to_its_end(client: APIClient, fileset: Fileset) -> None:
    reply = raw_put(b"in chunks", CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    assert reply.status_code == 200
    assert body(client.get(f"{FILES}/a")) == b"in chunks"


def test_more_than_the_announced_length_is_not_read(client: APIClient, fileset: Fileset) -> None:
    assert raw_put(b"0123456789", CONTENT_LENGTH="4").status_code == 200
    assert body(client.get(f"{FILES}/a")) == b"0123"


def test_a_length_that_is_none(client: APIClient, fileset: Fileset) -> None:
    assert raw_put(b"x", CONTENT_LENGTH="-5").status_code == 400
    assert raw_put(b"x", CONTENT_LENGTH="many").status_code == 400


def test_a_file_larger_than_the_limit(client: APIClient, fileset: Fileset, settings: Settings) -> None:
    settings.MAX_FILE_BYTES = 5
    assert put(client, "a", b"12345").status_code == 200
    assert put(client, "a", b"123456").status_code == 413
    reply = raw_put(b"123456", CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    assert reply.status_code == 413
    assert body(client.get(f"{FILES}/a")) == b"12345"


def test_a_file_may_be_larger_than_a_json_body(client: APIClient, fileset: Fileset, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert put(client, "a", b"x" * 100).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_fileset_deleted_during_the_upload(client: APIClient, fileset: Fileset) -> None:
    class DeletesIt(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            Fileset.objects.filter(pk=fileset.pk).delete()
            return super().read(size)

    with pytest.raises(NotFound, match="Fileset 'data' not found"):
        local.put(fileset, "a", DeletesIt(b"x"))


def test_content_that_was_lost_is_said(client: APIClient, fileset: Fileset, data_folder: Path) -> None:
    put(client, "a", b"x")
    (file,) = [path for path in (data_folder / "blobs").rglob("*") if path.is_file()]
    file.unlink()
    reply = client.get(f"{FILES}/a")
    assert reply.status_code == 503
    assert str(data_folder) not in reply.json()["detail"]


# On a hub


def test_files_of_a_hub(client: APIClient, hub_fileset: Fileset, hub: Hub) -> None:
    listed = client.get(f"{FILESETS}/hub-data/files").json()["data"]
    assert [(file["path"], file["size"], file["cache_status"]) for file in listed] == [
        ("README.md", 7, None),
        ("train/a.jsonl", 16, None),
        ("train/b.jsonl", 8, None),
        ("weights.bin", 1000, None),
    ]
    head = client.head(f"{HUB_FILES}/README.md")
    assert (head.status_code, head["Content-Length"]) == (200, "7")
    assert not any(request.method == "GET" and "/resolve/" in request.path for request in hub.requests)
    got = client.get(f"{HUB_FILES}/README.md")
    assert (body(got), got["ETag"]) == (b"# Data\n", head["ETag"])
    part = client.get(f"{HUB_FILES}/weights.bin", HTTP_RANGE="bytes=990-2000")
    assert (part.status_code, part["Content-Range"], body(part)) == (206, "bytes 990-999/1000", b"\0" * 10)
    listed = client.get(f"{FILESETS}/hub-data/files", {"include_cache_status": "true", "path": "train"}).json()["data"]
    assert [file["cache_status"] for file in listed] == ["not_cached", "not_cached"]
    listed = client.get(f"{FILESETS}/hub-data/files", {"include_cache_status": "true", "path": "README.md"}).json()
    assert [file["cache_status"] for file in listed["data"]] == ["cached"]


def test_a_hub_is_read_only(client: APIClient, hub_fileset: Fileset, hub: Hub) -> None:
    for reply in (
        client.put(f"{HUB_FILES}/new.txt", b"x", content_type=BYTES),
        client.delete(f"{HUB_FILES}/README.md"),
    ):
        assert reply.status_code == 400
        assert "on a hub" in reply.json()["detail"]
    assert not hub.requests


def test_what_a_hub_does_not_hold(client: APIClient, hub_fileset: Fileset, hub: Hub) -> None:
    reply = client.get(f"{HUB_FILES}/other.txt")
    assert reply.json()["detail"] == "File 'other.txt' not found in fileset 'w-one/hub-data'"
    assert client.head(f"{HUB_FILES}/other.txt").status_code == 404
    assert client.get(f"{HUB_FILES}/train").status_code == 404
    reply = client.get(f"{HUB_FILES}/train/a.json")
    assert (reply.status_code, "Did you mean 'train/a.jsonl'" in reply.json()["detail"]) == (404, True)


def test_a_hub_that_is_gone(client: APIClient, hub_fileset: Fileset, hub: Hub) -> None:
    body(client.get(f"{HUB_FILES}/README.md"))
    hub.stop()
    assert body(client.get(f"{HUB_FILES}/README.md")) == b"# Data\n", "what is here needs no hub"
    assert client.head(f"{HUB_FILES}/README.md")["Content-Length"] == "7"
    for reply in (client.get(f"{HUB_FILES}/weights.bin"), client.get(f"{FILESETS}/hub-data/files")):
        assert reply.status_code == 502
        assert f"The hub at {hub.url} cannot be reached" in reply.json()["detail"]
