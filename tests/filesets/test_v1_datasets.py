"""Datasets of the v1 API: filesets, and what was said of them; seen through v2 as well."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from things import make_fileset, make_job

from assay.filesets.models import Blob, Commit, DatasetEntry, File, Fileset, Purpose
from assay.jobs.models import JobPart
from assay.workspaces.models import Workspace

AT = "/v1/datasets"
V2 = "/apis/files/v2/workspaces"

pytestmark = pytest.mark.django_db


def create(client: APIClient, name: str = "d-one", **also: Any) -> Any:
    body = {"name": name, "namespace": "n-one", "files_url": f"hf://datasets/n-one/{name}", **also}
    return client.post(AT, body, format="json")


def names(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.content
    return [entry["name"] for entry in reply.json()["data"]]


def add_file(fileset: Fileset) -> None:
    File.objects.create(fileset=fileset, path="rows.jsonl", blob=Blob.objects.create(sha256="0" * 64, size=1))


def test_it_is_kept_as_it_was_said(client: APIClient) -> None:
    """The seed notebook's cell: what comes back holds exactly what was sent."""
    sent = {
        "name": "custom-data",
        "namespace": "custom-eval",
        "description": "LLM As a Judge Test",
        "files_url": "hf://datasets/custom-eval/custom-data/",
        "project": "custom-llm-as-a-judge-test",
    }
    made = client.post(AT, sent, format="json")
    assert made.status_code == 200
    reply = client.get(f"{AT}/custom-eval/custom-data").json()
    assert reply == made.json()
    assert {name: reply[name] for name in sent} == sent
    assert reply.keys() == {
        "created_at", "updated_at", "name", "namespace", "description", "format", "files_url", "hf_endpoint", "split",
        "limit", "id", "project", "custom_fields", "ownership",
    }  # fmt: skip
    assert reply["id"].startswith("dataset-")
    again = client.post(AT, sent, format="json")
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")


def test_unnamed_it_is_called_by_its_id_in_the_default_namespace(client: APIClient) -> None:
    reply = client.post(AT, {"files_url": "hf://datasets/a/b"}, format="json").json()
    assert (reply["name"], reply["namespace"]) == (reply["id"], "default")
    assert client.get(f"{AT}/default/{reply['id']}").json() == reply


def test_what_v2_and_the_hub_make_is_a_dataset(client: APIClient, workspace: Workspace) -> None:
    fileset = make_fileset(workspace, description="d")
    reply = client.get(f"{AT}/w-one/data").json()
    assert (reply["files_url"], reply["description"]) == ("hf://datasets/w-one/data", "d")
    registered = client.post(
        AT, {"name": "data", "namespace": "w-one", "files_url": "hf://datasets/x/y", "limit": 3}, format="json"
    ).json()
    assert (registered["id"], registered["files_url"]) == (reply["id"], "hf://datasets/x/y")
    assert registered["description"] == "d"
    assert Fileset.objects.get() == fileset
    assert client.get(f"{V2}/w-one/filesets/data").status_code == 200


def test_a_registered_one_is_a_fileset_of_v2(client: APIClient) -> None:
    create(client, "Data.Set@1", description="d", project="p", custom_fields={"a": 1})
    shown = client.get(f"{V2}/n-one/filesets/Data.Set@1").json()
    assert (shown["purpose"], shown["description"], shown["project"]) == ("dataset", "d", "p")
    assert shown["custom_fields"] == {"a": 1}
    client.patch(f"{V2}/n-one/filesets/Data.Set@1", {"description": "by v2"}, format="json")
    assert client.get(f"{AT}/n-one/Data.Set@1").json()["description"] == "by v2"
    assert client.delete(f"{V2}/n-one/filesets/Data.Set@1").status_code == 200
    assert client.get(f"{AT}/n-one/Data.Set@1").status_code == 404
    assert not DatasetEntry.objects.exists()


