"""What a rerun takes back and what it leaves alone, row by row and reply by reply."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from assay.jobs.leases import LeaseLost, claim_shard, renew_shard
from assay.jobs.models import Job, LogLine, Reply, RowScore, Shard, ShardState, State, Usage
from assay.jobs.packs import row_lines
from assay.jobs.rerun import rerun_failed
from assay.platform.errors import Conflict, NotFound
from assay.workspaces.models import Workspace
from tests.jobs.made import AGGREGATES, completed, job_in, judged

pytestmark = pytest.mark.django_db
SPENT = b"s" * 32
LOST = b"l" * 32


def ended(workspace: Workspace, scored: str, name: str = "j-one", *, size: int = 2, **fields: Any) -> Job:
    """Return an ended job, of which row n is scored (``+``), lacks a score (``-``) or was never judged (``.``).

    Shards are of ``size`` rows, done where all of their rows are stored.
    """
    job = job_in(workspace, name, **{"state": State.COMPLETED, "finished_at": timezone.now(), **fields})
    for row, mark in enumerate(scored):
        if mark != ".":
            judged(job, row)
    for index, start in enumerate(range(0, len(scored), size)):
        part = scored[start : start + size]
        state = ShardState.WAITING if "." in part else ShardState.DONE
        span = {"start": start, "stop": start + len(part), "state": state, "token": 1}
        Shard.objects.update_or_create(job=job, index=index, defaults=span)
    lost = [row for row, mark in enumerate(scored) if mark == "-"]
    RowScore.objects.filter(job=job, row_index__in=lost).update(scored=False, doubtful=SPENT + LOST)
    counts = {"rows_total": len(scored), "rows_done": len(scored) - scored.count("."), "rows_failed": len(lost)}
    Job.objects.filter(pk=job.pk).update(**counts)
    job.refresh_from_db()
    return job


def reply(job: Job, row: int, key: bytes, **fields: Any) -> Reply:
    given = {"workspace": job.workspace, "model": "m", "address": "http://j", "body": b"", "job_uid": job.uid}
    return Reply.objects.create(row_index=row, key=key, **{**given, **fields})


def shards(job: Job) -> list[tuple[str, int]]:
    return list(Shard.objects.filter(job=job).order_by("index").values_list("state", "token"))


def test_only_what_has_no_score_is_open_again(workspace: Workspace) -> None:
    job = rerun_failed(ended(workspace, "++-+.-++", rows_failed=2))
    assert (job.state, job.rows_total, job.rows_done, job.rows_failed, job.reruns) == (State.PENDING, 8, 5, 0, 1)
    assert (job.error, job.finished_at) == ("", None)
    assert job.message == "Rerun: waiting for a worker to judge 3 of 8 rows"
    assert list(RowScore.objects.filter(job=job).values_list("row_index", flat=True)) == [0, 1, 3, 6, 7]
    assert shards(job) == [("done", 1), ("waiting", 2), ("waiting", 2), ("done", 1)]
    assert LogLine.objects.get(job=job).message == (
        "Rerun requested: 2 rows without a score, and 1 that it never came to."
    )
    assert len(b"".join(row_lines(job)).splitlines()) == 5, "what is left can be read meanwhile"
    shard = claim_shard(job.pk)
    assert shard is not None and (shard.start, shard.barren_claims) == (2, 1)


def test_the_replies_behind_what_was_lost_are_forgotten_and_no_others(workspace: Workspace) -> None:
    job, other = ended(workspace, "-+"), ended(workspace, "++", "j-two")
    elsewhere = ended(Workspace.objects.create(name="w-two"), "++", "j-three")
    gone = {reply(job, 0, SPENT).pk, reply(job, 0, LOST).pk, reply(other, 0, LOST).pk}
    stay = {
        reply(job, 0, b"good".ljust(32)).pk,  # another metric's of the same row
        reply(job, 1, LOST).pk,  # another row's, which got a score out of it
        reply(other, 1, LOST, private=True).pk,  # nobody else is given it
        reply(elsewhere, 0, LOST).pk,
    }
    rerun_failed(job)
    assert set(Reply.objects.values_list("pk", flat=True)) == stay
    assert not gone & stay


@pytest.mark.parametrize("state", [State.CANCELLED, State.ERROR])
def test_a_job_that_was_never_planned_begins_anew(workspace: Workspace, state: State) -> None:
    job = job_in(workspace, state=state, error="No such fileset.", barren_claims=12)
    assert rerun_failed(job).state == State.CREATED
    assert (job.error, job.rows_total, job.barren_claims) == ("", None, 0)


def test_a_job_that_only_could_not_be_finished_is_finished_again(workspace: Workspace) -> None:
    job = rerun_failed(ended(workspace, "++++", state=State.ERROR, error="The disk was full."))
    assert job.state == State.PENDING and job.rows_done == 4
    assert shards(job) == [("done", 1), ("done", 1)]


def test_where_every_row_is_scored_there_is_nothing_to_do(workspace: Workspace) -> None:
    job = ended(workspace, "++++")
    with pytest.raises(Conflict, match="Every row of job 'j-one' is fully scored"):
        rerun_failed(job)
    job.refresh_from_db()
    assert (job.state, job.reruns) == (State.COMPLETED, 0)


@pytest.mark.parametrize("state", [state for state in State if state not in ("completed", "error", "cancelled")])
def test_a_job_that_has_not_ended_is_not_rerun(workspace: Workspace, state: State) -> None:
    job = ended(workspace, "+-", state=state)
    with pytest.raises(Conflict, match=f"is {state}: a rerun is for jobs that have ended"):
        rerun_failed(job)
    assert RowScore.objects.filter(job=job).count() == 2


def test_a_second_caller_finds_it_done(workspace: Workspace) -> None:
    first = ended(workspace, "+-")
    second = Job.objects.get(pk=first.pk)
    rerun_failed(first)
    with pytest.raises(Conflict, match="is pending"):
        rerun_failed(second)
    first.delete()
    with pytest.raises(NotFound):
        rerun_failed(second)


def test_a_job_whose_budget_is_used_up_is_not_rerun(workspace: Workspace) -> None:
    job = ended(workspace, "+-", budget_tokens=5)
    Usage.objects.create(job=job, model="m", address="http://j", tokens_in=5)
    with pytest.raises(Conflict, match="its budget is used up"):
        rerun_failed(job)
    assert RowScore.objects.filter(job=job).count() == 2


def test_shards_that_still_stop_are_waited_for_and_a_late_writer_is_refused(workspace: Workspace) -> None:
    job = ended(workspace, "-.", state=State.ERROR)
    lease = timezone.now() + timedelta(seconds=0.3)
    Shard.objects.filter(job=job).update(state=ShardState.RUNNING, lease_until=lease)
    late = Shard.objects.get(job=job)
    rerun_failed(job)
    assert shards(job) == [("waiting", 2)]
    with pytest.raises(LeaseLost):
        renew_shard(late)


def test_results_of_before_stay_readable_meanwhile(client: APIClient, workspace: Workspace) -> None:
    results = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/j-one/results"
    job = completed(job_in(workspace))
    Job.objects.filter(pk=job.pk).update(pending_at=job.created_at)
    RowScore.objects.filter(job=job, row_index=1).update(scored=False)
    assert client.post(f"{results.removesuffix('/results')}/rerun-failed").json()["status"] == "pending"
    shown = client.get(f"{results}/aggregate-scores/download")
    assert shown.status_code == 200 and b"".join(shown.streaming_content)
    assert client.get(f"{results}/aggregate-scores").status_code == 200
    assert AGGREGATES["scores"]
    never = job_in(workspace, "j-two", state=State.CANCELLED)
    rerun_failed(never)
    assert client.get(f"{results.replace('j-one', 'j-two')}").json() == {"data": []}


def test_through_the_door(client: APIClient, workspace: Workspace) -> None:
    base = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
    ended(workspace, "+-")
    reply = client.post(f"{base}/j-one/rerun-failed")
    assert (reply.status_code, reply.json()["status"], reply.json()["error_details"]) == (200, "pending", None)
    again = client.post(f"{base}/j-one/rerun-failed")
    assert again.status_code == 409 and again.headers["x-should-retry"] == "false"
    assert client.post(f"{base}/j-none/rerun-failed").status_code == 404
    assert client.delete(f"{base}/j-one").status_code == 409, "it has not ended any more"
