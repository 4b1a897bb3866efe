"""Models, targets and configs of the v1 API: made, read, listed, changed and deleted; what they refuse."""

import copy
import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from rest_framework.test import APIClient

from assay.evaluator.definitions import full, inline_snapshot, snapshot
from assay.evaluator.models import Definition, DefinitionKind
from assay.secrets.models import Secret

TARGETS, CONFIGS, MODELS = "/v1/evaluation/targets", "/v1/evaluation/configs", "/v1/models"
ENDPOINT = {"url": "http://nim.test/v1/chat/completions", "model_id": "meta/llama-3.1-8b-instruct"}
TARGET = {"type": "model", "name": "t-one", "namespace": "n-one", "model": {"api_endpoint": ENDPOINT}}
JUDGE = {
    "type": "llm-judge",
    "params": {
        "model": {"api_endpoint": {**ENDPOINT, "api_key": "sk-judge"}},
        "template": {"messages": [{"role": "user", "content": "Rate {{sample.output_text}}"}], "max_tokens": 200},
        "scores": {"good": {"type": "int", "parser": {"type": "regex", "pattern": "GOOD: ?(\\d)"}}},
    },
}
CONFIG = {
    "type": "custom",
    "name": "c-one",
    "namespace": "n-one",
    "params": {"parallelism": 2},
    "tasks": {
        "qa": {
            "type": "chat-completion",
            "params": {"template": {"messages": [{"role": "user", "content": "{{item.q}}"}], "stop": None}},
            "dataset": {"files_url": "hf://datasets/n-one/d-one/", "limit": 25},
            "metrics": {"good": JUDGE},
        }
    },
}
BODIES = {TARGETS: TARGET, CONFIGS: CONFIG, MODELS: {"name": "m@1", "namespace": "n-one", "api_endpoint": ENDPOINT}}
ADDRESSES = list(BODIES)

pytestmark = pytest.mark.django_db


def make(client: APIClient, address: str, **also: Any) -> Any:
    return client.post(address, {**BODIES[address], **also}, format="json")


def ways(reply: Any) -> list[str]:
    assert reply.status_code == 422, reply.content
    assert {key for entry in reply.json()["detail"] for key in entry} == {"loc", "msg", "type"}
    return sorted(".".join(map(str, entry["loc"])) for entry in reply.json()["detail"])


def test_a_target_as_the_notebooks_show_it(client: APIClient) -> None:
    reply = make(client, TARGETS)
    assert reply.status_code == 200
    found = reply.json()
    assert found.keys() == {"created_at", "updated_at", "name", "namespace", "type", "model", "id", "custom_fields"}
    assert re.fullmatch("eval-target-[1-9A-HJ-NP-Za-km-z]{20,22}", found["id"])
    model = found["model"]
    assert model.keys() == {
        "schema_version", "id", "type_prefix", "namespace", "created_at", "updated_at", "custom_fields", "name",
        "version_id", "version_tags", "api_endpoint",
    }  # fmt: skip
    assert model["id"].startswith("model-") and model["name"] == model["id"]
    assert (model["namespace"], model["version_id"], model["version_tags"]) == ("default", "main", [])
    assert model["api_endpoint"] == {**ENDPOINT, "format": "nim"}
    assert client.get(f"{TARGETS}/n-one/t-one").json() == found
    assert client.get(MODELS).json()["data"] == []


def test_a_config_keeps_what_is_free_and_masks_the_key(client: APIClient) -> None:
    found = make(client, CONFIGS).json()
    assert "description" not in found and found["params"] == {"parallelism": 2}
    task = found["tasks"]["qa"]
    assert task["params"] == CONFIG["tasks"]["qa"]["params"]  # type: ignore[index]
    judge = copy.deepcopy(JUDGE)
    judge["params"]["model"]["api_endpoint"]["api_key"] = "******"  # type: ignore[index]
    assert task["metrics"] == {"good": judge}
    assert task["dataset"]["id"].startswith("dataset-") and task["dataset"]["limit"] == 25
    assert "type_prefix" not in task["dataset"]
    assert client.get("/v1/datasets").json()["data"] == []


def test_the_admin_shows_one_without_its_key(client: APIClient, admin_client: Client) -> None:
    make(client, CONFIGS)
    config = Definition.objects.get(name="c-one")
    tables = "/admin/tables/evaluator/definition/"
    listed = admin_client.get(tables, HTTP_HOST="localhost").content.decode()
    page = admin_client.get(f"{tables}{config.pk}/change/", HTTP_HOST="localhost").content.decode()
    assert "c-one" in listed
    assert "hf://datasets/n-one/d-one/" in page and "******" in page
    assert not any(told in page for told in ("sk-judge", "$sealed", Secret.objects.get(inline=True).name))


