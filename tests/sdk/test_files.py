"""Files go up and down whole, in little memory, and over connections that break."""

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay_sdk import APIConnectionError, Assay, FilesetRef, HuggingfaceStorage, NotFoundError
from tests.sdk.conftest import TIME, Either, recorded
from tests.sdk.stub import Asked, Reply, Stub, reply

FILESETS = "/apis/files/v2/workspaces/default/filesets"
FILE = f"{FILESETS}/up/-/data/a.bin"
STORED = reply(
    {"file_ref": "default/up#data/a.bin", "file_url": "u", "path": "data/a.bin", "size": 5, "cache_status": None}
)
MEGABYTE = bytes(1024 * 1024)


class Unseekable(io.BytesIO):
    """A file that cannot go back, as a pipe cannot."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("source", ["bytes", "path", "text path", "open file", "file read half", "pipe", "empty"])
def test_every_source_arrives(stub: Stub, either: Either, tmp_path: Path, source: str) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(b"hello")
    half = io.BytesIO(b"no hello")
    half.seek(3)
    file: Any = {
        "bytes": b"hello",
        "path": local,
        "text path": str(local),
        "open file": io.BytesIO(b"hello"),
        "file read half": half,
        "pipe": Unseekable(b"hello"),
        "empty": b"",
    }[source]
    stub.on("PUT", FILE, STORED)
    assert either("files.upload", "up", file, "data/a.bin").file_ref == "default/up#data/a.bin"
    assert stub.asked[0].body == (b"" if source == "empty" else b"hello")
    assert stub.asked[0].headers["Content-Type"] == "application/octet-stream"


def test_a_local_file_keeps_its_name(stub: Stub, either: Either, tmp_path: Path) -> None:
    (tmp_path / "ä b.jsonl").write_bytes(b"{}")
    stub.on("PUT", f"{FILESETS}/up/-/%C3%A4%20b.jsonl", STORED)
    either("files.upload", FilesetRef(root="default/up"), tmp_path / "ä b.jsonl")
    with pytest.raises(ValueError, match="under which path"):
        either("files.upload", "up", b"content")


@pytest.mark.parametrize("source", ["bytes", "open file", "path"])
def test_an_upload_that_broke_off_starts_over(stub: Stub, either: Either, tmp_path: Path, source: str) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(b"hello")
    file: Any = {"bytes": b"hello", "open file": io.BytesIO(b"hello"), "path": local}[source]
    stub.on("PUT", FILE, Reply(cut=0), reply({"detail": "busy"}, 503, Retry_After="0"), STORED)
    either("files.upload", "up", file, "data/a.bin")
    assert [asked.body for asked in stub.asked] == [b"hello"] * 3


def test_a_pipe_is_not_sent_twice(stub: Stub, either: Either) -> None:
    stub.on("PUT", FILE, Reply(cut=0), STORED)
    with pytest.raises(APIConnectionError):
        either("files.upload", "up", Unseekable(b"hello"), "data/a.bin")
    assert len(stub.asked) == 1


@pytest.mark.parametrize("path", ["../a", "a/../../b", "", "/", "a//b", "."])
def test_paths_that_lead_elsewhere_are_refused(stub: Stub, either: Either, path: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        either("files.delete", "up", path)
    assert not stub.asked


# Down


def ranged(
    content: bytes, cut: int, *, tag: Callable[[], str] = lambda: '"v1"', ranges: bool = True
) -> Callable[[Asked], Reply]:
    """Serve a file as a server does that breaks every answer off after ``cut`` bytes."""

    def serve(asked: Asked) -> Reply:
        start = int(asked.headers["Range"].removeprefix("bytes=").rstrip("-")) if "Range" in asked.headers else 0
        headers = {"ETag": tag(), **({"Accept-Ranges": "bytes"} if ranges else {})}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            rest = content[start:]
            return Reply(206, rest, headers, cut=cut if len(rest) > cut else None)
        return Reply(200, content, headers, cut=cut)

    return serve


def test_a_download_goes_on_where_it_broke_off(stub: Stub, either: Either, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    stub.on("GET", FILE, ranged(content, 3000))
    target = either("files.download", "up", "data/a.bin", tmp_path)
    assert target == tmp_path / "a.bin"
    assert target.read_bytes() == content
    assert [asked.headers.get("Range") for asked in stub.asked] == [None, "bytes=3000-", "bytes=6000-", "bytes=9000-"]
    assert {asked.headers.get("Accept-Encoding") for asked in stub.asked} == {"identity"}


def test_a_file_that_changed_meanwhile_is_not_patched_together(stub: Stub, either: Either, tmp_path: Path) -> None:
    tags = iter([f'"v{i}"' for i in range(1000)])
    stub.on("GET", FILE, ranged(bytes(1000), 300, tag=lambda: next(tags)))
    with pytest.raises(APIConnectionError, match="changed meanwhile"):
        either("files.download", "up", "data/a.bin", tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_without_ranges_a_broken_download_is_an_error(stub: Stub, either: Either, tmp_path: Path) -> None:
    stub.on("GET", FILE, ranged(bytes(1000), 300, ranges=False))
    with pytest.raises(APIConnectionError, match="broke off after 300 bytes"):
        either("files.download", "up", "data/a.bin", tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_leaves_nothing_behind(stub: Stub, either: Either, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("old")
    with pytest.raises(NotFoundError):
        either("files.download", "up", "data/a.bin", tmp_path / "a.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_text() == "old"


def test_reading_and_streaming_give_the_same(stub: Stub, either: Either) -> None:
    stub.on("GET", FILE, Reply(200, b"0123456789"))
    assert either("files.read", "up", "data/a.bin") == b"0123456789"
    assert b"".join(either("files.stream", "up", "data/a.bin")) == b"0123456789"


def test_large_files_need_little_memory(stub: Stub, tmp_path: Path) -> None:
    stub.swallows = True
    stub.on("GET", FILE, Reply(200, MEGABYTE, times=64))
    stub.on("PUT", FILE, STORED)
    with Assay(stub.url) as assay:
        assay.files.download("up", "data/a.bin", tmp_path / "a.bin")
        tracemalloc.start()
        try:
            assay.files.download("up", "data/a.bin", tmp_path / "a.bin")
            assay.files.upload("up", tmp_path / "a.bin", "data/a.bin")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (tmp_path / "a.bin").stat().st_size == 64 * len(MEGABYTE)
    assert peak < 8 * len(MEGABYTE)


# Filesets


def test_a_storage_travels_without_what_was_not_said(stub: Stub, either: Either) -> None:
    found = next(found for found in recorded("filesets-huggingface") if '"hf-tok"' in json.dumps(found["request"]))
    stub.on("POST", FILESETS, reply(found["response"]))
    storage = HuggingfaceStorage(
        repo_id="nvidia/HelpSteer2", endpoint="http://hub.example:9092", token_secret="hf-token"
    )
    made = either("files.filesets.create", "hf-tok", storage=storage)
    assert stub.asked[0].json == found["request"]
    assert made.storage.original_revision == "main"
    assert str(made.ref) == "ha-w10/hf-tok"


def test_a_reference_and_its_fragment() -> None:
    ref = FilesetRef(root="ws/data")
    assert str(ref.with_fragment("a.jsonl").with_fragment("b/*.jsonl")) == "ws/data#b/*.jsonl"
    assert (ref.fragment, ref.with_fragment("a").fragment) == (None, "a")
    assert ref.place("other") == ("ws", "data")
    assert FilesetRef(root="data#a").place("other") == ("other", "data")


def test_deleting_may_be_told_to_cascade(stub: Stub, either: Either) -> None:
    for address in (
        f"{FILESETS}/up",
        "/apis/entities/v2/workspaces/w",
        "/apis/secrets/v2/workspaces/default/secrets/k",
    ):
        stub.on("DELETE", address, reply({"message": "gone", "id": "x"}))
    either("files.filesets.delete", "up", cascade=True)
    either("workspaces.delete", "w", cascade=True)
    either("secrets.delete", "k")
    assert [asked.query for asked in stub.asked] == [{"cascade": "true"}, {"cascade": "true"}, {}]


def test_times_are_in_utc(stub: Stub, either: Either) -> None:
    found = {"id": "w", "name": "w", "created_at": TIME, "updated_at": TIME}
    stub.on("GET", "/apis/entities/v2/workspaces/w", reply(found))
    assert either("workspaces.retrieve", "w").created_at.isoformat() == f"{TIME}+00:00"
