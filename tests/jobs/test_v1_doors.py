"""Jobs of the v1 API through their doors, in states that no worker has to bring about."""

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from assay.evaluator.models import Definition
from assay.filesets.models import Fileset
from assay.jobs.models import Job, JobPart, Shard, ShardState, State
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
JOBS, V2 = "/v1/evaluation/jobs", "/v2/evaluation/jobs"
KEY = "sk-not-to-be-seen"
JUDGE: dict[str, Any] = {
    "type": "llm-judge",
    "params": {
        "model": {"api_endpoint": {"url": "http://judge.test/v1", "model_id": "j", "api_key": KEY}},
        "template": {"messages": [{"role": "user", "content": "\nRate {{ sample.output_text }}\n"}]},
        "scores": {"good": {"type": "int", "parser": {"type": "regex", "pattern": r"RATING: (\d+)"}}},
    },
}
TASK: dict[str, Any] = {
    "type": "chat-completion",
    "params": {"template": {"messages": [{"role": "user", "content": "{{ item.q }}"}], "max_tokens": 200}},
    "metrics": {"good": JUDGE},
    "dataset": {"files_url": "hf://datasets/n-one/data/", "limit": 25},
}
CONFIG: dict[str, Any] = {"type": "custom", "name": "c-one", "tasks": {"qa": TASK}}
TARGET: dict[str, Any] = {
    "type": "model",
    "model": {"api_endpoint": {"url": "http://target.test/v1/chat/completions", "model_id": "t", "api_key": KEY}},
}
ROWS: dict[str, Any] = {"type": "rows", "rows": [{"q": "a"}, {"q": "b"}]}


def create(client: APIClient, config: Any = CONFIG, target: Any = TARGET, **also: Any) -> Any:
    return client.post(JOBS, {"config": config, "target": target, **also}, format="json")


def made(client: APIClient, config: Any = CONFIG, target: Any = TARGET, **also: Any) -> Job:
    reply = create(client, config, target, **also)
    assert reply.status_code == 200, reply.content
    return Job.objects.get(uid=reply.json()["id"])


def changed(config: dict[str, Any], **task: Any) -> dict[str, Any]:
    body = copy.deepcopy(config)
    body["tasks"]["qa"].update(task)
    return body


