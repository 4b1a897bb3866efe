"""Trees, paths, commits and files as the Hub's clients read them."""

import json
import re
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.filesets.hub.conftest import REPO, WEB, HubClient, file, large, sha256

HEX = re.compile("[0-9a-f]{40}")


def git_oid(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


def pages(hf: HubClient, address: str) -> Iterator[list[Any]]:
    while address:
        reply = hf.get(address)
        yield reply.json()
        address = ""
        if reply.has_header("Link"):
            found = re.fullmatch(r'<http://localhost([^>]+)>; rel="next"', reply["Link"])
            assert found
            address = found[1]


def test_a_tree_lists_files_and_folders(hf: HubClient) -> None:
    oid = hf.send_large(b"large")
    hf.commit(file("s.jsonl", b"{}\n"), file("sub/deep/a", b"a"), file("sub/b", b"b"), large("big.bin", oid, 5))
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 5\n".encode()
    big, small, sub = hf.get(f"{REPO}/tree/main").json()
    assert big == {
        "type": "file",
        "oid": git_oid(pointer),
        "size": 5,
        "path": "big.bin",
        "lfs": {"oid": oid, "size": 5, "pointerSize": len(pointer)},
    }
    assert small == {"type": "file", "oid": git_oid(b"{}\n"), "size": 3, "path": "s.jsonl"}
    assert (sub["type"], sub["size"], sub["path"]) == ("directory", 0, "sub") and HEX.fullmatch(sub["oid"])
    everything = hf.get(f"{REPO}/tree/main?recursive=True").json()
    assert [entry["path"] for entry in everything] == ["big.bin", "s.jsonl", "sub", "sub/b", "sub/deep", "sub/deep/a"]
    for under in ("sub", "sub/"):
        assert [entry["path"] for entry in hf.get(f"{REPO}/tree/main/{under}").json()] == ["sub/b", "sub/deep"]
    assert hf.get(f"{REPO}/tree/main/s.jsonl")["X-Error-Code"] == "EntryNotFound", "a file is no folder"


@pytest.mark.parametrize("yes", ["true", "True", "1"])
def test_expanded_entries_name_the_commit_that_changed_them_last(hf: HubClient, yes: str) -> None:
    first = hf.commit(file("a"), file("sub/b"), summary="one").json()["commitOid"]
    second = hf.commit(file("sub/c"), summary="two").json()["commitOid"]
    found = {entry["path"]: entry["lastCommit"] for entry in hf.get(f"{REPO}/tree/main?expand={yes}").json()}
    assert (found["a"]["id"], found["sub"]["id"]) == (first, second)
    assert found["sub"]["title"] == "two" and found["a"]["date"].endswith("Z")
    assert "lastCommit" not in hf.get(f"{REPO}/tree/main?expand=False").json()[0]


def test_pages_of_a_tree_stay_with_the_commit_of_the_first(hf: HubClient) -> None:
    oid = hf.send_large(b"x")
    paths = [f"d #{number % 30:02d}/{number:04d}" for number in range(1100)]
    hf.commit(*(large(path, oid) for path in paths))
    every = sorted({path.partition("/")[0] for path in paths} | set(paths))
    rest = pages(hf, f"{REPO}/tree/main?recursive=True&expand=False")
    first = next(rest)
    assert len(first) == 1000
    hf.commit(file("aaa"), {"key": "deletedFolder", "value": {"path": "d #29"}})
    found = first + [entry for page in rest for entry in page]
    assert [entry["path"] for entry in found] == every
    assert [len(page) for page in pages(hf, f"{REPO}/tree/main/d%20%2301?limit=15")] == [15, 15, 7]
    assert len(next(pages(hf, f"{REPO}/tree/main?recursive=1&expand=1"))) == 100
    assert len(next(pages(hf, f"{REPO}/tree/main?recursive=1&limit=5000"))) == 1000


def test_pages_of_a_tree_on_a_branch_with_a_slash(hf: HubClient) -> None:
    hf.post(f"{REPO}/branch/dev/x", {})
    hf.commit(*(file(f"sub/{name}") for name in "abcde"), branch="dev/x")
    found = [entry["path"] for page in pages(hf, f"{REPO}/tree/dev%2Fx/sub?limit=2") for entry in page]
    assert found == [f"sub/{name}" for name in "abcde"]


@pytest.mark.parametrize("cursor", ["x", "eA==", "YSBi", "YSAx", "MA==", "%00"])
def test_a_cursor_that_is_none_is_refused(hf: HubClient, cursor: str) -> None:
    assert hf.get(f"{REPO}/tree/main?cursor={cursor}").status_code in {400, 404}


def test_paths_info_by_form_and_by_json(hf: HubClient) -> None:
    hf.commit(file("a b", b"a"), file("sub/ü", b"b"))
    address = f"{REPO}/paths-info/main"
    form = "paths=a+b&paths=sub%2F&paths=gone&paths=sub%2F%C3%BC&paths=&expand="
    for expand in ("False", "True"):
        kind = "application/x-www-form-urlencoded"
        reply = hf.client.post(address, form + expand, content_type=kind).json()
        assert [entry["path"] for entry in reply] == ["a b", "sub", "sub/ü"]
        assert all(("lastCommit" in entry) is (expand == "True") for entry in reply)
    assert hf.post(address, {"paths": ["sub", "a b", "gone"]}).json() == [
        {"type": "directory", "oid": reply[1]["oid"], "size": 0, "path": "sub"},
        {"type": "file", "oid": git_oid(b"a"), "size": 1, "path": "a b"},
    ]
    many = "&".join(f"paths=n{number}" for number in range(3000))
    assert hf.client.post(address, many + "&paths=a+b", content_type=kind).json()[0]["path"] == "a b"


def test_commits_go_page_by_page_from_where_the_first_began(hf: HubClient) -> None:
    oids = [hf.commit(file("a", b"%d" % number), summary=f"n{number}").json()["commitOid"] for number in range(5)]
    rest = pages(hf, f"{REPO}/commits/main?limit=2&expand[]=formatted")
    found = next(rest)
    hf.commit(file("a", b"later"))
    found += [entry for page in rest for entry in page]
    assert [entry["id"] for entry in found][:5] == oids[::-1] and len(found) == 6
    assert found[0].keys() == {"id", "title", "message", "date", "authors"}


def test_pages_of_commits_go_on_when_their_branch_is_another(hf: HubClient) -> None:
    hf.post(f"{REPO}/branch/dev", {})
    oids = [hf.commit(file("a", b"%d" % number), branch="dev").json()["commitOid"] for number in range(3)]
    rest = pages(hf, f"{REPO}/commits/dev?limit=1")
    found = next(rest)
    hf.client.delete(f"{REPO}/branch/dev")
    hf.post(f"{REPO}/branch/dev", {})
    found += [entry for page in rest for entry in page]
    assert [entry["id"] for entry in found][:3] == oids[::-1]


def test_the_longest_name_of_a_branch_wins(hf: HubClient) -> None:
    for branch in ("a", "a/b", "a/b/c"):
        hf.post(f"{REPO}/branch/{branch}", {})
        hf.commit(file("f", branch.encode()), branch=branch)
    for branch in ("a", "a/b", "a/b/c"):
        for revision in (branch, f"refs/heads/{branch}"):
            got = hf.get(f"{WEB}/resolve/{revision.replace('/', '%2F')}/f")
            assert b"".join(got.streaming_content) == branch.encode()


def test_refs(hf: HubClient) -> None:
    hf.commit(file("a"))
    sha = hf.sha()
    assert hf.post(f"{REPO}/branch/dev", {}).status_code == 200
    assert hf.post(f"{REPO}/tag/{sha[:7]}", {"tag": "v1/rc", "message": "m"}).status_code == 200
    assert hf.post(f"{REPO}/tag/main", {"tag": "v1/rc"}).status_code == 409
    refs = hf.get(f"{REPO}/refs?include_prs=1").json()
    assert [ref["name"] for ref in refs["branches"]] == ["dev", "main"]
    assert refs["tags"] == [{"name": "v1/rc", "ref": "refs/tags/v1/rc", "targetCommit": sha}]
    assert refs["converts"] == refs["pullRequests"] == []
    for revision in ("v1%2Frc", "refs%2Ftags%2Fv1%2Frc", "refs%2Fheads%2Fmain", sha, sha[:7], "dev"):
        assert hf.get(f"{REPO}/revision/{revision}").json()["sha"] == sha
        assert hf.get(f"{REPO}/tree/{revision}").json()[0]["path"] == "a"
        assert hf.head(f"{WEB}/resolve/{revision}/a")["X-Repo-Commit"] == sha
    assert hf.client.delete(f"{REPO}/tag/v1%2Frc").status_code == 200
    assert hf.client.delete(f"{REPO}/branch/dev").status_code == 200
    assert hf.get(f"{REPO}/revision/dev")["X-Error-Code"] == "RevisionNotFound"


def test_a_squash_leaves_one_commit_and_every_file(hf: HubClient) -> None:
    for number in range(3):
        hf.commit(file(f"f{number}"))
    assert hf.post(f"{REPO}/super-squash/main", {"message": "all in one"}).status_code == 200
    assert [entry["title"] for entry in hf.get(f"{REPO}/commits/main").json()] == ["all in one"]
    assert hf.files() == ["f0", "f1", "f2"]


def test_sizes_and_ids_come_with_blobs(hf: HubClient) -> None:
    oid = hf.send_large(b"large")
    hf.commit(file("a", b"abc"), large("b", oid, 5))
    assert hf.get(f"{REPO}?expand=siblings").json()["siblings"] == [{"rfilename": "a"}, {"rfilename": "b"}]
    a, b = hf.get(f"{REPO}/revision/main?blobs=True&securityStatus=1").json()["siblings"]
    assert a == {"rfilename": "a", "size": 3, "blobId": git_oid(b"abc")}
    assert b["lfs"] == {"sha256": oid, "size": 5, "pointerSize": b["lfs"]["pointerSize"]} and HEX.fullmatch(b["blobId"])


def test_head_says_all_and_reads_no_file(hf: HubClient, settings: Settings) -> None:
    content = b"0123456789"
    hf.commit(file('d i/ä "1".txt', content))
    for folder in (Path(settings.DATA_DIR) / "blobs").iterdir():
        for blob in folder.iterdir():
            blob.unlink()
    head = hf.head(f"{WEB}/resolve/main/d%20i/%C3%A4%20%221%22.txt")
    assert head.status_code == 200 and head.content == b""
    expected = {
        "X-Repo-Commit": hf.sha(),
        "ETag": f'"{git_oid(content)}"',
        "Content-Length": "10",
        "Accept-Ranges": "bytes",
        "Content-Disposition": "inline; filename*=UTF-8''%C3%A4%20%221%22.txt; filename=\"_ _1_.txt\";",
    }
    assert {name: head[name] for name in expected} == expected
    assert not {"Content-Encoding", "X-Linked-ETag", "Location"} & set(head.headers)
    assert hf.get(f"{WEB}/resolve/main/d%20i/%C3%A4%20%221%22.txt").status_code == 503


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=5-2", 416, None, "bytes */10"),
    ],
)
def test_ranges(hf: HubClient, asked: str, status: int, content: bytes | None, told: str) -> None:
    hf.commit(file("a", b"0123456789"))
    reply = hf.get(f"{WEB}/resolve/main/a?download=true", HTTP_RANGE=asked)
    assert (reply.status_code, reply["Content-Range"]) == (status, told)
    if content is not None:
        assert b"".join(reply.streaming_content) == content and reply["Content-Length"] == str(len(content))
        assert reply["X-Repo-Commit"] == hf.sha()


