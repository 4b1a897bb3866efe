"""Definitions: what every client version sends is taken, what cannot work is refused with its place and reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from assay_sdk.engine.spec import (
    METRICS,
    LLMJudgeMetric,
    Metric,
    RunConfig,
    RunConfigOnlineModel,
    metric_keys,
    parse_metric,
)

RUBRIC = [{"label": "poor", "value": 0}, {"label": "good", "value": 1, "description": "as it should be"}]


def definition(**changes: Any) -> dict[str, Any]:
    """A metric as client 0.6.0 sends it, each field that it knows included."""
    model = {
        "url": "http://judge.example:9091/v1/chat/completions",
        "name": "nvidia/nemotron-3-nano-30b-a3b",
        "host_url": None,
        "served_model_name": None,
        "inference": None,
        "api_key_secret": "nvidia-api-key",
        "format": "openai",
    }
    fields: dict[str, Any] = {
        "type": "llm-judge",
        "description": None,
        "labels": {},
        "supported_job_types": ["online", "offline"],
        "model": model,
        "scores": [
            {
                "name": "helpfulness",
                "description": "How helpful?",
                "parser": {"type": "json", "json_path": "helpfulness"},
                "minimum": 0,
                "maximum": 4,
            }
        ],
        "prompt_template": {"messages": [{"role": "user", "content": "{{item.prompt}}"}]},
        "optional_fields": [],
        "structured_output": {
            "schema": {
                "type": "object",
                "properties": {"helpfulness": {"type": "integer", "minimum": 0, "maximum": 4}},
                "required": ["helpfulness"],
            }
        },
        "inference": {
            "temperature": 0.0,
            "max_tokens": 512,
            "max_completion_tokens": None,
            "top_p": None,
            "stop": None,
        },
        "system_prompt": None,
        "reasoning": None,
        "ignore_request_failure": True,
        "job_type": "online",
    }
    return fields | changes


def judge(**changes: Any) -> LLMJudgeMetric:
    metric = parse_metric(definition(**changes))
    assert isinstance(metric, LLMJudgeMetric)
    return metric


def problems(data: dict[str, Any]) -> dict[tuple[Any, ...], str]:
    with pytest.raises(ValidationError) as caught:
        parse_metric(data)
    return {error["loc"]: error["msg"] for error in caught.value.errors()}


def test_outputs_are_those_that_clients_derive() -> None:
    metric = judge(scores=[*definition()["scores"], {"name": "tone", "rubric": RUBRIC}], structured_output=None)
    number = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
    label = {"description": "String label metric value.", "title": "Label", "type": "string"}
    assert [output.model_dump() for output in metric.outputs()] == [
        {"name": "helpfulness", "description": "How helpful?", "value_json_schema": number},
        {"name": "tone", "description": None, "value_json_schema": number},
        {"name": "tone.label", "description": "Selected rubric label for tone", "value_json_schema": label},
    ]
    assert (metric.key, metric.secret_refs()) == ("llm-judge", ["nvidia-api-key"])


def test_older_clients_send_less() -> None:
    older = definition()
    older["model"] = {key: older["model"][key] for key in ("url", "name", "host_url", "api_key_secret")} | {
        "format": "nim"
    }
    assert parse_metric(older).secret_refs() == ["nvidia-api-key"]


def test_bounds_keep_their_type_because_the_schema_tells_it() -> None:
    assert judge(structured_output=None).reply_schema() == definition()["structured_output"]["schema"]
    halves = judge(scores=[{"name": "s", "minimum": 0.0, "maximum": 1}], structured_output=None).reply_schema()
    assert halves is not None
    assert halves["properties"]["s"]["type"] == "number"


def test_scores_read_by_pattern_alone_need_no_schema() -> None:
    parser = {"type": "regex", "pattern": r"(\d+)", "method": "last"}
    metric = judge(scores=[{"name": "s", "minimum": 0, "maximum": 1, "parser": parser}], structured_output=None)
    assert metric.reply_schema() is None


def test_unknown_type_is_refused_at_its_place() -> None:
    known = ", ".join(sorted(METRICS))
    assert problems(definition(type="bleurt")) == {("type",): f"unknown metric type; known: {known}"}
    assert ("type",) in problems({})


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        ({"colour": "red"}, ("colour",), "Extra inputs are not permitted"),
        ({"scores": []}, ("scores",), "at least 1 item"),
        (
            {"scores": [{"name": "s", "minimum": 9, "maximum": 4}]},
            ("scores", 0, "range"),
            "minimum must be below maximum",
        ),
        ({"scores": [{"name": "s", "rubric": RUBRIC[:1]}]}, ("scores", 0, "rubric", "rubric"), "at least 2 items"),
        ({"scores": ["s"]}, ("scores", 0, "range"), "valid dictionary"),
        ({"prompt_template": "{{item.q"}, ("prompt_template",), "does not compile: unexpected end of template"),
        ({"prompt_template": {"content": "x"}}, ("prompt_template",), "needs 'messages' or 'prompt'"),
        ({"model": "workspace/model"}, ("model",), "give the model's url and name instead"),
        ({"inference": {"temperature": 3}}, ("inference", "temperature"), "less than or equal to 2"),
        ({"inference": {"extra_headers": {"Authorization": "x"}}}, ("inference",), "looks like a credential"),
        (
            {"structured_output": {"schema": {"type": "object", "properties": {"x": {}}}}},
            (),
            "no property 'helpfulness'",
        ),
        (
            {"structured_output": {"schema": {"type": "object", "properties": {"helpfulness": {"type": {"a": 1}}}}}},
            (),
            "must be a boolean or integer or number",
        ),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], place: tuple[Any, ...], reason: str) -> None:
    found = problems(definition(**changes))
    assert place in found, found
    assert reason in found[place]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("url", "judge.example/v1", "absolute http:// or https:// address"),
        ("url", "ftp://judge.example", "absolute http:// or https:// address"),
        ("url", "http://user:pass@judge.example/v1", "must not hold credentials"),
        ("default_headers", {"X-API-Key": "sk-1"}, "store it as a secret"),
        ("api_key_secret", "sk 1", "match pattern"),
        ("format", "bedrock", "'nim' or 'openai'"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused(field: str, value: Any, reason: str) -> None:
    found = problems(definition(model=definition()["model"] | {field: value}))
    assert reason in found["model", field]


def test_pattern_that_does_not_compile_is_refused() -> None:
    score = {"name": "s", "minimum": 0, "maximum": 1, "parser": {"type": "regex", "pattern": "(\\d"}}
    ((place, reason),) = problems(definition(scores=[score], structured_output=None)).items()
    assert place[-1] == "pattern"
    assert "does not compile" in reason


def test_schema_may_nest_the_score_where_the_path_leads() -> None:
    nested = {"type": "object", "properties": {"grade": {"type": "object", "properties": {"s": {"type": "number"}}}}}
    score = {"name": "s", "minimum": 0, "maximum": 1, "parser": {"type": "json", "json_path": "$.grade.s"}}
    assert judge(scores=[score], structured_output={"schema": nested}).reply_schema() == nested


def test_run_settings_have_their_defaults_and_no_others() -> None:
    assert RunConfig().model_dump() == {"parallelism": 8, "limit_samples": None}
    online = RunConfigOnlineModel(max_retries=0, inference={"top_k": 3})
    assert online.inference is not None
    assert online.inference.model_extra == {"top_k": 3}
    for wrong in ({"parallelism": 0}, {"limit_samples": 0}, {"retries": 1}):
        with pytest.raises(ValidationError):
            RunConfig.model_validate(wrong)


def test_metrics_of_the_same_type_are_numbered() -> None:
    metrics: list[Metric] = [judge(), judge(), judge()]
    assert metric_keys(metrics) == ["llm-judge", "llm-judge_2", "llm-judge_3"]
