"""Branches, tags, ids and what they lead to."""

import io

import pytest

from assay.filesets import history, local
from assay.filesets.history import RefExists, RevisionMissing
from assay.filesets.models import Commit, Fileset, Ref
from assay.platform.errors import BadRequest, Forbidden
from tests.filesets.committed import commit, contents, filed

pytestmark = pytest.mark.django_db


def test_a_branch_goes_its_own_way(fileset: Fileset) -> None:
    commit(fileset, {"a": b"1"})
    history.create_branch(fileset, "dev/x")
    commit(fileset, {"b": b"2"}, branch="dev/x")
    commit(fileset, {"c": b"3"})
    assert contents(fileset, "dev/x") == {"a": b"1", "b": b"2"}
    assert contents(fileset) == {"a": b"1", "c": b"3"}
    assert set(filed(fileset)) == {"a", "c"}, "what is not on main is not in the files API"


def test_a_branch_starts_from_any_revision_and_sees_what_the_files_api_changed(fileset: Fileset) -> None:
    first = commit(fileset, {"a": b"1"})
    local.put(fileset, "b", io.BytesIO(b"2"))
    history.create_branch(fileset, "now")
    history.create_branch(fileset, "then", first.oid)
    history.create_tag(fileset, "v1", "then")
    assert set(contents(fileset, "now")) == {"a", "b"}
    assert set(contents(fileset, "then")) == set(contents(fileset, "v1")) == {"a"}
    assert [(ref.kind, ref.name, ref.commit.oid == first.oid) for ref in history.refs(fileset)] == [
        ("branch", "main", False),
        ("branch", "now", False),
        ("branch", "then", True),
        ("tag", "v1", True),
    ]


def test_a_tag_stays_where_it_is(fileset: Fileset) -> None:
    first = commit(fileset, {"a": b"1"})
    history.create_tag(fileset, "v1")
    commit(fileset, {"a": b"2"})
    assert history.resolve(fileset, "v1") == first
    history.delete_tag(fileset, "v1")
    for act in (lambda: history.resolve(fileset, "v1"), lambda: history.delete_tag(fileset, "v1")):
        with pytest.raises(RevisionMissing, match="'v1'"):
            act()


def test_a_branch_comes_before_a_tag_and_both_before_an_id(fileset: Fileset) -> None:
    commits = [commit(fileset, {"n": b"%d" % number}) for number in range(4)]
    name = commits[0].oid[:10]
    assert history.resolve(fileset, name) == commits[0]
    history.create_tag(fileset, name, commits[1].oid)
    assert history.resolve(fileset, name) == commits[1]
    history.create_branch(fileset, name, commits[2].oid)
    assert history.resolve(fileset, name) == history.resolve(fileset, f"refs/heads/{name}") == commits[2]
    assert history.resolve(fileset, f"refs/tags/{name}") == commits[1]
    assert history.resolve(fileset, commits[0].oid) == commits[0]
    history.create_tag(fileset, "main", commits[0].oid)
    assert history.resolve(fileset) == history.resolve(fileset, "refs/heads/main") == commits[3]
    with pytest.raises(RevisionMissing):
        commit(fileset, {"x": b""}, branch="v1")


def test_the_beginning_of_an_id_must_be_long_enough_and_fit_one_only(fileset: Fileset) -> None:
    head = commit(fileset, {"a": b"1"})
    assert history.resolve(fileset, head.oid[:7]) == history.resolve(fileset, head.oid[:39]) == head
    for unknown in (
        head.oid[:6],
        head.oid[:7].upper() + "g",
        f"{head.oid}0",
        "",
        "%",
        "_" * 7,
        "nope",
        "a\x00",
        "\ud800",
    ):
        with pytest.raises(RevisionMissing):
            history.resolve(fileset, unknown)
    twin = head.oid[:12] + "f" * 28
    Commit.objects.create(fileset=fileset, oid=twin, title="twin", author="x", tree=b"")
    with pytest.raises(RevisionMissing):
        history.resolve(fileset, head.oid[:12])
    assert history.resolve(fileset, head.oid[:39]) == head


