"""Who may judge a shard: one worker at a time, for as long as it renews its lease."""

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from assay.jobs import recover
from assay.jobs.leases import (
    BARREN_CLAIMS,
    Exhausted,
    LeaseLost,
    claim_shard,
    job_lease,
    release_shard,
    renew_shard,
    share_of,
)
from assay.jobs.models import Job, Shard, ShardState, State
from assay.workspaces.models import Workspace
from tests.jobs.made import job_in

PAST = timedelta(seconds=-1)


@pytest.fixture
def job(workspace: Workspace) -> Job:
    return planned(workspace)


def planned(workspace: Workspace, shards: int = 1, **fields: object) -> Job:
    job = job_in(workspace, state=State.PENDING, **fields)
    Shard.objects.bulk_create(Shard(job=job, index=n, start=n * 10, stop=n * 10 + 10) for n in range(shards))
    return job


def let_lapse(shard: Shard) -> None:
    Shard.objects.filter(pk=shard.pk).update(lease_until=timezone.now() + PAST)


def test_the_first_claim_starts_the_job_and_the_second_finds_nothing(job: Job) -> None:
    shard = claim_shard(job.pk)
    assert shard is not None
    assert (shard.state, shard.token) == (ShardState.RUNNING, 1)
    job.refresh_from_db()
    assert job.state == State.ACTIVE
    assert claim_shard(job.pk) is None


@pytest.mark.parametrize(("parallelism", "at_once"), [(1, 1), (3, 3), (64, 4)])
def test_shards_share_the_parallelism_of_their_job(workspace: Workspace, parallelism: int, at_once: int) -> None:
    job = planned(workspace, shards=6, parallelism=parallelism)
    claimed = [claim_shard(job.pk) for _ in range(6)]
    assert [shard.index for shard in claimed if shard] == list(range(at_once))


@pytest.mark.parametrize("state", [State.CREATED, State.PAUSED, State.CANCELLING, State.COMPLETED])
def test_nothing_is_claimed_of_a_job_that_does_not_run(job: Job, state: State) -> None:
    Job.objects.filter(pk=job.pk).update(state=state)
    assert claim_shard(job.pk) is None


def test_a_worker_that_was_taken_for_dead_may_write_no_more(job: Job) -> None:
    slow = claim_shard(job.pk)
    assert slow is not None
    let_lapse(slow)
    taken = claim_shard(job.pk)
    assert taken is not None
    assert taken.token == slow.token + 1
    with pytest.raises(LeaseLost):
        renew_shard(slow)
    assert not release_shard(slow, ShardState.DONE)
    taken.refresh_from_db()
    assert taken.state == ShardState.RUNNING


def test_a_lease_that_is_renewed_keeps_others_out(job: Job) -> None:
    shard = claim_shard(job.pk)
    assert shard is not None
    let_lapse(shard)
    renew_shard(shard)
    assert claim_shard(job.pk) is None


def test_one_worker_plans_or_finishes_at_a_time(job: Job) -> None:
    with job_lease(job) as held:
        assert held
        with job_lease(job) as also:
            assert not also
    with job_lease(job) as again:
        assert again


def test_the_sweep_frees_the_shard_of_a_dead_worker_and_rings(job: Job) -> None:
    shard = claim_shard(job.pk)
    assert shard is not None
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now())
    assert recover.sweep() == 0, "a shard that is held is left alone"
    let_lapse(shard)
    assert recover.sweep() == 1
    shard.refresh_from_db()
    assert shard.state == ShardState.WAITING


def test_the_sweep_rings_for_a_job_whose_message_was_lost(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now())
    assert recover.sweep() == 0, "it has just been rung for"
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now() - timedelta(minutes=1))
    assert recover.sweep() == 1


def test_the_sweep_completes_a_cancel_whose_worker_died(job: Job) -> None:
    shard = claim_shard(job.pk)
    assert shard is not None
    Job.objects.filter(pk=job.pk).update(state=State.CANCELLING)
    let_lapse(shard)
    recover.sweep()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_the_sweep_rings_for_the_workers_that_a_job_lacks(workspace: Workspace) -> None:
    job = planned(workspace, shards=6, parallelism=8)
    assert claim_shard(job.pk) is not None
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now() - timedelta(minutes=1))
    assert recover.sweep() == 1, "one of four runs"
    for _ in range(3):
        assert claim_shard(job.pk) is not None
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now() - timedelta(minutes=1))
    assert recover.sweep() == 0, "as many run as may"


def test_a_shard_that_workers_do_not_survive_is_given_up(job: Job) -> None:
    for _ in range(BARREN_CLAIMS):
        shard = claim_shard(job.pk)
        assert shard is not None
        let_lapse(shard)
    with pytest.raises(Exhausted, match="Rows 0 to 9 were begun 12 times"):
        claim_shard(job.pk)


def test_a_claim_that_bore_fruit_starts_the_count_anew(job: Job) -> None:
    for _ in range(BARREN_CLAIMS):
        shard = claim_shard(job.pk)
        assert shard is not None
        renew_shard(shard, fruitful=False)
        let_lapse(shard)
    Shard.objects.filter(job=job).update(barren_claims=BARREN_CLAIMS - 1)
    shard = claim_shard(job.pk)
    assert shard is not None
    renew_shard(shard, fruitful=True)
    let_lapse(shard)
    assert claim_shard(job.pk) is not None


def test_a_job_that_workers_do_not_survive_planning_is_given_up(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(barren_claims=BARREN_CLAIMS)
    with pytest.raises(Exhausted, match="the worker ended at it"), job_lease(job):
        pass


def test_a_job_that_was_planned_is_not_counted(job: Job) -> None:
    for _ in range(BARREN_CLAIMS + 1):
        with job_lease(job) as held:
            assert held
    job.refresh_from_db()
    assert job.barren_claims == 0


def test_a_new_worker_frees_what_dead_ones_of_its_machine_held(workspace: Workspace) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    names = [f"{host}:{gone.pid}:1", f"{host}:{os.getppid()}:1", f"elsewhere:{gone.pid}:1"]
    job = planned(workspace, shards=3, parallelism=8)
    for name in names:
        shard = claim_shard(job.pk)
        assert shard is not None
        Shard.objects.filter(pk=shard.pk).update(worker=name)
    recover.take_over()
    states = list(Shard.objects.filter(job=job).order_by("index").values_list("state", flat=True))
    assert states == [ShardState.WAITING, ShardState.RUNNING, ShardState.RUNNING]


@pytest.mark.parametrize(("done", "shares"), [(0, [3, 3, 2, 2]), (4, [5, 5])])
def test_shards_have_the_whole_parallelism_between_them(workspace: Workspace, done: int, shares: list[int]) -> None:
    job = planned(workspace, shards=6, parallelism=10)
    Shard.objects.filter(job=job, index__lt=done).update(state=ShardState.DONE)
    claimed = [shard for _ in range(6) if (shard := claim_shard(job.pk))]
    assert [share_of(shard, 10)[0] for shard in claimed] == shares


def test_a_lower_parallelism_leaves_some_shards_nothing(workspace: Workspace) -> None:
    job = planned(workspace, shards=6, parallelism=8)
    claimed = [shard for _ in range(6) if (shard := claim_shard(job.pk))]
    assert [share_of(shard, 2)[0] for shard in claimed] == [1, 1, 0, 0]
