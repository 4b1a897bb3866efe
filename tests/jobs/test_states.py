"""The life of a job: only legal moves, each made once, and told in the same words everywhere."""

from pathlib import Path

import pytest

from assay.jobs.control import cancel, pause, resume
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.plan import plan
from assay.jobs.states import MOVES, TERMINAL, move
from assay.workspaces.models import Workspace
from tests.jobs.made import job_in

ROOT = Path(__file__).resolve().parent.parent.parent


def in_state(workspace: Workspace, state: State, name: str = "j-one") -> Job:
    return job_in(workspace, name, state=state)


def test_the_guide_names_exactly_the_states_that_there_are() -> None:
    guide = (ROOT / "docs" / "job-life.md").read_text()
    named = {
        word.strip() for line in guide.splitlines() if line.startswith("| ") for word in line.split("|")[1].split(",")
    }
    assert set(State.values) == named - {"State"}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("to", list(State))
def test_a_job_moves_only_where_the_table_lets_it(workspace: Workspace, state: State, to: State) -> None:
    job = in_state(workspace, state)
    moved = move(job, to, only=state)
    assert moved == (to in MOVES[state])
    assert job.state == (to if moved else state), "the value at hand is brought up to date either way"


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_nobody_revives_a_job_in_passing(workspace: Workspace, state: State) -> None:
    job = in_state(workspace, state)
    assert not any(move(job, to) for to in State)
    assert job.state == state


def test_of_two_who_end_a_job_one_does(workspace: Workspace) -> None:
    job = in_state(workspace, State.ACTIVE)
    other = Job.objects.get(pk=job.pk)
    assert move(job, State.COMPLETED)
    assert not move(other, State.ERROR, error="too late")
    assert (other.state, other.error) == (State.COMPLETED, "")


@pytest.mark.parametrize("state", [State.CREATED, State.PENDING, State.PAUSED])
def test_cancel_is_immediate_where_nothing_runs(workspace: Workspace, state: State) -> None:
    job = in_state(workspace, state)
    assert cancel(job).state == State.CANCELLED
    job.refresh_from_db()
    assert job.finished_at is not None


def test_cancel_waits_for_the_shard_that_runs(workspace: Workspace) -> None:
    job = in_state(workspace, State.ACTIVE)
    Shard.objects.create(job=job, index=0, start=0, stop=2, state=ShardState.RUNNING)
    assert cancel(job).state == State.CANCELLING


@pytest.mark.parametrize("state", sorted(TERMINAL))
@pytest.mark.parametrize("ask", [cancel, pause, resume])
def test_nothing_changes_a_job_that_has_ended(workspace: Workspace, state: State, ask: object) -> None:
    job = in_state(workspace, state)
    assert ask(job).state == state  # type: ignore[operator]


def test_a_paused_job_goes_on_from_where_it_was(workspace: Workspace) -> None:
    unplanned, planned = (in_state(workspace, State.PAUSED, name) for name in ("j-one", "j-two"))
    Shard.objects.create(job=planned, index=0, start=0, stop=2)
    assert resume(unplanned).state == State.CREATED
    assert resume(planned).state == State.PENDING


def test_planning_does_not_wake_a_job_that_was_paused_meanwhile(workspace: Workspace) -> None:
    planner = in_state(workspace, State.CREATED)
    pause(Job.objects.get(pk=planner.pk))
    assert not plan(planner)
    assert Job.objects.get(pk=planner.pk).state == State.PAUSED
    assert not Shard.objects.filter(job=planner).exists()
