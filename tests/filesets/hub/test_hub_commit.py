"""A commit is whole or not at all: every refusal leaves the branch and its files as they were."""

import base64
import json
import re
from typing import Any

import pytest
from pytest_django import Settings

from assay.filesets.models import Blob, Commit, File
from tests.filesets.hub.conftest import HF, REPO, WEB, HubClient, body_of, deleted, file, large, sha256

OLD = "unknown/None; hf_hub/0.30.2; python/3.11"
NEW = "unknown/None; hf_hub/2.4.0; python/3.11"
DATASETS = "datasets/5.2.0; hf_hub/2.4.0; python/3.11"


def content(hf: HubClient, path: str, revision: str = "main") -> bytes:
    return b"".join(hf.get(f"{WEB}/resolve/{revision}/{path}").streaming_content)


def test_a_commit_answers_with_a_relative_address(hf: HubClient) -> None:
    reply = hf.commit(file("a.txt", b"a"), file("sub/b.txt", b"b"), description="why")
    oid = reply.json()["commitOid"]
    assert re.fullmatch("[0-9a-f]{40}", oid) and oid == hf.sha()
    assert reply.json() == {
        "success": True,
        "commitOid": oid,
        "commitUrl": f"datasets/ns/data/commit/{oid}",
        "hookOutput": "",
    }
    assert hf.files() == ["a.txt", "sub/b.txt"] and content(hf, "sub/b.txt") == b"b"
    log = hf.get(f"{REPO}/commits/main").json()
    assert (log[0]["title"], log[0]["message"], log[0]["authors"]) == ("a change", "why", [{"user": "local"}])


def test_an_unchanged_tree_makes_no_commit(hf: HubClient) -> None:
    first = hf.commit(file("a.txt")).json()["commitOid"]
    assert hf.commit(file("a.txt")).json()["commitOid"] == first
    assert Commit.objects.count() == 2  # with the empty one at birth


def test_what_the_files_api_put_is_there_and_the_other_way_round(hf: HubClient) -> None:
    files = "/apis/files/v2/workspaces/ns/filesets/data/-"
    assert hf.put(f"{files}/put.txt", b"put").status_code == 200
    hf.commit(file("committed.txt", b"committed"))
    assert hf.files() == ["committed.txt", "put.txt"] and content(hf, "put.txt") == b"put"
    got = hf.get(f"{files}/committed.txt")
    assert b"".join(got.streaming_content) == b"committed"


def test_every_kind_of_line(hf: HubClient) -> None:
    oid = hf.send_large(b"large")
    hf.commit(file("a"), file("gone/b"), file("gone/sub/c"), file("d", b"d"), large("big", oid, 5))
    first = hf.sha()
    copy = {"key": "copyFile", "value": {"path": "copied", "srcPath": "d", "srcRevision": first}}
    moved = {"key": "copyFile", "value": {"path": "big3", "srcPath": "big"}}
    folder = {"key": "deletedFolder", "value": {"path": "gone/"}}
    assert hf.commit(deleted("a"), folder, copy, moved, large("big2", oid)).status_code == 200
    assert hf.files() == ["big", "big2", "big3", "copied", "d"]
    assert hf.files(first) == ["a", "big", "d", "gone/b", "gone/sub/c"]
    assert content(hf, "copied") == b"d" and content(hf, "big3") == b"large"
    assert [entry.get("lfs", {}).get("oid") for entry in hf.get(f"{REPO}/tree/main").json()] == [oid] * 3 + [None] * 2


def test_branches_have_commits_of_their_own(hf: HubClient) -> None:
    hf.commit(file("a"))
    hf.post(f"{REPO}/branch/dev/x", {"startingPoint": "main"})
    assert hf.commit(file("b"), branch="dev%2Fx").status_code == 200
    assert (hf.files(), hf.files("dev%2Fx")) == (["a"], ["a", "b"])
    assert hf.commit(file("c"), branch="refs%2Fheads%2Fdev%2Fx").status_code == 200
    assert hf.files("dev%2Fx") == ["a", "b", "c"]
    for no_branch in (hf.sha(), "refs%2Ftags%2Fmain"):
        assert hf.commit(file("c"), branch=no_branch)["X-Error-Code"] == "RevisionNotFound"


