"""Keys that come inside v1 bodies: sealed, masked, kept by a mask, and gone with the last thing that refers to them."""

import logging
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from rest_framework.test import APIClient
from things import make_job, make_secret

from assay.evaluator.definitions import get_definition
from assay.evaluator.models import Definition, DefinitionKind, DefinitionSecret
from assay.evaluator.sealing import SEALED, let_go, masked, seal_keys, sealed_references, sealed_secrets
from assay.jobs.models import Job, JobSecret
from assay.platform.errors import Conflict, Invalid
from assay.secrets import vault
from assay.secrets.models import Secret
from assay.workspaces import deletion
from assay.workspaces.models import Workspace

TARGETS, CONFIGS = "/v1/evaluation/targets", "/v1/evaluation/configs"
CANARY = "sk-canary-5d1f0c"

pytestmark = pytest.mark.django_db


def target(key: Any = CANARY, name: str = "t-one") -> dict[str, Any]:
    endpoint = {"url": "http://x.test/v1", "model_id": "m", "api_key": key}
    return {"type": "model", "name": name, "namespace": "n-one", "model": {"api_endpoint": endpoint}}


def make(client: APIClient, **also: Any) -> Definition:
    assert client.post(TARGETS, {**target(), **also}, format="json").status_code == 200
    return get_definition(DefinitionKind.TARGET, "n-one", also.get("name", "t-one"))


def opened(definition: Definition) -> str:
    (secret,) = sealed_secrets(definition.body).values()
    return vault.open_secret(secret).reveal()


def everything_stored() -> str:
    return repr([list(model._default_manager.values()) for model in apps.get_models()])


