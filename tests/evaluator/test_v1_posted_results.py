"""Scores that users computed elsewhere and posted to the v1 API (microservices-v1 section 8)."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from assay.evaluator.models import PostedResult
from assay.workspaces import deletion
from assay.workspaces.models import Workspace

AT = "/v1/evaluation/results"
TASKS = {"qa": {"metrics": {"m": {"scores": {"s": {"value": None, "stats": {"count": 0}}}}}, "data": {"x": None}}}

pytestmark = pytest.mark.django_db


def post(client: APIClient, **also: Any) -> Any:
    return client.post(AT, {"job": "my-own-run", "namespace": "n-one", "tasks": TASKS, **also}, format="json")


def test_it_is_stored_as_given(client: APIClient) -> None:
    made = post(client, groups={"g": {}}, custom_fields={"a": None}).json()
    assert made["id"].startswith("evaluation_result-")
    assert made.keys() == {
        "created_at", "updated_at", "id", "job", "tasks", "groups", "namespace", "custom_fields"
    }  # fmt: skip
    assert (made["tasks"], made["groups"], made["custom_fields"]) == (TASKS, {"g": {}}, {"a": None})
    assert client.get(f"{AT}/{made['id']}").json() == made
    with_more = post(client, files_url="hf://datasets/a/b", description="d").json()
    assert (with_more["files_url"], with_more["description"]) == ("hf://datasets/a/b", "d")


def test_it_is_listed_by_its_job(client: APIClient) -> None:
    post(client)
    other = post(client, job="other").json()
    listed = client.get(f"{AT}?filter[job_id]=other").json()
    assert [entry["id"] for entry in listed["data"]] == [other["id"]]
    assert client.get(AT).json()["pagination"]["total_results"] == 2
    assert client.get(f"{AT}?page=3").json()["data"] == []


def test_it_is_changed_and_deleted(client: APIClient) -> None:
    before = post(client, description="d").json()
    at = f"{AT}/{before['id']}"
    after = client.patch(at, {"tasks": {}, "project": "p"}, format="json").json()
    assert (after["tasks"], after["project"], after["description"], after["job"]) == ({}, "p", "d", "my-own-run")
    reply = client.generic("DELETE", at, b"", content_type="application/json")
    assert (reply.status_code, reply.json()["id"]) == (200, before["id"])
    assert client.get(at).status_code == client.delete(at).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{"job": None}, {"job": ""}, {"job": 5}, {"job": "x" * 256}, {"tasks": []}, {"groups": "g"}, {"files_url": 5},
     {"namespace": "a/b"}, {"ownership": []}],
    ids=str,
)  # fmt: skip
def test_what_is_refused(client: APIClient, body: dict[str, Any]) -> None:
    reply = post(client, **body)
    assert reply.status_code == 422
    assert [entry["loc"] for entry in reply.json()["detail"]] == [["body", next(iter(body))]]
    assert not PostedResult.objects.exists()


def test_a_key_in_it_is_not_kept(client: APIClient) -> None:
    made = post(client, tasks={"t": {"data": {"api_key": "sk-canary"}}}).json()
    assert made["tasks"] == {"t": {"data": {"api_key": "******"}}}
    assert "sk-canary" not in str(PostedResult.objects.values())


def test_it_goes_with_its_workspace(client: APIClient) -> None:
    post(client)
    deletion.delete(Workspace.objects.get(name="n-one"))
    assert not PostedResult.objects.exists()
