"""The store of replies as its keeper sees it: counted, pruned, exported, imported."""

import gzip
import io
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from assay.jobs.models import Reply, State
from assay.jobs.recover import tidy
from assay.jobs.replies import fetch
from assay.jobs.replies_kept import NotAnExport, Which, export, import_from, prune, stats
from assay.workspaces import deletion
from assay.workspaces.models import Workspace
from tests.jobs.made import job_in

pytestmark = pytest.mark.django_db


def reply(workspace: Workspace, number: int, *, days: float = 0, job: str = "j", **fields: Any) -> Reply:
    body = zlib.compress(b"reply %03d" % number)
    given = {"model": "m", "address": "http://judge", "body": body, "row_index": number, **fields}
    at = timezone.now() - timedelta(days=days)
    return Reply.objects.create(workspace=workspace, key=bytes([number]) * 32, job_uid=job, created_at=at, **given)


@pytest.fixture
def other(db: None) -> Workspace:
    return Workspace.objects.create(name="w-two")


def exported(which: Which | None = None) -> bytes:
    file = io.BytesIO()
    export(which or Which(), file)
    return file.getvalue()


def test_what_is_kept_is_counted_by_workspace_and_model(workspace: Workspace, other: Workspace) -> None:
    old, new = reply(workspace, 1, days=3), reply(workspace, 2)
    reply(workspace, 3, model="n")
    reply(other, 1)
    found = stats(Which())
    assert [(line.workspace, line.model, line.replies) for line in found] == [
        ("w-one", "m", 2), ("w-one", "n", 1), ("w-two", "m", 1),
    ]  # fmt: skip
    assert (found[0].oldest, found[0].newest) == (old.created_at, new.created_at)
    assert found[0].bytes == len(old.body) + len(new.body)
    assert len(stats(Which(model="n"))) == 1


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (Which(older_than=timedelta(days=30)), {1, 2, 3}),
        (Which(model="n"), {1, 2, 4}),
        (Which(workspace="w-one"), set()),
        (Which(workspace="w-two"), {1, 2, 3, 4}),
        (Which(workspace="w-one", older_than=timedelta(days=5)), {1, 2}),
    ],
    ids=["age", "model", "workspace", "another workspace", "both"],
)
def test_pruning_takes_what_it_is_told_to(workspace: Workspace, other: Workspace, which: Which, left: set[int]) -> None:
    for number, days, model in ((1, 0, "m"), (2, 1, "m"), (3, 10, "n"), (4, 40, "m")):
        reply(workspace, number, days=days, model=model)
    assert prune(which)[0] == 4 - len(left)
    assert set(Reply.objects.values_list("row_index", flat=True)) == left


def test_pruning_to_a_size_takes_the_oldest(workspace: Workspace) -> None:
    size = len(reply(workspace, 1, days=1).body)
    for number in range(2, 11):
        reply(workspace, number, days=number)
    assert prune(Which(), keep_bytes=3 * size) == (7, 7 * size)
    assert set(Reply.objects.values_list("row_index", flat=True)) == {1, 2, 3}
    assert prune(Which(), keep_bytes=3 * size) == (0, 0)


def test_replies_of_a_job_under_way_stay(workspace: Workspace) -> None:
    running, ended = job_in(workspace, state=State.ACTIVE), job_in(workspace, "j-two", state=State.COMPLETED)
    reply(workspace, 1, job=running.uid)
    reply(workspace, 2, job=ended.uid)
    assert prune(Which())[0] == 1
    assert Reply.objects.get().job_uid == running.uid


def test_what_is_exported_answers_the_same_questions_elsewhere(workspace: Workspace, other: Workspace) -> None:
    for number in range(3):
        reply(workspace, 7, job=f"j-{number}", body=zlib.compress(b"draw %d" % number))
    reply(workspace, 8, status=400)
    reply(workspace, 9, private=True)
    content = exported()
    assert import_from(io.BytesIO(content), workspace=other) == (4, 4)
    found = fetch(other.pk, [bytes([number]) * 32 for number in (7, 8, 9)])
    assert [zlib.decompress(draw.body) for draw in found[b"\7" * 32]] == [b"draw 0", b"draw 1", b"draw 2"]
    assert found[b"\10" * 32][0].status == 400
    assert b"\11" * 32 not in found, "what a job keeps to itself is not handed on"
    assert import_from(io.BytesIO(content), workspace=other) == (4, 0), "again, nothing is new"
    Reply.objects.filter(workspace=workspace).delete()
    assert import_from(io.BytesIO(content)) == (4, 4), "to the workspace of that name"


def test_an_export_can_be_of_a_part(workspace: Workspace, other: Workspace) -> None:
    reply(workspace, 1)
    reply(other, 2)
    assert len(gzip.decompress(exported(Which(workspace="w-two"))).splitlines()) == 2
    Workspace.objects.filter(pk=other.pk).delete()
    assert not Reply.objects.filter(row_index=2).exists(), "replies go with their workspace"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b'{"prompt": "a"}\n', "The first line"),
        (b"", "The first line"),
        (b'{"assay_replies": 1}\n{"key": "zz"}\n', "Line 2"),
        (b'{"assay_replies": 1}\n[1]\n', "Line 2 is no JSON object"),
        (b'{"assay_replies": 1}\n{"workspace": "w-none", "key": ""}\n', "workspace 'w-none', which is not here"),
    ],
    ids=["other file", "empty", "no reply", "no object", "no workspace"],
)
def test_what_is_no_export_is_not_imported(workspace: Workspace, lines: bytes, told: str) -> None:
    with pytest.raises(NotAnExport, match=told):
        import_from(io.BytesIO(gzip.compress(lines)))
    with pytest.raises(NotAnExport, match="cannot be unpacked"):
        import_from(io.BytesIO(b"plain text"))
    cut = gzip.compress(b'{"assay_replies": 1}\n' * 3)[:-9]
    with pytest.raises(NotAnExport):
        import_from(io.BytesIO(cut))
    assert not Reply.objects.exists()


def test_the_command_line(workspace: Workspace, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    reply(workspace, 1, days=40)
    reply(workspace, 2)
    file = tmp_path / "replies.jsonl.gz"
    call_command("replies", "export", str(file))
    assert file.stat().st_mode & 0o077 == 0, "nobody else reads it"
    call_command("replies", "prune", "--older-than", "30d")
    call_command("replies", "import", str(file))
    call_command("replies", "stats")
    told = capsys.readouterr().out
    assert "1 replies deleted" in told and "2 replies read, 2 of them new." in told
    assert "w-one  m  3 replies" in told
    with pytest.raises(CommandError, match="Say what"):
        call_command("replies", "prune")
    with pytest.raises(CommandError, match="no span of time"):
        call_command("replies", "prune", "--older-than", "soon")
    with pytest.raises(CommandError, match="no workspace 'w-none'"):
        call_command("replies", "stats", "--workspace", "w-none")
    with pytest.raises(CommandError, match="cannot be unpacked"):
        call_command("replies", "import", __file__)


def test_what_a_deleted_job_kept_for_itself_is_tidied_away(workspace: Workspace) -> None:
    alone = job_in(workspace, "j-alone", uses_cache=False, state=State.COMPLETED)
    sharing = job_in(workspace, "j-sharing", state=State.COMPLETED)
    reply(workspace, 1, job=alone.uid, private=True)
    reply(workspace, 2, job=sharing.uid)
    deletion.delete(alone)
    deletion.delete(sharing)
    tidy()
    assert [kept.row_index for kept in Reply.objects.all()] == [2]
