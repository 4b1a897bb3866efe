"""Namespaces and projects of the v1 API: two stores over one workspace, seen through v2 and the admin as well."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from rest_framework.test import APIClient
from things import make_fileset, make_secret

from assay.workspaces.models import Project, Workspace

ENTITIES, DATA, PROJECTS = "/v1/namespaces", "/v1/datastore/namespaces", "/v1/projects"
WIDE = "Team.A@x"

pytestmark = pytest.mark.django_db


def create(client: APIClient, name: str = "n-one", **also: Any) -> Any:
    return client.post(ENTITIES, {"id": name, **also}, format="json")


def create_data(client: APIClient, name: str = "n-one") -> Any:
    return client.generic("POST", DATA, f"namespace={name}", content_type="application/x-www-form-urlencoded")


def test_the_seed_notebooks_first_cell(client: APIClient) -> None:
    """Its name, sent as `requests` sends it, to both stores, then again, then read from both."""
    name = "custom-llm-as-a-judge-eval"
    assert (create(client, name).status_code, create_data(client, name).status_code) == (200, 201)
    for again in (create(client, name), create_data(client, name)):
        assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")
    entity, data = client.get(f"{ENTITIES}/{name}").json(), client.get(f"{DATA}/{name}").json()
    assert entity.keys() == {
        "id", "created_at", "updated_at", "description", "project", "custom_fields", "ownership"
    }  # fmt: skip
    assert (entity["id"], entity["description"], entity["custom_fields"]) == (name, None, {})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", entity["created_at"])
    assert data.keys() == {"namespace", "created_at", "updated_at"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", data["created_at"])


def test_each_store_has_what_was_made_on_its_side(client: APIClient) -> None:
    create(client, "entities-only")
    create_data(client, "data-only")
    assert client.get(f"{DATA}/entities-only").status_code == 404
    assert client.get(f"{ENTITIES}/data-only").status_code == 404
    assert [entry["id"] for entry in client.get(ENTITIES).json()["data"]] == ["entities-only", "default"]
    listed = client.get(f"{DATA}/").json()
    assert [entry["namespace"] for entry in listed["namespaces"]] == ["data-only", "default"]
    assert create(client, "data-only", description="d").json()["description"] == "d"
    assert create_data(client, "entities-only").status_code == 201
    assert Workspace.objects.count() == 3


def test_it_goes_when_the_last_store_lets_it_go(client: APIClient) -> None:
    create(client)
    create_data(client)
    reply = client.generic("DELETE", f"{ENTITIES}/n-one", b"", content_type="application/json")
    assert (reply.status_code, reply.json()["id"]) == (200, "n-one")
    assert reply.json().keys() == {"message", "id", "deleted_at"}
    assert client.get(f"{ENTITIES}/n-one").status_code == client.delete(f"{ENTITIES}/n-one").status_code == 404
    assert client.get(f"{DATA}/n-one").status_code == 200
    assert client.delete(f"{DATA}/n-one").status_code == 204
    assert not Workspace.objects.filter(name="n-one").exists()


def test_one_that_holds_something_stays(client: APIClient, workspace: Workspace) -> None:
    fileset = make_fileset(workspace)
    refused = client.delete(f"{ENTITIES}/w-one")
    assert (refused.status_code, refused.headers["x-should-retry"]) == (409, "false")
    assert refused.json()["detail"] == "Namespace w-one still holds fileset 'w-one/data'; delete what is in it first."
    assert client.delete(f"{DATA}/w-one").status_code == 409
    fileset.delete()
    secret = make_secret(workspace)
    assert client.delete(f"{DATA}/w-one").status_code == 204
    assert client.delete(f"{ENTITIES}/w-one").status_code == 409
    secret.delete()
    assert client.delete(f"{ENTITIES}/w-one").status_code == 200
    for address in (ENTITIES, DATA):
        assert client.delete(f"{address}/default").status_code == 409


def test_a_change_touches_what_is_given(client: APIClient) -> None:
    ownership = {"created_by": "ann", "updated_by": None, "access_policies": {"all": "read"}}
    before = create(client, description="d", project="p/q", custom_fields={"a": 1}, ownership=ownership).json()
    assert before["ownership"] == ownership
    assert client.patch(f"{ENTITIES}/n-one", {}, format="json").json() == before
    assert client.patch(f"{ENTITIES}/n-one", {"id": "other", "bogus": 1}, format="json").json() == before
    after = client.patch(f"{ENTITIES}/n-one", {"description": None, "custom_fields": None}, format="json").json()
    assert (after["description"], after["custom_fields"], after["project"]) == (None, {}, "p/q")
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize("name", ["x", "X", "9", WIDE, "a" * 255, "a--b", "default2", "a_b-c.d@e"])
def test_names_that_are_taken(client: APIClient, name: str) -> None:
    assert create(client, name).json()["id"] == name
    assert client.get(f"{ENTITIES}/{name}").status_code == 200


@pytest.mark.parametrize("name", ["", "a" * 256, "-a", ".a", "a b", "a/b", "a\n", "ä", None, 5, ["a"], {"a": 1}])
def test_names_that_are_not(client: APIClient, name: Any) -> None:
    for reply in (
        create(client, name),
        client.post(DATA, {"namespace": name}, format="json"),
        client.post(PROJECTS, {"name": "p", "namespace": name}, format="json"),
    ):
        assert reply.status_code == 422
        assert reply.json()["detail"][0]["loc"] in (["body", "id"], ["body", "namespace"])
    assert Workspace.objects.count() == 1


def test_the_data_store_takes_a_form_or_json(client: APIClient) -> None:
    assert client.post(DATA, {"namespace": "by-json"}, format="json").status_code == 201
    form = "application/x-www-form-urlencoded"
    assert client.generic("POST", DATA, '{"namespace": "by-curl"}', content_type=form).status_code == 201
    assert client.generic("POST", DATA, "namespace=by%40form&x=1", content_type=form).json()["namespace"] == "by@form"
    for body in ("", "other=1", "namespace=", "&".join(f"a{n}=1" for n in range(200))):
        assert client.generic("POST", DATA, body, content_type=form).status_code in {400, 422}


def test_v2_and_the_admin_show_wider_names(client: APIClient, admin_client: Client) -> None:
    create(client, WIDE, description="d")
    assert WIDE in [entry["name"] for entry in client.get("/apis/entities/v2/workspaces").json()["data"]]
    assert client.get(f"/apis/entities/v2/workspaces/{WIDE}").json()["name"] == WIDE
    assert client.get(f"/apis/files/v2/workspaces/{WIDE}/filesets").status_code == 200
    workspace = Workspace.objects.get(name=WIDE)
    make_fileset(workspace, "Data.Set@1")
    assert client.get(f"/apis/files/v2/workspaces/{WIDE}/filesets/Data.Set@1").json()["workspace"] == WIDE
    for page in ("", f"{workspace.pk}/change/"):
        shown = admin_client.get(f"/admin/tables/workspaces/workspace/{page}", HTTP_HOST="localhost")
        assert shown.status_code == 200 and WIDE in shown.content.decode()
    changed = admin_client.post(
        f"/admin/tables/workspaces/workspace/{workspace.pk}/change/", {"description": "new"}, HTTP_HOST="localhost"
    )
    assert changed.status_code == 302
    workspace.refresh_from_db()
    assert (workspace.name, workspace.description) == (WIDE, "new")
    assert User.objects.exists()
    # Its own rule for new ones stands.
    assert client.post("/apis/entities/v2/workspaces", {"name": "Team.B"}, format="json").status_code == 422


def test_what_v2_makes_is_a_namespace_of_both_stores(client: APIClient) -> None:
    client.post("/apis/entities/v2/workspaces", {"name": "made-by-v2", "description": "d"}, format="json")
    assert client.get(f"{ENTITIES}/made-by-v2").json()["description"] == "d"
    assert client.get(f"{DATA}/made-by-v2").status_code == 200
    assert create(client, "made-by-v2").status_code == 409


def test_projects(client: APIClient) -> None:
    made = client.post(
        PROJECTS, {"name": "P@1", "namespace": WIDE, "description": "d", "custom_fields": {"a": None}}, format="json"
    ).json()
    assert made.keys() == {
        "id", "name", "namespace", "created_at", "updated_at", "description", "custom_fields", "ownership"
    }  # fmt: skip
    assert (made["name"], made["namespace"], made["custom_fields"]) == ("P@1", WIDE, {"a": None})
    assert made["id"].startswith("project-")
    assert client.get(f"{ENTITIES}/{WIDE}").status_code == 200  # it came with the first thing in it
    again = client.post(PROJECTS, {"name": "P@1", "namespace": WIDE}, format="json")
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")
    assert client.get(f"{PROJECTS}/{WIDE}/P@1").json() == made
    after = client.patch(f"{PROJECTS}/{WIDE}/P@1", {"ownership": {"created_by": "ann"}}, format="json").json()
    assert after["ownership"]["created_by"] == "ann" and after["description"] == "d"
    assert client.get(f"/apis/entities/v2/workspaces/{WIDE}/projects/P@1").json()["id"] == made["id"]
    unnamed = client.post(PROJECTS, {}, format="json").json()
    assert (unnamed["name"], unnamed["namespace"]) == (unnamed["id"], "default")
    assert client.delete(f"{PROJECTS}/{WIDE}/P@1").json()["id"] == made["id"]
    assert client.delete(f"{PROJECTS}/{WIDE}/P@1").status_code == 404


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=5,
)
FIELDS = st.sampled_from(["id", "name", "namespace", "description", "project", "custom_fields", "ownership"])


class AnyBody(TestCase):
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(FIELDS, ANYTHING), st.booleans())
    def test_any_body_is_taken_or_refused(self, body: dict[str, Any], named: bool) -> None:
        api = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        body |= {"id": "n-any", "name": "p-any"} if named else {}
        for method, address in (("POST", ENTITIES), ("PATCH", f"{ENTITIES}/default"), ("POST", PROJECTS)):
            before = Workspace.objects.count(), Project.objects.count()
            reply = api.generic(method, address, APIClient()._encode_data(body, "json")[0], "application/json")
            assert reply.status_code in {200, 409, 422}, (method, address, body, reply.content)
            if reply.status_code != 200:
                assert before[1] == Project.objects.count()
        assert api.get(ENTITIES).status_code == api.get(PROJECTS).status_code == 200
