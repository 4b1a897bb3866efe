"""The ground of the v1 API: lists, bodies, refusals, slashes, and who may call."""

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from assay.evaluator.models import Definition, DefinitionKind
from assay.workspaces.models import Project, Workspace

CONFIGS = "/v1/evaluation/configs"
PROJECTS = "/v1/projects"
FIELDS = {"team": "red", "n": 3, "yes": True, "contains": "y", "deep": {"er": "f"}, "k.l": "dot", "it's": "w"}


def query(text: str) -> str:
    return quote(text, safe="=&,")


def names(reply: Any) -> list[str]:
    assert reply.status_code == 200, reply.content
    return [entry["name"] for entry in reply.json()["data"]]


@pytest.fixture
def projects(db: None) -> None:
    workspace = Workspace.objects.get(name="default")
    for number in range(5):
        Project.objects.create(workspace=workspace, name=f"p-{number}", description=f"Number {number}")


@pytest.fixture
def config(db: None) -> None:
    Definition.objects.create(
        kind=DefinitionKind.CONFIG,
        workspace=Workspace.objects.get(name="default"),
        name="c-one",
        uid="eval-config-1",
        body={"type": "custom", "tasks": {"t": {"type": "data"}}},
        custom_fields=FIELDS,
    )


def test_a_list_has_the_contracts_shape(
    client: APIClient, projects: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(2):
        reply = client.get(f"{PROJECTS}?page=2&page_size=2&sort=name&filter%5Bnamespace%5D=default").json()
    assert [entry["name"] for entry in reply.pop("data")] == ["p-2", "p-3"]
    assert reply == {
        "object": "list",
        "pagination": {"page": 2, "page_size": 2, "current_page_size": 2, "total_pages": 3, "total_results": 5},
        "sort": "name",
        "filter": {"namespace": "default"},
    }


def test_the_newest_come_first_ten_a_page(client: APIClient, projects: None) -> None:
    workspace = Workspace.objects.get(name="default")
    for number in range(7):
        Project.objects.create(workspace=workspace, name=f"q-{number}")
    first = client.get(PROJECTS)
    assert names(first)[:2] == ["q-6", "q-5"] and len(names(first)) == 10
    assert (first.json()["sort"], first.json()["filter"]) == ("-created_at", None)
    assert names(client.get(f"{PROJECTS}?sort=created_at&page_size=1")) == ["p-0"]


@pytest.mark.parametrize("page", [2, 99, 2**53])
def test_a_page_past_the_end_is_empty(client: APIClient, projects: None, page: int) -> None:
    reply = client.get(f"{PROJECTS}?page={page}")
    assert names(reply) == []
    assert reply.json()["pagination"]["total_results"] == 5


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("filter[name]=p-1", ["p-1"]),
        ("filter[name]=p-1,p-3,none", ["p-3", "p-1"]),
        ("filter[name]=p-1&filter[namespace]=other", []),
        ("search[description]=number 4", ["p-4"]),
        ("search[name]=P-1,-2", ["p-2", "p-1"]),
        ("search[name]=p-1&search[name]=p-2", ["p-2", "p-1"]),
        ("search[name]=p_1", []),
        ("search[name]=%", []),
        ("search[created_at][start]=2020-01-01&search[created_at][end]=2020-12-31T00:00:00", []),
    ],
)
def test_filters_and_searches(client: APIClient, projects: None, asked: str, found: list[str]) -> None:
    assert names(client.get(f"{PROJECTS}?{query(asked)}")) == found


@pytest.mark.parametrize(
    ("asked", "hits"),
    [
        ("filter[type]=custom", 1),
        ("filter[type]=model,custom", 1),
        ("filter[type]=rows", 0),
        ("filter[custom_fields][team]=red", 1),
        ("filter[custom_fields][team]=blue", 0),
        ("filter[custom_fields][n]=3", 1),
        ("filter[custom_fields][yes]=true", 1),
        ("filter[custom_fields][contains]=y", 1),
        ("filter[custom_fields][deep][er]=f", 1),
        ("filter[custom_fields][k.l]=dot", 1),
        ("filter[custom_fields][it's]=w", 1),
        ("filter[custom_fields][team][deeper][still]=x", 0),
        ("search[tasks]=DATA", 1),
        ("search[custom_fields][deep]=F", 1),
        ("search[ownership]=x", 0),
        ("filter[created_at][gte]=2020-01-01&filter[created_at][lt]=2999-01-01", 1),
        ("filter[created_at][neq]=2020-01-01", 1),
        ("filter[created_at]=2020-01-01", 0),
    ],
)
def test_inside_json(client: APIClient, config: None, asked: str, hits: int) -> None:
    assert len(names(client.get(f"{CONFIGS}?{query(asked)}"))) == hits


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("page=0", 400),
        ("page=x", 400),
        ("page=-1", 400),
        ("page=1.5", 400),
        ("page=" + "9" * 5000, 400),
        ("page_size=0", 400),
        ("page_size=1001", 400),
        ("sort=bogus", 422),
        ("sort=--name", 422),
        ("sort=updated_at", 422),
        ("filter[bogus]=1", 422),
        ("search[bogus]=1", 422),
        ("filter=name", 400),
        ("filter[name=x", 400),
        ("filter[]=x", 400),
        ("filter[name]x=x", 400),
        ("filter[name][gte]=x", 422),
        ("filter" + "[a]" * 11 + "=x", 400),
        ("filter[name]=a%00b", 400),
        ("filter[name]=" + "," * 200, 400),
        ("filter[name]=" + "x" * 20_000, 400),
        ("search[created_at]=2020", 422),
        ("search[created_at][start]=yesterday", 400),
        ("search[created_at][middle]=2020-01-01", 422),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_list_refuses(client: APIClient, projects: None, asked: str, status: int) -> None:
    reply = client.get(f"{PROJECTS}?{asked.replace('[', '%5B').replace(']', '%5D')}")
    assert reply.status_code == status
    detail = reply.json()["detail"]
    assert isinstance(detail, str) if status == 400 else {"loc", "msg", "type"} == set(detail[0])


