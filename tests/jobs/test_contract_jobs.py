"""The recorded exchanges about jobs, replayed: same status, same fields and types, same sentences."""

import json
from typing import Any

import orjson
import pytest
from rest_framework.test import APIClient

from assay.evaluator.models import EvalResult
from assay.filesets.models import Fileset
from assay.jobs import logs
from assay.jobs.control import settle
from assay.jobs.models import Job, Shard, State
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace
from tests.contract.replay import exchanges, same_shape
from tests.jobs.made import SPECS, active, completed, job_in
from tests.jobs.replaying import comparable, replay, send

pytestmark = pytest.mark.django_db


def workspace_with_secret(name: str, secret: str) -> Workspace:
    home = Workspace.objects.create(name=name)
    Secret.objects.create(workspace=home, name=secret, sealed=b"")
    return home


# Server 0.6.0


@pytest.fixture
def home(db: None) -> Workspace:
    return workspace_with_secret("ha-j1", "jk")


def recorded_spec() -> dict[str, Any]:
    """Return what makes the tutorial's spec that of the recorded jobs: no limit, and a secret that is called jk."""
    text = json.dumps(SPECS["publication"]["metrics"])
    metrics = json.loads(text.replace("nvidia_api_key", "jk").replace("nvidia-api-key", "jk"))
    return {"metrics": metrics, "params": {"parallelism": 1, "limit_samples": None}}


def test_lists_logs_results_and_the_end_of_jobs(client: APIClient, home: Workspace) -> None:
    for name in ("nemo-evaluator-1", "nemo-evaluator-2"):
        job_in(home, name, state=State.CANCELLED, spec=recorded_spec())
    also = {"description": "desc", "ownership": {"o": 1}, "custom_fields": {"k": 1}}
    job = job_in(home, "ha-job-a", spec=recorded_spec(), **also)
    for line in range(16):
        logs.write(job, f"Line {line}")
    completed(job)
    job_in(home, "ha-c1", spec=recorded_spec())
    running = active(job_in(home, "ha-c2", spec=recorded_spec()))
    job_in(home, "ha-p1", spec=recorded_spec(), state=State.PAUSING)
    scores = next(exchanges("jobs-list-logs-results.jsonl", path="/eval-results$"))["response"]["data"][0]["scores"]
    EvalResult.objects.create(
        workspace=home, name="ha-p2", metric_types=["llm-judge"], bundle_ref="ha-j1/f#r", scores=scores
    )
    departures = {
        ("GET", "evaluate/jobs/ha-job-a/logs"): 200,
        ("PATCH", "/status-details"): 404,  # only the platform says how far a job is
        ("POST", "/ha-j1/jobs"): 403,  # nobody's commands are run here
        ("GET", "/ha-gen"): 404,
        ("DELETE", "/ha-gen"): 404,
    }
    differences = []
    for exchange in exchanges("jobs-list-logs-results.jsonl"):
        if exchange["status"] == 500:
            assert send(client, exchange).status_code == 400, "a bad cursor is the caller's mistake"
            continue
        differences += replay(client, exchange, departures)
        if exchange.get("note") == "job is cancelling":
            Shard.objects.filter(job=running).update(state="waiting")
            running.refresh_from_db()
            settle(running)
    assert not differences, "\n".join(differences)


def test_the_tutorial_of_the_newest_client(client: APIClient) -> None:
    home = workspace_with_secret("llm-as-judge-tutorial", "nvidia-api-key")
    create, *rest = exchanges("evaluate-job-0.6.jsonl", path="/llm-as-judge-tutorial/evaluate/jobs")
    reply = send(client, create)
    assert reply.status_code == 201
    assert not same_shape(comparable(create["response"]), comparable(reply.json()))
    for entry in (echo := reply.json()["spec"])["metrics"] + create["request"]["spec"]["metrics"]:
        del entry["payload"]["digest"]  # the recorded ones are of other host names
    assert echo == create["request"]["spec"], "clients validate the spec that comes back"

    recorded = [each for each in rest if create["response"]["name"] in each["path"]]
    job = Job.objects.get(workspace=home)
    differences = []
    for exchange in recorded:
        exchange["path"] = exchange["path"].replace(create["response"]["name"], job.name)
        if exchange["path"].endswith("/status"):
            match exchange["response"]["status"], job.state:
                case "active", "created":
                    active(job)
                case "completed", "active":
                    completed(job)
        differences += replay(client, exchange)
    assert job.state == State.COMPLETED
    assert not differences, "\n".join(differences)


