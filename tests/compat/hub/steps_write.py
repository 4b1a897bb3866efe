"""The tour's steps that make repositories and change what they hold."""

import io
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
from steps import expect, expect_equal, expect_refused
from tour import BIG_FROM_BYTES, BIG_FROM_PATH, SMALL, Tour, git_oid, is_commit_id, noise

ODD_NAMES = ("two words.txt", "a #1.txt", "100%.txt", "a+b&c.txt", "grün.txt", "what?.txt", "it's.txt", "[1].txt")


def create_repository(tour: Tour) -> dict[str, Any]:
    api = tour.api
    made = api.create_repo(**tour.data)
    expect_equal((made.repo_id, made.repo_type), (tour.repo, "dataset"), "created repository")
    said = expect_refused(409, lambda: api.create_repo(**tour.data), HfHubHTTPError)
    again = api.create_repo(**tour.data, exist_ok=True)
    expect_equal((again.repo_id, again.repo_type), (tour.repo, "dataset"), "repository created with exist_ok")
    expect(api.repo_exists(**tour.data), "a new repository does not exist")
    expect(not api.repo_exists(f"{tour.namespace}/other", repo_type="dataset"), "a repository nobody made exists")
    expect(is_commit_id(api.dataset_info(tour.repo).sha), "a new repository has no first commit")
    expect_equal(api.list_repo_files(**tour.data), [], "files of a new repository")
    expect_refused(409, lambda: api.create_repo(tour.repo, repo_type="model"), HfHubHTTPError)
    return {"url": str(made), "said": said.splitlines()[0]}


def upload_small_twice(tour: Tour) -> dict[str, Any]:
    content = b'{"prompt": "one", "response": "two"}\n' * 30
    before = len(tour.commit_titles())
    send = {"path_or_fileobj": content, "path_in_repo": SMALL, "commit_message": "The small one"}
    first, again = tour.api.upload_file(**send, **tour.data), tour.api.upload_file(**send, **tour.data)
    expect(is_commit_id(first.oid), f"commit id {first.oid!r}")
    expect_equal(again.oid, first.oid, "commit of an unchanged file")
    titles = tour.commit_titles()
    expect_equal((len(titles), titles[0]), (before + 1, "The small one"), "commits after uploading one file twice")
    expect_equal(tour.api.dataset_info(tour.repo).sha, first.oid, "head of main")
    tour.files[SMALL], tour.commits["small"] = content, first.oid
    return {"oid": first.oid, "url": first.commit_url}


def upload_big_from_path(tour: Tour) -> dict[str, Any]:
    local = tour.folder / "big.bin"
    local.write_bytes(noise(1))
    made = tour.api.upload_file(path_or_fileobj=str(local), path_in_repo=BIG_FROM_PATH, **tour.data)
    tour.files[BIG_FROM_PATH] = local.read_bytes()
    return {"oid": made.oid} | check_big(tour, BIG_FROM_PATH)


def upload_big_from_bytes(tour: Tour) -> dict[str, Any]:
    content = noise(2)
    made = tour.api.upload_file(path_or_fileobj=io.BytesIO(content), path_in_repo=BIG_FROM_BYTES, **tour.data)
    tour.files[BIG_FROM_BYTES] = content
    return {"oid": made.oid} | check_big(tour, BIG_FROM_BYTES)


def check_big(tour: Tour, path: str) -> dict[str, Any]:
    found = tour.api.get_paths_info(paths=path, **tour.data)[0]
    expect_equal(found.lfs is not None, tour.sends_big_files_by_lfs, f"whether {path} is an LFS file")
    expect(tour.fetch(path) == tour.files[path], f"{path} came back changed")
    return {"lfs": found.lfs is not None}


def upload_folder(tour: Tour) -> dict[str, Any]:
    """200 files in nested folders, among them names that a careless server reads as something else."""
    root = tour.folder / "tree"
    for index in range(200 - len(ODD_NAMES)):
        local = root / f"part {index % 4}" / f"sub-{index % 3}" / f"file {index:03}.txt"
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(b"" if index == 7 else f"line {index}\r\n".encode() * (index + 1))
    (root / "d i").mkdir()
    for name in ODD_NAMES:
        (root / "d i" / name).write_text(name, encoding="utf-8")
    before = len(tour.commit_titles())
    made = tour.api.upload_folder(folder_path=str(root), path_in_repo="tree", **tour.data)
    expect_equal(len(tour.commit_titles()), before + 1, "commits after uploading a folder")
    local_files = [path for path in root.rglob("*") if path.is_file()]
    tour.files |= {f"tree/{path.relative_to(root).as_posix()}": path.read_bytes() for path in local_files}
    tour.check_main()
    for name in ODD_NAMES[:3]:
        expect(tour.fetch(f"tree/d i/{name}") == name.encode(), f"{name} came back changed")
    return {"files": len(local_files), "oid": made.oid}