def test_a_known_file_is_not_sent_again(hf: HubClient) -> None:
    hf.commit(file("a", b"0123456789"))
    etag = hf.head(f"{WEB}/resolve/main/a")["ETag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        for reply in (hf.get(f"{WEB}/resolve/main/a", HTTP_IF_NONE_MATCH=known), hf.head(f"{WEB}/resolve/main/a")):
            assert reply["ETag"] == etag
        assert hf.get(f"{WEB}/resolve/main/a", HTTP_IF_NONE_MATCH=known).status_code == 304
    assert hf.get(f"{WEB}/resolve/main/a", HTTP_IF_NONE_MATCH='"other"').status_code == 200
    changed = hf.get(f"{WEB}/resolve/main/a", HTTP_RANGE="bytes=2-", HTTP_IF_RANGE='"other"')
    assert changed.status_code == 200, "the rest of another file helps nobody"


def test_raw_gives_the_pointer_of_a_large_file(hf: HubClient) -> None:
    oid = hf.send_large(b"large")
    hf.commit(file("page.html", b"<script>"), large("b", oid, 5))
    assert hf.get(f"{WEB}/raw/main/b").content.startswith(b"version https://git-lfs.github.com/spec/v1\noid sha256:")
    raw = hf.get(f"{WEB}/raw/main/page.html")
    assert b"".join(raw.streaming_content) == b"<script>"
    for reply in (raw, hf.get(f"{WEB}/resolve/main/page.html")):
        assert "html" not in reply["Content-Type"] and reply["X-Content-Type-Options"] == "nosniff"


def test_an_empty_file(hf: HubClient) -> None:
    hf.commit(file("a", b""))
    got = hf.get(f"{WEB}/resolve/main/a")
    assert b"".join(got.streaming_content) == b"" and got["Content-Length"] == "0"
    assert got["ETag"] == '"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"'


def test_a_model_is_read_without_a_word_before_it(hf: HubClient) -> None:
    hf.create("ns/m", kind="model")
    body = {"key": "header", "value": {"summary": "s"}}
    lines = json.dumps(body) + "\n" + json.dumps(file("config.json", b"{}")) + "\n"
    address = "/v1/hf/api/models/ns/m/commit/main"
    made = hf.client.post(address, lines, content_type="application/x-ndjson").json()
    assert made["commitUrl"] == f"ns/m/commit/{made['commitOid']}"
    assert b"".join(hf.get("/v1/hf/ns/m/resolve/main/config.json").streaming_content) == b"{}"
    assert hf.get("/v1/hf/datasets/ns/m/resolve/main/config.json")["X-Error-Code"] == "RepoNotFound"
    upload = {"operation": "upload", "objects": [{"oid": sha256(b"w"), "size": 1}]}
    assert hf.post("/v1/hf/ns/m.git/info/lfs/objects/batch", upload).json()["objects"][0]["actions"]
