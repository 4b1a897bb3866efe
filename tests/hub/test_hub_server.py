"""The test hub, held against the real client: what it serves, what it refuses, and what the client makes of that."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from tests.hub.server import Hub

ROWS = b'{"n": 1}\n{"n": 2}\n'
PACKED = bytes(range(256)) * 40
README = "# Däta\n".encode()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        running.add_commit("ns/data", {"rows.jsonl": ROWS, "README.md": README})
        running.add_commit("ns/data", {"val/packed.jsonl.gz": PACKED, "val/d i/a #1.txt": b"odd name"})
        yield running


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


def download(api: HfApi, folder: Path, name: str, revision: str | None = None, repo_type: str = "dataset") -> bytes:
    path = api.hf_hub_download("ns/data", name, repo_type=repo_type, revision=revision, cache_dir=folder)
    return Path(path).read_bytes()


def test_repo_info_pins_the_commit_and_lists_every_file(hub: Hub, api: HfApi) -> None:
    first = hub.add_commit("ns/data", {"more.txt": b"x"})
    second = hub.add_commit("ns/data", {"other.txt": b"y"}, revision="dev/x")
    info = api.dataset_info("ns/data")
    assert info.sha == first
    names = [sibling.rfilename for sibling in info.siblings or []]
    assert names == sorted(["rows.jsonl", "README.md", "val/packed.jsonl.gz", "val/d i/a #1.txt", "more.txt"])
    assert api.repo_info("ns/data", repo_type="dataset", revision="dev/x").sha == second
    assert api.repo_info("ns/data", repo_type="dataset", revision=second).sha == second
    with_sizes = api.dataset_info("ns/data", files_metadata=True)
    packed = next(file for file in with_sizes.siblings or [] if file.rfilename.endswith(".gz"))
    assert packed.size == len(PACKED)
    assert packed.lfs is not None
    assert packed.lfs.sha256 == hashlib.sha256(PACKED).hexdigest()


def test_a_pinned_commit_never_changes(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    before = api.repo_info("ns/data", repo_type="dataset").sha
    after = hub.add_commit("ns/data", {"rows.jsonl": b"new"}, remove=["README.md"])
    assert download(api, tmp_path, "rows.jsonl", before) == ROWS
    assert download(api, tmp_path, "rows.jsonl", after) == b"new"
    assert download(api, tmp_path, "rows.jsonl") == b"new"
    with pytest.raises(EntryNotFoundError):
        download(api, tmp_path, "README.md")


def test_tags_and_short_shas_are_revisions(hub: Hub, api: HfApi) -> None:
    sha = api.repo_info("ns/data", repo_type="dataset").sha or ""
    hub.add_tag("ns/data", "v1", sha)
    hub.add_commit("ns/data", {"later.txt": b""})
    for revision in ("v1", "refs/tags/v1", sha[:9]):
        assert api.repo_info("ns/data", repo_type="dataset", revision=revision).sha == sha


def test_the_tree_is_listed_by_folder_or_whole_page_after_page(hub: Hub, api: HfApi) -> None:
    hub.page_size = 2
    top = [entry.path for entry in api.list_repo_tree("ns/data", repo_type="dataset")]
    assert top == ["README.md", "rows.jsonl", "val"]
    whole = [entry.path for entry in api.list_repo_tree("ns/data", repo_type="dataset", recursive=True, expand=True)]
    assert whole == ["README.md", "rows.jsonl", "val", "val/d i", "val/d i/a #1.txt", "val/packed.jsonl.gz"]
    below = [entry.path for entry in api.list_repo_tree("ns/data", "val/d i", repo_type="dataset")]
    assert below == ["val/d i/a #1.txt"]
    assert sum("cursor" in request.query for request in hub.requests) == 3


def test_paths_info_knows_files_and_folders_and_leaves_out_the_rest(api: HfApi) -> None:
    found = api.get_paths_info("ns/data", ["rows.jsonl", "val", "nope"], repo_type="dataset", expand=True)
    assert [entry.path for entry in found] == ["rows.jsonl", "val"]
    assert isinstance(found[0], RepoFile)
    assert found[0].last_commit is not None
    assert found[0].blob_id == hashlib.sha1(b"blob %d\0" % len(ROWS) + ROWS).hexdigest()


@pytest.mark.parametrize("cdn", [False, True], ids=["direct", "redirected"])
def test_downloads_are_byte_identical(hub: Hub, api: HfApi, tmp_path: Path, cdn: bool) -> None:
    hub.cdn = cdn
    assert download(api, tmp_path, "rows.jsonl") == ROWS
    assert download(api, tmp_path, "val/packed.jsonl.gz") == PACKED
    assert download(api, tmp_path, "val/d i/a #1.txt") == b"odd name"
    assert any(request.path.startswith("/cdn/") for request in hub.requests) is cdn


def test_models_are_served_beside_datasets(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    hub.add_commit("ns/data", {"config.json": b"{}"}, repo_type="model")
    assert [file.rfilename for file in api.model_info("ns/data").siblings or []] == ["config.json"]
    assert download(api, tmp_path, "config.json", repo_type="model") == b"{}"
    with pytest.raises(EntryNotFoundError):
        download(api, tmp_path, "rows.jsonl", repo_type="model")


def test_a_snapshot_holds_the_whole_tree(api: HfApi, tmp_path: Path) -> None:
    folder = Path(api.snapshot_download("ns/data", repo_type="dataset", cache_dir=tmp_path))
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files["val/packed.jsonl.gz"] == PACKED
    assert len(files) == 4


def test_the_file_system_reads_ranges(hub: Hub) -> None:
    files = HfFileSystem(endpoint=hub.url, token=False, skip_instance_cache=True)
    assert files.glob("datasets/ns/data/**/*.gz") == ["datasets/ns/data/val/packed.jsonl.gz"]
    with files.open("datasets/ns/data/val/packed.jsonl.gz", "rb", block_size=1000) as opened:
        opened.seek(5000)
        assert opened.read(10) == PACKED[5000:5010]


@pytest.mark.parametrize(
    ("asked", "status", "body", "said"),
    [
        ("bytes=2-5", 206, ROWS[2:6], "bytes 2-5/18"),
        ("bytes=10-", 206, ROWS[10:], "bytes 10-17/18"),
        ("bytes=-4", 206, ROWS[-4:], "bytes 14-17/18"),
        ("bytes=0-999", 206, ROWS, "bytes 0-17/18"),
        ("bytes=18-", 416, None, "bytes */18"),
        ("lines=1-2", 200, ROWS, None),
    ],
)
def test_ranges(hub: Hub, asked: str, status: int, body: bytes | None, said: str | None) -> None:
    reply = httpx.get(f"{hub.url}/datasets/ns/data/resolve/main/rows.jsonl", headers={"Range": asked})
    assert (reply.status_code, reply.headers.get("Content-Range")) == (status, said)
    assert body is None or reply.content == body


def test_head_says_everything_without_the_bytes(hub: Hub) -> None:
    reply = httpx.head(f"{hub.url}/datasets/ns/data/resolve/main/val/packed.jsonl.gz")
    assert reply.headers["ETag"] == f'"{hashlib.sha256(PACKED).hexdigest()}"'
    assert reply.headers["Content-Length"] == str(len(PACKED))
    assert len(reply.headers["X-Repo-Commit"]) == 40
    assert reply.content == b""


def test_what_is_missing_raises_the_typed_errors(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info("ns/nope", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.repo_info("ns/data", repo_type="dataset", revision="nope")
    with pytest.raises(RevisionNotFoundError):
        download(api, tmp_path, "rows.jsonl", "nope")
    with pytest.raises(EntryNotFoundError):
        download(api, tmp_path, "nope.jsonl")
    for missing in ("nope", "rows.jsonl"):
        with pytest.raises(EntryNotFoundError):
            list(api.list_repo_tree("ns/data", missing, repo_type="dataset"))
    hub.remove_repository("ns/data")
    with pytest.raises(RepositoryNotFoundError):
        download(api, tmp_path, "rows.jsonl")


def test_a_private_repository_is_seen_with_its_token_only(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    hub.protect("ns/data", "hf_right")
    with pytest.raises(RepositoryNotFoundError) as hidden:
        api.repo_info("ns/data", repo_type="dataset")
    assert hidden.value.response.status_code == 401
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi(endpoint=hub.url, token="hf_wrong").repo_info("ns/data", repo_type="dataset")
    owner = HfApi(endpoint=hub.url, token="hf_right")
    assert owner.repo_info("ns/data", repo_type="dataset").private
    assert download(owner, tmp_path, "val/packed.jsonl.gz") == PACKED
    assert owner.whoami()["name"] == "local"
    assert hub.requests[-1].token == "hf_right"
    assert "hf_right" not in repr(hub.requests)


def test_a_gated_repository_is_seen_but_not_read_without_its_token(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    hub.protect("ns/data", "hf_right", gated=True)
    assert api.repo_info("ns/data", repo_type="dataset").gated == "manual"
    assert httpx.get(f"{hub.url}/datasets/ns/data/resolve/main/rows.jsonl").status_code == 401
    with pytest.raises(GatedRepoError):
        download(api, tmp_path, "rows.jsonl")
    assert download(HfApi(endpoint=hub.url, token="hf_right"), tmp_path, "rows.jsonl") == ROWS


def test_a_redirect_leads_to_another_host_that_must_not_get_the_token(hub: Hub, tmp_path: Path) -> None:
    hub.cdn = True
    hub.protect("ns/data", "hf_right")
    assert download(HfApi(endpoint=hub.url, token="hf_right"), tmp_path, "val/packed.jsonl.gz") == PACKED
    elsewhere = [request for request in hub.requests if request.path.startswith("/cdn/")]
    assert elsewhere
    assert {request.token for request in elsewhere} == {""}


def test_a_stopped_hub_is_gone_and_comes_back_on_the_same_port(hub: Hub) -> None:
    address = f"{hub.url}/api/datasets/ns/data"
    with httpx.Client() as client:
        assert client.get(address).status_code == 200
        hub.stop()
        with pytest.raises(httpx.TransportError):
            client.get(address)
        hub.start()
        assert client.get(address).status_code == 200


def test_it_fails_when_told_to(hub: Hub) -> None:
    hub.fail_next(503, times=2)
    address = f"{hub.url}/api/datasets/ns/data"
    assert [httpx.get(address).status_code for _ in range(3)] == [503, 503, 200]
    assert [request.method for request in hub.requests] == ["GET"] * 3
