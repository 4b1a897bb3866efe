"""Comparisons of jobs at their address."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from assay.jobs import judged
from assay.jobs.models import Job, RowScore
from assay.workspaces.models import Workspace
from assay_sdk.engine.comparison import Comparison
from tests.jobs.made import job_in
from tests.jobs.scored import graded_job, scored_job

pytestmark = pytest.mark.django_db
ADDRESS = "/apis/evaluator/v2/workspaces/w-one/comparisons"

ITEMS = [{"prompt": f"p{index}"} for index in range(40)]
FIRST = [float(index % 5) for index in range(40)]
SECOND = [min(4.0, value + (index % 3 == 0)) for index, value in enumerate(FIRST)]


def ask(client: APIClient, status: int = 200, **body: Any) -> Any:
    reply = client.post(ADDRESS, body, format="json")
    assert reply.status_code == status, reply.content
    return json.loads(reply.content, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def refused(client: APIClient, **body: Any) -> str:
    return str(ask(client, 422, **body)["detail"])


@pytest.fixture
def jobs(workspace: Workspace) -> list[Job]:
    other = [{"prompt": "another"}, *ITEMS[1:]]
    return [
        scored_job(workspace, "j-one", FIRST, ITEMS),
        scored_job(workspace, "j-two", [*SECOND[:38], None], ITEMS[:39]),
        scored_job(workspace, "j-three", FIRST[::-1], other),
    ]


def test_two_jobs_on_the_same_rows(client: APIClient, jobs: list[Job]) -> None:
    found = ask(client, jobs=["j-one", "j-two"])
    [pair] = found["differences"]
    assert (pair["first"], pair["second"], pair["n"]) == ("j-one", "j-two", 38)
    assert (pair["only_first"], pair["only_second"], pair["other_item"], pair["unscored"]) == (1, 0, 0, 1)
    mean = sum(SECOND[:38]) - sum(FIRST[:38])
    assert pair["difference"]["value"] == pytest.approx(mean / 38)
    assert pair["difference"]["low"] > 0 and pair["p"] < 0.01 and pair["test"] == "Wilcoxon"
    assert pair["detectable"]["value"] > 0
    assert len(pair["changed"]) == min(10, pair["higher"])
    assert pair["changed"][0] == {"index": 0, "first": 0.0, "second": 1.0}
    assert found["jobs"][1] == {"name": "j-two", "status": "active", "rows_done": 39, "rows_total": 139}
    assert found["runs"][0]["score"] == "llm-judge.helpfulness"


def test_several_jobs_and_a_baseline(client: APIClient, jobs: list[Job]) -> None:
    names = [job.name for job in jobs]
    found = ask(client, jobs=names, score="helpfulness", changed=0)
    assert [(pair["first"], pair["second"]) for pair in found["differences"]] == [
        ("j-one", "j-two"), ("j-one", "j-three"), ("j-two", "j-three"),
    ]  # fmt: skip
    assert [pair["other_item"] for pair in found["differences"]] == [0, 1, 1]
    assert all(pair["p_holm"] >= pair["p"] for pair in found["differences"])
    one = ask(client, jobs=names, baseline="j-three", changed=0)
    assert [(pair["first"], pair["second"]) for pair in one["differences"]] == [
        ("j-three", "j-one"),
        ("j-three", "j-two"),
    ]


def test_nothing_is_kept_and_the_same_question_has_the_same_answer(client: APIClient, jobs: list[Job]) -> None:
    body = {"jobs": ["j-one", "j-two"], "test": "bootstrap", "seed": 4, "resamples": 100}
    rows = RowScore.objects.count()
    assert ask(client, **body) == ask(client, **body) != ask(client, **{**body, "seed": 5})
    assert (RowScore.objects.count(), Job.objects.count()) == (rows, 3)
    assert Comparison.from_wire(ask(client, **body)).summary().startswith("run")


def test_graded_jobs_are_compared_by_value(client: APIClient, workspace: Workspace) -> None:
    graded_job(workspace, "j-one", ["poor", "poor", "fair", "good"], ITEMS[:4])
    graded_job(workspace, "j-two", ["poor", "fair", "good", None], ITEMS[:4])
    [pair] = ask(client, jobs=["j-one", "j-two"])["differences"]
    assert (pair["n"], pair["unscored"], pair["difference"]["value"]) == (3, 1, pytest.approx(2 / 3))


def test_jobs_that_cannot_be_compared(client: APIClient, jobs: list[Job], workspace: Workspace) -> None:
    scored_job(workspace, "j-other", FIRST, [{"q": index} for index in range(40)])
    job_in(workspace, "j-empty")
    graded_job(workspace, "j-tone", ["good"], ITEMS[:1])
    assert refused(client, jobs=["j-one", "j-other"]) == (
        "The jobs cannot be compared: 'j-one' and 'j-other' have no rows in common: "
        "40 rows stand at the same place but hold another item."
    )
    assert "'j-empty' 0, none shared" in refused(client, jobs=["j-one", "j-empty"])
    assert refused(client, jobs=["j-one", "j-tone"], score="helpfulness") == (
        "Job 'j-tone': no score is called 'helpfulness'; there are: llm-judge.tone."
    )
    assert "two values, this one has 5" in refused(client, jobs=["j-one", "j-two"], test="mcnemar")
    assert "'j-x' is not among" in refused(client, jobs=["j-one", "j-two"], baseline="j-x")
    assert "each once" in refused(client, jobs=["j-one", "j-one"])
    assert ask(client, 404, jobs=["j-one", "j-nine"]) == {"detail": "Job 'j-nine' not found in workspace 'w-one'."}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"jobs": ["j-one"]}, "jobs"),
        ({"jobs": ["j-one"] * 9}, "jobs"),
        ({"jobs": [1, 2]}, "jobs"),
        ({"jobs": None}, "jobs"),
        ({"test": "t"}, "test"),
        ({"resamples": 10**9}, "resamples"),
        ({"seed": -1}, "seed"),
        ({"changed": 101}, "changed"),
        ({"alpha": 0.1}, "alpha"),
    ],
)
def test_a_wrong_question_names_the_place(
    client: APIClient, jobs: list[Job], change: dict[str, Any], place: str
) -> None:
    found = ask(client, 422, **{"jobs": ["j-one", "j-two"], **change})["detail"]
    assert {mistake["loc"][1] for mistake in found} == {place}


def test_queries_grow_with_the_jobs_not_with_the_rows(client: APIClient, jobs: list[Job]) -> None:
    with CaptureQueriesContext(connection) as queries:
        ask(client, jobs=["j-one", "j-two"])
    assert len(queries) == 2 * 4


def test_the_work_of_a_request_is_bounded(client: APIClient, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "MOST_ROWS", 78)
    assert refused(client, jobs=["j-one", "j-two"]).startswith("79 rows are more than the 78 that one request reads")
