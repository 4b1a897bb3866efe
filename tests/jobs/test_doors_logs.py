"""The log of a job: written line by line, read in pages or from its end."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from assay.filesets.models import Fileset
from assay.jobs import logs
from assay.jobs.models import LogLine
from assay.workspaces.models import Workspace
from tests.jobs.made import active, job_in

pytestmark = pytest.mark.django_db
LOGS = "/apis/jobs/v2/workspaces/w-one/jobs/j-one/logs"


def read(client: APIClient, **query: Any) -> dict[str, Any]:
    reply = client.get(LOGS, query)
    assert reply.status_code == 200, reply.content
    return dict(reply.json())


def messages(page: dict[str, Any]) -> list[str]:
    return [line["message"] for line in page["data"]]


@pytest.fixture
def ten_lines(workspace: Workspace) -> None:
    job = job_in(workspace)
    for number in range(10):
        logs.write(job, f"line {number}")
        logs.write(job_in(workspace, f"j-other-{number}"), "of another job")


@pytest.mark.usefixtures("ten_lines")
def test_pages_follow_each_other_without_gap_or_repetition(client: APIClient) -> None:
    page, seen = read(client, limit=4), []
    assert (page["total"], page["prev_page"]) == (10, None)
    seen += messages(page)
    while page["next_page"]:
        page = read(client, limit=4, page_cursor=page["next_page"])
        seen += messages(page)
    assert seen == [f"line {number}" for number in range(10)]
    back = read(client, limit=4, page_cursor=page["prev_page"])
    assert messages(back) == [f"line {number}" for number in range(4, 8)]
    assert messages(read(client, limit=9, page_cursor=back["next_page"])) == ["line 8", "line 9"]


@pytest.mark.usefixtures("ten_lines")
def test_the_end_of_the_log(client: APIClient) -> None:
    page = read(client, tail=3)
    assert messages(page) == ["line 7", "line 8", "line 9"]
    assert (page["total"], page["next_page"]) == (10, None)
    assert messages(read(client, page_cursor=page["prev_page"], limit=2)) == ["line 5", "line 6"]
    assert read(client, tail=10)["prev_page"] is None


@pytest.mark.usefixtures("ten_lines")
@pytest.mark.parametrize(
    "query", [{"tail": 1, "limit": 1}, {"page_cursor": "zzz"}, {"page_cursor": "ä"}, {"page_cursor": "YWZ0ZXIgLTE"}]
)
def test_what_cannot_be_meant_is_a_bad_request(client: APIClient, query: dict[str, Any]) -> None:
    assert client.get(LOGS, query).status_code == 400


@pytest.mark.usefixtures("ten_lines")
@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 10_001}, {"tail": 0}, {"limit": "many"}])
def test_limits(client: APIClient, query: dict[str, Any]) -> None:
    assert client.get(LOGS, query).status_code == 422


def test_lines_of_one_step_task_or_attempt(client: APIClient, workspace: Workspace) -> None:
    fileset = Fileset.objects.create(workspace=workspace, name="f-one")
    job = active(job_in(workspace, dialect="single", dataset_fileset=fileset))
    logs.write(job, "fetched", step="dataset-download")
    logs.write(job, "judged")
    status = client.get("/apis/jobs/v2/workspaces/w-one/jobs/j-one/status").json()
    fetch, judge = status["steps"]
    assert messages(read(client)) == ["fetched", "judged"]
    assert messages(read(client, step_id=fetch["id"])) == ["fetched"]
    assert messages(read(client, task_id=judge["tasks"][0]["id"])) == ["judged"]
    assert messages(read(client, attempt_id="platform-job-attempt-other")) == []
    line = read(client, step_id=judge["id"])["data"][0]
    assert (line["job"], line["job_step"], line["job_task"]) == ("j-one", "evaluation", judge["tasks"][0]["name"])


def test_a_line_is_kept_short_and_storable(client: APIClient, workspace: Workspace) -> None:
    job = job_in(workspace)
    logs.write(job, "x" * 1_000_000)
    logs.write(job, "nul \x00 half \ud800", step="dataset-download")
    long, odd = LogLine.objects.filter(job=job).order_by("pk")
    assert len(long.message) == 10_000
    assert odd.message == "nul \ufffd half ?"
    assert odd.step == "evaluate", "that step is not one of this job's"
    assert len(read(client)["data"]) == 2
