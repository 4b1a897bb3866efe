"""Submitting, stopping, resuming and deleting jobs through their doors."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from assay.filesets.models import Fileset
from assay.jobs.models import Job, State
from assay.secrets.models import Secret
from assay.workspaces.models import Project, Workspace
from tests.jobs.made import ROWS, SPECS, active, completed, job_in

pytestmark = pytest.mark.django_db
EVALUATIONS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
JOBS = "/apis/jobs/v2/workspaces/w-one/jobs"


@pytest.fixture
def secret(workspace: Workspace) -> Secret:
    return Secret.objects.create(workspace=workspace, name="nvidia-api-key", sealed=b"")


def create(client: APIClient, *, dialect: str = "publication", spec: Any = None, **also: Any) -> Any:
    body = {"spec": {**SPECS[dialect], "dataset": ROWS, **(spec or {})}, **also}
    return client.post(EVALUATIONS, body, format="json")


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("dialect", SPECS)
def test_a_job_remembers_the_form_it_was_submitted_in(client: APIClient, dialect: str) -> None:
    reply = create(client, dialect=dialect, name="j-new", unknown="ignored")
    assert reply.status_code == 201, reply.content
    assert reply.json()["spec"].keys() == SPECS[dialect].keys(), "no key that is newer than the client"
    job = Job.objects.get()
    assert (job.dialect, job.state, job.name) == (dialect, State.CREATED, "j-new")


@pytest.mark.usefixtures("secret")
def test_what_is_wrong_is_said_all_at_once(client: APIClient) -> None:
    spec = {"params": {"parallelism": 0, "speed": 1}, "dataset": [], "bogus": 1}
    reply = create(client, spec=spec, name="Not A Name", output_location=3)
    assert reply.status_code == 422
    places = {".".join(map(str, mistake["loc"])) for mistake in reply.json()["detail"]}
    assert {
        "body.name",
        "body.output_location",
        "body.spec.params.parallelism",
        "body.spec.params.speed",
        "body.spec.dataset.list[dict[str,any]]",
        "body.spec.bogus",
    } <= places
    assert not Job.objects.exists() and not Fileset.objects.exists()


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    ("also", "told"),
    [
        ({"profile": "gpu"}, "The execution profile 'cpu/gpu' specified in step 'evaluate' does not exist."),
        ({"project": "p-none"}, "Invalid job request. Project 'p-none' not found in workspace 'w-one'."),
    ],
)
def test_what_the_request_refers_to_has_to_be_there(client: APIClient, also: dict[str, str], told: str) -> None:
    reply = create(client, **also)
    assert (reply.status_code, reply.json()) == (422, {"detail": told})
    assert not Job.objects.exists()


@pytest.mark.usefixtures("secret")
def test_project_and_default_profile(client: APIClient, workspace: Workspace) -> None:
    Project.objects.create(workspace=workspace, name="p-one")
    assert create(client, project="p-one", profile="default").json()["project"] == "p-one"


@pytest.mark.usefixtures("secret")
def test_a_name_is_taken_once(client: APIClient) -> None:
    assert create(client, name="j-new").status_code == 201
    again = create(client, name="j-new")
    assert again.status_code == 409
    assert again.headers["x-should-retry"] == "false"
    assert (Job.objects.count(), Fileset.objects.count()) == (1, 1)


def test_a_workspace_that_is_not_there(client: APIClient, db: None) -> None:
    metric = {**SPECS["single"]["metric"], "model": {"url": "http://judge.example/v1", "name": "m"}}
    reply = create(client, dialect="single", spec={"metric": metric})
    assert reply.status_code == 422
    assert reply.json() == {"detail": "Workspace 'w-one' does not exist. Please create the workspace first."}


def test_nobody_runs_commands_here(client: APIClient, workspace: Workspace) -> None:
    steps = [{"name": "one", "executor": {"provider": "subprocess", "command": ["touch", "/tmp/x"]}}]
    reply = client.post(JOBS, {"source": "me", "spec": {}, "platform_spec": {"steps": steps}}, format="json")
    assert reply.status_code == 403
    assert "never a command" in reply.json()["detail"]


@pytest.mark.parametrize("base", [EVALUATIONS, JOBS])
def test_cancel(client: APIClient, workspace: Workspace, base: str) -> None:
    job_in(workspace)
    assert client.post(f"{base}/j-one/cancel").json()["status"] == "cancelled"
    active(job_in(workspace, "j-two"))
    assert client.post(f"{base}/j-two/cancel").json()["status"] == "cancelling"
    completed(job_in(workspace, "j-three"))
    assert client.post(f"{base}/j-three/cancel").json()["status"] == "completed"
    assert client.get(f"{base}/j-one/cancel").status_code == 405


def test_pause_and_resume(client: APIClient, workspace: Workspace) -> None:
    job_in(workspace)
    assert client.post(f"{JOBS}/j-one/pause").json()["status"] == "paused"
    assert client.post(f"{JOBS}/j-one/resume").json()["status"] == "created"
    assert client.post(f"{EVALUATIONS}/j-one/pause").json()["status"] == "paused"
    assert client.post(f"{EVALUATIONS}/j-one/resume").json()["status"] == "created"


@pytest.mark.parametrize("base", [EVALUATIONS, JOBS])
def test_delete(client: APIClient, workspace: Workspace, base: str) -> None:
    active(job_in(workspace))
    told = "Cannot delete job 'j-one' while it is 'active'. "
    reply = client.delete(f"{base}/j-one")
    assert reply.status_code == 409 and reply.json()["detail"].startswith(told)
    completed(job_in(workspace, "j-two"))
    reply = client.delete(f"{base}/j-two")
    assert (reply.status_code, reply.content) == (204, b"")
    assert client.delete(f"{base}/j-two").status_code == 404
    assert [fileset.name for fileset in workspace.filesets.all()] == ["job-fileset-j-one"], "its results went along"
