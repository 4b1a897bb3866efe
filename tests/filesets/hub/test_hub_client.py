"""The contract's acceptance matrix with the installed huggingface_hub; `tests/compat` brings its other versions."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    RepoFile,
    RepoFolder,
    snapshot_download,
)
from huggingface_hub import constants as hub_constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.platform_process import PlatformProcess

DATASET = {"repo_type": "dataset"}
BIG = os.urandom(12_000_000)


@pytest.fixture(scope="module")
def api(platform: PlatformProcess) -> HfApi:
    return HfApi(endpoint=f"{platform.url}/v1/hf", token=False)


@pytest.fixture
def repo(api: HfApi, request: pytest.FixtureRequest) -> Iterator[str]:
    made = api.create_repo(f"client/{request.function.__name__.removeprefix('test_')[:60]}", **DATASET)
    yield made.repo_id
    api.delete_repo(made.repo_id, missing_ok=True, **DATASET)


def test_create(api: HfApi) -> None:
    first = api.create_repo("client/create", **DATASET)
    assert (first.repo_id, first.repo_type) == ("client/create", "dataset")
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo("client/create", **DATASET)
    assert refused.value.response.status_code == 409
    assert api.create_repo("client/create", exist_ok=True, **DATASET).repo_id == "client/create"


def test_the_same_upload_twice_is_one_commit(api: HfApi, repo: str) -> None:
    def upload() -> str:
        made = api.upload_file(path_or_fileobj=b"{}\n", path_in_repo="s.jsonl", repo_id=repo, **DATASET)
        return str(made.oid)

    first = upload()
    assert upload() == first and len(first) == 40
    assert len(api.list_repo_commits(repo, **DATASET)) == 2


def test_large_files_and_folders(api: HfApi, repo: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "nest" / "d i").mkdir(parents=True)
    (folder / "nest" / "d i" / "a #1.txt").write_text("odd")
    (folder / "nest" / "100%.txt").write_text("percent")
    (folder / "big.bin").write_bytes(BIG)
    api.upload_folder(folder_path=folder, repo_id=repo, **DATASET)
    source = io.BytesIO(BIG[:-1])
    api.upload_file(path_or_fileobj=source, path_in_repo="big2.bin", repo_id=repo, **DATASET)
    assert api.list_repo_files(repo, **DATASET) == ["big.bin", "big2.bin", "nest/100%.txt", "nest/d i/a #1.txt"]
    sizes = {entry.rfilename: entry.size for entry in api.dataset_info(repo, files_metadata=True).siblings or []}
    assert sizes["big.bin"] == len(BIG) and sizes["big2.bin"] == len(BIG) - 1
    for path, content in (("big.bin", BIG), ("nest/d i/a #1.txt", b"odd"), ("nest/100%.txt", b"percent")):
        got = api.hf_hub_download(repo, path, cache_dir=tmp_path / "cache", **DATASET)
        assert Path(got).read_bytes() == content
    snapshot = snapshot_download(
        repo, endpoint=api.endpoint, token=False, allow_patterns="nest/*", cache_dir=tmp_path / "other", **DATASET
    )
    assert sorted(path.name for path in Path(snapshot).rglob("*.*")) == ["100%.txt", "a #1.txt"]


def test_large_files_go_by_lfs_without_xet(
    api: HfApi, repo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_constants, "HF_HUB_DISABLE_XET", True)
    old = HfApi(endpoint=api.endpoint, token=False, library_name="datasets", library_version="5.2.0")
    content = os.urandom(3_000_000)
    old.upload_file(path_or_fileobj=content, path_in_repo="a.parquet", repo_id=repo, **DATASET)
    [entry] = api.get_paths_info(repo, ["a.parquet"], **DATASET)
    assert isinstance(entry, RepoFile) and entry.lfs is not None and entry.lfs.size == len(content)
    got = api.hf_hub_download(repo, "a.parquet", cache_dir=tmp_path, **DATASET)
    assert Path(got).read_bytes() == content


def test_a_branch_with_a_slash_and_a_commit_by_its_id(api: HfApi, repo: str, tmp_path: Path) -> None:
    api.create_branch(repo, branch="dev/x", **DATASET)
    api.create_branch(repo, branch="dev/x", exist_ok=True, **DATASET)
    made = api.upload_file(path_or_fileobj=b"dev", path_in_repo="deep/a.txt", repo_id=repo, revision="dev/x", **DATASET)
    for revision in ("dev/x", made.oid):
        got = api.hf_hub_download(repo, "deep/a.txt", revision=revision, cache_dir=tmp_path, **DATASET)
        assert Path(got).read_bytes() == b"dev"
    assert [node.path for node in api.list_repo_tree(repo, "deep", revision="dev/x", **DATASET)] == ["deep/a.txt"]
    assert api.list_repo_files(repo, **DATASET) == []
    api.create_tag(repo, tag="v1", revision="dev/x", **DATASET)
    refs = api.list_repo_refs(repo, **DATASET)
    assert [ref.name for ref in refs.branches] == ["dev/x", "main"]
    assert [(ref.name, ref.target_commit) for ref in refs.tags] == [("v1", made.oid)]
    api.delete_tag(repo, tag="v1", **DATASET)
    api.delete_branch(repo, branch="dev/x", **DATASET)


def test_what_is_missing_has_an_exception_of_its_own(api: HfApi, repo: str, tmp_path: Path) -> None:
    def download(repo_id: str, revision: str = "main") -> Any:
        return api.hf_hub_download(repo_id, "none", revision=revision, cache_dir=tmp_path, **DATASET)

    with pytest.raises(EntryNotFoundError):
        download(repo)
    with pytest.raises(RevisionNotFoundError):
        download(repo, "none")
    with pytest.raises(RepositoryNotFoundError):
        download("client/none")
    with pytest.raises(EntryNotFoundError, match="A file with this name doesn't exist"):
        api.delete_file("none", repo, **DATASET)
    assert not api.repo_exists("client/none", **DATASET) and not api.file_exists(repo, "none", **DATASET)


def test_a_commit_of_many_kinds_and_a_stale_one(api: HfApi, repo: str) -> None:
    for path in ("s.jsonl", "gone/a", "gone/sub/b"):
        api.upload_file(path_or_fileobj=path.encode(), path_in_repo=path, repo_id=repo, **DATASET)
    parent = api.dataset_info(repo).sha
    operations = [
        CommitOperationAdd("new", b"new"),
        CommitOperationCopy("s.jsonl", "copy.jsonl"),
        CommitOperationDelete("gone/", is_folder=True),
    ]
    api.create_commit(repo, operations, commit_message="m", parent_commit=parent, **DATASET)
    assert api.list_repo_files(repo, **DATASET) == ["copy.jsonl", "new", "s.jsonl"]
    with pytest.raises(HfHubHTTPError) as refused:
        again = [CommitOperationAdd("late", b"late")]
        api.create_commit(repo, again, commit_message="m", parent_commit=parent, **DATASET)
    assert refused.value.response.status_code == 412
    found = api.get_paths_info(repo, ["new", "none"], expand=True, **DATASET)
    assert [node.path for node in found] == ["new"]
    assert [type(node) for node in api.list_repo_tree(repo, **DATASET)] == [RepoFile] * 3
    api.super_squash_history(repo, **DATASET)
    assert len(api.list_repo_commits(repo, **DATASET)) == 1


def test_the_file_system(api: HfApi, repo: str) -> None:
    fs = HfFileSystem(endpoint=api.endpoint, token=False, skip_instance_cache=True)
    root = f"datasets/{repo}"
    api.upload_file(path_or_fileobj=BIG, path_in_repo="big.bin", repo_id=repo, **DATASET)
    with fs.open(f"{root}/w/x.txt", "w") as out:
        out.write("written")
    assert sorted(fs.ls(root, detail=False)) == [f"{root}/big.bin", f"{root}/w"]
    assert fs.glob(f"{root}/**/*.txt") == [f"{root}/w/x.txt"] and fs.isdir(f"{root}/w")
    with fs.open(f"{root}/big.bin", "rb") as source:
        source.seek(11_000_000)
        assert source.read(100) == BIG[11_000_000:11_000_100]
    fs.cp(f"{root}/w/x.txt", f"{root}/w/y.txt")
    fs.rm(f"{root}/w/x.txt")
    assert fs.cat(f"{root}/w/y.txt") == b"written" and not fs.exists(f"{root}/w/x.txt")


def test_models_lists_moves_and_who_one_is(api: HfApi) -> None:
    api.create_repo("client/weights")
    api.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id="client/weights")
    assert [model.id for model in api.list_models(author="client")] == ["client/weights"]
    assert isinstance(next(iter(api.list_repo_tree("client/weights"))), RepoFile | RepoFolder)
    api.update_repo_settings("client/weights", private=True)
    assert api.model_info("client/weights").private
    api.move_repo("client/weights", "client/moved")
    assert not api.repo_exists("client/weights") and api.repo_exists("client/moved")
    api.delete_repo("client/moved")

    assert HfApi(endpoint=api.endpoint, token="hf_any").whoami()["name"] == "local"
