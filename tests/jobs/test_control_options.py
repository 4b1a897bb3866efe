"""What a job may be told beside its spec: at its submission in ``custom_fields.assay``, later by PATCH."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from assay.jobs.models import Job, LogLine, Shard, ShardState, State, Usage
from assay.workspaces.models import Workspace
from tests.jobs.made import ROWS, SPECS, active, completed, job_in

pytestmark = pytest.mark.django_db
EVALUATIONS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
JOBS = "/apis/jobs/v2/workspaces/w-one/jobs"


def create(client: APIClient, options: Any, **also: Any) -> Any:
    metric = {**SPECS["single"]["metric"], "model": {"url": "http://judge.example/v1", "name": "m"}}
    spec = {**SPECS["single"], "dataset": ROWS, "metric": metric}
    fields = {"assay": options, "team": "blue", **also}
    return client.post(EVALUATIONS, {"name": "j-new", "spec": spec, "custom_fields": fields}, format="json")


def test_options_come_with_the_custom_fields(client: APIClient, workspace: Workspace) -> None:
    options = {"cache": False, "budget": {"tokens": 100000, "cost_usd": 2.5}}
    reply = create(client, options)
    assert reply.status_code == 201, reply.content
    assert reply.json()["custom_fields"] == {"assay": options, "team": "blue"}
    job = Job.objects.get()
    assert (job.uses_cache, job.budget_tokens, job.budget_cost) == (False, 100000, Decimal("2.5"))


@pytest.mark.parametrize("options", [None, {}, {"cache": True}])
def test_without_options_the_cache_is_on_and_no_budget_set(
    client: APIClient, workspace: Workspace, options: Any
) -> None:
    assert create(client, options).status_code == 201
    job = Job.objects.get()
    assert (job.uses_cache, job.budget_tokens, job.budget_cost) == (True, None, None)


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"cach": False}, ["cach"]),
        ({"cache": "no"}, ["cache"]),
        ({"budget": 5}, ["budget"]),
        ({"budget": {"tokens": -1}}, ["budget", "tokens"]),
        ({"budget": {"tokens": True}}, ["budget", "tokens"]),
        ({"budget": {"cost_usd": "much"}}, ["budget", "cost_usd"]),
        ({"budget": {"euros": 2}}, ["budget", "euros"]),
        ("cache", []),
    ],
    ids=["unknown", "no bool", "no object", "negative", "bool", "text", "currency", "text for all"],
)
def test_what_is_no_option_is_refused_at_its_place(
    client: APIClient, workspace: Workspace, options: Any, place: list[str]
) -> None:
    reply = create(client, options)
    assert reply.status_code == 422, reply.content
    assert [mistake["loc"] for mistake in reply.json()["detail"]] == [["body", "custom_fields", "assay", *place]]
    assert not Job.objects.exists()


def test_options_of_the_v1_api_are_the_same(client: APIClient, workspace: Workspace) -> None:
    check = {"type": "string-check", "params": {"check": ["{{ item.a }}", "equals", "1"]}}
    config = {"type": "custom", "tasks": {"t": {"type": "data", "metrics": {"m": check}}}}
    body = {"config": config, "target": {"type": "rows", "rows": [{"a": 1}]}}
    bad = client.post("/v1/evaluation/jobs", {**body, "custom_fields": {"assay": {"cache": 3}}}, format="json")
    assert bad.status_code == 422
    assert bad.json()["detail"][0]["loc"] == ["body", "custom_fields", "assay", "cache"]
    assert not Job.objects.exists()
    good = client.post("/v1/evaluation/jobs", {**body, "custom_fields": {"assay": {"cache": False}}}, format="json")
    assert good.status_code == 200, good.content
    assert Job.objects.get().uses_cache is False


def test_an_unfinished_job_is_changed_as_it_runs(client: APIClient, workspace: Workspace) -> None:
    active(job_in(workspace))
    change = {"parallelism": 32, "budget": {"tokens": 500}, "cache": False}
    reply = client.patch(f"{EVALUATIONS}/j-one", change, format="json")
    assert reply.status_code == 200, reply.content
    job = Job.objects.get()
    assert (job.parallelism, job.budget_tokens, job.budget_cost, job.uses_cache) == (32, 500, None, False)
    client.patch(f"{EVALUATIONS}/j-one", {"budget": {"cost_usd": 1}}, format="json")
    job.refresh_from_db()
    assert (job.budget_tokens, job.budget_cost, job.parallelism) == (500, 1, 32), "what is left out stays"
    client.patch(f"{EVALUATIONS}/j-one", {"budget": None}, format="json")
    job.refresh_from_db()
    assert (job.budget_tokens, job.budget_cost) == (None, None)
    assert "Changed: parallelism 32" in LogLine.objects.filter(job=job).order_by("pk")[0].message


def rings() -> int:
    """Return how many messages wait in the broker, which are files."""
    return len(list((Path(settings.DATA_DIR) / "broker" / "messages").glob("*.msg")))


def test_more_parallelism_calls_more_workers(client: APIClient, workspace: Workspace) -> None:
    job = active(job_in(workspace, parallelism=1))
    for index in range(1, 6):
        Shard.objects.create(job=job, index=index, start=index, stop=index + 1)
    before = rings()
    client.patch(f"{EVALUATIONS}/j-one", {"parallelism": 64}, format="json")
    assert rings() - before == 3, "four shards at once, of which one runs"
    client.patch(f"{EVALUATIONS}/j-one", {"parallelism": 8}, format="json")
    assert rings() - before == 3


@pytest.mark.parametrize("change", [{"parallelism": 0}, {"parallelism": None}, {"paralelism": 3}, {"cache": None}])
def test_a_change_that_is_none_is_refused(client: APIClient, workspace: Workspace, change: Any) -> None:
    active(job_in(workspace))
    assert client.patch(f"{EVALUATIONS}/j-one", change, format="json").status_code == 422


def test_an_ended_job_is_not_changed(client: APIClient, workspace: Workspace) -> None:
    completed(job_in(workspace))
    reply = client.patch(f"{EVALUATIONS}/j-one", {"parallelism": 3}, format="json")
    assert reply.status_code == 409
    assert reply.json()["detail"] == "Job 'j-one' is completed: nothing of it can be changed any more."
    assert client.patch(f"{EVALUATIONS}/j-none", {"parallelism": 3}, format="json").status_code == 404


@pytest.mark.parametrize("base", [EVALUATIONS, JOBS])
def test_a_job_whose_budget_is_used_up_is_not_resumed(client: APIClient, workspace: Workspace, base: str) -> None:
    job = job_in(workspace, state=State.PAUSED, budget_tokens=100)
    Usage.objects.create(job=job, model="m", address="http://judge.example", tokens_in=80, tokens_out=21)
    reply = client.post(f"{base}/j-one/resume")
    assert reply.status_code == 409
    assert "its budget is used up (101 tokens of 100)" in reply.json()["detail"]
    client.patch(f"{EVALUATIONS}/j-one", {"budget": {"tokens": 200}}, format="json")
    assert client.post(f"{base}/j-one/resume").json()["status"] == "created"


def test_resume_calls_as_many_workers_as_it_can_keep_busy(client: APIClient, workspace: Workspace) -> None:
    job = job_in(workspace, state=State.PAUSED, parallelism=16)
    for index, state in enumerate([ShardState.DONE, ShardState.WAITING, ShardState.WAITING]):
        Shard.objects.create(job=job, index=index, start=index, stop=index + 1, state=state)
    before = rings()
    client.post(f"{EVALUATIONS}/j-one/resume")
    assert rings() - before == 2
