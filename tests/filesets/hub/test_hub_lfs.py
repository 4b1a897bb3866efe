"""Large files arrive by a signed address, whole or in parts, and are kept only if they are what was announced."""

from pathlib import Path
from typing import Any

import pytest
from django.core import signing
from pytest_django import Settings

from assay.filesets.hub import lfs
from assay.filesets.models import Blob, HeldBlob
from tests.filesets.hub.conftest import HF, REPO, WEB, HubClient, large, sha256

CONTENT = b"large content" * 1000
OID = sha256(CONTENT)


def drafts(settings: Settings) -> list[Path]:
    return list((Path(settings.DATA_DIR) / "blobs" / "drafts").glob("*"))


def upload_of(answer: dict[str, Any]) -> dict[str, Any]:
    upload: dict[str, Any] = answer["objects"][0]["actions"]["upload"]
    return upload


def test_basic_from_batch_to_download(hf: HubClient) -> None:
    reply = hf.post(
        f"{WEB}.git/info/lfs/objects/batch",
        {"operation": "upload", "transfers": ["xet", "multipart", "basic"], "objects": [{"oid": OID, "size": 13000}]},
    )
    assert reply["Content-Type"] == "application/vnd.git-lfs+json"
    answer = reply.json()
    assert answer["transfer"] == "basic"
    actions = answer["objects"][0]["actions"]
    assert actions["upload"]["href"].startswith(f"http://localhost{HF}/lfs/upload/{OID}?token=")
    verify = {"oid": OID, "size": len(CONTENT)}
    assert hf.post(actions["verify"]["href"], verify).status_code == 404
    assert hf.put(actions["upload"]["href"], CONTENT).status_code == 200
    assert hf.post(actions["verify"]["href"], verify).json() == {}
    assert hf.post(actions["verify"]["href"], {**verify, "size": 1}).status_code == 400
    assert hf.batch(CONTENT)["objects"] == [{"oid": OID, "size": len(CONTENT)}], "it is here, so nothing is to be done"
    assert hf.commit(large("big", OID, len(CONTENT))).status_code == 200
    got = hf.get(f"{WEB}/resolve/main/big")
    assert b"".join(got.streaming_content) == CONTENT and got["ETag"] == f'"{OID}"'


def test_an_upload_needs_no_other_credential(hf: HubClient, settings: Settings) -> None:
    href = upload_of(hf.batch(CONTENT))["href"]
    settings.AUTH = True
    assert hf.put(href, CONTENT).status_code == 200
    assert hf.post(f"{WEB}.git/info/lfs/objects/batch", {}).status_code == 401


@pytest.mark.parametrize(
    "sent",
    [CONTENT[:-1], CONTENT + b"x", b"", CONTENT[:-1] + b"x"],
    ids=["shorter", "longer", "nothing", "of another hash"],
)
def test_what_was_not_announced_is_not_kept(hf: HubClient, settings: Settings, sent: bytes) -> None:
    href = upload_of(hf.batch(CONTENT))["href"]
    assert hf.put(href, sent).status_code == 400
    assert not Blob.objects.exists() and not HeldBlob.objects.exists() and drafts(settings) == []


def test_a_permit_is_for_one_object_of_one_repository_and_a_while(hf: HubClient, monkeypatch: Any) -> None:
    href = upload_of(hf.batch(CONTENT))["href"]
    assert hf.put(href.replace(OID, "0" * 64), CONTENT).status_code == 400
    token = href.partition("token=")[2]
    assert hf.get(f"{HF}/lfs/objects/{OID}?token={token}").status_code == 403, "it is not one to read by"
    other = signing.dumps({"fileset": 1, "oid": OID, "size": 1}, salt="another")
    assert hf.put(f"{HF}/lfs/upload/{OID}?token={other}", CONTENT).status_code == 403
    monkeypatch.setattr(lfs, "LIFETIME", -1)
    assert hf.put(href, CONTENT).status_code == 403
    monkeypatch.undo()
    hf.delete(f"{HF}/api/repos/delete", {"name": "data", "organization": "ns", "type": "dataset"})
    assert hf.put(href, CONTENT).status_code == 404
    assert not HeldBlob.objects.exists()


@pytest.mark.parametrize(
    "entry",
    [
        {"oid": "x", "size": 1},
        {"oid": OID.upper(), "size": 1},
        {"oid": OID, "size": -1},
        {"oid": OID, "size": "1"},
        {"oid": OID, "size": True},
        {"oid": [], "size": 1},
        {"oid": OID, "size": 2_000_000},
        {},
    ],
    ids=["no hash", "upper case", "below zero", "text", "bool", "list", "too large", "empty"],
)
def test_a_bad_object_is_told_beside_the_good_ones(hf: HubClient, settings: Settings, entry: dict[str, Any]) -> None:
    settings.MAX_FILE_BYTES = 1_000_000
    good = {"oid": sha256(b"good"), "size": 4}
    body = {"operation": "upload", "objects": [entry, good]}
    answer = hf.post(f"{WEB}.git/info/lfs/objects/batch", body).json()["objects"]
    assert answer[0]["error"]["code"] == 422 and answer[0]["error"]["message"] and "actions" not in answer[0]
    assert answer[1]["actions"]