def test_ids_of_another_fileset_lead_nowhere(fileset: Fileset) -> None:
    head = commit(fileset, {"a": b"1"})
    other = Fileset.objects.create(workspace=fileset.workspace, name="other")
    for revision in (head.oid, head.oid[:10]):
        with pytest.raises(RevisionMissing):
            history.resolve(other, revision)
    assert commit(other, {"a": b"1"}).oid != head.oid


def test_a_name_is_given_once_a_kind(fileset: Fileset) -> None:
    history.create_branch(fileset, "x")
    history.create_tag(fileset, "x")
    for act in (history.create_branch, history.create_tag):
        with pytest.raises(RefExists, match="'x' already exists"):
            act(fileset, "x")
        with pytest.raises(RevisionMissing):
            act(fileset, "y", "nope")
    with pytest.raises(RefExists):
        history.create_branch(fileset, "main")
    assert Ref.objects.count() == 3


BAD = [
    "",
    "a b",
    "a..b",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.",
    "x.lock",
    "a~",
    "a^1",
    "a:b",
    "a?",
    "a*",
    "a[",
    "a\\b",
]
BAD += ["a@{0}", "-a", "refs/heads/a", "a\n", "\x00", "a" * 256, "a" * 40, "\ud800"]


@pytest.mark.parametrize("name", BAD, ids=range(len(BAD)))
def test_a_name_that_git_would_not_take_is_refused(fileset: Fileset, name: str) -> None:
    for act in (history.create_branch, history.create_tag):
        with pytest.raises(BadRequest):
            act(fileset, name)


@pytest.mark.parametrize("name", ["v1.0", "dev/x", "feature/a-b_c", "a@b", "Ünïcode", "a" * 255, "deadbeef", "x.y/z"])
def test_names_that_git_takes(fileset: Fileset, name: str) -> None:
    history.create_tag(fileset, name)
    assert history.resolve(fileset, name) == history.resolve(fileset)


def test_a_deleted_branch_can_still_be_read_by_its_id(fileset: Fileset) -> None:
    history.create_branch(fileset, "dev")
    head = commit(fileset, {"a": b"1"}, branch="dev")
    history.delete_branch(fileset, "dev")
    assert contents(fileset, head.oid) == {"a": b"1"}
    with pytest.raises(RevisionMissing):
        history.delete_branch(fileset, "dev")
    with pytest.raises(Forbidden):
        history.delete_branch(fileset, "main")


def test_the_log_comes_in_pages_that_a_new_commit_does_not_shift(fileset: Fileset) -> None:
    made = [history.settle(fileset), *(commit(fileset, {"n": b"%d" % number}) for number in range(5))]
    history.create_branch(fileset, "dev", made[2].oid)
    beside = commit(fileset, {"x": b""}, branch="dev")
    first = history.log(fileset, limit=2)
    last = commit(fileset, {"n": b"late"})
    second = history.log(fileset, after=first[-1].pk, limit=3)
    third = history.log(fileset, after=second[-1].pk, limit=3)
    assert [*first, *second, *third] == made[::-1]
    assert history.log(fileset, limit=1) == [last]
    assert history.log(fileset, "dev") == [beside, *made[2::-1]]
    assert history.log(fileset, made[0].oid) == [made[0]]
    with pytest.raises(BadRequest):
        history.log(fileset, after=beside.pk)
    with pytest.raises(RevisionMissing):
        history.log(fileset, "nope")


def test_each_file_and_folder_knows_what_changed_it_last(fileset: Fileset) -> None:
    first = commit(fileset, {"a": b"1", "d/b": b"1", "d/e/c": b"1"})
    second = commit(fileset, {"a": b"2", "d/b": b"1"})
    history.create_branch(fileset, "dev")
    commit(fileset, {"a": b"beside", "d/e/c": b"beside"}, branch="dev")
    third = commit(fileset, {"d/b": b"3"})
    local.put(fileset, "a", io.BytesIO(b"4"))
    head = history.settle(fileset)
    asked = ["a", "d", "d/b", "d/e", "d/e/c", "nope", ""]
    assert history.last_changes(fileset, head, asked) == {
        "a": head,
        "d": third,
        "d/b": third,
        "d/e": first,
        "d/e/c": first,
        "": head,
    }
    assert history.last_changes(fileset, second, ["a", "d"]) == {"a": second, "d": first}
