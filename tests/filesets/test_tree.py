"""A tree knows its folders, keeps its order and survives its packing."""

import hashlib
import subprocess
from pathlib import Path

from assay.filesets.tree import Entry, Folder, Tree, git_blob_oid


def entry(path: str, content: bytes = b"x", *, lfs: bool = False, since: int = 0) -> Entry:
    oid = "" if lfs else git_blob_oid(content)
    return Entry(path, len(content), hashlib.sha256(content).hexdigest(), oid, lfs, since)


TREE = Tree(
    [
        entry("sub/b.bin", b"large", lfs=True, since=3),
        entry("sub/deep/c", since=7),
        entry("sub.txt", since=5),
        entry("a.jsonl", since=1),
        entry("sub0"),
        entry("zürich/ß 1#.txt"),
    ]
)


def test_files_come_in_order_of_path() -> None:
    assert [each.path for each in TREE] == ["a.jsonl", "sub.txt", "sub/b.bin", "sub/deep/c", "sub0", "zürich/ß 1#.txt"]


def test_a_folder_holds_what_is_below_it_and_nothing_beside_it() -> None:
    assert [each.path for each in TREE.under("sub")] == ["sub/b.bin", "sub/deep/c"]
    assert [each.path for each in TREE.children("sub")] == ["sub/b.bin", "sub/deep"]
    assert [each.path for each in TREE.walk("sub")] == ["sub/b.bin", "sub/deep", "sub/deep/c"]
    assert [each.path for each in TREE.children()] == ["a.jsonl", "sub", "sub.txt", "sub0", "zürich"]
    assert len(TREE.walk()) == 6 + 3
    assert TREE.children("a.jsonl") == TREE.under("su") == TREE.walk("nope") == []


def test_a_folder_is_as_new_as_what_was_changed_last_in_it() -> None:
    sub = TREE.folder("sub")
    assert isinstance(sub, Folder)
    assert sub.since == 7
    assert TREE.folder("a.jsonl") is None
    assert TREE.folder("")
    assert Tree().folder("")


def test_the_id_of_a_folder_tells_what_is_in_it() -> None:
    other = Tree([*TREE.under("sub"), entry("elsewhere")])
    changed = Tree([*TREE.under("sub"), entry("sub/deep/d")])
    assert TREE.folder("sub") == other.folder("sub")
    assert TREE.digest != other.digest
    for path in ("sub", "sub/deep"):
        assert getattr(TREE.folder(path), "oid", "") != getattr(changed.folder(path), "oid", "")


def test_packing_keeps_everything() -> None:
    again = Tree.unpacked(TREE.packed())
    assert again == TREE
    assert [each.since for each in again] == [each.since for each in TREE]
    assert again.digest == TREE.digest
    assert Tree.unpacked(Tree().packed()) == Tree()


def test_when_a_file_was_changed_does_not_make_another_tree() -> None:
    assert Tree([entry("a", since=1)]) == Tree([entry("a", since=2)])
    assert Tree([entry("a")]) != Tree([entry("a", lfs=True)])


def test_ids_are_those_of_git(tmp_path: Path) -> None:
    content = b"\0row\r\n" * 1000
    small, large = entry("a", content), entry("a", content, lfs=True)
    for each, stored in ((small, content), (large, large.pointer)):
        said = subprocess.run(["git", "hash-object", "--stdin"], input=stored, capture_output=True, check=True)
        assert each.oid == said.stdout.decode().strip()
    assert (small.etag, large.etag) == (small.oid, small.sha256)
    assert (
        large.pointer_size
        == len(large.pointer)
        == len(f"version https://git-lfs.github.com/spec/v1\noid sha256:{large.sha256}\nsize 6000\n")
    )
