"""Commits: all or nothing, in step with the files that the files API and jobs read."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from assay.filesets import blobs, git_ids, history, local, rows
from assay.filesets.history import DeleteFile, DeleteFolder, EntryMissing, ParentMoved, PutFile, RevisionMissing
from assay.filesets.models import Blob, Commit, File, Fileset, HeldBlob, Ref
from assay.filesets.storage import FileMissing
from assay.filesets.tree import git_blob_oid
from assay.platform.errors import BadRequest, NotFound
from assay.workspaces import deletion
from tests.filesets.committed import commit, contents, filed, put, treed, uploaded
from tests.filesets.conftest import FILESETS

pytestmark = pytest.mark.django_db


@contextmanager
def queries(wrapper: Any) -> Iterator[None]:
    with connection.execute_wrapper(wrapper):
        yield


def test_a_history_is_born_with_one_empty_commit(fileset: Fileset) -> None:
    head = history.settle(fileset)
    assert re.fullmatch("[0-9a-f]{40}", head.oid)
    assert (head.title, head.parent) == ("initial commit", "")
    assert len(history.tree_of(head)) == 0
    assert history.settle(fileset) == history.resolve(fileset, "main") == head
    assert Commit.objects.count() == Ref.objects.count() == 1


def test_a_look_costs_one_query_while_nothing_changes(
    fileset: Fileset, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    commit(fileset, {"a": b"1"})
    with django_assert_num_queries(1):
        history.settle(fileset)
    with django_assert_num_queries(1):
        history.resolve(fileset)


def test_a_commit_changes_what_the_files_api_shows(fileset: Fileset) -> None:
    first = commit(fileset, {"a.txt": b"old", "b/c.txt": b"stays", "d/e/f": b"goes", "d/g": b"goes too"})
    changes = [put(fileset, "a.txt", b"new"), DeleteFolder("d/"), put(fileset, "h.txt", b"more"), DeleteFile("b/c.txt")]
    second = history.commit(fileset, "main", changes, title="Second", message="why", author="someone")
    assert contents(fileset) == {"a.txt": b"new", "h.txt": b"more"}
    assert contents(fileset, first.oid) == {"a.txt": b"old", "b/c.txt": b"stays", "d/e/f": b"goes", "d/g": b"goes too"}
    assert filed(fileset) == treed(fileset)
    assert (second.title, second.message, second.author, second.parent) == ("Second", "why", "someone", first.oid)
    assert [file.path for file in local.files(fileset)] == ["a.txt", "h.txt"]


def test_what_the_files_api_changed_becomes_one_commit(fileset: Fileset) -> None:
    head = commit(fileset, {"a.txt": b"old", "b.txt": b"stays"})
    local.put(fileset, "a.txt", io.BytesIO(b"new"))
    local.put(fileset, "sub/c.txt", io.BytesIO(b"more"))
    assert Fileset.objects.get().uncommitted
    settled = history.settle(fileset)
    assert (settled.parent, settled.title) == (head.oid, "Files changed outside the Hub")
    assert contents(fileset) == {"a.txt": b"new", "b.txt": b"stays", "sub/c.txt": b"more"}
    assert history.settle(fileset) == settled
    assert not Fileset.objects.get().uncommitted
    local.delete(fileset, "b.txt")
    assert history.settle(fileset).parent == settled.oid
    assert treed(fileset) == filed(fileset)
    assert HeldBlob.objects.filter(committed=True).count() == 4, "the old content stays to be read"


def test_files_that_were_there_before_the_history_are_its_second_commit(fileset: Fileset) -> None:
    local.put(fileset, "a.txt", io.BytesIO(b"here first"))
    Fileset.objects.update(uncommitted=False)  # as if from before there were histories
    head = history.settle(Fileset.objects.get())
    assert [each.title for each in history.log(fileset)] == ["Files changed outside the Hub", "initial commit"]
    assert history.log(fileset)[0] == head
    assert treed(fileset) == filed(fileset)


def test_a_change_that_was_undone_makes_no_commit(fileset: Fileset) -> None:
    head = commit(fileset, {"a.txt": b"1"})
    local.put(fileset, "b.txt", io.BytesIO(b"2"))
    local.delete(fileset, "b.txt")
    assert history.settle(fileset) == head
    assert not Fileset.objects.get().uncommitted


def test_a_commit_builds_on_what_the_files_api_left(fileset: Fileset) -> None:
    head = commit(fileset, {"a.txt": b"1"})
    local.put(fileset, "b.txt", io.BytesIO(b"2"))
    with pytest.raises(ParentMoved):
        commit(fileset, {"c.txt": b"3"}, parent=head.oid)
    commit(fileset, {"c.txt": b"3"})
    assert contents(fileset) == {"a.txt": b"1", "b.txt": b"2", "c.txt": b"3"}
    assert filed(fileset) == treed(fileset)


def test_unchanged_files_make_no_commit(fileset: Fileset) -> None:
    head = commit(fileset, {"a.txt": b"1", "b.txt": b"2"})
    assert commit(fileset, {"a.txt": b"1"}) == head
    assert history.commit(fileset, "main", [], title="nothing") == head
    assert history.commit(fileset, "main", [DeleteFile("b.txt"), put(fileset, "b.txt", b"2")], title="both") == head
    assert Commit.objects.count() == 2


def test_changes_apply_in_their_order(fileset: Fileset) -> None:
    commit(fileset, {"d/old": b"1"})
    changes = [DeleteFolder("d"), put(fileset, "d/new", b"2"), put(fileset, "x", b"3"), DeleteFile("x")]
    history.commit(fileset, "main", [*changes, put(fileset, "d/new", b"4")], title="order")
    assert contents(fileset) == {"d/new": b"4"}


def test_a_commit_for_another_parent_is_refused(fileset: Fileset) -> None:
    first = commit(fileset, {"a.txt": b"1"})
    second = commit(fileset, {"a.txt": b"2"}, parent=first.oid)
    with pytest.raises(ParentMoved, match=second.oid) as refused:
        commit(fileset, {"a.txt": b"3"}, parent=first.oid)
    assert refused.value.status == 412
    assert contents(fileset) == {"a.txt": b"2"}


def state(fileset: Fileset) -> tuple[object, ...]:
    return (
        sorted(Ref.objects.values_list("name", "commit__oid")),
        sorted(Commit.objects.values_list("oid", flat=True)),
        filed(fileset),
        sorted(HeldBlob.objects.values_list("blob_id", "committed")),
    )


def test_an_error_at_any_statement_leaves_everything_as_it_was(fileset: Fileset) -> None:
    """The commit is broken off before its first statement, then before its second, until it comes through."""
    commit(fileset, {"a.txt": b"old", "d/b.txt": b"goes"})
    changes = [put(fileset, "a.txt", b"new"), DeleteFolder("d"), put(fileset, "c.txt", b"more")]
    git_ids.fill(Blob.objects.all())
    before = state(fileset)
    for allowed in range(100):
        left = allowed

        def break_off(execute: Any, *arguments: Any) -> Any:
            nonlocal left
            if arguments[0].startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
                return execute(*arguments)
            left -= 1
            if left < 0:
                raise RuntimeError("the power went")
            return execute(*arguments)

        try:
            with queries(break_off):
                history.commit(fileset, "main", changes, title="x")
        except RuntimeError:
            assert state(fileset) == before, f"broken off after {allowed} statements"
        else:
            break
    assert 8 < allowed < 99
    assert contents(fileset) == {"a.txt": b"new", "c.txt": b"more"}
    assert filed(fileset) == treed(fileset)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a//b",
        "./a",
        "a/.",
        "../a",
        "a/../b",
        ".git",
        "a/.git/config",
        "a\\b",
        "a\nb",
        "a\x00",
        "a/",
        "\ud800",
    ],
    ids=range(14),
)
def test_a_path_that_cannot_be_is_refused(fileset: Fileset, path: str) -> None:
    history.settle(fileset)
    sha256 = uploaded(fileset, b"1")
    with pytest.raises(BadRequest):
        history.commit(fileset, "main", [PutFile("fine", sha256), PutFile(path, sha256)], title="x")
    assert not filed(fileset)
    assert Commit.objects.count() == 1


def test_a_path_may_not_be_too_long(fileset: Fileset) -> None:
    for path in ("a" * 256, "ab/" * 400 + "c"):
        with pytest.raises(BadRequest, match="longer"):
            commit(fileset, {path: b""})
    commit(fileset, {"a" * 255: b""})


def test_a_file_cannot_be_where_a_folder_is(fileset: Fileset) -> None:
    commit(fileset, {"a": b"1", "d/e/f": b"2"})
    for path in ("a/b", "a/b/c", "d", "d/e"):
        with pytest.raises(BadRequest):
            commit(fileset, {path: b"3"})
    with pytest.raises(BadRequest):
        commit(fileset, {"x/y": b"3", "x": b"4"})
    history.commit(fileset, "main", [put(fileset, "d", b"5"), DeleteFolder("d")], title="in place of the folder")
    assert contents(fileset) == {"a": b"1", "d": b"5"}


def test_what_is_not_there_cannot_be_deleted(fileset: Fileset) -> None:
    commit(fileset, {"a/b": b"1"})
    for change in (DeleteFile("nope"), DeleteFile("a"), DeleteFolder("nope"), DeleteFolder("a/b")):
        with pytest.raises(EntryMissing, match="A file with this name doesn't exist"):
            history.commit(fileset, "main", [put(fileset, "c", b"2"), change], title="x")
    for bad in (DeleteFile(""), DeleteFolder("/"), DeleteFolder("..")):
        with pytest.raises(BadRequest):
            history.commit(fileset, "main", [bad], title="x")
    assert contents(fileset) == {"a/b": b"1"}


def test_only_content_that_the_fileset_holds_can_be_committed(fileset: Fileset) -> None:
    """Else its hash alone would give what another fileset holds."""
    other = Fileset.objects.create(workspace=fileset.workspace, name="other")
    sha256 = uploaded(other, b"of another")
    with pytest.raises(BadRequest, match=sha256):
        history.commit(fileset, "main", [PutFile("a", sha256)], title="x")
    with pytest.raises(BadRequest, match="holds no content"):
        history.commit(fileset, "main", [PutFile("a", "0" * 64)], title="x")
    assert history.holds(fileset, [sha256, "0" * 64]) == set()
    assert history.holds(other, [sha256, "0" * 64]) == {sha256}


def test_a_fileset_holds_its_files_and_its_history(fileset: Fileset) -> None:
    of_file = local.put(fileset, "a", io.BytesIO(b"by the files API")).etag
    assert history.holds(fileset, [of_file]) == {of_file}
    history.commit(fileset, "main", [PutFile("copy", of_file)], title="x")
    history.commit(fileset, "main", [DeleteFile("copy"), DeleteFile("a")], title="x")
    assert not filed(fileset)
    history.commit(fileset, "main", [PutFile("back", of_file)], title="x")
    assert contents(fileset) == {"back": b"by the files API"}


def test_small_files_have_the_id_of_git_and_large_ones_their_hash(fileset: Fileset, settings: Settings) -> None:
    settings.HUB_LFS_BYTES = 10
    local.put(fileset, "small", io.BytesIO(b"x" * 10))
    local.put(fileset, "large", io.BytesIO(b"x" * 11))
    tree = history.tree_of(history.settle(fileset))
    small, large = tree.get("small"), tree.get("large")
    assert small
    assert large
    assert (small.lfs, small.oid, small.etag) == (False, git_blob_oid(b"x" * 10), git_blob_oid(b"x" * 10))
    assert (large.lfs, large.git_oid, large.etag) == (True, "", large.sha256)
    assert dict(Blob.objects.values_list("size", "git_oid")) == {10: small.oid, 11: ""}, (
        "no second hash of a large file"
    )


def test_whether_a_file_is_large_is_for_the_commit_to_say(fileset: Fileset, settings: Settings) -> None:
    settings.HUB_LFS_BYTES = 3
    changes = [put(fileset, "tiny.parquet", b"x", lfs=True), put(fileset, "big.jsonl", b"long enough")]
    history.commit(fileset, "main", changes, title="x")
    local.put(fileset, "other", io.BytesIO(b"long enough too"))
    tree = history.tree_of(history.settle(fileset))
    assert {entry.path: entry.lfs for entry in tree} == {"big.jsonl": False, "other": True, "tiny.parquet": True}
    assert dict(File.objects.values_list("path", "lfs")) == {entry.path: entry.lfs for entry in tree}


def test_the_git_id_of_a_content_is_kept() -> None:
    blob = blobs.put(io.BytesIO(b"x" * 3_000_000))
    assert history.git_oid(blob) == git_blob_oid(b"x" * 3_000_000)
    blobs.path(blob).unlink()
    assert history.git_oid(Blob.objects.get()) == git_blob_oid(b"x" * 3_000_000)


def test_content_that_the_disk_lost_does_not_hide_the_rest(fileset: Fileset) -> None:
    local.put(fileset, "a", io.BytesIO(b"lost"))
    local.put(fileset, "b", io.BytesIO(b"there"))
    blobs.path(File.objects.get(path="a").blob).unlink()
    tree = history.tree_of(history.settle(fileset))
    assert [(entry.path, entry.lfs) for entry in tree] == [("a", True), ("b", False)]


def test_text_that_no_database_takes_is_refused(fileset: Fileset) -> None:
    for title, message in (("", ""), (" ", ""), ("a\x00", ""), ("a", "\x00"), ("\ud800", "")):
        with pytest.raises(BadRequest):
            history.commit(fileset, "main", [put(fileset, "a", b"1")], title=title, message=message)
    long = "Delete " + "many " * 300
    made = history.commit(fileset, "main", [put(fileset, "a", b"1")], title=long, message="why", author="a" * 200)
    made.refresh_from_db()
    assert len(made.title) == 1000
    assert made.message == f"{long}\n\nwhy"


def test_a_branch_that_is_not_there_takes_no_commit(fileset: Fileset) -> None:
    for name in ("nope", "refs/heads/main", "a\x00", history.settle(fileset).oid):
        with pytest.raises(RevisionMissing):
            commit(fileset, {"a": b"1"}, branch=name)


def test_many_files_in_one_commit_take_few_statements(fileset: Fileset) -> None:
    count = 2000
    made = [Blob(sha256=f"{number:064x}", size=number, git_oid=f"{number:040x}") for number in range(count)]
    Blob.objects.bulk_create(made)
    history.hold(fileset, *made)
    history.settle(fileset)
    ran = 0

    def counted(execute: Any, *arguments: Any) -> Any:
        nonlocal ran
        ran += 1
        return execute(*arguments)

    with queries(counted):
        history.commit(fileset, "main", [PutFile(f"d/{each.size}", each.sha256) for each in made], title="two thousand")
    assert ran < 60
    assert len(treed(fileset)) == len(filed(fileset)) == count
    ran = 0
    with queries(counted):
        history.commit(fileset, "main", [DeleteFolder("d"), PutFile("one", made[0].sha256)], title="all but one")
    assert ran < 30
    assert filed(fileset) == treed(fileset) == {"one": made[0].sha256}


def test_a_job_reads_the_revision_that_it_was_given(fileset: Fileset) -> None:
    pinned = commit(fileset, {"a.jsonl": b'{"n":0}\n', "b.jsonl": b'{"n":1}\n'}).oid
    local.put(fileset, "a.jsonl", io.BytesIO(b'{"n":7}\n{"n":8}\n'))
    local.delete(fileset, "b.jsonl")

    def read(revision: str) -> list[object]:
        inputs = rows.plan_inputs(fileset, revision, "", None)
        return [item["n"] for _, item in rows.stream(fileset, revision, inputs, 0, 9)]

    assert read(pinned) == [0, 1]
    assert read("") == read("main") == [7, 8]
    assert read(pinned) == [0, 1]
    with pytest.raises(rows.FileUnreadable, match="Revision"):
        rows.plan_inputs(fileset, "0" * 40, "", None)


def test_a_path_that_the_commit_lacks_is_named(fileset: Fileset) -> None:
    head = commit(fileset, {"a/b": b"1"})
    entry, place = history.content(head, "a/b")
    assert (entry.size, place.read_bytes()) == (1, b"1")
    for path in ("a", "nope", ""):
        with pytest.raises(EntryMissing):
            history.content(head, path)


def test_results_of_a_job_have_a_history_too(workspace: object) -> None:
    results = Fileset.objects.create(workspace=workspace, name="results", made_by_job=True)
    local.put(results, "results/scores.jsonl", io.BytesIO(b"{}\n"))
    assert contents(results) == {"results/scores.jsonl": b"{}\n"}


def test_a_fileset_goes_with_its_history(fileset: Fileset) -> None:
    commit(fileset, {"a": b"1"})
    history.create_tag(fileset, "v1")
    uploaded(fileset, b"waits")
    gone = Fileset.objects.get()
    deletion.delete(fileset)
    assert not Commit.objects.exists()
    assert not HeldBlob.objects.exists()
    blob = blobs.put(io.BytesIO(b"2"))
    for act in (
        lambda: history.settle(gone),
        lambda: history.commit(gone, "main", [], title="x"),
        lambda: history.create_branch(gone, "dev"),
        lambda: local.put(gone, "a", io.BytesIO(b"")),
    ):
        with pytest.raises(NotFound, match="Fileset 'data' not found in workspace 'w-one'"):
            act()
    assert blob


def test_the_files_api_refuses_as_before(fileset: Fileset, client: APIClient) -> None:
    commit(fileset, {"a": b"1", "d/e": b"2"})
    for path in ("a/b", "d"):
        reply = client.put(f"{FILESETS}/data/-/{path}", b"x", content_type="application/octet-stream")
        assert reply.status_code == 400, path
    with pytest.raises(FileMissing):
        local.delete(fileset, "nope")
    assert not Fileset.objects.get().uncommitted