def test_the_full_form_has_every_field(client: APIClient) -> None:
    make(client, CONFIGS)
    make(client, TARGETS)
    config = full(DefinitionKind.CONFIG, snapshot(Definition.objects.get(kind=DefinitionKind.CONFIG)))
    assert (config["schema_version"], config["type_prefix"]) == ("1.0", "eval-config")
    assert config["description"] is config["groups"] is config["ownership"] is None
    assert config["params"] == dict.fromkeys(
        ("parallelism", "request_timeout", "max_retries", "limit_samples", "max_tokens", "temperature", "top_p", "stop",
         "extra")
    ) | {"parallelism": 2}  # fmt: skip
    dataset = config["tasks"]["qa"]["dataset"]
    assert dataset.keys() >= {"format", "split", "hf_endpoint", "type_prefix"} and dataset["type_prefix"] is None
    target = full(DefinitionKind.TARGET, snapshot(Definition.objects.get(kind=DefinitionKind.TARGET)))
    assert target["rows"] is target["cached_outputs"] is target["model"]["peft"] is None
    assert target["model"]["api_endpoint"] == {**ENDPOINT, "format": "nim", "api_key": None}


def test_inline_ones_of_a_job_become_entities_too() -> None:
    found, faults = inline_snapshot(DefinitionKind.CONFIG, {"type": "custom", "tasks": CONFIG["tasks"]})
    assert faults == []
    assert (found["name"], found["namespace"]) == (found["id"], "default")
    assert full(DefinitionKind.CONFIG, found)["tasks"]["qa"]["metrics"]["good"]["params"]["model"]["api_endpoint"][
        "api_key"
    ] == "******"  # fmt: skip
    nothing, faults = inline_snapshot(DefinitionKind.TARGET, {"type": "model", "model": {"api_endpoint": {"url": "u"}}})
    assert nothing == {} and [fault["loc"] for fault in faults] == [["model", "api_endpoint", "model_id"]]


def test_models(client: APIClient) -> None:
    found = make(client, MODELS, base_model="meta/llama", peft={"finetuning_type": "lora"}).json()
    assert (found["version_id"], found["version_tags"], found["schema_version"]) == ("main", [], "1.0")
    assert found["type_prefix"] == "model" and found["guardrails"] is None
    assert found["api_endpoint"] == {**ENDPOINT, "api_key": None, "format": None}
    assert client.get(f"{MODELS}/n-one/m@1").json() == found
    make(client, MODELS, name="other", base_model={"name": "big"})
    for asked, names in (
        ("filter[peft]=true", ["m@1"]),
        ("filter[peft]=false", ["other"]),
        ("filter[prompt]=true", []),
        ("filter[peft][finetuning_type]=lora", ["m@1"]),
        ("filter[base_model]=meta/llama", ["m@1"]),
        ("filter[base_model][name]=big", ["other"]),
        ("search[base_model]=LLAMA", ["m@1"]),
        ("sort=name", ["m@1", "other"]),
        ("filter[created_at][gte]=2020-01-01", ["other", "m@1"]),
    ):
        reply = client.get(f"{MODELS}?{asked}")
        assert [entry["name"] for entry in reply.json()["data"]] == names, asked
    assert client.get(f"{MODELS}?filter[created_at][lt]=2020-01-01").status_code == 422


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_is_taken_once_a_kind(client: APIClient, address: str) -> None:
    for each in ADDRESSES:
        assert make(client, each, name="same").status_code == 200
    again = make(client, address, name="same")
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")
    assert make(client, address, name="same", namespace="n-two").status_code == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_unnamed_ones_and_deleting(client: APIClient, address: str) -> None:
    body = {key: value for key, value in BODIES[address].items() if key not in {"name", "namespace"}}  # type: ignore[attr-defined]
    found = client.post(address, body, format="json").json()
    assert (found["name"], found["namespace"]) == (found["id"], "default")
    reply = client.generic("DELETE", f"{address}/default/{found['id']}", b"", content_type="application/json")
    assert (reply.status_code, reply.json()["id"]) == (200, found["id"])
    for missing in (client.get, client.delete, client.patch):
        assert missing(f"{address}/default/{found['id']}").status_code == 404
    assert not Definition.objects.exists() and not Secret.objects.exists()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_change_touches_what_is_given(client: APIClient, address: str) -> None:
    before = make(client, address, description="d", custom_fields={"a": 1}).json()
    at = f"{address}/n-one/{before['name']}"
    same = client.patch(at, {"bogus": 1}, format="json").json()
    assert same | {"updated_at": 0} == before | {"updated_at": 0}
    after = client.patch(at, {"project": "p", "description": None}, format="json").json()
    assert (after["project"], after.get("description"), after["custom_fields"]) == ("p", None, {"a": 1})
    moved = client.patch(at, {"name": "new@name", "namespace": "n-two"}, format="json").json()
    assert (moved["id"], moved["name"], moved["namespace"]) == (before["id"], "new@name", "n-two")
    assert client.get(at).status_code == 404
    make(client, address)
    assert client.patch(at, {"name": "new@name", "namespace": "n-two"}, format="json").status_code == 409
    assert client.get(at).status_code == 200


