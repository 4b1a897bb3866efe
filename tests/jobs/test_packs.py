"""Whole rows stay what they are, wherever they are kept; and a summary is the same, however it is folded."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import Error, connection
from django.db.models import QuerySet

from assay.filesets import blobs
from assay.jobs import packing, packs
from assay.jobs.custom_results import fold
from assay.jobs.models import Job, JobPart, RowBatch, RowPack, RowScore, Shard, ShardState, State
from assay.jobs.packing import pack, pack_left_overs
from assay.jobs.packs import row_at, row_lines, whole_rows
from assay.jobs.parts import metrics_of
from assay.jobs.stored import from_stored
from assay.workspaces.models import Workspace
from assay_sdk.engine.aggregate import Summary
from tests.jobs.sharded import ROWS, finished, land, sharded_job

pytestmark = pytest.mark.django_db


def shards(job: Job) -> QuerySet[Shard]:
    return job.shards.order_by("index").select_related("job__workspace")


def rows(job: Job, **span: int) -> list[tuple[int, bytes]]:
    return list(whole_rows(job, **span))


def lines(job: Job) -> bytes:
    return b"".join(row_lines(job))


def row_by_row(job: Job) -> dict[str, object]:
    summary = Summary(metrics_of(job))
    for index, scores in RowScore.objects.filter(job=job).order_by("row_index").values_list("row_index", "scores"):
        summary.add(from_stored(index, scores))
    return summary.to_wire()


def test_a_packed_shard_is_one_file_that_any_tool_reads(workspace: Workspace) -> None:
    job = sharded_job(workspace)
    before = rows(job)
    shard = shards(job)[1]
    assert pack(shard)
    with gzip.open(blobs.path(shard.row_pack.blob)) as file:
        assert [json.loads(line)["row_index"] for line in file] == list(range(10, 20))
    assert not RowBatch.objects.filter(shard=shard).exists()
    assert set(RowScore.objects.filter(row_index__range=(10, 19)).values_list("batch", flat=True)) == {None}
    assert rows(job) == before
    assert lines(job) == b"".join(line + b"\n" for _, line in before)
    assert not pack(shard), "there is nothing more to pack"


@pytest.mark.parametrize("member_rows", [1, 3, 100])
def test_any_range_of_rows_comes_in_order(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, member_rows: int
) -> None:
    monkeypatch.setattr(packing, "MEMBER_ROWS", member_rows)
    monkeypatch.setattr(packs, "OPEN_BATCHES", 1)
    monkeypatch.setattr(packs, "ROWS_AT_ONCE", 7)
    landed = [index for index in range(ROWS) if index not in (4, 13, 14)]
    job = sharded_job(workspace, landed=landed)
    before = dict(rows(job))
    assert list(before) == landed
    pack(shards(job)[0])
    pack(shards(job)[1])
    for start, stop in [(0, 30), (3, 6), (9, 21), (12, 16), (29, 30), (13, 15), (40, 50)]:
        assert rows(job, start=start, stop=stop) == [(i, before[i]) for i in landed if start <= i < stop]
    assert [row_at(job, index) for index in (0, 4, 15, 29, 30)] == [before[0], None, before[15], before[29], None]


def test_a_member_ends_where_it_is_large_enough(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MEMBER_BYTES", 1500)
    job = sharded_job(workspace)
    pack(shards(job)[0])
    frames = RowPack.objects.get().frames
    assert len(frames) > 2 and sum(rows for _, _, rows in frames) == 10
    assert [first for first, _, _ in frames[1:]] == [first + rows for first, _, rows in frames[:-1]]


def test_the_same_rows_make_the_same_pack(workspace: Workspace) -> None:
    one, other = sharded_job(workspace), sharded_job(workspace, "j-two")
    pack(shards(one)[0])
    RowScore.objects.filter(job=other).delete()
    RowBatch.objects.filter(job=other).delete()
    land(other, reversed(range(ROWS)))
    pack(shards(other)[0])
    first, second = RowPack.objects.all()
    assert (first.blob, first.frames, bytes(first.folded)) == (second.blob, second.frames, bytes(second.folded))


@contextmanager
def refused(table: str, event: str) -> Iterator[None]:
    """Have the database refuse to do that: a pack that is cut off at that instant."""
    if connection.vendor == "sqlite":
        make = f"CREATE TRIGGER cut BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'cut off'); END"
        drop = "DROP TRIGGER cut"
    else:
        make = (
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'cut off'; END$$;"
            f"CREATE TRIGGER cut BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION cut()"
        )
        drop = "DROP FUNCTION cut CASCADE"
    with connection.cursor() as cursor:
        cursor.execute(make)
        yield
        cursor.execute(drop)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("table", "event"),
    [("jobs_rowpack", "INSERT"), ("jobs_rowscore", "UPDATE"), ("jobs_rowbatch", "DELETE")],
    ids=["before the pack is known", "before the rows are in it", "before the batches go"],
)
def test_a_pack_that_is_cut_off_changes_nothing_and_is_made_again(workspace: Workspace, table: str, event: str) -> None:
    job = sharded_job(workspace)
    before, shard = rows(job), shards(job)[0]
    with refused(table, event), pytest.raises(Error, match="cut off"):
        pack(shard)
    assert not RowPack.objects.exists() and RowBatch.objects.filter(shard=shard).exists()
    assert rows(job) == before
    assert pack(shard)
    assert rows(job) == before


def test_what_is_judged_again_wins_over_the_old_pack_and_is_packed_with_it(workspace: Workspace) -> None:
    job = sharded_job(workspace)
    before = dict(rows(job))
    for shard in shards(job):
        pack(shard)
    old = set(RowPack.objects.values_list("blob_id", flat=True))
    again = [index for index in range(ROWS) if index % 7 == 3]
    RowScore.objects.filter(job=job, row_index__in=again).delete()
    assert [index for index, _ in rows(job)] == [index for index in range(ROWS) if index not in again]
    assert json.loads(b"[" + lines(job).strip().replace(b"\n", b",") + b"]")[3]["row_index"] == 4
    assert fold(job).to_wire() == row_by_row(job), "rows that are being judged again do not count"
    land(job, again, word="again")
    now = dict(rows(job))
    assert {index for index in now if now[index] != before[index]} == set(again)
    assert fold(job).to_wire() == row_by_row(job)
    for shard in shards(job):
        assert pack(shard)
    assert dict(rows(job)) == now
    assert lines(job) == b"".join(line + b"\n" for line in now.values())
    assert fold(job).to_wire() == row_by_row(job)
    assert old.isdisjoint(RowPack.objects.values_list("blob_id", flat=True)), "the sweep finds the old ones unused"


def test_rows_that_land_while_their_shard_is_packed_stay_in_their_batch(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sharded_job(workspace, landed=range(8))
    shard = shards(job)[0]
    put = blobs.put

    def slow_put(*args: object, **also: object) -> object:
        blob = put(*args, **also)  # type: ignore[arg-type]
        land(job, [8, 9])
        return blob

    monkeypatch.setattr(blobs, "put", slow_put)
    assert pack(shard)
    assert [index for index, _ in rows(job)] == list(range(10))
    assert set(RowScore.objects.filter(batch=None).values_list("row_index", flat=True)) == set(range(8))
    assert fold(job).to_wire() == row_by_row(job)


def test_of_two_who_pack_at_once_one_does(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    job = sharded_job(workspace)
    before, shard = rows(job), shards(job)[0]
    put = blobs.put
    made: list[bool | None] = []

    def overtaken(*args: object, **also: object) -> object:
        blob = put(*args, **also)  # type: ignore[arg-type]
        if not made:
            made.append(None)
            made[0] = pack(shard)
        return blob

    monkeypatch.setattr(blobs, "put", overtaken)
    assert not pack(shard)
    assert made == [True] and rows(job) == before


def test_a_reader_does_not_notice_that_rows_are_packed_or_judged_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sharded_job(workspace)
    before = rows(job)
    reading = whole_rows(job)
    found = [next(reading) for _ in range(2)]
    for shard in shards(job):
        pack(shard)
    RowScore.objects.filter(row_index=24).delete()
    land(job, [24], word="again")
    found += reading
    assert [each for each in found if each[0] != 24] == [each for each in before if each[0] != 24]
    assert len(found) == ROWS


def test_a_row_that_is_nowhere_is_told_of(workspace: Workspace) -> None:
    job = sharded_job(workspace)
    pack(shards(job)[0])
    blobs.path(RowPack.objects.get().blob).unlink()
    with pytest.raises(packs.RowLost, match="Row 0 of job w-one/j-one"):
        rows(job)


# Folding


@pytest.mark.parametrize("packed", [[], [0], [1, 2], [0, 1, 2]], ids=str)
def test_the_summary_is_the_same_however_many_shards_are_packed(workspace: Workspace, packed: list[int]) -> None:
    job = sharded_job(workspace, landed=[index for index in range(ROWS) if index != 11])
    expected = row_by_row(job)
    assert len(expected["scores"]) == 4, "with the corpus's score"  # type: ignore[arg-type]
    for index in packed:
        pack(shards(job)[index])
    assert fold(job).to_wire() == expected
    assert fold(job).rows == ROWS - 1


def test_the_summary_of_some_tasks_is_that_of_their_shards(workspace: Workspace) -> None:
    job = sharded_job(workspace)
    job.shards.filter(index=2).update(part=1)
    parts = [JobPart.objects.create(job=job, index=index, name=f"t{index}") for index in range(2)]
    pack(shards(job)[0])
    pack(shards(job)[2])
    assert [fold(job, [part]).rows for part in parts] == [20, 10]
    assert fold(job, []).rows == 0


# The sweep


def test_the_sweep_packs_what_ended_jobs_left_and_leaves_running_ones_alone(workspace: Workspace) -> None:
    running, ended = sharded_job(workspace), sharded_job(workspace, "j-two", landed=range(15))
    running.shards.update(state=ShardState.RUNNING)
    ended.shards.filter(index=1).update(state=ShardState.WAITING)
    before = rows(ended)
    finished(ended)
    Job.objects.filter(pk=ended.pk).update(state=State.CANCELLED)
    assert [pack_left_overs(1) for _ in range(3)] == [1, 1, 0]
    assert not RowBatch.objects.filter(job=ended).exists() and rows(ended) == before
    assert RowBatch.objects.filter(job=running).exists() and not RowPack.objects.filter(job=running).exists()


def test_a_shard_that_cannot_be_packed_does_not_stand_in_the_way(workspace: Workspace) -> None:
    broken, well = sharded_job(workspace), sharded_job(workspace, "j-two")
    RowBatch.objects.filter(shard=shards(broken)[0]).update(content=b"not compressed")
    finished(broken)
    finished(well)
    for _ in range(7):
        pack_left_overs(1)
    assert set(RowBatch.objects.values_list("shard__index", "job__name")) == {(0, "j-one")}
