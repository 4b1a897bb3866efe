"""Agreement with people at its address: right, truthful about a job under way, and plain about what is wrong."""

import json
import random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from assay.jobs import judged, packs
from assay.jobs.models import State
from assay.workspaces.models import Workspace
from assay_sdk.engine.agree import Agreement, agreement
from tests.jobs.made import job_in
from tests.jobs.scored import graded_job, scored_job

pytestmark = pytest.mark.django_db
ADDRESS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/j-one/agreement"


def ask(client: APIClient, status: int = 200, **query: Any) -> Any:
    reply = client.get(ADDRESS, query)
    assert reply.status_code == status, reply.content
    return json.loads(reply.content, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def refused(client: APIClient, **query: Any) -> str:
    return str(ask(client, 422, **query)["detail"])


def data(n: int = 60) -> tuple[list[float], list[dict[str, Any]]]:
    rng = random.Random(5)
    people = [rng.randrange(5) for _ in range(n)]
    values = [float(min(4, max(0, rating + rng.choice([-1, 0, 0, 1])))) for rating in people]
    return values, [{"prompt": f"p{index}", "people": rating} for index, rating in enumerate(people)]


def test_it_is_what_the_engine_says(client: APIClient, workspace: Workspace) -> None:
    values, items = data()
    scored_job(workspace, "j-one", values, items)
    found = ask(client, column="people", resamples=200, seed=7)
    here = agreement(
        values,
        [item["people"] for item in items],
        resamples=200,
        seed=7,
        score="llm-judge.helpfulness",
        column="people",
    )
    assert Agreement.from_wire(found) == here
    assert found["statistics"]["kappa_quadratic"]["low"] < found["statistics"]["kappa_quadratic"]["value"]
    assert found == ask(client, column="people", resamples=200, seed=7, score="helpfulness")
    assert found == ask(client, column="people", resamples=200, seed=7, score="llm-judge.helpfulness")
    assert found["statistics"] != ask(client, column="people", resamples=200, seed=8)["statistics"]


def test_a_job_under_way_says_how_far_it_is(client: APIClient, workspace: Workspace) -> None:
    scored_job(workspace, "j-one", [1.0, None, 3.0], [{"people": 1}, {"people": 2}, {"people": None}])
    found = ask(client, column="people")
    assert found["job"] == {"name": "j-one", "status": "active", "rows_done": 3, "rows_total": 103}
    assert (found["rows"], found["n"], found["unscored"], found["unrated"]) == (3, 1, 1, 1)
    assert found["statistics"]["pearson"]["value"] is None
    assert found["statistics"]["pearson"]["reason"] == "the judge always gives the same value"


def test_a_job_without_rows_yet(client: APIClient, workspace: Workspace) -> None:
    job_in(workspace)
    found = ask(client, column="people")
    assert (found["n"], found["job"]["status"], found["job"]["rows_total"]) == (0, State.CREATED, None)
    assert {entry["reason"] for entry in found["statistics"].values()} == {"no row has both scores"}


def test_labels(client: APIClient, workspace: Workspace) -> None:
    people = ["good", "Fair", "poor", "good", None]
    graded_job(workspace, "j-one", ["good", "fair", "fair", None, "poor"], [{"tone": label} for label in people])
    found = ask(client, column="tone")
    assert found["categories"] == ["poor", "fair", "good"], "in the order of their values, not of the rubric"
    assert found["confusion"] == [[0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert found["statistics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert (found["n"], found["unscored"], found["unrated"]) == (3, 1, 1)


def test_what_is_not_there(client: APIClient, workspace: Workspace) -> None:
    assert ask(client, 404, column="people") == {"detail": "Job 'j-one' not found in workspace 'w-one'."}
    scored_job(workspace, "j-one", *data(5))
    assert refused(client, column="rating") == "Job 'j-one': no row has a column 'rating'; there are: prompt, people."
    assert refused(client, column="people", score="tone") == (
        "Job 'j-one': no score is called 'tone'; there are: llm-judge.helpfulness."
    )
    assert client.get(ADDRESS.replace("w-one", "w-two"), {"column": "x"}).status_code == 404


def test_a_column_of_something_else_says_where(client: APIClient, workspace: Workspace) -> None:
    items = [{"people": 1}, {"people": 2}, {"people": "rather good"}]
    scored_job(workspace, "j-one", [1.0, 2.0, 3.0], items)
    assert refused(client, column="people") == (
        "Job 'j-one': column 'people' holds 'rather good' in row 2, which is not a number."
    )


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"column": ""},
        {"column": "people", "resamples": 2001},
        {"column": "people", "resamples": -1},
        {"column": "people", "resamples": "many"},
        {"column": "people", "seed": -1},
        {"column": "people", "seed": 2**63},
        {"column": "x" * 1025},
    ],
)
def test_a_wrong_question_names_the_parameter(client: APIClient, workspace: Workspace, query: dict[str, Any]) -> None:
    scored_job(workspace, "j-one", *data(5))
    [mistake] = ask(client, 422, **query)["detail"]
    assert mistake["loc"][0] == "query" and mistake["loc"][1] in {"column", "resamples", "seed"}


@pytest.mark.parametrize("column", ["\x00", "a\x00b", "..", "$[", "a[9999999999999999999999]", "'; --", "💥"])
def test_odd_columns_are_only_unknown(client: APIClient, workspace: Workspace, column: str) -> None:
    scored_job(workspace, "j-one", *data(5))
    assert "no row has a column" in refused(client, column=column)


def test_huge_values_hold_no_nan(client: APIClient, workspace: Workspace) -> None:
    items = [{"people": value} for value in (-1.7e308, 1.7e308, 1e300, 0, 5e-324, -1)]
    scored_job(workspace, "j-one", [1.7e308, -1.7e308, 1e300, 0.0, 5e-324, 1.0], items)
    found = ask(client, column="people", resamples=100)
    assert found["statistics"]["rmse"]["reason"] == "beyond what a number can hold"
    assert found["statistics"]["spearman"]["value"] is not None


def test_rows_are_read_a_page_at_a_time(
    client: APIClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "ROWS_AT_ONCE", 25)
    scored_job(workspace, "j-one", *data(60))
    with CaptureQueriesContext(connection) as queries:
        assert ask(client, column="people", resamples=0)["n"] == 60
    assert len(queries) == 1 + 4 + 1, "the job, three pages, a look for a fourth, and the whole rows"
    assert '"jobs_job"."spec"' not in queries[0]["sql"]


def test_the_work_of_a_request_is_bounded(
    client: APIClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged, "MOST_ROWS", 59)
    scored_job(workspace, "j-one", *data(60))
    assert refused(client, column="people").startswith("60 rows are more than the 59 that one request reads; the SDK")


def test_it_is_described(client: APIClient) -> None:
    operation = client.get("/openapi.json").json()["paths"][
        "/apis/evaluator/v2/workspaces/{workspace}/evaluate/jobs/{name}/agreement"
    ]["get"]
    assert {entry["name"]: entry.get("required", False) for entry in operation["parameters"]} == {
        "workspace": True, "name": True, "column": True, "score": False, "resamples": False, "seed": False,
    }  # fmt: skip
    assert set(operation["responses"]) == {"200", "401", "403", "404", "422"}