def line(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


OID = sha256(b"never sent")
REFUSED: dict[str, tuple[list[dict[str, Any]], int]] = {
    "delete of nothing": ([deleted("gone")], 404),
    "delete of a folder as a file": ([deleted("sub")], 404),
    "folder that is not there": ([line("deletedFolder", path="gone/")], 404),
    "copy of nothing": ([line("copyFile", path="b", srcPath="gone")], 404),
    "copy from nowhere": ([line("copyFile", path="b", srcPath="a", srcRevision="gone")], 404),
    "copy from a NUL": ([line("copyFile", path="b", srcPath="a", srcRevision="\0")], 400),
    "never sent": ([large("big", OID, 10)], 400),
    "no oid": ([line("lfsFile", path="big", algo="sha256")], 400),
    "other hash": ([line("lfsFile", path="big", algo="sha1", oid=OID)], 400),
    "size as text": ([line("lfsFile", path="big", algo="sha256", oid=OID, size="10")], 400),
    "two sizes": ([large("big", OID, 10), large("big2", OID, 11)], 400),
    "empty path": ([file("")], 400),
    "absolute path": ([file("/etc/x")], 400),
    "path out": ([file("../x")], 400),
    "path out below": ([file("a/../../x")], 400),
    "dot": ([file("./x")], 400),
    "git": ([file("a/.git/config")], 400),
    "backslash": ([file("a\\b")], 400),
    "line break": ([file("a\nb")], 400),
    "NUL": ([file("a\0b")], 400),
    "long name": ([file("x" * 256)], 400),
    "no path": ([line("file", content="", encoding="base64")], 400),
    "path that is a number": ([line("file", content="", encoding="base64", path=7)], 400),
    "through a file": ([file("a/b")], 400),
    "onto a folder": ([file("sub")], 400),
    "clash of two": ([file("x"), file("x/y")], 400),
    "no content": ([line("file", path="b", encoding="base64")], 400),
    "content that is a number": ([line("file", path="b", encoding="base64", content=7)], 400),
    "other encoding": ([line("file", path="b", encoding="utf-8", content="QUJD")], 400),
    "no base64": ([line("file", path="b", encoding="base64", content="QUJ")], 400),
    "second header": ([line("header", summary="again")], 400),
    "unknown line": ([line("symlink", path="b")], 400),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refused_commit_changes_nothing(hf: HubClient, name: str) -> None:
    hf.commit(file("a", b"a"), file("sub/b", b"b"))
    before = hf.sha(), sorted(File.objects.values_list("path", "blob_id"))
    lines, status = REFUSED[name]
    reply = hf.commit(file("fresh"), *lines)
    assert reply.status_code == status, reply.content
    assert (hf.sha(), sorted(File.objects.values_list("path", "blob_id"))) == before


def test_a_delete_of_nothing_is_told_in_the_words_that_clients_look_for(hf: HubClient) -> None:
    reply = hf.commit(deleted("gone"))
    assert reply["X-Error-Code"] == "EntryNotFound" and "A file with this name doesn't exist" in reply.json()["error"]


HEADERS = [
    {"summary": ""},
    {"summary": " "},
    {"summary": 7},
    {"summary": "a\0"},
    {"description": "\0"},
    {"description": []},
    {"parentCommit": 7},
]


@pytest.mark.parametrize("header", HEADERS, ids=[json.dumps(header) for header in HEADERS])
def test_a_header_that_is_none_is_refused(hf: HubClient, header: dict[str, Any]) -> None:
    assert hf.commit(file("a"), **header).status_code == 400
    assert hf.files() == []


def test_a_commit_without_its_header_first_is_refused(hf: HubClient) -> None:
    for body in (b"", b"\n", json.dumps(file("a")).encode(), b"no JSON", b'{"key":"header","value":[]}', b"\xff" * 9):
        assert hf.commit_raw(body).status_code == 400
    assert hf.files() == []


def test_a_long_title_is_cut_and_kept_whole_in_the_message(hf: HubClient) -> None:
    title = "t" * 3000
    assert hf.commit(file("a"), summary=title).status_code == 200
    [entry, _] = hf.get(f"{REPO}/commits/main").json()
    assert len(entry["title"]) == 1000 and title in entry["message"]


def test_a_large_file_of_another_size_than_announced_is_refused(hf: HubClient) -> None:
    oid = hf.send_large(b"large")
    assert hf.commit(large("big", oid, 6)).status_code == 400
    assert hf.commit(large("big", oid), large("big2", oid, 6)).status_code == 400
    assert hf.files() == []


def test_a_pull_request_is_refused_and_not_committed(hf: HubClient) -> None:
    for yes in ("1", "True"):
        assert hf.commit_raw(body_of(file("a")), query=f"?create_pr={yes}").status_code == 400
    assert hf.files() == []
    assert hf.commit_raw(body_of(file("a")), query="?create_pr=False").status_code == 200


def test_a_stale_parent_is_refused(hf: HubClient) -> None:
    parent = hf.sha()
    assert hf.commit(file("a"), parentCommit=parent).status_code == 200
    reply = hf.commit(file("b"), parentCommit=parent)
    assert reply.status_code == 412 and hf.files() == ["a"]
    assert hf.commit(file("b"), parentCommit=hf.sha()).status_code == 200


def test_a_file_over_the_limit_is_refused_in_a_short_line_and_a_long(hf: HubClient, settings: Settings) -> None:
    settings.MAX_FILE_BYTES = 1000
    assert hf.commit(file("a", b"x" * 1001)).status_code == 413
    assert hf.commit(file("a", b"x" * 2_000_000)).status_code == 413
    assert hf.files() == [] and not Blob.objects.exists()
    assert hf.commit(file("a", b"x" * 1000)).status_code == 200


def test_many_small_files_and_a_large_one_in_one_commit(hf: HubClient) -> None:
    lines = [file(f"d{number % 7}/{number}", b"%d" % number) for number in range(700)]
    big = bytes(range(256)) * 8192
    assert hf.commit(*lines, file("big", big), file("again", b"1")).status_code == 200
    assert len(hf.files()) == 702
    assert content(hf, "d6/699") == b"699" and content(hf, "big") == big
    assert Blob.objects.count() == 701  # the same content is kept once


def test_content_of_another_repository_is_not_to_be_had_by_its_hash(hf: HubClient) -> None:
    hf.commit(file("secret", b"secret"))
    hf.create("ns/other")
    other = f"{HF}/api/datasets/ns/other/commit/main"
    body = body_of(large("mine", sha256(b"secret"), 6))
    assert hf.client.post(other, body, content_type="application/x-ndjson").status_code == 400
    assert hf.commit(large("mine", sha256(b"secret"), 6)).status_code == 200


def preupload(hf: HubClient, agent: str, *files: tuple[str, int]) -> list[str]:
    sample = base64.b64encode(b"x").decode()
    body = {"files": [{"path": path, "size": size, "sample": sample} for path, size in files], "gitIgnore": "x"}
    answer = hf.post(f"{REPO}/preupload/main?create_pr=1", body, HTTP_USER_AGENT=agent).json()["files"]
    assert [entry["path"] for entry in answer] == [path for path, _ in files]
    assert all(entry.keys() == {"path", "uploadMode", "shouldIgnore"} for entry in answer), "never an oid"
    return [entry["uploadMode"] for entry in answer]


MB = 1_000_000


@pytest.mark.parametrize(
    ("agent", "modes"),
    [
        (OLD, ["regular", "regular", "lfs", "lfs"]),
        ("unknown/None; hf_hub/1.19.0", ["regular", "regular", "lfs", "lfs"]),
        ("git-lfs/3", ["regular", "regular", "lfs", "lfs"]),
        ("unknown/None; hf_hub/1.20.0.rc0", ["regular"] * 4),
        (NEW, ["regular"] * 4),
        (DATASETS, ["regular", "regular", "regular", "lfs"]),
        ("datasets/3.5.0; hf_hub/0.30.2", ["regular", "regular", "lfs", "lfs"]),
    ],
)
def test_the_upload_mode_goes_by_client_and_size(hf: HubClient, agent: str, modes: list[str]) -> None:
    files = [("empty", 0), ("small", 10 * MB), ("large.bin", 10 * MB + 1), ("large.parquet", 11 * MB)]
    assert preupload(hf, agent, *files) == modes


def test_a_small_shard_of_datasets_is_sent_at_once(hf: HubClient) -> None:
    files = [("data/a.parquet", 900), ("data/b.arrow", 900), ("README.md", 900), ("data/empty.parquet", 0)]
    assert preupload(hf, DATASETS, *files) == ["lfs", "lfs", "regular", "regular"]


def test_the_policy_can_be_set(hf: HubClient, settings: Settings) -> None:
    settings.HUB_UPLOAD_MODE, settings.HUB_LFS_BYTES = "lfs", 100
    assert preupload(hf, NEW, ("a", 101), ("b", 100)) == ["lfs", "regular"]
    settings.HUB_UPLOAD_MODE = "regular"
    assert preupload(hf, OLD, ("a", 101), ("b.parquet", 100)) == ["regular", "regular"]