def test_members_are_changed_as_a_whole(client: APIClient) -> None:
    before = make(client, TARGETS).json()
    at = f"{TARGETS}/n-one/t-one"
    endpoint = {"url": "http://other.test/v1", "model_id": "m", "format": "llama_stack"}
    after = client.patch(at, {"model": {"api_endpoint": endpoint}}, format="json").json()
    assert after["model"]["api_endpoint"] == {**endpoint, "format": "lama_stack"}
    assert (after["model"]["id"], after["type"]) == (before["model"]["id"], "model")
    assert ways(client.patch(at, {"type": "rows"}, format="json")) == ["body.rows"]
    rows = client.patch(at, {"type": "rows", "rows": [{"a": None}], "model": None}, format="json").json()
    assert rows["rows"] == [{"a": None}] and "model" not in rows
    named = client.patch(at, {"type": "model", "model": "n-one/m@1"}, format="json").json()
    assert named["model"] == "n-one/m@1"
    assert client.get(f"{TARGETS}?filter[model]=n-one/m@1").json()["pagination"]["total_results"] == 1
    assert client.get(f"{TARGETS}?search[model]=M@1").json()["pagination"]["total_results"] == 1


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["body.type"]),
        ({"type": "bogus"}, ["body.type"]),
        ({"type": "model"}, ["body.model"]),
        ({"type": "model", "model": 5}, ["body.model"]),
        ({"type": "model", "model": {}}, ["body.model.api_endpoint"]),
        ({"type": "model", "model": {"api_endpoint": {}}},
         ["body.model.api_endpoint.model_id", "body.model.api_endpoint.url"]),
        ({"type": "model", "model": {"api_endpoint": {**ENDPOINT, "format": "x", "url": 5}}},
         ["body.model.api_endpoint.format", "body.model.api_endpoint.url"]),
        ({"type": "model", "model": {"api_endpoint": {**ENDPOINT, "api_key": 5}}}, ["body.model.api_endpoint.api_key"]),
        ({"type": "rows", "rows": [1]}, ["body.rows.0"]),
        ({"type": "rows", "rows": [{"api_key": ["x"]}]}, ["body.rows.0.api_key"]),
        ({"type": "dataset", "dataset": {"limit": 0}}, ["body.dataset.files_url", "body.dataset.limit"]),
        ({"type": "cached_outputs", "cached_outputs": {}}, ["body.cached_outputs.files_url"]),
        ({"type": "retriever"}, ["body.retriever"]),
        ({"type": "rows", "rows": [{"a": 1}], "name": "a/b", "project": 5}, ["body.name", "body.project"]),
    ],
    ids=str,
)  # fmt: skip
def test_targets_that_are_refused(client: APIClient, body: dict[str, Any], places: list[str]) -> None:
    assert ways(client.post(TARGETS, body, format="json")) == places
    assert not Definition.objects.exists() and not Secret.objects.exists()


def test_every_fault_of_a_config_is_told(client: APIClient) -> None:
    task = {"params": 5, "dataset": 5, "metrics": {"m": {"params": []}}}
    body = {"name": "-", "params": {"parallelism": 0, "top_p": 2}, "tasks": {"t": task}, "groups": 5}
    assert ways(client.post(CONFIGS, body, format="json")) == [
        "body.groups", "body.name", "body.params.parallelism", "body.params.top_p", "body.tasks.t.dataset",
        "body.tasks.t.metrics.m.params", "body.tasks.t.metrics.m.type", "body.tasks.t.params", "body.tasks.t.type",
        "body.type",
    ]  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=6)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip
KEYS = st.sampled_from(["api_key", "hf_token", "$sealed", "type", "params", "dataset", "metrics", "model", "id", "x"])


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in inside for place in [(*at, key), *places(inner, (*at, key))]]


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    address = draw(st.sampled_from(ADDRESSES))
    body: dict[str, Any] = copy.deepcopy(BODIES[address])  # type: ignore[arg-type]
    for _ in range(draw(st.integers(1, 3))):
        found = places(body)
        if not found:
            break
        *way, last = draw(st.sampled_from(found))
        inner: Any = body
        for key in way:
            inner = inner[key]
        what = draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "remove":
            del inner[last]
        elif what == "add" and isinstance(inner, dict):
            inner[draw(KEYS)] = draw(JSON)
        else:
            inner[last] = draw(JSON)
    return address, body


class AnyBody(TestCase):
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(nearly_right())
    def test_a_body_that_is_nearly_right(self, drawn: tuple[str, dict[str, Any]]) -> None:
        address, body = drawn
        api = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        before = Definition.objects.count()
        reply = api.post(address, body, format="json")
        assert reply.status_code in {200, 409, 422}, (body, reply.content)
        assert Definition.objects.count() - before == (reply.status_code == 200)
        kept = api.post(address, {**BODIES[address], "name": "kept"}, format="json")
        changed = api.patch(f"{address}/n-one/kept", body, format="json")
        assert changed.status_code in {200, 409, 422}, (body, changed.content)
        assert kept.status_code in {200, 409}
        assert api.get(address).status_code == 200