def commit_many_things(tour: Tour) -> dict[str, Any]:
    """Add, copy (a small file and a large one) and delete a folder, all in one commit."""
    gone = [path for path in tour.files if path.startswith("tree/part 3/")]
    operations = [
        CommitOperationAdd("added/one.txt", b"one\n"),
        CommitOperationAdd("added/two.bin", noise(3, 2000)),
        CommitOperationCopy(src_path_in_repo=SMALL, path_in_repo="copies/small.jsonl"),
        CommitOperationCopy(src_path_in_repo=BIG_FROM_PATH, path_in_repo="copies/big.bin"),
        CommitOperationDelete("tree/part 3/", is_folder=True),
    ]
    head = tour.commits["stale"] = tour.api.dataset_info(tour.repo).sha
    made = tour.api.create_commit(
        operations=operations, commit_message="Many", commit_description="At once.", parent_commit=head, **tour.data
    )
    tour.files |= {"added/one.txt": b"one\n", "added/two.bin": noise(3, 2000)}
    tour.files |= {"copies/small.jsonl": tour.files[SMALL], "copies/big.bin": tour.files[BIG_FROM_PATH]}
    for path in gone:
        del tour.files[path]
    tour.check_main()
    newest = tour.api.list_repo_commits(**tour.data)[0]
    expect_equal((newest.commit_id, newest.title, newest.message.strip()), (made.oid, "Many", "At once."), "commit")
    expect(tour.fetch("copies/small.jsonl") == tour.files[SMALL], "a copy differs from its source")
    return {"oid": made.oid, "deleted": len(gone)}


def refuse_wrong_commits(tour: Tour) -> dict[str, Any]:
    """A stale parent, a missing file and a path out of the repository: refused, and nothing is changed."""
    api, head = tour.api, tour.api.dataset_info(tour.repo).sha
    add = [CommitOperationAdd("late.txt", b"late\n")]
    stale = {"commit_message": "Late", "parent_commit": tour.commits["stale"]}
    said = expect_refused(412, lambda: api.create_commit(operations=add, **stale, **tour.data), HfHubHTTPError)
    expect_refused(404, lambda: api.delete_file("no such file.txt", **tour.data), EntryNotFoundError)
    wrong = CommitOperationAdd("fine.txt", b"")
    wrong.path_in_repo = "up/../../escape.txt"  # past the client's own check
    expect_refused(400, lambda: api.create_commit(operations=[wrong], commit_message="Out", **tour.data))
    expect_equal(api.dataset_info(tour.repo).sha, head, "head after refused commits")
    return {"said": said.splitlines()[0]}


def delete_files(tour: Tour) -> None:
    tour.api.delete_file("added/one.txt", **tour.data)
    tour.api.delete_folder("copies", **tour.data)
    tour.api.delete_files(delete_patterns=["tree/part 2/*"], **tour.data)
    for path in [one for one in tour.files if one.startswith(("added/one", "copies/", "tree/part 2/"))]:
        del tour.files[path]
    tour.check_main()


def write_card(tour: Tour) -> None:
    """A README with a YAML head: the client has it checked before the commit, and reads it back as the card."""
    card = b"---\nlicense: mit\ntags:\n- made-up\n---\n# Data\n"
    tour.api.upload_file(path_or_fileobj=card, path_in_repo="README.md", **tour.data)
    tour.files["README.md"] = card
    info = tour.api.dataset_info(tour.repo)
    expect_equal(info.card_data and info.card_data.license, "mit", "license in the card")
    found = tour.api.get_paths_info(paths="README.md", **tour.data)[0]
    expect_equal(found.blob_id, git_oid(card), "blob id of the README")


def keep_a_model(tour: Tour) -> None:
    """Models live beside datasets and have addresses of their own."""
    api, model = tour.api, f"{tour.namespace}/model"
    made = api.create_repo(model)
    expect_equal((made.repo_id, made.repo_type), (model, "model"), "created model")
    api.upload_file(path_or_fileobj=b'{"a": 1}', path_in_repo="config.json", repo_id=model)
    local = Path(api.hf_hub_download(model, "config.json"))
    expect_equal(local.read_bytes(), b'{"a": 1}', "file of a model")
    expect_equal([one.rfilename for one in api.model_info(model).siblings], ["config.json"], "files of a model")
    expect_equal([one.id for one in api.list_models(author=tour.namespace)], [model], "models listed")
    api.update_repo_settings(model, private=True)
    expect(api.model_info(model).private, "a model made private is not")
    api.delete_repo(model)
    expect(not api.repo_exists(model), "a deleted model still exists")


def squash_history(tour: Tour) -> None:
    tour.api.super_squash_history(commit_message="All in one", **tour.data)
    expect_equal(tour.commit_titles(), ["All in one"], "commits after squashing them")
    tour.check_main()
    expect(tour.fetch(SMALL) == tour.files[SMALL], "a file came back changed")


def move_and_delete_repository(tour: Tour) -> None:
    api, moved = tour.api, f"{tour.namespace}/moved"
    api.create_repo(f"{tour.namespace}/taken", repo_type="dataset")
    expect_refused(409, lambda: api.move_repo(tour.repo, f"{tour.namespace}/taken", repo_type="dataset"))
    api.move_repo(tour.repo, moved, repo_type="dataset")
    expect(not api.repo_exists(**tour.data), "a repository still answers to its old name")
    expect_equal(api.list_repo_files(moved, repo_type="dataset"), sorted(tour.files), "files after the move")
    for name in (moved, f"{tour.namespace}/taken"):
        api.delete_repo(name, repo_type="dataset")
        expect(not api.repo_exists(name, repo_type="dataset"), "a deleted repository still exists")
    expect_refused(404, lambda: api.delete_repo(moved, repo_type="dataset"))
    api.delete_repo(moved, repo_type="dataset", missing_ok=True)
    expect_equal(list(api.list_datasets(author=tour.namespace)), [], "datasets left")
