"""Whatever a job's body holds, the answer is a refusal or a job: never a crash, and never half of a job."""

import copy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from rest_framework.test import APIClient

from assay.filesets.models import Fileset
from assay.jobs.models import Job
from assay.secrets.models import Secret
from assay.workspaces.models import Workspace
from tests.jobs.made import ROWS, SPECS

ADDRESS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["metric", "metrics", "dataset", "params", "target", "prompt_template", "field_mapping", "publication", "payload",
     "outputs", "secrets", "metadata", "model", "scores", "rubric", "parser", "pattern", "kind", "type", "url", "name",
     "minimum", "inference", "structured_output", "schema", "parallelism", "limit_samples", "bogus"]
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of everything inside ``value``."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in inside for place in [(*at, key), *places(inner, (*at, key))]]


@st.composite
def nearly_right(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a spec that a real client sent, with something in it replaced, removed or added."""
    spec = copy.deepcopy(SPECS[draw(st.sampled_from(sorted(SPECS)))]) | {"dataset": copy.deepcopy(ROWS)}
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(spec)))
        inner: Any = spec
        for key in way:
            inner = inner[key]
        what = draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "remove":
            del inner[last]
        elif what == "add" and isinstance(inner, dict):
            inner[draw(KEYS)] = draw(JSON)
        else:
            inner[last] = draw(JSON)
        if not places(spec):
            break
    return spec


class AnyBody(TestCase):
    def setUp(self) -> None:
        self.client = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        workspace, _ = Workspace.objects.get_or_create(name="w-one")
        Secret.objects.get_or_create(workspace=workspace, name="nvidia-api-key", defaults={"sealed": b""})

    def post(self, body: Any) -> None:
        try:
            raw = orjson.dumps(body)
        except TypeError:  # an integer beyond 64 bits: no JSON body of ours can hold it
            return
        before = Job.objects.count()
        reply = self.client.post(ADDRESS, raw, content_type="application/json")
        made = Job.objects.count() - before
        assert reply.status_code in {201, 409, 422}, (reply.status_code, reply.content)
        assert made == (reply.status_code == 201)
        assert Fileset.objects.filter(made_by_job=True).count() == Job.objects.count()
        if made:
            for address in (ADDRESS, "/apis/jobs/v2/workspaces/w-one/jobs"):
                assert self.client.get(address).status_code == 200

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(nearly_right())
    def test_a_spec_that_is_nearly_right(self, spec: dict[str, Any]) -> None:
        self.post({"spec": spec})

    @settings(max_examples=60, deadline=None)
    @given(JSON)
    def test_anything_at_all(self, body: Any) -> None:
        self.post(body)
        self.post({"spec": body})

    @settings(max_examples=40, deadline=None)
    @given(st.dictionaries(st.sampled_from(["name", "project", "profile", "description", "ownership", "custom_fields",
                                            "output_location", "options"]), JSON))  # fmt: skip
    def test_anything_beside_a_good_spec(self, also: dict[str, Any]) -> None:
        self.post({**also, "spec": {**SPECS["publication"], "dataset": ROWS}})


@pytest.mark.django_db
@pytest.mark.parametrize("depth", [90, 200, 240, 300, 900, 1500])
def test_nesting_ends_in_a_refusal(client: APIClient, workspace: Workspace, depth: int) -> None:
    Secret.objects.create(workspace=workspace, name="nvidia-api-key", sealed=b"")
    deep = b"[" * depth + b"]" * depth
    for where in (b'"custom_fields": {"k": %s}, "spec": %s', b'"spec": {"dataset": [{"q": %s}], "x": %s}'):
        good = orjson.dumps({**SPECS["publication"], "dataset": ROWS})
        body = b"{" + where % (deep, good) + b"}"
        reply = client.post(ADDRESS, body, content_type="application/json")
        assert reply.status_code in {201, 422}
        assert client.get(ADDRESS).status_code == 200


@pytest.mark.django_db
def test_a_million_wrong_rows_are_one_mistake(client: APIClient, workspace: Workspace) -> None:
    body = b'{"spec": {"metrics": [1], "dataset": [' + b",".join([b"1"] * 1_000_000) + b"]}}"
    reply = client.post(ADDRESS, body, content_type="application/json")
    assert reply.status_code == 422
    assert len(reply.json()["detail"]) < 10
