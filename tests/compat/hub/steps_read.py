"""The tour's steps that look at a repository and bring its files home."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from steps import expect, expect_equal, expect_refused
from tour import BIG_FROM_BYTES, BIG_FROM_PATH, BRANCH, SMALL, Tour, git_oid


def list_in_pages(tour: Tour) -> dict[str, Any]:
    """``expand`` makes the Hub answer in pages of 100, which the client must follow to the end."""
    entries = list(tour.api.list_repo_tree(recursive=True, expand=True, **tour.data))
    files = [entry.path for entry in entries if hasattr(entry, "size")]
    expect(files == sorted(tour.files), f"{len(files)} files listed in pages, not {len(tour.files)} in order")
    folders = {entry.path for entry in entries} - set(files)
    expect_equal(folders, {up for path in tour.files for up in _folders(path)}, "folders listed")
    last = {entry.path: entry.last_commit for entry in entries}
    expect_equal((last[SMALL].oid, last[SMALL].title), (tour.commits["small"], "The small one"), "last commit")
    top = {entry.path for entry in tour.api.list_repo_tree(**tour.data)}
    expect_equal(top, {path.split("/")[0] for path in tour.files}, "top of the tree")
    two = [one.id for one in tour.api.list_datasets(author=tour.namespace, limit=2)]
    expect_equal(two, [tour.repo], "datasets listed")
    return {"entries": len(entries)}


def describe(tour: Tour) -> dict[str, Any]:
    info = tour.api.dataset_info(tour.repo, files_metadata=True)
    found = {one.rfilename: one for one in info.siblings}
    expect_equal(list(found), sorted(tour.files), "siblings")
    for path, one in found.items():
        content = tour.files[path]
        by_lfs = tour.sends_big_files_by_lfs and path in (BIG_FROM_BYTES, BIG_FROM_PATH)
        expect_equal((one.size, one.lfs is not None), (len(content), by_lfs), f"size of {path}, and whether it is LFS")
        if one.lfs:
            expect(one.lfs.pointer_size > 100, f"pointer size {one.lfs.pointer_size}")
        else:
            expect_equal(one.blob_id, git_oid(content), f"blob id of {path}")
    paths = tour.api.get_paths_info(paths=[SMALL, "tree", "no such path"], expand=True, **tour.data)
    expect_equal({one.path: hasattr(one, "size") for one in paths}, {SMALL: True, "tree": False}, "paths found")
    expect(all(one.last_commit is not None for one in paths), "paths without their last commit")
    expect(tour.api.file_exists(filename=SMALL, **tour.data), "a file that is there does not exist")
    expect(not tour.api.file_exists(filename="none.txt", **tour.data), "a file that is not there exists")
    by_sha = tour.api.dataset_info(tour.repo, revision=tour.commits["small"])
    expect_equal([one.rfilename for one in by_sha.siblings], [SMALL], "files of an older commit")
    return {"sha": info.sha, "last_modified": str(info.last_modified)}


def download(tour: Tour) -> dict[str, Any]:
    paths = [SMALL, BIG_FROM_PATH, BIG_FROM_BYTES, "tree/d i/a #1.txt", "tree/part 3/sub-1/file 007.txt"]
    for path in paths:
        expect(tour.fetch(path) == tour.files[path], f"{path} came back changed")
    to = tour.folder / "down"
    local = tour.api.hf_hub_download(filename=BIG_FROM_PATH, local_dir=to, **tour.data)
    expect_equal(Path(local), to / BIG_FROM_PATH, "where the file was put")
    expect(Path(local).read_bytes() == tour.files[BIG_FROM_PATH], "a file came back changed")
    by_sha = tour.api.hf_hub_download(filename=SMALL, revision=tour.commits["small"], force_download=True, **tour.data)
    expect(Path(by_sha).read_bytes() == tour.files[SMALL], "a file by sha came back changed")
    expect(tour.commits["small"] in by_sha, f"a file by sha is kept under {by_sha}")
    return {"files": len(paths)}


def download_snapshot(tour: Tour) -> dict[str, Any]:
    whole = Path(tour.api.snapshot_download(**tour.data))
    got = {path.relative_to(whole).as_posix(): path for path in whole.rglob("*") if path.is_file()}
    expect_equal(sorted(got), sorted(tour.files), "files of the snapshot")
    expect(all(got[path].read_bytes() == content for path, content in tour.files.items()), "a file came back changed")
    part = tour.folder / "part"
    tour.api.snapshot_download(allow_patterns=["tree/part 1/*", "*.jsonl"], local_dir=part, **tour.data)
    wanted = {path for path in tour.files if path.startswith("tree/part 1/") or path.endswith(".jsonl")}
    got_part = {path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file()}
    expect_equal({path for path in got_part if not path.startswith(".cache")}, wanted, "files by pattern")
    older = Path(tour.api.snapshot_download(revision=tour.commits["small"], **tour.data))
    expect_equal([path.name for path in older.iterdir()], [SMALL], "files of an older commit")
    return {"files": len(got)}


def use_branches(tour: Tour) -> None:
    """A branch with a slash in its name, on which main does not move."""
    api = tour.api
    api.create_branch(branch=BRANCH, **tour.data)
    expect_refused(409, lambda: api.create_branch(branch=BRANCH, **tour.data), HfHubHTTPError)
    api.create_branch(branch=BRANCH, exist_ok=True, **tour.data)
    send = {"path_or_fileobj": b"on a branch\n", "path_in_repo": "d i/on #branch.txt", "revision": BRANCH}
    made = api.upload_file(**send, **tour.data)
    expect(tour.fetch("d i/on #branch.txt", BRANCH) == b"on a branch\n", "a file of a branch came back changed")
    expect(tour.fetch("d i/on #branch.txt", made.oid) == b"on a branch\n", "a file by sha came back changed")
    expect_refused(404, lambda: tour.fetch("d i/on #branch.txt"), EntryNotFoundError)
    listed = api.list_repo_files(revision=BRANCH, **tour.data)
    expect_equal(set(listed) - set(tour.files), {"d i/on #branch.txt"}, "files that only the branch has")
    expect_equal(api.dataset_info(tour.repo, revision=BRANCH).sha, made.oid, "head of the branch")
    older = {"branch": "from-older", "revision": tour.commits["small"]}
    api.create_branch(**older, **tour.data)
    expect_equal(api.list_repo_files(revision="from-older", **tour.data), [SMALL], "files of a branch from a commit")
    wrong = {"branch": "nowhere", "revision": "no-such-revision"}
    expect_refused(404, lambda: api.create_branch(**wrong, **tour.data), RevisionNotFoundError)
    heads = {one.name: one.target_commit for one in api.list_repo_refs(**tour.data).branches}
    expect_equal(heads.keys(), {"main", BRANCH, "from-older"}, "branches")
    expect_equal((heads[BRANCH], heads["from-older"]), (made.oid, tour.commits["small"]), "heads of branches")
    for branch in (BRANCH, "from-older"):
        api.delete_branch(branch=branch, **tour.data)
    expect_equal([one.name for one in api.list_repo_refs(**tour.data).branches], ["main"], "branches left")
    expect_refused(403, lambda: api.delete_branch(branch="main", **tour.data), HfHubHTTPError)


def use_tags(tour: Tour) -> None:
    api = tour.api
    api.create_tag(tag="v1", tag_message="First", revision=tour.commits["small"], **tour.data)
    expect_refused(409, lambda: api.create_tag(tag="v1", **tour.data), HfHubHTTPError)
    api.create_tag(tag="v1", exist_ok=True, **tour.data)
    tags = {one.name: one.target_commit for one in api.list_repo_refs(**tour.data).tags}
    expect_equal(tags, {"v1": tour.commits["small"]}, "tags")
    expect(tour.fetch(SMALL, "v1") == tour.files[SMALL], "a file by tag came back changed")
    expect_equal(api.list_repo_files(revision="v1", **tour.data), [SMALL], "files at a tag")
    api.delete_tag(tag="v1", **tour.data)
    expect_refused(404, lambda: api.delete_tag(tag="v1", **tour.data), RevisionNotFoundError)
    expect_refused(404, lambda: tour.fetch(SMALL, "v1"), RevisionNotFoundError)


def get_typed_errors(tour: Tour) -> dict[str, Any]:
    """Each thing that is missing has an exception of its own, on every road to it."""
    api, nowhere = tour.api, f"{tour.namespace}/nowhere"
    said = expect_refused(404, lambda: tour.fetch("none.txt"), EntryNotFoundError)
    expect_refused(404, lambda: tour.fetch(SMALL, "no-such-revision"), RevisionNotFoundError)
    expect_refused(404, lambda: api.hf_hub_download(nowhere, SMALL, repo_type="dataset"), RepositoryNotFoundError)
    expect_refused(404, lambda: api.dataset_info(nowhere), RepositoryNotFoundError)
    expect_refused(404, lambda: api.dataset_info(tour.repo, revision="0" * 40), RevisionNotFoundError)
    expect_refused(404, lambda: list(api.list_repo_tree(path_in_repo="none", **tour.data)), EntryNotFoundError)
    expect_refused(404, lambda: api.list_repo_commits(nowhere, repo_type="dataset"), RepositoryNotFoundError)
    expect_refused(404, lambda: api.snapshot_download(nowhere, repo_type="dataset"), RepositoryNotFoundError)
    send = {"path_or_fileobj": b"x", "path_in_repo": "x.txt"}
    expect_refused(404, lambda: api.upload_file(**send, repo_id=nowhere, repo_type="dataset"), RepositoryNotFoundError)
    expect_refused(404, lambda: api.upload_file(**send, revision="nowhere", **tour.data), RevisionNotFoundError)
    # Nothing is gated here: whoever asks for it is told so, and not left to believe in it.
    expect_refused(400, lambda: api.update_repo_settings(tour.repo, gated="auto", repo_type="dataset"), BadRequestError)
    return {"said": said.splitlines()[0]}


def share_with_files_api(tour: Tour) -> None:
    """What is put by either road is read by the other."""
    files = f"{tour.base_url}/apis/files/v2/workspaces/{tour.namespace}/filesets/data/-/"
    with urllib.request.urlopen(files + SMALL, timeout=10) as reply:
        expect(reply.read() == tour.files[SMALL], "the files API reads something else")
    content = b"put by the files API\n"
    put = urllib.request.Request(files + "by-files-api.txt", data=content, method="PUT")
    put.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(put, timeout=10).close()
    tour.files["by-files-api.txt"] = content
    expect(tour.fetch("by-files-api.txt") == content, "the Hub reads something else")
    tour.check_main()


def say_who_asks(tour: Tour) -> dict[str, Any]:
    """With a token the Hub knows a name; without one it says so, and lets everybody in all the same."""
    api = tour.api
    api.auth_check(**tour.data)
    if tour.endpoint is None:
        who = api.whoami()
        expect(bool(who["name"]) and isinstance(who["orgs"], list), f"whoami: {json.dumps(who)}")
        return {"name": who["name"]}
    try:  # the client itself asks nobody without a token
        urllib.request.urlopen(f"{tour.prefix}/api/whoami-v2", timeout=10).close()
    except urllib.error.HTTPError as refused:
        expect_equal(refused.code, 401, "status of whoami without a token")
    else:
        expect(False, "whoami without a token was answered")
    return {}


def _folders(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