def test_a_key_is_nowhere_in_the_clear(client: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    params = {
        "model": {"api_endpoint": {"url": "u", "model_id": "m", "api_key": CANARY}},
        "deep": [{"hf_token": CANARY}],
    }
    config = {
        "type": "other",
        "name": "c-one",
        "custom_fields": {"api_key": CANARY},
        "params": {"extra": {"hf_token": CANARY}},
        "tasks": {"t": {"type": "x", "params": params, "metrics": {"m": {"type": "y", "params": params}}}},
    }
    said = [
        client.post(TARGETS, target(), format="json"),
        client.post(CONFIGS, config, format="json"),
        client.post("/v1/models", {"name": "m", "api_endpoint": target()["model"]["api_endpoint"]}, format="json"),
        client.post("/v1/namespaces", {"id": "n-two", "custom_fields": {"x": {"api_key": CANARY}}}, format="json"),
        client.post("/v1/datasets", {"files_url": "x", "custom_fields": {"hf_token": CANARY}}, format="json"),
    ]
    assert [reply.status_code for reply in said] == [200] * 5
    said += [client.get(address) for address in (TARGETS, CONFIGS, "/v1/models", "/v1/namespaces", "/v1/datasets")]
    said += [client.get(f"{TARGETS}/n-one/t-one"), client.get(f"{CONFIGS}/default/c-one")]
    assert client.get(f"{CONFIGS}?search[tasks]={CANARY}").json()["data"] == []
    # Refusals repeat nothing either: malformed, misplaced, of the wrong shape, twice the same.
    said += [
        client.generic("POST", TARGETS, f'{{"api_key": "{CANARY}"', content_type="application/json"),
        client.post(TARGETS, {"type": CANARY, "api_key": CANARY, "model": {"api_key": CANARY}}, format="json"),
        client.post(TARGETS, target([CANARY]), format="json"),
        client.post(TARGETS, target({SEALED: CANARY}), format="json"),
        client.post(TARGETS, target(), format="json"),
    ]
    shown = "".join(reply.content.decode() for reply in said)
    assert "******" in shown
    assert CANARY not in shown + everything_stored() + caplog.text


def test_it_opens_for_whoever_calls_the_endpoint(client: APIClient) -> None:
    definition = make(client)
    (reference,) = sealed_references(definition.body)
    workspace, name = reference.split("/")
    assert (workspace, name[:7]) == ("n-one", "inline-")
    assert definition.body["model"]["api_endpoint"]["api_key"] == {SEALED: reference}
    assert opened(definition) == CANARY


def test_the_same_key_twice_in_a_body_is_one_secret(client: APIClient) -> None:
    body = {"type": "x", "tasks": {"t": {"type": "x", "params": {"a": {"api_key": "k"}, "b": {"api_key": "k"}}}}}
    assert client.post(CONFIGS, body, format="json").status_code == 200
    assert Secret.objects.count() == DefinitionSecret.objects.count() == 1


@pytest.mark.parametrize("key", [None, ""])
def test_no_key_stays_no_key(client: APIClient, key: Any) -> None:
    reply = client.post(TARGETS, target(key), format="json").json()
    assert reply["model"]["api_endpoint"].get("api_key") == key
    assert not Secret.objects.exists()


@pytest.mark.parametrize("key", [5, True, 1.5, ["k"], {"k": "v"}, {SEALED: "n-one/inline-x"}, "x" * 1_048_577])
def test_a_key_is_a_text(client: APIClient, key: Any) -> None:
    reply = client.post(TARGETS, target(key), format="json")
    assert reply.status_code == 422
    assert [entry["loc"] for entry in reply.json()["detail"]] == [["body", "model", "api_endpoint", "api_key"]]
    assert not Secret.objects.exists()


def test_a_body_can_refer_to_no_secret_of_somebody_else(client: APIClient) -> None:
    make(client)
    (reference,) = sealed_references(Definition.objects.get().body)
    forged = {"type": "x", "tasks": {"t": {"type": "x", "params": {"x": {SEALED: reference}}}}}
    assert client.post(CONFIGS, forged, format="json").status_code == 200
    assert DefinitionSecret.objects.count() == 1
    assert client.delete(f"{TARGETS}/n-one/t-one").status_code == 200
    assert not Secret.objects.exists()


def test_a_mask_keeps_the_key_in_a_change(client: APIClient) -> None:
    make(client)
    at = f"{TARGETS}/n-one/t-one"
    shown = client.get(at).json()
    shown["model"]["api_endpoint"]["model_id"] = "other"
    assert client.patch(at, shown, format="json").json()["model"]["api_endpoint"]["model_id"] == "other"
    assert opened(Definition.objects.get()) == CANARY
    assert client.patch(at, {"model": target("sk-new")["model"]}, format="json").status_code == 200
    assert opened(Definition.objects.get()) == "sk-new"
    assert Secret.objects.count() == DefinitionSecret.objects.count() == 1
    assert client.patch(at, {"model": target(None)["model"]}, format="json").status_code == 200
    assert Secret.objects.count() == DefinitionSecret.objects.count() == 0


def test_a_mask_where_no_key_is_stored(client: APIClient) -> None:
    reply = client.post(TARGETS, target("******"), format="json")
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["body", "model", "api_endpoint", "api_key"]
    make(client, model=target(None)["model"])
    assert (
        client.patch(f"{TARGETS}/n-one/t-one", {"model": target("******")["model"]}, format="json").status_code == 422
    )


def test_too_many_keys(client: APIClient) -> None:
    params = {f"p{n}": {"api_key": f"k{n}"} for n in range(101)}
    body = {"type": "x", "tasks": {"t": {"type": "x", "params": params}}}
    assert client.post(CONFIGS, body, format="json").status_code == 422
    assert not Secret.objects.exists()


def test_v2_and_the_admin_do_not_show_them(client: APIClient, admin_client: Client) -> None:
    make(client)
    secret = Secret.objects.get()
    for workspace in ("n-one", "-"):
        assert client.get(f"/apis/secrets/v2/workspaces/{workspace}/secrets").json()["data"] == []
    at = f"/apis/secrets/v2/workspaces/n-one/secrets/{secret.name}"
    for method, address in (("GET", at), ("GET", f"{at}/access"), ("PATCH", at), ("DELETE", at)):
        reply = client.generic(method, address, b'{"value": "x"}', content_type="application/json")
        assert reply.status_code == 404
    assert secret.name not in admin_client.get("/admin/tables/secrets/secret/", HTTP_HOST="localhost").content.decode()
    page = admin_client.get(f"/admin/tables/secrets/secret/{secret.pk}/change/", HTTP_HOST="localhost")
    assert page.status_code == 302
    assert vault.open_secret(Secret.objects.get()).reveal() == CANARY


def test_a_workspace_waits_for_its_definitions_and_not_for_their_keys(client: APIClient) -> None:
    definition = make(client)
    workspace = definition.workspace
    assert [str(each) for each in deletion.blockers(workspace)] == ["definition 'n-one/t-one'"]
    refused = client.delete("/apis/entities/v2/workspaces/n-one")
    assert refused.status_code == 409
    assert "definitions, jobs, filesets, secrets, workspace" in refused.json()["detail"]
    assert client.delete("/apis/entities/v2/workspaces/n-one?cascade=true").status_code == 200
    assert not Definition.objects.exists() and not Secret.objects.exists()


def test_a_key_that_nothing_refers_to_goes_with_its_workspace(workspace: Workspace) -> None:
    seal_keys(workspace, {"api_key": CANARY})
    assert deletion.blockers(workspace) == deletion.preview(workspace) == []
    deletion.delete(workspace)
    assert not Secret.objects.exists()


def test_a_key_goes_with_the_last_of_a_definition_and_the_jobs_that_were_made_from_it(client: APIClient) -> None:
    definition = make(client)
    (secret,) = Secret.objects.all()
    elsewhere = Workspace.objects.create(name="w-two")
    jobs = [make_job(elsewhere, name, secrets=(secret,)) for name in ("first", "second")]
    deletion.delete(jobs[0])
    assert client.delete(f"{TARGETS}/n-one/t-one").status_code == 200
    assert vault.open_secret(Secret.objects.get()).reveal() == CANARY
    with pytest.raises(Conflict, match="job 'w-two/second'"):
        deletion.delete(definition.workspace)
    deletion.delete(jobs[1])
    assert not Secret.objects.exists()
    deletion.delete(definition.workspace)


def test_a_secret_that_somebody_made_stays_with_nobody(workspace: Workspace) -> None:
    secret = make_secret(workspace)
    job = make_job(workspace, secrets=(secret,))
    deletion.delete(job)
    let_go([secret])
    assert Secret.objects.get() == secret


def test_a_cascade_takes_keys_with_the_last_of_several(client: APIClient, workspace: Workspace) -> None:
    make(client)
    (secret,) = Secret.objects.all()
    for name in ("first", "second"):
        make_job(workspace, name, secrets=(secret,))
    deletion.delete(workspace, cascade=True)
    assert not Job.objects.exists() and not JobSecret.objects.exists()
    assert Secret.objects.count() == 1  # the target has it still


def test_what_is_sealed_of_anything(workspace: Workspace) -> None:
    body = {
        "a": [{"api_key": "k"}, {"hf_token": "h", "b": None}],
        "api_key": None,
        "c": "api_key",
        "d": {"api_key": ""},
    }
    stored, secrets = seal_keys(workspace, body)
    assert len(secrets) == 2 and all(secret.inline for secret in secrets)
    assert sealed_references(stored) == {str(secret) for secret in secrets}
    shown = {"a": [{"api_key": "******"}, {"hf_token": "******", "b": None}], "api_key": None, "c": "api_key"}
    assert masked(stored) == shown | {"d": {"api_key": ""}}
    assert body["a"][0] == {"api_key": "k"}  # type: ignore[index]
    again, kept = seal_keys(workspace, masked(stored), stored)
    assert again == stored and {secret.pk for secret in kept} == {secret.pk for secret in secrets}
    with pytest.raises(Invalid) as refused:
        seal_keys(workspace, masked(stored), where=("body", "config"))
    assert [entry["loc"] for entry in refused.value.detail] == [  # type: ignore[index]
        ["body", "config", "a", 0, "api_key"],
        ["body", "config", "a", 1, "hf_token"],
    ]
    Secret.objects.all().delete()
    with pytest.raises(Conflict):
        seal_keys(workspace, masked(stored), stored)
