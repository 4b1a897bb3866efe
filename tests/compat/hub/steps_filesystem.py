"""The tour's steps through ``HfFileSystem``: the repository as fsspec, and everything on it, sees it."""

from typing import Any

from huggingface_hub import HfFileSystem
from steps import expect, expect_equal
from tour import BIG_FROM_PATH, BRANCH, SMALL, Tour


def file_system(tour: Tour) -> Any:
    return HfFileSystem(endpoint=tour.endpoint, skip_instance_cache=True)


def browse_file_system(tour: Tour) -> dict[str, Any]:
    fs, root = file_system(tour), f"datasets/{tour.repo}"
    expect_equal(set(fs.ls(root, detail=False)), {f"{root}/{path.split('/')[0]}" for path in tour.files}, "ls")
    info = fs.info(f"{root}/{SMALL}")
    expect_equal((info["type"], info["size"]), ("file", len(tour.files[SMALL])), "info")
    expect(fs.isdir(f"{root}/tree") and fs.isfile(f"{root}/{SMALL}"), "a folder is a file, or the other way round")
    expect(fs.exists(f"{root}/{BIG_FROM_PATH}") and not fs.exists(f"{root}/none.txt"), "exists")
    wanted = sorted(f"{root}/{path}" for path in tour.files if path.startswith("tree/") and path.endswith("0.txt"))
    expect_equal(sorted(fs.glob(f"{root}/tree/**/*0.txt")), wanted, "glob")
    expect_equal(sorted(fs.find(root)), sorted(f"{root}/{path}" for path in tour.files), "find")
    return {"found": len(wanted)}


def read_file_system(tour: Tour) -> None:
    fs, root = file_system(tour), f"datasets/{tour.repo}"
    content, big = tour.files[BIG_FROM_PATH], f"{root}/{BIG_FROM_PATH}"
    with fs.open(big, "rb", block_size=2**20) as remote:
        for start, length in ((5_000_000, 1000), (0, 10), (len(content) - 5, 100), (2**20 - 3, 2**20)):
            remote.seek(start)
            expect(remote.read(length) == content[start : start + length], f"{length} bytes from {start}")
    expect(fs.cat_file(big, start=7_000_000, end=7_000_100) == content[7_000_000:7_000_100], "a range by cat_file")
    expect_equal(fs.cat_file(f"{root}/tree/d i/a #1.txt"), b"a #1.txt", "a file with an odd name")
    with fs.open(f"{root}/{SMALL}", "rt") as text:
        expect_equal(text.readlines()[:2], tour.files[SMALL].decode().splitlines(keepends=True)[:2], "lines")
    local = tour.folder / "got.bin"
    fs.get_file(big, str(local))
    expect(local.read_bytes() == content, "a file that was got came back changed")


def write_file_system(tour: Tour) -> None:
    fs, root = file_system(tour), f"datasets/{tour.repo}"
    with fs.open(f"{root}/fs/written here.txt", "w") as remote:
        remote.write("one\n" * 1000)
    expect_equal(fs.cat_file(f"{root}/fs/written here.txt"), b"one\n" * 1000, "a file written")
    local = tour.folder / "put.txt"
    local.write_bytes(b"put\n")
    fs.put_file(str(local), f"{root}/fs/put.txt")
    fs.cp_file(f"{root}/fs/put.txt", f"{root}/fs/copy.txt")
    fs.cp_file(f"{root}/{BIG_FROM_PATH}", f"{root}/fs/big copy.bin")
    fs.invalidate_cache()
    sizes = {one["name"].removeprefix(f"{root}/fs/"): one["size"] for one in fs.ls(f"{root}/fs")}
    big = len(tour.files[BIG_FROM_PATH])
    expect_equal(sizes, {"written here.txt": 4000, "put.txt": 4, "copy.txt": 4, "big copy.bin": big}, "sizes")
    fs.rm_file(f"{root}/fs/put.txt")
    fs.invalidate_cache()
    expect(not fs.exists(f"{root}/fs/put.txt") and fs.cat_file(f"{root}/fs/copy.txt") == b"put\n", "rm_file")
    tour.api.create_branch(branch=BRANCH, **tour.data)
    with fs.open(f"datasets/{tour.repo}@dev%2Fx/fs/branch.txt", "wb") as remote:
        remote.write(b"branch\n")
    fs.invalidate_cache()
    expect_equal(fs.cat_file(f"{root}/fs/branch.txt", revision=BRANCH), b"branch\n", "a file of a branch")
    expect(not fs.exists(f"{root}/fs/branch.txt"), "a file of a branch is on main too")
    tour.api.delete_branch(branch=BRANCH, **tour.data)
    fs.invalidate_cache()
    fs.rm(f"{root}/fs", recursive=True)
    fs.invalidate_cache()
    expect(not fs.exists(f"{root}/fs"), "a folder is still there after rm")
    tour.check_main()
