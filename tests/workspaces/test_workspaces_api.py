"""The entities service beyond the recording: names, roles, paging, and who made what."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from assay.workspaces.models import Member, Project, Workspace

AT = "/apis/entities/v2/workspaces"

pytestmark = pytest.mark.django_db


def names(reply: Any) -> list[str]:
    return [entry["name"] for entry in reply.json()["data"]]


def test_the_default_workspace_is_there_once(client: APIClient) -> None:
    for _ in range(2):
        call_command("migrate", verbosity=0)
    assert names(client.get(AT)) == ["default"]
    reply = client.delete(f"{AT}/default")
    assert reply.status_code == 409
    assert reply.json()["detail"] == "Workspace 'default' belongs to the platform and cannot be deleted."
    assert client.delete(f"{AT}/default?cascade=true").status_code == 409


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("ab", 201),
        ("a" * 63, 201),
        ("a.", 201),
        ("system", 201),
        ("a" * 64, 422),
        ("a", 422),
        ("ab-", 422),
        ("a--b", 422),
    ]
    + [("ab\n", 422), ("A1", 422), ("", 422), (None, 422), (5, 422), (["ab"], 422)],
)
def test_names(client: APIClient, name: Any, status: int) -> None:
    reply = client.post(AT, {"name": name}, format="json")
    assert reply.status_code == status
    if status == 422:
        expected = "string_pattern_mismatch" if isinstance(name, str) else "string_type"
        assert [(found["type"], found["loc"]) for found in reply.json()["detail"]] == [(expected, ["body", "name"])]
        assert Workspace.objects.count() == 1


def test_unknown_fields_are_ignored_and_descriptions_have_no_limit(client: APIClient) -> None:
    reply = client.post(
        f"{AT}?wait_role_propagation=false", {"name": "w-one", "description": "x" * 900, "bogus": 1}, format="json"
    )
    assert reply.status_code == 201
    assert reply.json()["description"] == "x" * 900
    assert client.post(f"{AT}?wait_role_propagation=x", {"name": "w-two"}, format="json").status_code == 422


def test_a_list_sorts_pages_and_filters_in_few_queries(
    client: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        Workspace.objects.create(name=f"w-{number:02}", description=f"number {number}")
    with django_assert_max_num_queries(2):
        reply = client.get(f'{AT}?sort=name&page_size=3&page=2&filter=name~"w-" AND -description~"number 4"')
    assert names(reply) == ["w-03", "w-05", "w-06"]
    assert reply.json()["pagination"]["total_results"] == 29
    assert reply.json()["sort"] == "name"
    assert reply.json()["filter"] == {
        "$and": [{"name": {"$like": "w-"}}, {"$not": {"description": {"$like": "number 4"}}}]
    }
    assert names(client.get(f"{AT}?sort=-name&page_size=1")) == ["w-29"]
    identifier = Workspace.objects.get(name="w-07").uid
    assert names(client.get(f"{AT}?filter[id]={identifier}")) == ["w-07"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("search=x", 400), ("filter[bogus]=1", 400), ("filter=[1", 400), ("filter[name]=a%00b", 400), ("sort=bogus", 422)]
    + [("page=0", 422), ("page_size=1001", 422), ("page=99999999999999999999", 422), ("page=1.5", 422), ("sort=", 422)],
)
def test_bad_queries(client: APIClient, query: str, status: int) -> None:
    assert client.get(f"{AT}?{query}").status_code == status


def test_a_bad_sort_is_an_enum_mistake(client: APIClient) -> None:
    mistake = client.get(f"{AT}?sort=bogus").json()["detail"][0]
    assert (mistake["type"], mistake["loc"], mistake["input"]) == ("enum", ["query", "sort"], "bogus")


@pytest.mark.parametrize("roles", [["Bogus"], ["editor"], ["Viewer", "Owner"], "Editor", [None], [5]])
def test_only_known_roles(client: APIClient, workspace: Workspace, roles: Any) -> None:
    for reply in (
        client.post(f"{AT}/w-one/members", {"principal": "bob", "roles": roles}, format="json"),
        client.put(f"{AT}/w-one/members/bob", {"roles": roles}, format="json"),
    ):
        assert reply.status_code == 422
        assert reply.json()["detail"][0]["loc"][:2] == ["body", "roles"]
    assert not Member.objects.exists()


def test_an_unknown_role_is_an_enum_mistake_that_names_the_roles(client: APIClient, workspace: Workspace) -> None:
    reply = client.post(f"{AT}/w-one/members", {"principal": "bob", "roles": ["Bogus"]}, format="json")
    assert reply.json()["detail"] == [
        {
            "type": "enum",
            "loc": ["body", "roles", 0],
            "msg": "Input should be 'Viewer', 'Editor' or 'Admin'",
            "input": "Bogus",
            "ctx": {"expected": "'Viewer', 'Editor' or 'Admin'"},
        }
    ]


def test_granting_again_replaces_and_no_roles_leave_them(client: APIClient, workspace: Workspace) -> None:
    at = f"{AT}/w-one/members"
    client.post(at, {"principal": "bob", "roles": ["Viewer", "Admin", "Viewer"]}, format="json")
    assert client.put(f"{at}/bob", {"roles": []}, format="json").json()["roles"] == ["Viewer", "Admin"]
    assert client.post(at, {"principal": "bob"}, format="json").json()["roles"] == ["Editor"]
    assert len(client.get(at).json()["data"]) == 1
    assert client.put(f"{at}/new", {"roles": []}, format="json").status_code == 422
    assert client.put(f"{at}/{'x' * 256}", {"roles": ["Admin"]}, format="json").status_code == 422
    assert client.post(at, {"principal": ""}, format="json").status_code == 422


def test_a_principal_with_a_slash_can_be_addressed(client: APIClient, workspace: Workspace) -> None:
    at = f"{AT}/w-one/members"
    client.post(at, {"principal": "org/team"}, format="json")
    assert client.put(f"{at}/org%2Fteam", {"roles": ["Admin"]}, format="json").json()["principal"] == "org/team"
    assert client.delete(f"{at}/org%2Fteam").status_code == 200


def test_members_of_no_workspace(client: APIClient) -> None:
    missing = {"detail": "Workspace 'none' not found"}
    assert client.get(f"{AT}/none/members").json() == missing
    assert client.post(f"{AT}/none/members", {"principal": "bob"}, format="json").json() == missing
    assert client.put(f"{AT}/none/members/bob", {"roles": ["Admin"]}, format="json").json() == missing
    assert client.delete(f"{AT}/none/members/bob").json() == missing


def test_projects_are_listed_in_few_queries(
    client: APIClient, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    other = Workspace.objects.create(name="w-two")
    for number in range(20):
        Project.objects.create(workspace=workspace, name=f"p-{number:02}")
    Project.objects.create(workspace=other, name="p-00")
    with django_assert_max_num_queries(3):
        assert len(names(client.get(f"{AT}/w-one/projects?filter[workspace]=w-one"))) == 20
    assert len(names(client.get(f"{AT}/-/projects"))) == 21
    assert client.get(f"{AT}/none/projects").status_code == 404


def test_who_made_it_is_written_down(client: APIClient, settings: Settings) -> None:
    settings.AUTH = True
    User.objects.create_user("ann", password="right-password")
    assert client.post(AT, {"name": "w-one"}, format="json").status_code == 401
    client.credentials(HTTP_AUTHORIZATION="Basic YW5uOnJpZ2h0LXBhc3N3b3Jk")
    made = client.post(AT, {"name": "w-one"}, format="json").json()
    assert (made["created_by"], made["updated_by"]) == ("ann", "ann")
    assert client.post(f"{AT}/w-one/members", {"principal": "bob"}, format="json").json()["granted_by"] == "ann"


def test_no_body_is_harmful(client: APIClient, workspace: Workspace) -> None:
    """Whatever comes in, the answer is 4xx in the contract's shape, and nothing is made."""
    bodies = [
        "",
        "null",
        "[]",
        "5",
        '"x"',
        "{",
        '{"name":"w-two"',
        '{"name":"w\\u0000o"}',
        '{"name":"\\ud800x"}',
        "\xff",
        "[" * 5000,
    ]
    for address in (AT, f"{AT}/w-one/members", f"{AT}/w-one/projects"):
        for body in bodies:
            reply = client.generic("POST", address, body.encode("latin-1"), content_type="application/json")
            assert reply.status_code == 422, (address, body)
            assert isinstance(reply.json()["detail"], list)
        for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
            reply = client.generic("POST", address, '{"name":"w-two","principal":"x"}', content_type=content_type)
            assert reply.status_code == 422
            assert reply.json()["detail"][0]["type"] == "model_attributes_type"
    assert Workspace.objects.count() == 2
    assert not Member.objects.exists() and not Project.objects.exists()