def data_config(*check: Any, kind: str = "string-check") -> dict[str, Any]:
    metrics = {"m": {"type": kind, "params": {"check": list(check)}}}
    return {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": metrics}}}


def test_the_reply_holds_full_snapshots_and_no_key(client: APIClient) -> None:
    reply = create(
        client, namespace="n-one", project="p", custom_fields={"a": 1}, unknown="ignored", status="completed"
    )
    assert reply.status_code == 200, reply.content
    found = reply.json()
    assert KEY not in reply.content.decode()
    assert found["id"].startswith("eval-")
    assert (found["namespace"], found["project"], found["custom_fields"]) == ("n-one", "p", {"a": 1})
    assert (found["status"], found["result"], found["output_files_url"]) == ("created", None, None)
    assert found["config"]["namespace"] == found["target"]["namespace"] == "default"
    assert found["config"]["tasks"]["qa"]["dataset"]["files_url"] == TASK["dataset"]["files_url"]
    assert found["config"]["params"] is None
    assert found["target"]["model"]["api_endpoint"]["api_key"] == "******"
    masked = copy.deepcopy(JUDGE)
    masked["params"]["model"]["api_endpoint"]["api_key"] = "******"
    assert found["config"]["tasks"]["qa"]["metrics"]["good"] == masked, "as sent, no defaults added"
    again = client.get(f"{JOBS}/{found['id']}").json()
    assert again["config"] == found["config"]
    assert again["status_details"] == {
        "message": None, "task_status": {"qa": "pending"}, "progress": 0.0, "samples_processed": 0
    }  # fmt: skip


def test_keys_are_sealed_once_each_and_go_with_the_job(client: APIClient) -> None:
    job = made(client)
    stored = json.dumps([job.submitted, job.spec, job.metrics, list(job.parts.values("params", "prompt_template"))])
    assert KEY not in stored
    assert Secret.objects.filter(inline=True).count() == job.job_secrets.count() > 0
    assert client.post(f"{JOBS}/{job.uid}/cancel").json()["status"] == "cancelled"
    assert client.delete(f"{JOBS}/{job.uid}").status_code == 204
    assert not Secret.objects.exists()
    assert not Fileset.objects.exists()


def test_a_refused_job_leaves_nothing_behind(client: APIClient) -> None:
    assert create(client, changed(CONFIG, type="poem")).status_code == 422
    assert not Job.objects.exists() and not Secret.objects.exists() and not Fileset.objects.exists()


BROKEN = {"type": "regex", "pattern": "("}
SCORE = JUDGE["params"]["scores"]["good"]


def judge_with(**params: Any) -> dict[str, Any]:
    return {"good": {"type": "llm-judge", "params": {**JUDGE["params"], **params}}}


@pytest.mark.parametrize(
    ("config", "target", "place"),
    [
        ({**CONFIG, "type": "gsm8k"}, TARGET, "config.type"),
        ({**CONFIG, "tasks": {}}, TARGET, "config.tasks"),
        (changed(CONFIG, type="prompt-optimization"), TARGET, "config.tasks.qa.type"),
        (changed(CONFIG, type="data"), TARGET, "config.tasks.qa.type"),
        (changed(CONFIG, metrics={}), TARGET, "config.tasks.qa.metrics"),
        (changed(CONFIG, dataset=None), TARGET, "config.tasks.qa.dataset"),
        (changed(CONFIG, dataset={"files_url": "s3://x"}), TARGET, "config.tasks.qa.dataset.files_url"),
        (changed(CONFIG, params=None), TARGET, "config.tasks.qa.params.template"),
        (changed(CONFIG, params={"template": {"messages": "{{ a"}}), TARGET,
         "config.tasks.qa.params.template.messages"),
        (changed(CONFIG, params={"template": {"max_tokens": 3}}), TARGET, "config.tasks.qa.params.template"),
        (changed(CONFIG, metrics={"m": {"type": "vibes"}}), TARGET, "config.tasks.qa.metrics.m.type"),
        (changed(CONFIG, metrics={"m": {"type": "bleu"}}), TARGET, "config.tasks.qa.metrics.m.params"),
        (changed(CONFIG, metrics={"m": {"type": "f1", "params": {}}}), TARGET,
         "config.tasks.qa.metrics.m.params.ground_truth"),
        (changed(CONFIG, metrics=judge_with(scores={})), TARGET, "config.tasks.qa.metrics.good.params.scores"),
        (changed(CONFIG, metrics=judge_with(model={})), TARGET,
         "config.tasks.qa.metrics.good.params.model.api_endpoint.url"),
        (changed(CONFIG, metrics=judge_with(model="no/such")), TARGET, "config.tasks.qa.metrics.good.params.model"),
        (changed(CONFIG, metrics=judge_with(scores={"a": {"type": "int", "parser": BROKEN}})), TARGET,
         "config.tasks.qa.metrics.good.params.scores.a.parser.pattern"),
        (changed(CONFIG, metrics=judge_with(scores={"a": {**SCORE, "type": "colour"}})), TARGET,
         "config.tasks.qa.metrics.good.params.scores.a.type"),
        (changed(CONFIG, metrics=judge_with(template={"messages": [{"role": "user", "content": "{% if %}"}]})), TARGET,
         "config.tasks.qa.metrics.good.params.template.messages.0.content"),
        (data_config("a", "resembles", "b"), ROWS, "config.tasks.qa.metrics.m.params.check.1"),
        (data_config("a", "equals"), ROWS, "config.tasks.qa.metrics.m.params.check"),
        (data_config("absolute difference", "1", "2", kind="number-check"), ROWS,
         "config.tasks.qa.metrics.m.params.check"),
        (data_config("1", ">", "{{ x", kind="number-check"), ROWS, "config.tasks.qa.metrics.m.params.check.2"),
        (data_config("a", "==", "b"), {"type": "rows", "rows": []}, "target.rows"),
        (data_config("a", "==", "b"), {"type": "rag", "rag": {}}, "target.type"),
        (data_config("a", "==", "b"), {"type": "model"}, "target.model"),
        (CONFIG, {"type": "model", "model": {"api_endpoint": {"url": "no url", "model_id": "m"}}},
         "target.model.api_endpoint.url"),
        (CONFIG, {"type": "model", "model": "no/such"}, "target.model"),
        (CONFIG, {"type": "model", "model": {"api_endpoint": {"url": "http://a.test", "model_id": "m", "format": "x"}}},
         "target.model.api_endpoint.format"),
        ({**CONFIG, "params": {"parallelism": 0}}, TARGET, "config.params.parallelism"),
        ({**CONFIG, "params": {"temperature": 3}}, TARGET, "config.params.temperature"),
    ],
    ids=range(31),
)  # fmt: skip
def test_a_fault_is_told_with_its_place(client: APIClient, config: Any, target: Any, place: str) -> None:
    reply = create(client, config, target)
    assert reply.status_code == 422, reply.content
    places = [".".join(map(str, fault["loc"])) for fault in reply.json()["detail"]]
    assert f"body.{place}" in places, places
    assert KEY not in reply.content.decode()
    assert all(set(fault) == {"loc", "msg", "type"} for fault in reply.json()["detail"])


def test_every_fault_is_told_at_once(client: APIClient) -> None:
    metrics = {"a": {"type": "vibes"}, "b": judge_with(scores={"s": {"type": "int"}})["good"]}
    config = changed(CONFIG, type="poem", metrics=metrics)
    reply = create(client, config, {"type": "model", "model": {"api_endpoint": {"url": "x", "model_id": "m"}}})
    places = {".".join(map(str, fault["loc"])) for fault in reply.json()["detail"]}
    qa = "body.config.tasks.qa"
    assert {
        f"{qa}.type", f"{qa}.metrics.a.type", f"{qa}.metrics.b.params.scores.s.parser",
        "body.target.model.api_endpoint.url",
    } <= places  # fmt: skip


def test_config_and_target_by_reference(client: APIClient) -> None:
    assert client.post("/v1/evaluation/configs", {**CONFIG, "namespace": "n-one"}, format="json").status_code == 200
    assert client.post("/v1/evaluation/targets", {**TARGET, "name": "t-one"}, format="json").status_code == 200
    job = made(client, "n-one/c-one", "default/t-one")
    shown = client.get(f"{JOBS}/{job.uid}").json()
    assert (shown["config"]["name"], shown["config"]["namespace"]) == ("c-one", "n-one")
    assert shown["target"]["model"]["api_endpoint"]["api_key"] == "******"
    assert client.delete("/v1/evaluation/configs/n-one/c-one").status_code == 200
    assert client.get(f"{JOBS}/{job.uid}").json()["config"] == shown["config"], "a job keeps its own snapshot"
    assert Secret.objects.filter(job_secrets__job=job).count() == job.job_secrets.count() == 2
    missing = create(client, "n-one/c-one", "default/t-one")
    assert (missing.status_code, missing.json()["detail"]) == (404, "Config n-one/c-one not found")
    assert create(client, CONFIG, "t-one").status_code == 404


def test_a_model_by_name_is_an_entity_or_at_the_inference_server(client: APIClient, settings: Any) -> None:
    entity = {"name": "llama@v1", "namespace": "n-one", "api_endpoint": TARGET["model"]["api_endpoint"]}
    assert client.post("/v1/models", entity, format="json").status_code == 200
    job = made(client, CONFIG, {"type": "model", "model": "n-one/llama@v1"})
    assert (job.spec["target"]["url"], job.spec["target"]["name"]) == ("http://target.test/v1/chat/completions", "t")
    assert job.job_secrets.filter(reference=job.spec["target"]["api_key_secret"]).exists()
    assert client.get(f"{JOBS}/{job.uid}").json()["target"]["model"] == "n-one/llama@v1"
    settings.INFERENCE_URL = "http://inference.test/v1"
    job = made(client, CONFIG, {"type": "model", "model": "meta/llama-3.2-1b-instruct"})
    assert (job.spec["target"]["url"], job.spec["target"]["name"]) == (
        "http://inference.test/v1", "meta/llama-3.2-1b-instruct"
    )  # fmt: skip


def test_a_dataset_that_is_named_and_not_registered_is_not_found(client: APIClient) -> None:
    reply = create(client, changed(CONFIG, dataset="n-one/none"))
    assert (reply.status_code, reply.json()["detail"]) == (404, "Dataset n-one/none not found")


def test_a_hub_that_is_our_own_is_read_without_http(client: APIClient) -> None:
    for endpoint, wanted in (("http://localhost/v1/hf", None), ("http://hub.test/v1/hf", "http://hub.test/v1/hf")):
        job = made(client, changed(CONFIG, dataset={**TASK["dataset"], "hf_endpoint": endpoint}))
        assert job.parts.get().dataset["hf_endpoint"] == wanted


@pytest.mark.parametrize(
    ("state", "leased", "word", "task"),
    [
        (State.CREATED, False, "created", "pending"),
        (State.CREATED, True, "running", "pending"),
        (State.PENDING, False, "running", "pending"),
        (State.ACTIVE, False, "running", "running"),
        (State.PAUSED, False, "pending", "running"),
        (State.CANCELLING, False, "cancelling", "running"),
        (State.CANCELLED, False, "cancelled", "failed"),
        (State.ERROR, False, "failed", "failed"),
        (State.COMPLETED, False, "completed", "completed"),
    ],
)
def test_the_states_in_the_words_of_v1(client: APIClient, state: State, leased: bool, word: str, task: str) -> None:
    job = made(client)
    until = timezone.now() + timedelta(seconds=6) if leased else None
    planned = {} if task == "pending" else {"rows_total": 25, "rows_done": 12}
    Job.objects.filter(pk=job.pk).update(state=state, lease_until=until, **planned)
    if planned:
        running = ShardState.DONE if state == State.COMPLETED else ShardState.WAITING
        Shard.objects.create(job=job, index=0, start=0, stop=25, token=1, state=running)
    found = client.get(f"{JOBS}/{job.uid}").json()
    assert found["status"] == word
    assert found["status_details"]["task_status"] == {"qa": task}
    wanted = 100.0 if state == State.COMPLETED else 48.0 if planned else 0.0
    assert found["status_details"]["progress"] == client.get(f"{JOBS}/{job.uid}/status").json()["progress"] == wanted
    assert [each["id"] for each in client.get(f"{JOBS}?filter[status]={word},ready").json()["data"]] == [job.uid]
    assert client.get(f"{JOBS}?filter[status]=ready").json()["data"] == []
    assert client.get(f"{V2}/{job.uid.replace('eval-', 'job-')}").json()["status"] == {
        "running": "active", "failed": "error"
    }.get(word, word)  # fmt: skip


def test_progress_says_a_hundred_when_the_results_are_there_and_not_before(client: APIClient) -> None:
    job = made(client)
    Job.objects.filter(pk=job.pk).update(state=State.ACTIVE, rows_total=25, rows_done=25)
    assert client.get(f"{JOBS}/{job.uid}/status").json()["progress"] == 96.0


def test_lists_filter_and_end_and_cost_the_same_however_long(client: APIClient) -> None:
    jobs = [made(client, namespace="n-one" if n % 2 else "n-two", project=f"p{n}") for n in range(4)]
    listed = client.get(f"{JOBS}?page_size=3").json()
    assert [each["id"] for each in listed["data"]] == [job.uid for job in reversed(jobs)][:3]
    assert client.get(f"{JOBS}?page_size=3&page=9").json()["data"] == []
    for query, wanted in (
        ("filter[namespace]=n-one", 2), ("filter[project]=p1", 1), ("filter[config]=default/c-one", 4),
        ("filter[config]=default/other", 0), ("filter[config][type]=custom", 4), ("filter[target][type]=rows", 0),
        ("filter[created_at][gte]=2030-01-01", 4 if timezone.now().year >= 2030 else 0), ("search[project]=P", 4),
    ):  # fmt: skip
        assert client.get(f"{JOBS}?{query}").json()["pagination"]["total_results"] == wanted, query
    assert client.get(f"{JOBS}?filter[colour]=red").status_code == 422
    with CaptureQueriesContext(connection) as few:
        client.get(f"{JOBS}?page_size=1")
    with CaptureQueriesContext(connection) as many:
        client.get(f"{JOBS}?page_size=4")
    assert len(few) == len(many) <= 4


def test_a_job_that_is_over_or_unknown(client: APIClient) -> None:
    job = made(client)
    assert client.get(f"{JOBS}/{job.uid}/download-results").status_code == 409, "it has not begun"
    assert client.get(f"{JOBS}/{job.uid}/results").json()["tasks"] == {}
    assert client.post(f"{JOBS}/{job.uid}/cancel", content_type="application/json").status_code == 200
    over = client.post(f"{JOBS}/{job.uid}/cancel")
    assert (over.status_code, over["x-should-retry"]) == (409, "false")
    for end in ("", "/status", "/results", "/logs", "/download-results"):
        missing = client.get(f"{JOBS}/eval-none{end}")
        assert (missing.status_code, missing.json()["detail"]) == (404, "Job eval-none not found")
    assert client.delete(f"{JOBS}/eval-none").status_code == 404
    assert client.post(f"{JOBS}/eval-none/cancel").status_code == 404


def test_a_job_of_v2_is_none_of_v1(client: APIClient, workspace: Workspace) -> None:
    from tests.jobs.made import job_in

    other = job_in(workspace)
    assert client.get(f"{JOBS}/{other.uid}").status_code == 404
    assert client.get(JOBS).json()["data"] == []


def test_v2_and_the_admin_show_a_job_of_v1(client: APIClient) -> None:
    job = made(client, namespace="n-one")
    for path in (
        f"/apis/jobs/v2/workspaces/n-one/jobs/{job.name}",
        f"/apis/evaluator/v2/workspaces/n-one/evaluate/jobs/{job.name}",
    ):
        found = client.get(path).json()
        assert (found["id"], found["status"]) == (job.uid, "created")
        spec = found["spec"]
        assert spec["dataset"] == "n-one/data"
        assert spec["metrics"][0]["outputs"][0]["name"] == "good"
        for end in ("status", "logs", "results"):
            assert client.get(f"{path}/{end}").status_code == 200
    steps = client.get(f"/apis/jobs/v2/workspaces/n-one/jobs/{job.name}/steps").json()["data"]
    assert [step["name"] for step in steps] == ["evaluate"]
    admin = Client(HTTP_HOST="localhost")
    admin.force_login(User.objects.create_superuser("root"))
    assert admin.get("/admin/tables/jobs/job/").status_code == 200
    page = admin.get(f"/admin/tables/jobs/job/{job.pk}/change/")
    assert page.status_code == 200
    assert KEY not in page.content.decode()


def test_the_fileset_that_a_job_reads_stays(client: APIClient) -> None:
    Workspace.objects.create(name="n-one")
    fileset = Fileset.objects.create(workspace=Workspace.objects.get(name="n-one"), name="data")
    job = made(client)
    assert JobPart.objects.get(job=job).fileset == fileset
    refused = client.delete("/apis/files/v2/workspaces/n-one/filesets/data")
    assert refused.status_code == 409
    assert job.uid in refused.json()["detail"]


def test_results_from_elsewhere_are_listed_with_those_of_jobs(client: APIClient) -> None:
    job = made(client)
    posted = client.post("/v1/evaluation/results", {"job": "mine", "tasks": {"t": {}}}, format="json")
    assert posted.status_code == 200, posted.content
    results = "/v1/evaluation/results"
    listed = client.get(results).json()["data"]
    assert [each["job"] for each in listed] == ["mine", job.uid]
    own = client.get(f"{results}?filter[job_id]={job.uid}").json()["data"]
    assert [each["id"] for each in own] == [job.uid.replace("eval-", "evaluation_result-")]
    place = f"{results}/{own[0]['id']}"
    assert client.get(place).json() == own[0] == client.get(f"{JOBS}/{job.uid}/results").json()
    assert client.patch(place, {"description": "good"}, format="json").json()["description"] == "good"
    assert client.get(f"{JOBS}/{job.uid}/results").json()["description"] == "good"
    assert client.patch(place, {"tasks": {}}, format="json").status_code == 422
    assert client.delete(place).status_code == 409
    other = f"{results}/{posted.json()['id']}"
    assert client.patch(other, {"tasks": {"t": {"data": {}}}}, format="json").json()["tasks"] == {"t": {"data": {}}}
    assert client.delete(other).json()["id"] == posted.json()["id"]
    assert client.get(other).status_code == 404
    assert [each["job"] for each in client.get(f"{results}?page_size=1").json()["data"]] == [job.uid]


def test_the_alias_shows_the_same_rows(client: APIClient) -> None:
    body = {"spec": {"config": CONFIG, "target": TARGET}, "name": "j-one", "namespace": "n-one"}
    reply = client.post(V2, body, format="json")
    assert reply.status_code == 200, reply.content
    assert KEY not in reply.content.decode()
    found = reply.json()
    assert (found["name"], found["namespace"], found["status"]) == ("j-one", "n-one", "created")
    assert client.post(V2, body, format="json").status_code == 409
    job = Job.objects.get()
    assert found["id"] == job.uid.replace("eval-", "job-")
    assert [each["id"] for each in client.get(f"{V2}?sort=-updated_at").json()["data"]] == [found["id"]]
    place = f"{V2}/{found['id']}"
    assert client.get(f"{place}/status").json()["status_details"]["progress"] == 0.0
    log = client.get(f"{place}/logs").json()
    assert log["total"] == len(log["data"]) == 1
    assert not log["next_page"]
    assert {each["result_name"] for each in client.get(f"{place}/results").json()["data"]} == {
        "evaluation-results", "artifacts"
    }  # fmt: skip
    assert client.get(f"{place}/results/evaluation-results/download").json() == {"tasks": {}, "groups": {}}
    assert b"".join(client.get(f"{place}/results/artifacts/download").streaming_content)[:2] == b"PK"
    assert client.post(f"{place}/cancel").json()["status"] == "cancelled"
    assert client.delete(place).json()["id"] == found["id"]
    assert client.get(place).status_code == 404
    assert not Definition.objects.exists()