def test_a_known_object_of_another_size_is_told(hf: HubClient) -> None:
    hf.send_large(CONTENT)
    body = {"operation": "upload", "objects": [{"oid": OID, "size": 1}]}
    [answer] = hf.post(f"{WEB}.git/info/lfs/objects/batch", body).json()["objects"]
    assert answer["error"]["code"] == 422


def test_what_another_repository_holds_is_as_if_it_were_not_here(hf: HubClient) -> None:
    hf.send_large(CONTENT)
    hf.create("ns/other")
    body = {"operation": "upload", "objects": [{"oid": OID, "size": len(CONTENT)}]}
    other = f"{HF}/datasets/ns/other.git/info/lfs/objects/batch"
    assert hf.post(other, body).json()["objects"][0]["actions"]["upload"]
    assert hf.post(other, {**body, "operation": "download"}).json()["objects"][0]["error"]["code"] == 404


def test_in_parts(hf: HubClient, settings: Settings) -> None:
    settings.HUB_LFS_PART_BYTES = 5000
    assert hf.batch(CONTENT, transfers=["basic"])["transfer"] == "basic"
    answer = hf.batch(CONTENT)
    assert answer["transfer"] == "multipart"
    upload = upload_of(answer)
    header = upload["header"]
    assert header.keys() == {"chunk_size", "00001", "00002", "00003"} and header["chunk_size"] == "5000"
    settings.HUB_LFS_PART_BYTES = 0  # the permit remembers
    parts = []
    for number in (3, 1, 2):
        reply = hf.put(header[f"{number:05d}"], CONTENT[(number - 1) * 5000 : number * 5000])
        assert reply.status_code == 200
        parts.append({"partNumber": number, "etag": reply["ETag"]})
    assert not Blob.objects.exists()
    lfs_json = {"oid": OID, "parts": parts}
    assert hf.post(upload["href"], {**lfs_json, "parts": parts[1:]}).status_code == 400
    assert hf.post(upload["href"], lfs_json).status_code == 200
    assert drafts(settings) == []
    assert hf.commit(large("big", OID, len(CONTENT))).status_code == 200
    assert b"".join(hf.get(f"{WEB}/resolve/main/big").streaming_content) == CONTENT


def test_parts_that_are_none_are_refused(hf: HubClient, settings: Settings) -> None:
    settings.HUB_LFS_PART_BYTES = 5000
    upload = upload_of(hf.batch(CONTENT))
    first, last = upload["header"]["00001"], upload["header"]["00003"]
    for wrong in (b"x" * 4999, b"x" * 5001):
        assert hf.put(first, wrong).status_code == 400
    assert hf.put(last, b"x" * 3001).status_code == 400
    assert hf.put(first.replace("/00001", "/00004"), b"").status_code == 400
    assert drafts(settings) == []
    every = {"oid": OID, "parts": [{"partNumber": number, "etag": "e"} for number in (1, 2, 3)]}
    assert "has not arrived" in hf.post(upload["href"], every).json()["error"]
    for number, size in ((1, 5000), (2, 5000), (3, 3000)):
        assert hf.put(upload["header"][f"{number:05d}"], b"x" * size).status_code == 200
    assert hf.post(upload["href"], every).status_code == 400, "the parts make something else"
    assert not Blob.objects.exists()


def test_git_lfs_can_download(hf: HubClient) -> None:
    hf.send_large(CONTENT)
    body = {"operation": "download", "objects": [{"oid": OID, "size": len(CONTENT)}, {"oid": "0" * 64, "size": 1}]}
    here, missing = hf.post(f"{WEB}.git/info/lfs/objects/batch", body).json()["objects"]
    assert b"".join(hf.get(here["actions"]["download"]["href"]).streaming_content) == CONTENT
    assert missing["error"]["code"] == 404


def test_another_repository_can_be_given_a_large_file(hf: HubClient) -> None:
    hf.send_large(CONTENT)
    hf.create("ns/other")
    files = [{"sha256": OID, "filename": "big", "xetHash": ""}, {"sha256": "0" * 64}]
    body = {"target": {"type": "dataset", "name": "ns/other"}, "files": files}
    answer = hf.post(f"{REPO}/lfs-files/duplicate", body).json()
    assert [entry["sha256"] for entry in answer["failed"]] == ["0" * 64]
    check = {"operation": "upload", "objects": [{"oid": OID, "size": len(CONTENT)}]}
    other = hf.post(f"{HF}/datasets/ns/other.git/info/lfs/objects/batch", check).json()
    assert "actions" not in other["objects"][0]
