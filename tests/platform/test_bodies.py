"""Requests made to fill the memory, or to keep a thread, are refused for what they are."""

import json
import time
from typing import Any

import pytest
from rest_framework.test import APIClient

from assay.platform import api
from assay.workspaces.models import Workspace
from tests.rest import bundle

pytestmark = pytest.mark.django_db
JOBS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs"
BODIES = [JOBS, "/v1/evaluation/jobs", "/v1/evaluation/configs", "/v1/hf/api/repos/create", "/v1/projects"]
LISTS = [JOBS, "/apis/files/v2/workspaces/-/filesets", "/v1/projects", "/v1/hf/api/datasets", "/admin/evaluations/"]


@pytest.mark.parametrize("address", BODIES)
def test_body_of_very_many_values_is_too_large(
    client: APIClient, workspace: Workspace, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST_VALUES", 1_000)
    for value in (b"[]", b"{}", b"1"):
        reply = client.post(address, b'{"x": [' + b",".join([value] * 1_001) + b"]}", content_type="application/json")
        assert reply.status_code == 413, reply.content


@pytest.mark.parametrize("address", BODIES)
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"name": ' + b"[" * 200 + b"]" * 200 + b"}"])
def test_deep_body_is_refused(client: APIClient, workspace: Workspace, address: str, body: bytes) -> None:
    assert client.post(address, body, content_type="application/json").status_code in {400, 422}


@pytest.mark.parametrize("address", LISTS)
def test_a_thousand_parameters_are_too_many(client: APIClient, workspace: Workspace, address: str) -> None:
    reply = client.get(f"{address}?" + "&".join(f"p{number}=1" for number in range(1_200)))
    assert reply.status_code == 400
    assert client.get(f"{address}?x=" + "a" * 100_000).status_code == 200


def judge(number: int) -> dict[str, Any]:
    """A metric that takes some time to compile, and that no other is like."""
    slow = "".join(f"{{{{ item.c{number}_{each} }}}}" for each in range(300))
    pattern = f"(?i){number}" + r"[\0-\U0010fffe]" * 15 + "(a)"
    score = {"name": "a", "minimum": 0, "maximum": 1, "parser": {"type": "regex", "pattern": pattern}}
    return bundle("http://127.0.0.1:9/v1", prompt_template=slow, scores=[score])


def test_request_compiles_no_longer_than_it_may(
    client: APIClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "WORK_SECONDS", 0.3)
    body = json.dumps({"spec": {"metrics": [judge(number) for number in range(100)], "dataset": [{"a": 1}]}})
    began = time.thread_time()
    reply = client.post(JOBS, body, content_type="application/json")
    assert time.thread_time() - began < 3
    assert reply.status_code == 422 and "too many" in reply.content.decode()
    one = json.dumps({"spec": {"metrics": [bundle("http://127.0.0.1:9/v1")], "dataset": [{"a": 1}]}})
    assert client.post(JOBS, one, content_type="application/json").status_code == 201
