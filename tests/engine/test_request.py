"""What is sent for a metric: parameters, headers, addresses, and messages of every shape."""

import asyncio
from typing import Any

import pytest

from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.forms import Dialect, Form, FormState
from assay_sdk.engine.request import merged, with_system_text
from assay_sdk.engine.result import Row
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import Model, RunConfigOnlineModel
from tests.engine.wire import Asked, Said, completion, refusal, serving


async def asked_with(model: dict[str, Any] | None = None, **fields: Any) -> Asked:
    async def answer(_: Asked) -> Said:
        return completion('{"clarity": 3}')

    async with serving(answer) as server:
        metric = server.judge(model=model or {}, **fields)
        (row_score,) = [r async for r in evaluate([Row(0, {"q": "why"})], [metric], api_keys={"k": "sk-1"})]
        assert row_score.scored
    return server.asked[0]


def test_parameters_for_the_client_are_not_sent_and_take_effect() -> None:
    inference = {
        "temperature": 0.2,
        "top_k": 3,
        "stream": True,
        "timeout": 30,
        "extra_headers": {"X-Team": "blue"},
        "extra_query": {"api-version": "2"},
        "extra_body": {"nvext": {"a": 1}},
    }
    asked = asyncio.run(asked_with(inference=inference))
    assert asked.path == "/v1/chat/completions?api-version=2"
    assert asked.headers["x-team"] == "blue"
    sent = {key: asked.body[key] for key in asked.body.keys() - {"messages", "response_format", "model", "max_tokens"}}
    assert sent == {"temperature": 0.2, "top_k": 3, "nvext": {"a": 1}}


def test_parameters_of_the_model_lie_below_those_of_the_metric() -> None:
    model = {
        "inference": {"temperature": 1.0, "seed": 5},
        "served_model_name": "m-served",
        "default_headers": {"X-A": "b"},
    }
    asked = asyncio.run(asked_with(model=model, inference={"temperature": 0.0}))
    assert (asked.body["temperature"], asked.body["seed"], asked.body["model"]) == (0.0, 5, "m-served")
    assert asked.headers["x-a"] == "b"


def test_template_may_not_choose_another_model_or_stream() -> None:
    template = {"messages": [{"role": "user", "content": "x"}], "model": "other", "stream": True}
    asked = asyncio.run(asked_with(prompt_template=template))
    assert asked.body["model"] == "m"
    assert "stream" not in asked.body


@pytest.mark.parametrize(
    ("url", "body", "expected"),
    [
        ("http://j.example/v1/chat/completions?a=1", {"messages": []}, "http://j.example/v1/chat/completions?a=1"),
        ("http://j.example/v1/chat/completions", {"prompt": ""}, "http://j.example/v1/completions"),
        ("http://j.example:8000", {"messages": []}, "http://j.example:8000/chat/completions"),
        ("https://j.example/openai/v1/", {"messages": []}, "https://j.example/openai/v1/chat/completions"),
    ],
)
def test_address_of_a_call(url: str, body: dict[str, Any], expected: str) -> None:
    endpoint = Endpoint.of("judge", Model(url=url, name="m"), None, api_keys={}, timeout=1)
    assert endpoint.url_for(body) == expected


def test_key_is_in_no_representation() -> None:
    model = Model(url="http://j.example/v1", name="m", api_key_secret="k")
    endpoint = Endpoint.of("judge", model, None, api_keys={"k": "sk-secret"}, timeout=1)
    assert endpoint.headers["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in repr(endpoint)


def test_system_text_goes_before_any_kind_of_message() -> None:
    system = {"role": "system", "content": "Be terse."}
    user = {"role": "user", "content": "x"}
    assert with_system_text({"messages": [system, user]}, "A")["messages"][0]["content"] == "A Be terse."
    assert with_system_text({"messages": [user]}, "A")["messages"] == [{"role": "system", "content": "A"}, user]
    assert with_system_text({"messages": []}, "A")["messages"] == [{"role": "system", "content": "A"}]
    assert with_system_text({"prompt": "x"}, "A") == {"prompt": "A x"}
    parts = {"role": "system", "content": [{"type": "text", "text": "B"}]}
    assert with_system_text({"messages": [parts]}, "A")["messages"][0]["content"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B"},
    ]
    assert system == {"role": "system", "content": "Be terse."}


def test_merging_changes_neither_side() -> None:
    base, over = {"a": {"b": 1}, "c": 1}, {"a": {"d": 2}, "c": {"e": 3}}
    assert merged(base, over) == {"a": {"b": 1, "d": 2}, "c": {"e": 3}}
    assert (base, over) == ({"a": {"b": 1}, "c": 1}, {"a": {"d": 2}, "c": {"e": 3}})


def test_forms_step_down_in_order_and_together() -> None:
    dialect = Dialect()
    assert dialect.learn("Unknown field: response_format", {}, Form.JSON_SCHEMA)
    assert dialect.form is Form.GUIDED_JSON
    assert dialect.learn("Unknown field: response_format", {}, Form.JSON_SCHEMA), "a row that was late asks again"
    assert dialect.form is Form.GUIDED_JSON
    assert not dialect.learn("prompt is too long", {}, Form.GUIDED_JSON)
    assert dialect.learn("extra inputs: guided_json", {}, Form.GUIDED_JSON)
    assert dialect.learn("extra inputs: nvext", {}, Form.NVEXT)
    assert dialect.form is Form.TOOL
    assert not dialect.learn("Unknown field: response_format", {}, Form.TOOL), "that is not what was asked with"
    assert dialect.learn('"auto" tool choice requires a parser', {}, Form.TOOL)
    assert dialect.form is Form.JSON_OBJECT
    assert dialect.learn("response_format.type must be text", {}, Form.JSON_OBJECT)
    assert dialect.form is Form.PROMPT
    assert dialect.learn("Unknown field: response_format", {}, Form.JSON_SCHEMA)
    assert dialect.form is Form.PROMPT, "nobody steps back up"
    assert not dialect.learn("json_schema", {}, Form.PROMPT), "there is no further form"
    assert not dialect.learn("json_schema", {}, None), "no form was used"


def test_form_of_a_request_without_messages_or_with_tools_of_its_own() -> None:
    dialect = Dialect(Form.TOOL)
    assert dialect.form_for({"messages": []}) is Form.TOOL
    assert dialect.form_for({"prompt": "x"}) is Form.PROMPT
    assert dialect.form_for({"messages": [], "tools": [{}]}) is Form.JSON_OBJECT


def test_what_was_learnt_survives_storage() -> None:
    forms = FormState()
    forms.of("m at http://j").form = Form.NVEXT
    forms.of("m at http://j").token_limit = "max_completion_tokens"
    forms.of("m at http://j").steps = ["json_schema refused", "guided_json ignored"]
    forms.of("m at http://j").answered = True
    assert FormState.from_wire(forms.to_wire()) == forms


def test_target_is_asked_for_its_schema_and_by_its_role_in_messages() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(401) if "response_format" in asked.body else completion("x")

    async def test() -> None:
        schema = {"schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
        config = RunConfigOnlineModel(structured_output=schema, max_retries=0, ignore_request_failure=True)
        async with serving(answer) as server:
            target = Model(url=server.url, name="t")
            run = evaluate(
                [Row(0, {"q": "why"})], [server.judge()], config=config, target=target, prompt_template="{{item.q}}"
            )
            (row_score,) = [r async for r in run]
        assert row_score.errors["llm-judge"].startswith("The target at http://127.0.0.1:")
        assert "asks for an API key (401)" in row_score.errors["llm-judge"]
        assert len(server.asked) == 1

    asyncio.run(test())