def test_filters_that_contradict_each_other(client: APIClient, config: None) -> None:
    for asked in ("filter[type]=a&filter[type][b]=c", "filter[custom_fields]=a&filter[custom_fields][b]=c"):
        assert client.get(f"{CONFIGS}?{query(asked)}").status_code == 400


@pytest.mark.parametrize("body", [b"{", b"[1", b"nothing", b'{"id": NaN}', b"\xff\xfe", b"namespace=x"])
@pytest.mark.django_db
def test_malformed_json(client: APIClient, body: bytes) -> None:
    for method, address in (("POST", "/v1/namespaces"), ("POST", CONFIGS), ("PATCH", "/v1/namespaces/default")):
        reply = client.generic(method, address, body, content_type="application/json")
        assert (reply.status_code, reply.json()) == (400, {"detail": "The body is not valid JSON."})


@pytest.mark.django_db
def test_a_body_of_another_type_is_still_json(client: APIClient) -> None:
    assert client.generic("POST", "/v1/namespaces", b'{"id": "n-1"}', content_type="text/plain").status_code == 200
    assert client.generic("POST", "/v1/namespaces", b'{"id": "n-2", "bogus": 1}', content_type="").status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"null", b"5", b'{"id": "a\\u0000"}', b"[" * 150 + b"]" * 150])
@pytest.mark.django_db
def test_well_formed_and_wrong(client: APIClient, body: bytes) -> None:
    reply = client.generic("POST", "/v1/namespaces", body, content_type="application/json")
    assert reply.status_code == 422
    assert {key for entry in reply.json()["detail"] for key in entry} == {"loc", "msg", "type"}


@pytest.mark.django_db
def test_a_trailing_slash_makes_no_difference(client: APIClient) -> None:
    for method, address in (("GET", PROJECTS), ("GET", "/v1/datastore/namespaces"), ("GET", "/v1/namespaces/default")):
        assert client.generic(method, f"{address}/").content == client.generic(method, address).content
    made = client.post("/v1/namespaces/", {"id": "n-1"}, format="json")
    assert (made.status_code, made.json()["id"]) == (200, "n-1")
    assert client.get("/v1/").status_code == 404
    assert client.get("/v1//").status_code == 404


@pytest.mark.django_db
def test_an_empty_body_and_a_content_type_delete(client: APIClient) -> None:
    client.post(PROJECTS, {"name": "p"}, format="json")
    reply = client.generic("DELETE", f"{PROJECTS}/default/p", b"", content_type="application/json")
    assert reply.status_code == 200
    assert reply.json()["message"] == "Resource deleted successfully."


@pytest.mark.django_db
def test_an_empty_bearer_token_is_nobody_and_no_mistake(client: APIClient, settings: Settings) -> None:
    for header in ("Bearer ", "Bearer", "Bearer some-token", ""):
        client.credentials(HTTP_AUTHORIZATION=header)
        assert client.get("/v1/namespaces").status_code == 200
    settings.AUTH = True
    assert client.get("/v1/namespaces").status_code == 401


@pytest.mark.django_db
def test_other_methods_and_addresses(client: APIClient) -> None:
    assert client.put("/v1/namespaces", {}, format="json").json() == {"detail": "Method Not Allowed"}
    assert client.get("/v1/nothing").json() == {"detail": "Not Found"}
    assert client.get("/v1/namespaces/a%00b").status_code == 404


PARAMETER = st.sampled_from(
    ["page", "page_size", "sort", "filter", "search", "filter[name]", "filter[type]", "filter[custom_fields]",
     "filter[model]", "filter[created_at][gte]", "search[tasks]", "search[created_at][end]", "search[custom_fields]"]
)  # fmt: skip


class AnyQuery(TestCase):
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(PARAMETER, st.lists(st.text(max_size=6), max_size=2), st.text(max_size=8)), max_size=3))
    @example([("filter[custom_fields]", ['a"b', "\\"], "x")])
    @example([("filter[custom_fields]", ["0"], "1e999")])
    def test_any_query_is_answered_or_refused(self, asked: list[tuple[str, list[str], str]]) -> None:
        text = "&".join(
            quote(name + "".join(f"[{key}]" for key in way)) + "=" + quote(value) for name, way, value in asked
        )
        api = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        for address in (CONFIGS, "/v1/evaluation/targets", "/v1/datasets"):
            reply = api.get(f"{address}?{text}")
            assert reply.status_code in {200, 400, 422}, (address, text, reply.content)
            assert orjson.loads(reply.content)
