"""Whatever stands in the place of some part of a body: a clear refusal or a job, never an error of ours."""

import copy
import json
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from rest_framework.test import APIClient

from assay.filesets.models import Fileset
from assay.jobs.models import Job
from assay.secrets.models import Secret

ENDPOINT = {"url": "http://127.0.0.1:9/v1", "model_id": "m", "api_key": "sk-1", "format": "openai"}
REGEX = {"type": "regex", "pattern": r"(\d)", "method": "search"}
METRICS = {
    "judge": {
        "type": "llm-judge",
        "params": {
            "model": {"api_endpoint": ENDPOINT},
            "template": {"messages": [{"role": "user", "content": "{{ item.q }}"}], "temperature": 0, "stop": ["x"]},
            "scores": {
                "a": {"type": "int", "parser": REGEX, "minimum": 0, "maximum": 4},
                "b": {"type": "float", "parser": {"type": "json", "json_path": "a.b"}},
                "c": {"parser": REGEX, "rubric": [{"label": "x", "value": 1}, {"label": "y", "value": 2}]},
            },
            "structured_output": {"schema": {"type": "object"}},
            "reasoning": {"end_token": "</think>", "effort": "low"},
        },
    },
    "text": {"type": "string-check", "params": {"check": ["{{ item.a }}", "equals", "b"]}},
    "number": {"type": "number-check", "params": {"check": ["absolute difference", "1", "2", "epsilon", 1]}},
    "bleu": {"type": "bleu", "params": {"references": ["{{ item.r }}"], "candidate": "c"}},
    "em": {"type": "em", "params": {"ground_truth": "{{ item.r }}", "prediction": "p"}},
    "tools": {"type": "tool-calling", "params": {"tool_calls_ground_truth": "{{ item.t | tojson }}"}},
}
PARAMS = {"parallelism": 2, "request_timeout": 5, "max_retries": 1, "limit_samples": 3, "temperature": 0.5,
          "top_p": 1, "stop": "x", "extra": {"seed": 1}}  # fmt: skip
DATASET = {
    "files_url": "hf://datasets/n/d",
    "format": "csv",
    "split": "s",
    "offset": 1,
    "limit": 2,
    "hf_endpoint": None,
}
ONLINE = {
    "config": {
        "type": "custom",
        "params": PARAMS,
        "groups": {"g": {"tasks": ["t"]}},
        "tasks": {
            "t": {
                "type": "chat-completion",
                "params": {"template": {"messages": "{{ item.m | tojson }}", "tools": []}, "temperature": 1},
                "dataset": DATASET,
                "metrics": METRICS,
            }
        },
    },
    "target": {"type": "model", "model": {"api_endpoint": ENDPOINT}},
    "namespace": "n-one",
    "custom_fields": {"a": 1},
    "ownership": {"created_by": "x"},
}
GIVEN = {
    "config": {"type": "custom", "tasks": {"t": {"type": "data", "metrics": {"text": METRICS["text"]}}}},
    "target": {"type": "rows", "rows": [{"a": 1}]},
}
WORDS = st.sampled_from(["", "x", "custom", "model", "n/d", "a/b/c", "{{ a", "(", "******", "$sealed", "é\u2028", "0"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)


def places(body: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [way, *(place for key, value in inside for place in places(value, (*way, key)))]


def put(body: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    body = copy.copy(body)
    body[way[0]] = put(body[way[0]], way[1:], value)
    return body


class Fuzzed(TestCase):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_a_job_or_a_clear_refusal(self, data: st.DataObject) -> None:
        body = data.draw(st.sampled_from([ONLINE, GIVEN]), "body")
        changed = put(body, data.draw(st.sampled_from(places(body)), "place"), data.draw(JSON, "value"))
        client = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        reply = client.post("/v1/evaluation/jobs", json.dumps(changed), content_type="application/json")
        assert reply.status_code in {200, 400, 404, 409, 422}, (reply.status_code, reply.content)
        assert b"sk-1" not in reply.content
        if reply.status_code == 200:
            for end in ("", "/results", "/logs"):
                assert client.get(f"/v1/evaluation/jobs/{reply.json()['id']}{end}").status_code == 200
            assert client.get("/apis/jobs/v2/workspaces/-/jobs").status_code == 200
        else:
            assert "detail" in reply.json()
            assert not Job.objects.exists() and not Secret.objects.exists() and not Fileset.objects.exists()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_live_scores_or_a_clear_refusal(self, data: st.DataObject) -> None:
        changed = put(GIVEN, data.draw(st.sampled_from(places(GIVEN)), "place"), data.draw(JSON, "value"))
        client = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        reply = client.post("/v1/evaluation/live", json.dumps(changed), content_type="application/json")
        assert reply.status_code in {200, 400, 404, 422}, (reply.status_code, reply.content)


class OutOfTime(TestCase):
    def test_time_that_is_used_up_at_any_moment_is_a_clear_refusal(self) -> None:
        """Wherever the limit strikes: as the request is read, as it is made ready, or as its rows are scored."""
        client = APIClient(HTTP_HOST="localhost", raise_request_exception=False)
        tasks = {name: {"type": "data", "metrics": {"m": METRICS["text"]}} for name in ("one", "two", "three")}
        body = json.dumps({**GIVEN, "config": {"type": "custom", "tasks": tasks}})
        statuses = set()
        for moment in [*range(60), 2000]:
            with patch("assay.platform.api.WORK_SECONDS", moment / 2000):
                reply = client.post("/v1/evaluation/live", body, content_type="application/json")
            assert reply.status_code in {200, 422}, (moment, reply.content)
            statuses.add(reply.status_code)
        assert statuses == {200, 422}