def test_the_list_holds_no_models_and_no_jobs_results(
    client: APIClient, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_fileset(workspace, "model", purpose=Purpose.MODEL)
    make_fileset(workspace, "left", unlisted=True)
    make_job(workspace)
    make_fileset(workspace, "plain")
    create(client, project="p")
    with django_assert_max_num_queries(2):
        assert names(client.get(AT)) == ["d-one", "plain"]
    assert names(client.get(f"{AT}?filter[namespace]=w-one")) == ["plain"]
    assert names(client.get(f"{AT}?filter[project]=p")) == ["d-one"]
    assert names(client.get(f"{AT}?search[files_url]=W-ONE/PL")) == ["plain"]
    assert names(client.get(f"{AT}?sort=name&page_size=1&page=2")) == ["plain"]
    identifier = client.get(f"{AT}/w-one/plain").json()["id"]
    assert names(client.get(f"{AT}?search[id]={identifier}")) == ["plain"]
    assert client.get(f"{AT}/w-one/model").status_code == client.get(f"{AT}/w-one/left").status_code == 404


@pytest.mark.parametrize("also", [{"purpose": Purpose.MODEL}, {"made_by_job": True}])
def test_a_name_that_a_model_or_a_job_has(client: APIClient, workspace: Workspace, also: dict[str, Any]) -> None:
    make_fileset(workspace, "taken", **also)
    body = {"name": "taken", "namespace": "w-one", "files_url": "hf://datasets/w-one/taken"}
    assert client.post(AT, body, format="json").status_code == 409
    assert not DatasetEntry.objects.exists()


def test_a_change_touches_what_is_given(client: APIClient) -> None:
    before = create(client, limit=5, split="train", description="d").json()
    assert client.patch(f"{AT}/n-one/d-one", {"name": "x", "namespace": "y"}, format="json").json() == before
    body = {"limit": None, "files_url": "hf://datasets/o/p@main/f.csv", "description": None}
    after = client.patch(f"{AT}/n-one/d-one", body, format="json").json()
    assert (after["limit"], after["split"], after["description"]) == (None, "train", None)
    assert after["files_url"] == "hf://datasets/o/p@main/f.csv"
    assert after["updated_at"] > before["updated_at"]
    assert client.patch(f"{AT}/n-one/none", {}, format="json").status_code == 404


def test_changing_one_that_nobody_registered(client: APIClient, workspace: Workspace) -> None:
    make_fileset(workspace)
    before = client.get(f"{AT}/w-one/data").json()
    after = client.patch(f"{AT}/w-one/data", {"split": "test"}, format="json").json()
    assert (after["split"], after["files_url"], after["id"]) == ("test", before["files_url"], before["id"])


def test_deleting_one_without_files_removes_it(client: APIClient) -> None:
    made = create(client).json()
    reply = client.generic("DELETE", f"{AT}/n-one/d-one", b"", content_type="application/json")
    assert (reply.status_code, reply.json()["id"]) == (200, made["id"])
    assert client.delete(f"{AT}/n-one/d-one").status_code == 404
    assert not Fileset.objects.exists()
    assert client.delete("/v1/namespaces/n-one").status_code == 200


@pytest.mark.parametrize("kept", ["files", "history", "a job"])
def test_deleting_one_that_holds_something_only_unlists_it(client: APIClient, kept: str) -> None:
    made = create(client).json()
    fileset = Fileset.objects.get()
    if kept == "files":
        add_file(fileset)
    elif kept == "history":
        Commit.objects.create(fileset=fileset, oid="0" * 40, title="t", author="a", tree=b"")
    else:
        JobPart.objects.create(job=make_job(fileset.workspace), index=0, name="t", fileset=fileset)
    assert client.delete(f"{AT}/n-one/d-one").status_code == 200
    assert client.get(f"{AT}/n-one/d-one").status_code == 404
    assert "d-one" not in names(client.get(AT))
    assert client.get(f"{V2}/n-one/filesets/d-one").status_code == 200
    assert fileset.files.count() == (kept == "files")
    again = create(client).json()
    assert again["id"] == made["id"]


@pytest.mark.parametrize(
    ("also", "place"),
    [
        ({"files_url": None}, "files_url"),
        ({"files_url": ""}, "files_url"),
        ({"files_url": "x" * 2049}, "files_url"),
        ({"limit": 0}, "limit"),
        ({"limit": -5}, "limit"),
        ({"limit": 2**31}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"custom_fields": "x"}, "custom_fields"),
        ({"ownership": "x"}, "ownership"),
        ({"project": 5}, "project"),
        ({"format": "x" * 256}, "format"),
        ({"name": "a/b"}, "name"),
    ],
    ids=str,
)
def test_what_is_refused(client: APIClient, also: dict[str, Any], place: str) -> None:
    reply = create(client, **also)
    assert reply.status_code == 422
    assert [entry["loc"] for entry in reply.json()["detail"]] == [["body", place]]
    assert not Fileset.objects.exists()


def test_every_mistake_is_told_at_once(client: APIClient) -> None:
    reply = client.post(AT, {"limit": 0, "name": "-", "split": 5}, format="json")
    assert sorted(entry["loc"][-1] for entry in reply.json()["detail"]) == ["files_url", "limit", "name", "split"]


class AnyBody(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.dictionaries(
            st.sampled_from(["name", "description", "format", "hf_endpoint", "split", "limit", "project",
                             "custom_fields", "ownership", "files_url"]),
            st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5)
            | st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False), max_size=2),
        )
    )  # fmt: skip
    def test_any_body_is_taken_or_refused(self, body: dict[str, Any]) -> None:
        api = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        count = Fileset.objects.count()
        reply = api.post(AT, {"files_url": "x", **body}, format="json")
        assert reply.status_code in {200, 409, 422}, (body, reply.content)
        assert Fileset.objects.count() - count == (reply.status_code == 200)
        made = api.post(AT, {"files_url": "x"}, format="json").json()
        assert api.patch(f"{AT}/default/{made['name']}", body, format="json").status_code in {200, 422}
        assert api.get(AT).status_code == api.get(f"{V2}/default/filesets").status_code == 200
