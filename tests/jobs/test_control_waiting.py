"""One line for every unfinished job: why it is where it is, and when it is next looked at."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from assay.jobs.attendance import Attendance, beat, leave, present
from assay.jobs.control import cancel, pause
from assay.jobs.models import Job, Shard, ShardState, State, Worker
from assay.jobs.waiting import Waiting, waiting_of
from assay.workspaces.models import Workspace
from tests.jobs.made import active, completed, job_in

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(seconds=30)


def told(job: Job) -> Waiting:
    found = waiting_of(Job.objects.get(pk=job.pk))
    assert found is not None
    if found.next_look_at is not None:
        assert found.next_look_at > timezone.now()
        assert found.next_look_at - timezone.now() < timedelta(seconds=12)
    return found


def pending(workspace: Workspace, name: str = "j-one", **fields: Any) -> Job:
    job = job_in(workspace, name, state=State.PENDING, rows_total=2, **fields)
    Shard.objects.create(job=job, index=0, start=0, stop=2)
    return job


def running(job: Job, *, left: float = 6.0, worker: str = "host:7:8") -> Job:
    until = timezone.now() + timedelta(seconds=left)
    Shard.objects.filter(job=job).update(state=ShardState.RUNNING, lease_until=until, worker=worker)
    return job


def test_nobody_is_there_to_work(workspace: Workspace) -> None:
    Worker.objects.create(name="gone:1", seen_at=timezone.now() - LONG_AGO, threads=8)
    assert "Waiting to plan it: no worker was seen for 15 s" in told(job_in(workspace, rung_at=timezone.now())).why
    assert "Waiting to judge 1 of its 1 shards: no worker" in told(pending(workspace, "j-two")).why


def test_all_who_are_there_are_busy(workspace: Workspace) -> None:
    beat("host:7", 1)
    running(active(job_in(workspace, "j-busy")))
    assert "all workers are busy, with 1 shards of other jobs" in told(pending(workspace)).why


def test_it_was_called_a_moment_ago_or_long_ago(workspace: Workspace) -> None:
    beat("host:7", 8)
    assert "a worker has been called" in told(pending(workspace, rung_at=timezone.now())).why
    late = pending(workspace, "j-two", rung_at=timezone.now() - LONG_AGO)
    assert "no worker came when it was called; it will be called again" in told(late).why


def test_it_is_planned_and_finished_by_one(workspace: Workspace) -> None:
    soon = timezone.now() + timedelta(seconds=5)
    assert "it is being planned" in told(job_in(workspace, lease_until=soon)).why
    done = pending(workspace, "j-two", lease_until=soon)
    Shard.objects.filter(job=done).update(state=ShardState.DONE)
    assert "it is being finished" in told(done).why
    Job.objects.filter(pk=done.pk).update(lease_until=None)
    assert "Waiting to write its results" in told(done).why


def test_it_is_judged(workspace: Workspace) -> None:
    assert told(running(active(job_in(workspace)))).why == "Judging"
    Job.objects.update(message="Waiting for the judge at http://j/v1: it answers 503; 1 rows done")
    assert "it answers 503" in told(Job.objects.get()).why


def test_whoever_judges_it_has_died(workspace: Workspace) -> None:
    found = told(running(active(job_in(workspace)), left=2.0, worker="host:9:1"))
    assert found.why.startswith("Worker host:9:1 has been silent for 4 s: its rows 0 to 1 go to another at ")


def test_a_stop_that_was_asked_for(workspace: Workspace) -> None:
    job = running(active(job_in(workspace)))
    pause(job)
    assert "It is being paused: 1 shards have calls in flight" in told(job).why
    cancel(job)
    assert "It is being cancelled" in told(job).why


def test_a_paused_job_waits_for_its_user_and_says_why(workspace: Workspace) -> None:
    by_user = pause(job_in(workspace))
    assert told(by_user) == Waiting("Paused; resume to go on", None)
    over = job_in(workspace, "j-two", pause_reason="its budget is used up")
    pause(over)
    assert told(over) == Waiting("Paused: its budget is used up", None)


def test_an_ended_job_waits_for_nothing(workspace: Workspace) -> None:
    assert waiting_of(completed(job_in(workspace))) is None


def test_the_progress_says_it_too(client: APIClient, workspace: Workspace) -> None:
    pending(workspace)
    found = client.get("/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/j-one/progress").json()
    assert "no worker was seen" in found["waiting"]["why"] and found["waiting"]["next_look_at"]


def test_who_is_there_says_so_and_is_forgotten(workspace: Workspace) -> None:
    Worker.objects.create(name="old:1", seen_at=timezone.now() - timedelta(hours=2))
    beat("host:1", 4)
    beat("host:1", 6)
    assert [(worker.name, worker.threads) for worker in present()] == [("host:1", 6)]
    assert Worker.objects.count() == 1, "who was silent for an hour is forgotten"
    leave("host:1")
    assert not Worker.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_process_attends_from_beginning_to_end() -> None:
    attendance = Attendance(threads=3)
    beat(attendance.name, 1)  # as one with the same name did before
    attendance.begin()
    attendance.end()
    assert not Worker.objects.exists()