def test_a_job_is_created_as_the_second_recording_says(client: APIClient, home: Workspace) -> None:
    differences = []
    for exchange in exchanges("evaluate-job-0.6.jsonl", path="/ha-j1/evaluate/jobs$"):
        differences += replay(client, exchange)
    assert Job.objects.get(workspace=home).custom_fields == {"k": 1}
    assert not differences, "\n".join(differences)


def test_aggregates_are_written_as_recorded_to_the_byte(client: APIClient, home: Workspace) -> None:
    for exchange in exchanges("evaluate-job-0.6.jsonl", path="/ha-j1/.*/aggregate-scores/download$"):
        if exchange["status"] == 200:
            name = exchange["path"].split("/")[-4]
            completed(job_in(home, name), orjson.loads(exchange["response"]))
            reply = send(client, exchange)
            assert b"".join(reply.streaming_content).decode() == exchange["response"]
            recorded = exchange["response_headers"]
            for header in ("content-type", "content-disposition", "content-length", "accept-ranges"):
                assert reply.headers[header] == recorded[header]
            assert reply.headers["etag"].startswith('"')


def test_jobs_that_cannot_be_made(client: APIClient, home: Workspace) -> None:
    job_in(home, "ha-job-a")
    differences = []
    for exchange in exchanges("errors.jsonl", path="/evaluate/jobs"):
        note = exchange.get("note", "")
        if note.startswith("name "):
            reply = send(client, exchange)
            assert reply.status_code == 422, "a name that cannot be is no conflict"
            assert reply.json()["detail"][0]["loc"] == ["body", "name"]
        elif note in {"bad score range", "metric type unknown", "unknown metric type", "junk cloudpickle"}:
            reply = send(client, exchange)
            assert reply.status_code == 422
            assert reply.json()["detail"].startswith("Failed to transform nemo-evaluator job input to output: ")
        else:
            differences += replay(client, exchange)
    assert not differences, "\n".join(differences)


# Server 0.1.0


def oldest(pattern: str) -> list[dict[str, Any]]:
    return list(exchanges("evaluate-job-0.1.jsonl", server="0.1.0", path=pattern))


def test_a_job_of_the_oldest_client(client: APIClient) -> None:
    home = workspace_with_secret("ha-k1", "jk")
    create, *rest = oldest("/ha-k1/")
    reply = send(client, create)
    assert reply.status_code == 201
    assert reply.json()["spec"] == {**create["response"]["spec"], "metric": create["request"]["spec"]["metric"]}
    job = Job.objects.get(workspace=home)
    completed(active(job))
    for line in range(3):
        logs.write(job, f"Line {line}")
    differences = []
    for exchange in rest:
        if "timestamp" in str(exchange["response"]):
            # That server stamps every line 1970, and without microseconds.
            exchange["response"]["data"] = [
                {**line, "timestamp": "2026-11-22T17:49:29.113224"} for line in exchange["response"]["data"]
            ]
        differences += replay(client, exchange)
    assert not differences, "\n".join(differences)


def test_a_failed_job_of_the_oldest_client(client: APIClient) -> None:
    home = Workspace.objects.create(name="ha-d1")
    fileset = Fileset.objects.create(workspace=home, name="up")
    create, *rest = oldest("/ha-d1/")
    assert send(client, create).status_code == 201
    job = Job.objects.get(workspace=home)
    assert job.dataset_fileset == fileset
    Job.objects.update(state=State.ERROR, error="File 'd.jsonl' not found.", finished_at=job.created_at)
    differences = []
    for exchange in rest:
        if exchange["path"].endswith("/status"):
            for step in exchange["response"]["steps"]:
                step["tasks"][0]["error_stack"] = None  # ours tells no traceback
        elif exchange["path"].endswith("/ha-r1"):
            exchange["response"] |= {"custom_fields": {}, "spec": send(client, exchange).json()["spec"]}
        elif exchange["path"].endswith("/logs") or exchange["status"] == 404:
            continue  # the newest server's sentences are ours
        differences += replay(client, exchange)
    assert not differences, "\n".join(differences)
