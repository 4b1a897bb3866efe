"""What no name leads to any more is let go of, but nothing that anyone may still want."""

import io
from datetime import timedelta

import pytest
from django.db.models import Model
from django.utils import timezone

from assay.filesets import blobs, history, local, prune, tasks
from assay.filesets.models import Blob, Commit, Fileset, HeldBlob
from assay.platform.errors import BadRequest
from tests.filesets.committed import commit, contents, uploaded

pytestmark = pytest.mark.django_db


def age(*models: type[Model], hours: float = 25) -> None:
    """Make what there is look as old as that, in its order."""
    for model in models:
        for row in model._default_manager.all():
            model._default_manager.filter(pk=row.pk).update(created_at=row.created_at - timedelta(hours=hours))


def stored() -> set[bytes]:
    return {blobs.path(blob).read_bytes() for blob in Blob.objects.all()}


def test_an_upload_that_no_commit_came_for_is_forgotten_after_a_day(fileset: Fileset) -> None:
    sha256 = uploaded(fileset, b"never committed")
    commit(fileset, {"a": b"committed"})
    age(Blob, HeldBlob, hours=23)
    assert blobs.sweep() == 0
    assert history.holds(fileset, [sha256])
    age(Blob, HeldBlob, hours=2)
    assert blobs.sweep() == 1
    assert stored() == {b"committed"}
    with pytest.raises(BadRequest, match="Upload it"):
        history.commit(fileset, "main", [history.PutFile("b", sha256)], title="late")


def test_an_upload_that_is_repeated_has_a_day_again(fileset: Fileset) -> None:
    uploaded(fileset, b"twice")
    age(HeldBlob)
    uploaded(fileset, b"twice")
    blobs.sweep()
    assert HeldBlob.objects.get().created_at > timezone.now() - timedelta(hours=1)


def test_history_keeps_its_content_from_the_sweep(fileset: Fileset) -> None:
    first = commit(fileset, {"a": b"old"})
    local.put(fileset, "a", io.BytesIO(b"new"))
    history.settle(fileset)
    age(Blob, HeldBlob, Commit, hours=1000)
    tasks.sweep()
    assert contents(fileset, first.oid) == {"a": b"old"}


def test_commits_of_a_deleted_branch_go_after_a_day_with_what_only_they_held(fileset: Fileset) -> None:
    base = commit(fileset, {"a": b"shared"})
    history.create_branch(fileset, "dev")
    commit(fileset, {"b": b"of dev", "c": b"also on main", "d": b"once on main"}, branch="dev")
    dev = commit(fileset, {"b": b"of dev, later"}, branch="dev")
    once = commit(fileset, {"c": b"also on main", "d": b"once on main"})
    history.commit(fileset, "main", [history.DeleteFile("d")], title="x")
    history.delete_branch(fileset, "dev")
    age(Commit, HeldBlob, Blob, hours=23)
    tasks.sweep()
    assert contents(fileset, dev.oid)["b"] == b"of dev, later"
    age(Commit, HeldBlob, Blob, hours=2)
    tasks.sweep()
    for gone in (dev.oid, dev.parent):
        with pytest.raises(history.RevisionMissing):
            history.resolve(fileset, gone)
    assert contents(fileset, base.oid) == {"a": b"shared"}
    assert contents(fileset) == {"a": b"shared", "c": b"also on main"}
    assert contents(fileset, once.oid)["d"] == b"once on main"
    assert stored() == {b"shared", b"also on main", b"once on main"}


def test_a_tag_keeps_the_commits_behind_it(fileset: Fileset) -> None:
    history.create_branch(fileset, "dev")
    early = commit(fileset, {"b": b"1"}, branch="dev")
    late = commit(fileset, {"b": b"2"}, branch="dev")
    history.create_tag(fileset, "v1", late.oid)
    history.delete_branch(fileset, "dev")
    age(Commit, HeldBlob, Blob)
    assert prune.sweep() == 0
    assert contents(fileset, early.oid) == {"b": b"1"}
    history.delete_tag(fileset, "v1")
    assert prune.sweep() == 2


def test_what_leads_to_a_young_commit_stays_as_long_as_it(fileset: Fileset) -> None:
    history.create_branch(fileset, "dev")
    old = commit(fileset, {"b": b"1"}, branch="dev")
    age(Commit)
    young = commit(fileset, {"b": b"2"}, branch="dev")
    history.delete_branch(fileset, "dev")
    assert prune.sweep() == 0
    assert prune.prune(fileset, timezone.now() - timedelta(days=1)) == 0
    assert history.log(fileset, young.oid)[1] == old


def test_squashing_leaves_one_commit_and_frees_what_only_the_others_held(fileset: Fileset) -> None:
    first = commit(fileset, {"a": b"old", "b": b"stays"})
    commit(fileset, {"a": b"new"})
    history.create_branch(fileset, "dev")
    dev = commit(fileset, {"d": b"of dev"}, branch="dev")
    commit(fileset, {"a": b"newer"})
    history.delete_branch(fileset, "dev")
    head = history.squash(fileset, "main", "One", "for all")
    assert (head.title, head.message, head.parent) == ("One", "for all", "")
    assert history.log(fileset) == [head]
    assert history.resolve(fileset) == head
    assert contents(fileset) == {"a": b"newer", "b": b"stays"}
    assert set(history.last_changes(fileset, head, ["a", "b"]).values()) == {head}
    for gone in (first, dev):
        with pytest.raises(history.RevisionMissing):
            history.resolve(fileset, gone.oid)
    age(HeldBlob, Blob)
    tasks.sweep()
    assert stored() == {b"newer", b"stays"}
    assert commit(fileset, {"c": b"goes on"}).parent == head.oid


def test_squashing_one_branch_leaves_the_history_of_another(fileset: Fileset) -> None:
    first = commit(fileset, {"a": b"1"})
    second = commit(fileset, {"a": b"2"})
    history.create_branch(fileset, "dev")
    local.put(fileset, "b", io.BytesIO(b"from the files API"))
    head = history.squash(fileset, "main", "One")
    assert contents(fileset) == {"a": b"2", "b": b"from the files API"}
    assert [each.oid for each in history.log(fileset, "dev")][:2] == [second.oid, first.oid]
    assert history.log(fileset) == [head]
    with pytest.raises(history.RevisionMissing):
        history.squash(fileset, "nope", "One")
