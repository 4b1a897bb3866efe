"""Filesets on the wire: made, listed, read, changed, refreshed and deleted."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from assay.filesets.models import Fileset
from assay.secrets.store import create_secret
from assay.workspaces.models import Workspace
from tests.filesets.conftest import FILESETS
from tests.hub.server import Hub

pytestmark = pytest.mark.django_db

NOT_ALLOWED = "Storage host or endpoint not in allowed list: "
TOKEN = "hf_a_token_nobody_may_see"


def on_hub(hub: Hub, **more: Any) -> dict[str, Any]:
    return {"type": "huggingface", "repo_id": "ns/data", "repo_type": "dataset", "endpoint": hub.url, **more}


def make(client: APIClient, **body: Any) -> Any:
    return client.post(FILESETS, {"name": "data", **body}, format="json")


def test_a_fileset_of_our_own(client: APIClient, workspace: Workspace) -> None:
    reply = make(client, purpose="dataset", description="d", project="p", custom_fields={"a": 1}, cache=True, unknown=1)
    assert reply.status_code == 200
    body = reply.json()
    assert body["id"].startswith("fileset-")
    assert body | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "name": "data",
        "workspace": "w-one",
        "description": "d",
        "purpose": "dataset",
        "storage": {
            "read_chunk_size": 1048576,
            "type": "local",
            "path": "filesets/w-one/data",
            "write_buffer_size": 16777216,
        },
        "metadata": {"dataset": None, "model": None, "environment": None},
        "custom_fields": {"a": 1},
        "project": "p",
        "created_at": "",
        "updated_at": "",
    }
    assert client.get(f"{FILESETS}/data").json() == body


def test_no_path_of_this_machine_is_shown(client: APIClient, workspace: Workspace, settings: Settings) -> None:
    make(client)
    for reply in (client.get(FILESETS), client.get(f"{FILESETS}/data"), client.get(f"{FILESETS}/data/files")):
        assert str(settings.DATA_DIR).encode() not in reply.content


def test_a_name_is_taken_once(client: APIClient, workspace: Workspace) -> None:
    make(client)
    reply = make(client, description="other")
    assert (reply.status_code, reply.json()) == (409, {"detail": "Fileset 'w-one/data' already exists"})
    assert Fileset.objects.get().description == ""


def test_a_fileset_on_a_hub_is_pinned(client: APIClient, workspace: Workspace, hub: Hub) -> None:
    sha = hub.add_commit("ns/data", {"a.jsonl": b"{}\n"})
    storage = make(client, storage=on_hub(hub)).json()["storage"]
    assert storage == {
        "read_chunk_size": 1048576,
        "type": "huggingface",
        "repo_id": "ns/data",
        "repo_type": "dataset",
        "revision": sha,
        "original_revision": "main",
        "token_secret": None,
        "endpoint": hub.url,
    }
    hub.add_commit("ns/data", {"a.jsonl": b'{"new":1}\n'})
    assert client.get(f"{FILESETS}/data").json()["storage"]["revision"] == sha


@pytest.mark.parametrize("revision", ["v1", "feature/x"])
def test_a_tag_or_a_branch_is_pinned_too(revision: str, client: APIClient, workspace: Workspace, hub: Hub) -> None:
    sha = hub.add_commit("ns/data", {"a": b"1"}, "feature/x")
    hub.add_tag("ns/data", "v1", sha)
    storage = make(client, storage=on_hub(hub, revision=revision)).json()["storage"]
    assert (storage["revision"], storage["original_revision"]) == (sha, revision)


def test_refresh_follows_the_name_and_nothing_else_does(client: APIClient, workspace: Workspace, hub: Hub) -> None:
    hub.add_commit("ns/data", {"a": b"1"})
    made = make(client, storage=on_hub(hub)).json()
    assert client.post(f"{FILESETS}/data/refresh").json() == made
    newer = hub.add_commit("ns/data", {"a": b"2"})
    reply = client.post(f"{FILESETS}/data/refresh")
    assert reply.status_code == 200
    assert reply.json()["storage"] == made["storage"] | {"revision": newer}
    assert client.get(f"{FILESETS}/data").json() == reply.json()


def test_refresh_says_what_is_wrong(client: APIClient, workspace: Workspace, hub: Hub) -> None:
    make(client)
    reply = client.post(f"{FILESETS}/data/refresh")
    sentence = "Fileset 'w-one/data' does not track a revision that can be refreshed"
    assert (reply.status_code, reply.json()["detail"]) == (409, sentence)
    hub.add_commit("ns/data", {"a": b"1"})
    make(client, name="hf", storage=on_hub(hub))
    hub.remove_repository("ns/data")
    assert client.post(f"{FILESETS}/hf/refresh").status_code == 404
    hub.stop()
    reply = client.post(f"{FILESETS}/hf/refresh")
    assert reply.status_code == 502
    assert hub.url in reply.json()["detail"]


def test_a_token_opens_a_private_repository(client: APIClient, workspace: Workspace, hub: Hub) -> None:
    hub.add_commit("ns/data", {"a": b"1"})
    hub.protect("ns/data", TOKEN)
    assert make(client, storage=on_hub(hub)).status_code == 400
    create_secret(workspace, "hf-token", TOKEN, None)
    for name, reference in (("short", "hf-token"), ("full", "w-one/hf-token")):
        reply = make(client, name=name, storage=on_hub(hub, token_secret=reference))
        assert reply.status_code == 200, reply.json()
        assert reply.json()["storage"]["token_secret"] == reference
        assert TOKEN not in reply.content.decode()
    assert Fileset.objects.filter(token_secret__name="hf-token").count() == 2


@pytest.mark.parametrize("token", ["wrong", "with\nline break", "wïth accent"])
def test_a_refused_token_is_not_repeated(
    token: str, client: APIClient, workspace: Workspace, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.add_commit("ns/data", {"a": b"1"})
    hub.protect("ns/data", TOKEN)
    create_secret(workspace, "hf-token", token, None)
    reply = make(client, storage=on_hub(hub, token_secret="hf-token"))
    assert reply.status_code == 400
    assert "w-one/hf-token" in reply.json()["detail"]
    assert token not in reply.json()["detail"]
    assert token not in caplog.text
    assert not Fileset.objects.exists()


def test_no_token_of_this_machine_is_sent(
    client: APIClient, workspace: Workspace, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_operator")
    hub.add_commit("ns/data", {"a": b"1"})
    make(client, storage=on_hub(hub))
    client.get(f"{FILESETS}/data/-/a")
    assert hub.requests
    assert not any(request.token for request in hub.requests)


def test_what_a_hub_lacks(client: APIClient, workspace: Workspace, hub: Hub) -> None:
    hub.add_commit("ns/data", {"a": b"1"})
    for storage, url in (
        (on_hub(hub, repo_id="ns/nope"), f"{hub.url}/api/datasets/ns/nope/revision/main"),
        (on_hub(hub, repo_type="model"), f"{hub.url}/api/models/ns/data/revision/main"),
        (on_hub(hub, revision="nope"), f"{hub.url}/api/datasets/ns/data/revision/nope"),
    ):
        reply = make(client, storage=storage)
        assert reply.status_code == 400
        assert reply.json() == {"detail": f"Invalid storage configuration: Not found for {url}"}
    assert not Fileset.objects.exists()


def test_a_hub_that_cannot_be_had_is_named(client: APIClient, workspace: Workspace, hub: Hub) -> None:
    hub.stop()
    reply = make(client, storage=on_hub(hub))
    assert reply.status_code == 400
    assert hub.url in reply.json()["detail"]
    assert "cannot be reached" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ({"endpoint": "http://169.254.169.254"}, NOT_ALLOWED + "Host 'http://169.254.169.254' is not in the allowed "),
        ({"endpoint": "ftp://hub.example"}, NOT_ALLOWED),
        ({"endpoint": "http://user:pw@127.0.0.1"}, "Invalid storage configuration: The endpoint must be a plain URL"),
        ({"token_secret": "no-such"}, "Secret not found: Secret 'w-one/no-such' not found"),
        ({"token_secret": "other/no-such"}, "Secret not found: Secret 'other/no-such' not found"),
        ({"repo_id": ""}, "Invalid storage configuration: '' is not the id of a repository on a hub."),
        ({"repo_id": "../../admin"}, "Invalid storage configuration: '../../admin' is not the id"),
        ({"type": "local", "path": "/etc"}, "Creating filesets with local storage is not allowed. "),
        ({"type": "s3", "bucket": "b"}, "Storage of type 's3' is not supported yet. "),
        ({"type": "github", "owner": "o", "repo": "r"}, "Storage of type 'github' is not supported yet. "),
        (
            {"type": "ngc", "org": "o", "team": "t", "target": "x", "api_key_secret": "k"},
            "Storage of type 'ngc' is not supported yet. ",
        ),
    ],
)
def test_storage_that_is_not_to_be_had(
    storage: dict[str, Any], sentence: str, client: APIClient, workspace: Workspace, hub: Hub
) -> None:
    whole = storage if "type" in storage else on_hub(hub, **storage)
    reply = make(client, storage=whole)
    assert reply.status_code == 400
    assert reply.json()["detail"].startswith(sentence)
    assert "pw" not in reply.json()["detail"]
    assert not Fileset.objects.exists()


def test_a_token_stays_sealed_while_the_hub_is_not_allowed(
    client: APIClient, workspace: Workspace, hub: Hub, settings: Settings
) -> None:
    settings.EGRESS_DENY = ["127.0.0.0/8"]
    hub.add_commit("ns/data", {"a": b"1"})
    assert make(client, storage=on_hub(hub)).status_code == 400
    assert not hub.requests


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Bad"},
        {"name": "x"},
        {"name": "x" * 64},
        {"purpose": "bogus"},
        {"storage": 5},
        {"storage": {"type": "nope"}},
        {"storage": {"repo_id": 5}},
        {"storage": {"repo_id": "a/b\n"}},
        {"storage": {"repo_id": "a/b", "read_chunk_size": 1e30}},
        {"description": "x" * 256},
        {"custom_fields": []},
        {"metadata": {"dataset": {"schema": 5}}},
    ],
)
def test_a_bad_body_is_a_list_of_mistakes(body: dict[str, Any], client: APIClient, workspace: Workspace) -> None:
    reply = make(client, **body)
    assert reply.status_code == 422
    assert all(mistake["loc"][0] == "body" for mistake in reply.json()["detail"])
    assert not Fileset.objects.exists()


def test_a_workspace_has_to_exist(client: APIClient, db: None) -> None:
    reply = client.post("/apis/files/v2/workspaces/none/filesets", {"name": "data"}, format="json")
    assert (reply.status_code, reply.json()["detail"]) == (
        422,
        "Workspace 'none' does not exist. Please create the workspace first.",
    )
    reply = client.get("/apis/files/v2/workspaces/none/filesets")
    assert (reply.status_code, reply.json()["detail"]) == (404, "Workspace 'none' not found")


def test_metadata_keeps_what_it_knows(client: APIClient, workspace: Workspace) -> None:
    metadata = {"dataset": {"schema": {"type": "object"}, "bogus": 1}, "bogus": {}}
    made = make(client, metadata=metadata).json()
    dataset = {"schema": {"type": "object"}, "schema_defs": {}, "schemas_by_path": {}}
    assert made["metadata"] == {"dataset": dataset, "model": None, "environment": None}
    assert client.get(FILESETS).json()["data"][0]["metadata"] == {"dataset": dataset}
    make(client, name="plain")
    assert client.get(FILESETS).json()["data"][0]["metadata"] == {}


def test_a_change_changes_what_is_given(client: APIClient, workspace: Workspace) -> None:
    made = make(client, description="old", custom_fields={"a": 1}, project="p").json()
    reply = client.patch(
        f"{FILESETS}/data",
        {"description": "new", "name": "other", "storage": {"type": "s3"}, "project": None, "purpose": "model"},
        format="json",
    )
    assert reply.status_code == 200
    assert reply.json() == made | {
        "description": "new",
        "purpose": "model",
        "updated_at": reply.json()["updated_at"],
    }
    assert reply.json()["updated_at"] > made["updated_at"]
    assert client.get(f"{FILESETS}/data").json() == reply.json()
    assert client.patch(f"{FILESETS}/data", {}, format="json").json() == reply.json()
    assert client.patch(f"{FILESETS}/nope", {}, format="json").status_code == 404
    assert client.patch(f"{FILESETS}/data", {"purpose": "bogus"}, format="json").status_code == 422


def test_a_deleted_fileset_is_shown_once_more(client: APIClient, workspace: Workspace) -> None:
    made = make(client).json()
    client.put(f"{FILESETS}/data/-/a.txt", b"x", content_type="application/octet-stream")
    reply = client.delete(f"{FILESETS}/data")
    assert (reply.status_code, reply.json()) == (200, made)
    reply = client.delete(f"{FILESETS}/data")
    sentence = "Fileset 'data' not found in workspace 'w-one'"
    assert (reply.status_code, reply.json()["detail"]) == (404, sentence)


def test_a_list_is_paged_sorted_and_filtered(client: APIClient, workspace: Workspace) -> None:
    for name in ("bb", "aa", "cc"):
        make(client, name=name, purpose="dataset" if name == "aa" else "model")
    body = client.get(FILESETS).json()
    assert [entry["name"] for entry in body["data"]] == ["cc", "aa", "bb"]
    assert body["sort"] == "-created_at"
    assert body["pagination"] == {
        "page": 1,
        "page_size": 10,
        "current_page_size": 3,
        "total_pages": 1,
        "total_results": 3,
    }
    names = client.get(FILESETS, {"sort": "name", "page_size": 2}).json()
    assert [entry["name"] for entry in names["data"]] == ["aa", "bb"]
    for query in (
        {"filter[purpose]": "dataset"},
        {"filter": '{"name":{"$like":"a"}}'},
        {"filter": '{"$and":[{"storage_type":"local"},{"entity_type":"fileset"},{"workspace":"w-one"},{"name":"aa"}]}'},
    ):
        assert [entry["name"] for entry in client.get(FILESETS, query).json()["data"]] == ["aa"], query
    assert client.get(FILESETS, {"filter[bogus]": "x"}).status_code == 400
    for bad in ({"page_size": 101}, {"page": 0}, {"page": "x"}, {"sort": "size"}, {"page": 10**30}):
        assert client.get(FILESETS, bad).status_code == 422, bad
    assert client.get(FILESETS, {"page": 7}).json()["data"] == []
    every = client.get("/apis/files/v2/workspaces/-/filesets").json()
    assert every["pagination"]["total_results"] == 3


def test_a_list_leaves_nulls_out(client: APIClient, workspace: Workspace, hub: Hub) -> None:
    hub.add_commit("ns/data", {"a": b"1"})
    make(client, storage=on_hub(hub))
    assert "token_secret" not in client.get(FILESETS).json()["data"][0]["storage"]
    assert client.get(FILESETS.replace("w-one", "-")).json()["pagination"]["total_pages"] == 1


def test_a_longer_list_asks_the_database_no_more(
    client: APIClient, workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make(client)
    for queries, more in ((3, 0), (3, 30)):
        for number in range(more):
            make(client, name=f"more-{number}")
        with django_assert_num_queries(queries):
            client.get(FILESETS, {"page_size": 100})
