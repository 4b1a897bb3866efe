"""Stored metrics and eval results at their addresses, against the recorded exchanges and beyond them."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from assay.evaluator.models import EvalResult, StoredMetric
from assay.jobs.models import Job
from assay.secrets.models import Secret
from assay.workspaces.models import Project, Workspace
from tests.contract.replay import exchanges
from tests.jobs.replaying import replay, send

pytestmark = pytest.mark.django_db
METRICS = "/apis/evaluator/v2/workspaces/w-one/metrics"
RESULTS = "/apis/evaluator/v2/workspaces/w-one/eval-results"
BUNDLE: dict[str, Any] = next(exchanges("metrics-store.jsonl"))["request"]


def test_the_recorded_life_of_stored_metrics(client: APIClient) -> None:
    home = Workspace.objects.create(name="ha-j1")
    Secret.objects.create(workspace=home, name="jk", sealed=b"")
    differences = []
    for exchange in exchanges("metrics-store.jsonl"):
        if "filter" in exchange["query"]:
            # The peer tells of no filter here; ours does, as in every other list.
            exchange["response"]["filter"] = {"metric_type": {"$eq": "llm-judge"}}
        differences += replay(client, exchange)
    assert not differences, "\n".join(differences)
    assert Job.objects.get().spec["metrics"][0]["payload"] == {
        **BUNDLE["payload"],
        "digest": Job.objects.get().spec["metrics"][0]["payload"]["digest"],
    }


def test_is_the_evaluator_there(client: APIClient, db: None) -> None:
    assert "evaluator.evaluate" in client.get("/apis/evaluator/v1/healthz").json()["jobs"]
    differences = []
    for exchange in exchanges("evaluate-job-0.6.jsonl", path="/healthz$"):
        differences += replay(client, exchange)
    assert not differences


def test_a_metric_may_belong_to_a_project(client: APIClient, workspace: Workspace) -> None:
    reply = client.post(f"{METRICS}/m-one?project=p-none", BUNDLE, format="json")
    assert (reply.status_code, reply.json()["detail"]) == (422, "Project 'p-none' not found in workspace 'w-one'")
    Project.objects.create(workspace=workspace, name="p-one")
    assert client.post(f"{METRICS}/m-one?project=p-one", BUNDLE, format="json").json()["project"] == "p-one"


@pytest.mark.parametrize("name", ["M1", "x", "a--b", "a" * 64, "a" * 256, "b d", "end-"])
def test_names_of_metrics(client: APIClient, workspace: Workspace, name: str) -> None:
    reply = client.post(f"{METRICS}/{name}", BUNDLE, format="json")
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["path", "name"]
    assert not StoredMetric.objects.exists()


def test_a_bundle_that_no_job_could_use_is_not_stored(client: APIClient, workspace: Workspace) -> None:
    bad = {**BUNDLE, "payload": {"kind": "inline", "metric": {**BUNDLE["payload"]["metric"], "scores": []}}}
    reply = client.post(f"{METRICS}/m-one", bad, format="json")
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "payload", "metric", "scores"]
    pickled = {**BUNDLE, "payload": {"kind": "cloudpickle", "blob": "AAAA"}}
    reply = client.post(f"{METRICS}/m-one", pickled, format="json")
    assert "never unpickled" in reply.json()["detail"][0]["msg"]
    assert not StoredMetric.objects.exists()


def test_metrics_neither_change_nor_are_made_nowhere(client: APIClient, workspace: Workspace) -> None:
    assert client.put(f"{METRICS}/m-one", BUNDLE, format="json").status_code == 405
    reply = client.post(f"{METRICS.replace('w-one', 'w-two')}/m-one", BUNDLE, format="json")
    assert reply.json() == {"detail": "Workspace 'w-two' does not exist. Please create the workspace first."}
    assert client.get(METRICS.replace("w-one", "w-two")).status_code == 404


def test_lists_cost_the_same_queries_however_long(client: APIClient, workspace: Workspace) -> None:
    for number in range(4):
        client.post(f"{METRICS}/m-{number}", BUNDLE, format="json")
        EvalResult.objects.create(workspace=workspace, name=f"j-{number}", scores={"scores": []}, bundle_ref="a/b#c")
    for address in (METRICS, RESULTS):
        for size in (1, 4):
            with CaptureQueriesContext(connection) as queries:
                assert len(client.get(address, {"page_size": size}).json()["data"]) == size
            assert len(queries) == 3


def test_finding_metrics(client: APIClient, workspace: Workspace) -> None:
    for name in ("m-b", "m-a"):
        client.post(f"{METRICS}/{name}", BUNDLE, format="json")

    def found(**query: str) -> list[str]:
        return [entry["name"] for entry in client.get(METRICS, query).json()["data"]]

    assert found() == ["m-b", "m-a"]
    assert found(sort="name") == ["m-a", "m-b"]
    assert found(**{"filter[name]": "m-a"}) == ["m-a"]
    assert found(**{"filter[derived]": "false"}, include_derived="true") == ["m-b", "m-a"]
    assert found(**{"filter[derived]": "true"}) == []
    reply = client.get(METRICS, {"filter[bogus]": "1"})
    assert reply.status_code == 400 and "metric_type" in reply.json()["detail"]


def test_eval_results(client: APIClient, workspace: Workspace) -> None:
    assert client.get(RESULTS).json()["pagination"]["total_pages"] == 0
    scores = {"scores": [{"name": "llm-judge.x", "count": 0, "mean": None}]}
    EvalResult.objects.create(
        workspace=workspace, name="j-one", scores=scores, bundle_ref="w-one/f#r", dataset_ref="w-one/d"
    )
    one = client.get(f"{RESULTS}/j-one").json()
    assert set(one) == {
        "id", "name", "workspace", "project", "job_id", "target_kind", "target_name", "target_url", "scores",
        "bundle_ref", "created_at", "updated_at", "dataset_ref", "metric_types",
    }  # fmt: skip
    assert (one["job_id"], one["scores"], one["target_kind"]) == ("j-one", scores, None)
    listed = client.get(RESULTS).json()["data"][0]
    assert listed["scores"] == {"scores": [{"name": "llm-judge.x", "count": 0}]}
    assert client.get(RESULTS, {"filter[dataset_ref]": "w-one/d"}).json()["data"] == [listed]
    assert client.get(RESULTS, {"filter[target_kind]": "model"}).json()["data"] == []
    assert client.delete(f"{RESULTS}/j-one").status_code == 204
    reply = client.delete(f"{RESULTS}/j-one")
    assert (reply.status_code, reply.json()) == (404, {"detail": "Result not found: w-one/j-one"})


def test_recorded_status_of_missing_metrics(client: APIClient, workspace: Workspace) -> None:
    for name in ("nope", "m1"):
        reply = client.delete(f"{METRICS}/{name}")
        assert (reply.status_code, reply.json()) == (404, {"detail": f"Metric not found: w-one/{name}"})
    assert send(client, next(exchanges("jobs-list-logs-results.jsonl", path="/eval-results/nope"))).status_code == 404


def test_an_older_client_gets_no_statistic_that_it_would_refuse(client: APIClient, workspace: Workspace) -> None:
    scores = {
        "scores": [{"name": "llm-judge.helpfulness", "count": 2, "mean": 1.5, "median": 1.5, "sample_variance": 0.5}]
    }
    EvalResult.objects.create(workspace=workspace, name="j-1", scores=scores, bundle_ref="a/b#c")
    address = f"/apis/evaluator/v2/workspaces/{workspace.name}/eval-results"
    for accept, median in {"application/json": None, "*/*": 1.5}.items():
        listed = client.get(address, HTTP_ACCEPT=accept).json()["data"][0]
        one = client.get(f"{address}/j-1", HTTP_ACCEPT=accept).json()
        for reply in (listed, one):
            assert reply["scores"]["scores"][0].get("median") == median
            assert reply["scores"]["scores"][0]["mean"] == 1.5
