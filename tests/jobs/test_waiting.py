"""What a job says while its run waits for a judge."""

import pytest

from assay.jobs.models import LogLine, State
from assay.jobs.shard_run import ShardRun
from assay.workspaces.models import Workspace
from tests.jobs.made import active, job_in

pytestmark = pytest.mark.django_db

WHY = "Waiting for the judge at http://j.example/v1: it answers 503"


def test_job_says_why_it_waits_and_that_it_goes_on(workspace: Workspace) -> None:
    job = active(job_in(workspace), done=1)
    run = ShardRun(job.shards.get(), [], {})
    for why, message in ((None, "Judging"), (WHY, f"{WHY}; 1 rows done"), (None, "Judging 2 rows")):
        run._on_waiting(why)
        run._tell_waiting()
        job.refresh_from_db()
        assert job.message == message
    assert [line.message for line in LogLine.objects.filter(job=job)] == [WHY]


def test_job_that_is_being_cancelled_keeps_its_own_message(workspace: Workspace) -> None:
    job = active(job_in(workspace))
    run = ShardRun(job.shards.get(), [], {})
    type(job).objects.filter(pk=job.pk).update(state=State.CANCELLING, message="Cancelling")
    run._on_waiting(WHY)
    run._tell_waiting()
    job.refresh_from_db()
    assert job.message == "Cancelling"
