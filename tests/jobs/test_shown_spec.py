"""A spec comes back as it was submitted, however long it is and whatever its rows hold."""

import json
from typing import Any

import pytest
from pydantic import BaseModel
from rest_framework.test import APIClient

from assay.jobs import shown_spec
from assay.jobs.models import Job
from assay.jobs.wire import EvaluationReply, JobReply, JobStatusReply, LogReply, ResultReply
from assay.jobs.wire_steps import StepEntry, StepReply
from assay.workspaces.models import Workspace
from tests.jobs.made import completed, job_in

pytestmark = pytest.mark.django_db
EVALUATIONS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
JOBS = "/apis/jobs/v2/workspaces/w-one/jobs"
AWKWARD = [
    {"dataset": ["a", {"dataset": None}], "text": 'a "quote", a \\ and a ]}, {"dataset": [1]'},
    {"": None, "é\u2028": "𝄞\ud7ff\t\n", "numbers": [0, -0.5, 1e300, 2**60, True]},
]
LONG = [{**row, "number": number} for number in range(300) for row in AWKWARD]


@pytest.fixture
def job(request: pytest.FixtureRequest, workspace: Workspace) -> Job:
    dialect, dataset = request.param
    return completed(job_in(workspace, "j-one", dialect=dialect, spec={"dataset": dataset}))


LONG_JOBS = pytest.mark.parametrize(
    "job",
    [("single", LONG), ("publication", LONG), ("publication", AWKWARD), ("single", [])],
    indirect=True,
    ids=["long and single", "long", "short", "no rows"],
)


@LONG_JOBS
@pytest.mark.parametrize("again", [False, True])
def test_one_job_shows_its_spec(client: APIClient, job: Job, again: bool) -> None:
    if again:
        client.get(f"{JOBS}/j-one")
    assert client.get(f"{EVALUATIONS}/j-one").json()["spec"] == job.spec
    platform = client.get(f"{JOBS}/j-one").json()
    assert platform["spec"] == job.spec
    (step,) = platform["platform_spec"]["steps"]
    assert step["config"] == job.spec
    secrets = [variable["from_secret"]["name"] for variable in step["environment"]]
    assert secrets == ([] if job.dialect == "single" else ["nvidia-api-key"])
    (listed,) = client.get(f"{JOBS}/j-one/steps").json()["data"]
    assert listed["step_spec"]["config"] == job.spec
    assert client.get(f"{JOBS}/j-one/steps/{listed['name']}").json()["config"] == {
        **job.spec,
        "_step_spec_name": listed["name"],
    }


@LONG_JOBS
def test_lists_leave_out_nulls_but_none_of_the_rows(client: APIClient, job: Job) -> None:
    (platform,) = client.get(JOBS).json()["data"]
    assert platform["spec"] == job.spec
    (evaluation,) = client.get(EVALUATIONS).json()["data"]
    assert evaluation["spec"]["dataset"] == job.spec["dataset"]
    assert set(evaluation["spec"]) == {name for name, value in job.spec.items() if value is not None}


@pytest.mark.parametrize("dataset", ["default/data#rows.jsonl", None])
def test_a_long_spec_without_rows(client: APIClient, workspace: Workspace, dataset: str | None) -> None:
    job = job_in(workspace, "j-one", spec={"dataset": dataset, "prompt_template": "long " * shown_spec.SHORT})
    assert client.get(f"{EVALUATIONS}/j-one").json()["spec"] == job.spec
    assert client.get(f"{JOBS}/j-one").json()["spec"] == job.spec


def test_few_outlines_are_kept(client: APIClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_spec, "MOST_OUTLINES", 2)
    jobs = [job_in(workspace, f"j-{number}", spec={"dataset": [{"n": number}, *LONG]}) for number in range(4)]
    for job in jobs:
        assert client.get(f"{JOBS}/{job.name}").json()["spec"] == job.spec
    assert list(shown_spec._outlines) == [job.uid for job in jobs[2:]]


@pytest.mark.parametrize(
    ("address", "model"),
    [
        (f"{EVALUATIONS}/j-one", EvaluationReply),
        (f"{JOBS}/j-one", JobReply),
        (f"{JOBS}/j-one/status", JobStatusReply),
        (f"{JOBS}/j-one/logs", LogReply),
        (f"{JOBS}/j-one/steps/evaluate", StepReply),
        (f"{JOBS}/j-one/results/row-scores", ResultReply),
    ],
)
def test_replies_are_what_the_models_describe(
    client: APIClient, workspace: Workspace, address: str, model: type[BaseModel]
) -> None:
    completed(job_in(workspace, "j-one"))
    reply: dict[str, Any] = client.get(address).json()
    assert list(reply) == list(model.model_fields)
    assert json.loads(model.model_validate(reply).model_dump_json()) == reply


def test_the_entries_of_a_list_of_steps_are_described(client: APIClient, workspace: Workspace) -> None:
    completed(job_in(workspace, "j-one"))
    (entry,) = client.get(f"{JOBS}/j-one/steps").json()["data"]
    assert set(entry) == set(StepEntry.model_fields) - {"error_details"}, "which is null"
