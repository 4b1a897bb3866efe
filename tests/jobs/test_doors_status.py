"""The status of a job, and its steps and tasks, which are read off its state."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from assay.filesets.models import Fileset
from assay.jobs.models import Job, State
from assay.workspaces.models import Workspace
from tests.jobs.made import active, completed, job_in

pytestmark = pytest.mark.django_db
EVALUATIONS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
JOBS = "/apis/jobs/v2/workspaces/w-one/jobs"


def status(client: APIClient, name: str = "j-one") -> dict[str, Any]:
    reply = client.get(f"{EVALUATIONS}/{name}/status")
    assert reply.status_code == 200, reply.content
    assert reply.json() == client.get(f"{JOBS}/{name}/status").json()
    return dict(reply.json())


def test_status_is_one_query_and_leaves_the_spec_alone(client: APIClient, workspace: Workspace) -> None:
    active(job_in(workspace))
    with CaptureQueriesContext(connection) as queries:
        client.get(f"{EVALUATIONS}/j-one/status")
    assert len(queries) == 1
    for column in ("spec", "metrics", "custom_fields", "forms"):
        assert f'"jobs_job"."{column}"' not in queries[0]["sql"]


def test_a_job_on_its_way(client: APIClient, workspace: Workspace) -> None:
    job = job_in(workspace)
    created = status(client)
    assert set(created) == {
        "id", "name", "status", "status_details", "error_details", "steps", "created_at", "updated_at",
    }  # fmt: skip
    assert (created["status"], created["status_details"], created["error_details"]) == ("created", {}, None)
    assert [step["tasks"] for step in created["steps"]] == [[]]

    active(job, done=1)
    running = status(client)
    assert running["status_details"] == {
        "message": "Judging",
        "progress": 50.0,
        "samples_processed": 1,
        "samples_total": 2,
    }
    step = running["steps"][0]
    assert (step["name"], step["status"], step["error_details"]) == ("evaluate", "active", {})
    assert [task["status"] for task in step["tasks"]] == ["active"]
    assert step["id"] == created["steps"][0]["id"]

    completed(job)
    assert status(client)["status_details"] == {
        "message": "Completed: 2 rows scored",
        "progress": 100.0,
        "samples_processed": 2,
        "samples_total": 2,
    }


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_status(client: APIClient, workspace: Workspace, state: State) -> None:
    job_in(workspace, state=state)
    assert status(client)["status"] == state.value
    assert client.get(f"{JOBS}/j-one/steps").json()["data"][0]["status"] == state.value


def test_a_failed_job_says_why_at_every_level(client: APIClient, workspace: Workspace) -> None:
    job_in(workspace, state=State.ERROR, error="Fileset 'w-one/f' not found.", finished_at=timezone.now())
    told = {"message": "Fileset 'w-one/f' not found."}
    failed = status(client)
    assert failed["error_details"] == failed["steps"][0]["error_details"] == told
    assert failed["steps"][0]["tasks"][0]["error_details"] == told
    assert failed["steps"][0]["tasks"][0]["error_stack"] is None


def test_the_oldest_dialect_fetches_a_fileset_in_a_step_of_its_own(client: APIClient, workspace: Workspace) -> None:
    fileset = Fileset.objects.create(workspace=workspace, name="f-one")
    job = job_in(workspace, dialect="single", dataset_fileset=fileset)
    assert [step["name"] for step in status(client)["steps"]] == ["dataset-download"]
    active(job)
    steps = status(client)["steps"]
    assert [(step["name"], step["status"]) for step in steps] == [
        ("dataset-download", "completed"),
        ("evaluation", "active"),
    ]
    assert len({step["id"] for step in steps}) == len({step["tasks"][0]["name"] for step in steps}) == 2
    job_in(workspace, "j-inline", dialect="single")
    assert [step["name"] for step in status(client, "j-inline")["steps"]] == ["evaluation"]


def test_steps_and_tasks_at_their_own_addresses(client: APIClient, workspace: Workspace) -> None:
    active(job_in(workspace))
    listed = client.get(f"{JOBS}/j-one/steps").json()
    assert listed["pagination"]["total_results"] == 1
    step = client.get(f"{JOBS}/j-one/steps/evaluate").json()
    assert step["id"] == listed["data"][0]["id"]
    task = client.get(f"{JOBS}/j-one/steps/evaluate/tasks").json()["data"][0]
    assert client.get(f"{JOBS}/j-one/steps/evaluate/tasks/{task['name']}").json() == task
    assert task["step_id"] == step["id"]
    assert client.get(f"{JOBS}/j-one/steps/evaluate/tasks/task-x").status_code == 404
    assert client.get(f"{JOBS}/j-none/steps").json() == {"detail": "Job 'j-none' not found in workspace 'w-one'."}


def test_a_job_that_is_not_there(client: APIClient, workspace: Workspace) -> None:
    told = {"detail": "Job 'j-none' not found in workspace 'w-one'."}
    for end in ("", "/status", "/logs", "/results"):
        for base in (EVALUATIONS, JOBS):
            reply = client.get(f"{base}/j-none{end}")
            assert (reply.status_code, reply.json()) == (404, told), end
    assert not Job.objects.exists()
