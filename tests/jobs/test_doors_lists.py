"""Lists of jobs: pages, filters, what is left out, and how many queries they cost."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from assay.jobs.models import State
from assay.workspaces.models import Workspace
from tests.jobs.made import completed, job_in

pytestmark = pytest.mark.django_db
EVALUATIONS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
JOBS = "/apis/jobs/v2/workspaces/w-one/jobs"
BOTH = pytest.mark.parametrize("address", [EVALUATIONS, JOBS])


def names(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.content
    return [entry["name"] for entry in reply.json()["data"]]


@BOTH
def test_a_list_costs_the_same_queries_however_long(client: APIClient, workspace: Workspace, address: str) -> None:
    counted = []
    for number in (1, 6):
        while workspace.jobs.count() < number:
            job_in(workspace, f"j-{workspace.jobs.count()}", dialect="single")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(address)
        counted.append(len(queries))
    assert counted == [3, 3]


@BOTH
def test_the_filter_is_applied_before_the_page_is_cut(client: APIClient, workspace: Workspace, address: str) -> None:
    for number in range(5):
        job_in(workspace, f"j-{number}", state=State.ERROR if number % 2 else State.CANCELLED)
    reply = client.get(address, {"filter[status]": "error", "page_size": 1})
    assert names(reply) == ["j-3"]
    assert reply.json()["pagination"] == {
        "page": 1,
        "page_size": 1,
        "current_page_size": 1,
        "total_pages": 2,
        "total_results": 2,
    }
    assert reply.json()["filter"] == {"status": {"$eq": "error"}}
    assert names(client.get(address, {"filter": 'status IN (cancelled, error) AND name:"j-0"'})) == ["j-0"]
    assert names(client.get(address, {"filter[status]": "resuming"})) == []


@BOTH
def test_a_status_that_no_job_has_is_refused_with_those_there_are(client: APIClient, db: None, address: str) -> None:
    Workspace.objects.create(name="w-one")
    reply = client.get(address, {"filter[status][$in]": "active,done"})
    assert reply.status_code == 400
    assert reply.json()["detail"] == (
        "Invalid status value 'done'; valid values: ['active', 'cancelled', 'cancelling', 'completed', 'created', "
        "'error', 'paused', 'pausing', 'pending', 'resuming']"
    )


@BOTH
def test_sorting_paging_and_an_empty_list(client: APIClient, workspace: Workspace, address: str) -> None:
    assert client.get(address).json()["pagination"]["total_pages"] == 1
    for number in range(3):
        job_in(workspace, f"j-{number}")
    assert names(client.get(address)) == ["j-2", "j-1", "j-0"]
    assert names(client.get(address, {"sort": "created_at"})) == ["j-0", "j-1", "j-2"]
    assert names(client.get(address, {"page": 2, "page_size": 2})) == ["j-0"]
    assert names(client.get(address, {"page": 9})) == []
    for query in ({"page": 0}, {"page_size": 1001}, {"page": "x"}, {"sort": "name"}, {"page": 10**30}):
        assert client.get(address, query).status_code in {200, 422}, query
    assert client.get(address, {"sort": "name"}).json()["detail"][0]["type"] == "enum"


@BOTH
def test_only_what_is_not_said_is_left_out(client: APIClient, workspace: Workspace, address: str) -> None:
    job_in(workspace, "j-one", spec={"dataset": [{"prompt": None}]}, custom_fields={"mine": None})
    entry = client.get(address).json()["data"][0]
    assert "project" not in entry and "error_details" not in entry
    assert entry["spec"]["dataset"] == [{"prompt": None}], "a null in a row is data"
    assert entry["custom_fields"] == {"mine": None}
    metric = entry["spec"]["metrics"][0]["payload"]["metric"]
    assert metric["description"] is None, "a null in a metric is its author's"


def test_other_workspaces(client: APIClient, workspace: Workspace) -> None:
    other = Workspace.objects.create(name="w-two")
    job_in(workspace, "j-one")
    job_in(other, "j-two")
    assert names(client.get(JOBS)) == ["j-one"]
    assert names(client.get(JOBS.replace("w-one", "-"))) == ["j-two", "j-one"]
    reply = client.get(JOBS.replace("w-one", "w-three"))
    assert (reply.status_code, reply.json()) == (404, {"detail": "Workspace 'w-three' not found"})


def test_a_completed_job_shows_in_both_forms(client: APIClient, workspace: Workspace) -> None:
    job = completed(job_in(workspace, "j-one"))
    evaluation = client.get(f"{EVALUATIONS}/j-one").json()
    platform = client.get(f"{JOBS}/j-one").json()
    shared = set(evaluation) & set(platform)
    assert {key: evaluation[key] for key in shared} == {key: platform[key] for key in shared}
    assert platform["attempt_id"] == job.attempt_id
    assert platform["fileset"] == "job-fileset-j-one"
    assert platform["platform_spec"]["steps"][0]["environment"] == [
        {"name": "nvidia_api_key", "value": None, "from_secret": {"name": "nvidia-api-key"}}
    ]


def test_what_jobs_run_on(client: APIClient, db: None) -> None:
    assert client.get("/apis/jobs/v2/execution-profiles").json()[0]["profile"] == "default"
