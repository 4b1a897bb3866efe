"""Judges as they are in the wild, each on a real socket: a valid score, or a state that says the truth."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.forms import Form, FormState
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig
from tests.engine.wire import Asked, JudgeServer, Said, completion, refusal, serving

QUICK = Retry(base=0.005, longest=0.05, longest_asked=0.02, probe=0.05, away=20.0)
THREE = '{"clarity": 3}'

Behaviour = Callable[[Asked], Awaitable[Said]]


async def judged(
    behave: Behaviour, count: int = 6, *, options: dict[str, Any] | None = None, **fields: Any
) -> tuple[JudgeServer, list[RowScore]]:
    async with serving(behave) as server:
        rows = [Row(index, {"q": f"question {index}"}) for index in range(count)]
        settings = {"config": RunConfig(parallelism=4), "retry": QUICK, **(options or {})}
        run = evaluate(rows, [server.judge(**fields)], **settings)
        found = sorted([r async for r in run], key=lambda row_score: row_score.index)
    return server, found


def outcome(row_score: RowScore) -> tuple[str, float | None]:
    (score,) = row_score.metrics["llm-judge"]
    assert (score.value is None) == (score.reason is not None), "unscored, but why?"
    return score.state.value, score.value


def said(text: Any, **choice: Any) -> Behaviour:
    async def behave(asked: Asked) -> Said:
        return completion(text, **choice)

    return behave


def message(**fields: Any) -> Behaviour:
    async def behave(asked: Asked) -> Said:
        return Said({"choices": [{"message": {"role": "assistant", **fields}, "finish_reason": "stop"}]})

    return behave


def raw(body: bytes, status: int = 200, **headers: str) -> Behaviour:
    async def behave(asked: Asked) -> Said:
        return Said(body, status, {name.replace("_", "-"): value for name, value in headers.items()})

    return behave


def only(form: str) -> Behaviour:
    """Takes one way of asking for a schema, and refuses each of the others by its name."""

    async def behave(asked: Asked) -> Said:
        body = asked.body
        used = {
            "json_schema": body.get("response_format", {}).get("type") == "json_schema",
            "guided_json": "guided_json" in body,
            "nvext": "nvext" in body,
            "tools": "tools" in body,
            "json_object": body.get("response_format", {}).get("type") == "json_object",
        }
        for name, is_used in used.items():
            if is_used and name != form:
                return refusal(400, f"Unsupported parameter: {'response_format' if 'json_' in name else name}")
        if form == "tools":
            arguments = {"name": body["tools"][0]["function"]["name"], "arguments": THREE}
            calls = [{"id": "c", "type": "function", "function": arguments}]
            return Said({"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": "stop"}]})
        return completion(THREE)

    return behave


async def no_max_tokens(asked: Asked) -> Said:
    if "max_tokens" in asked.body:
        return refusal(400, "Unsupported parameter: 'max_tokens' is not supported with this model.")
    return completion(THREE)


async def storm(asked: Asked) -> Said:
    return refusal(429, retry_after="1") if asked.number <= 30 else completion(THREE)


async def burst(asked: Asked) -> Said:
    return refusal(503) if asked.number <= 30 else completion(THREE)


async def drip(asked: Asked) -> Said:
    await asyncio.sleep(0.1)
    return completion(THREE)


async def hang(asked: Asked) -> Said:
    await asyncio.sleep(60)
    return completion(THREE)


async def break_off(asked: Asked) -> Said:
    return Said(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + b'{"choices": [')


async def break_off_once(asked: Asked) -> Said:
    return await break_off(asked) if asked.number <= 4 else completion(THREE)


TOOL_CALL = [{"type": "function", "function": {"name": "give_verdict", "arguments": {"clarity": 3}}}]
COMPLETION = json.dumps({"choices": [{"message": {"content": THREE}}]}).encode()
SCORED = ("scored", 3.0)

BEHAVIOURS: dict[str, tuple[Behaviour, tuple[str, float | None]]] = {
    "takes guided_json only": (only("guided_json"), SCORED),
    "takes nvext only": (only("nvext"), SCORED),
    "takes tool calls only": (only("tools"), SCORED),
    "takes JSON mode only": (only("json_object"), SCORED),
    "refuses every form": (only("none"), SCORED),
    "refuses max_tokens": (no_max_tokens, SCORED),
    "fenced": (said("```json\n" + THREE + "\n```"), SCORED),
    "prose around": (said(f"Gladly. My verdict: {THREE}\nI hope this helps."), SCORED),
    "thinks aloud": (said(f'<think>{{"clarity": 1}}? No.</think>\n{THREE}'), SCORED),
    "thinks without end": (said('<think>{"clarity": 1}? Hm'), ("truncated", None)),
    "only reasoning_content": (message(content=None, reasoning_content=THREE), ("empty", None)),
    "parts of content": (message(content=[{"type": "text", "text": THREE}]), SCORED),
    "answers by a tool call unasked": (message(content=None, tool_calls=TOOL_CALL), SCORED),
    "two tool calls that differ": (
        message(content="", tool_calls=[*TOOL_CALL, {"function": {"arguments": '{"clarity": 1}'}}]),
        ("unparseable", None),
    ),
    "always cut off": (said('{"why": "the ans', finish_reason="length"), ("truncated", None)),
    "says nothing": (said(""), ("empty", None)),
    "null": (message(content=None), ("empty", None)),
    "declines": (message(content=None, refusal="I cannot do that."), ("refused", None)),
    "filtered": (said("", finish_reason="content_filter"), ("refused", None)),
    "prose only": (said("A fine answer, I would say."), ("unparseable", None)),
    "out of range": (said('{"clarity": 17}'), ("out_of_range", None)),
    "storm of 429": (storm, SCORED),
    "burst of 503": (burst, SCORED),
    "slow": (drip, SCORED),
    "breaks off": (break_off, ("transport", None)),
    "breaks off at first": (break_off_once, SCORED),
    "hangs": (hang, ("transport", None)),
    "wrong content type": (raw(COMPLETION, content_type="text/html"), SCORED),
    "HTML with 200": (raw(b"<html>Maintenance</html>", content_type="text/html"), ("unparseable", None)),
    "no choices": (raw(b'{"choices": []}'), ("empty", None)),
    "NaN in the reply": (raw(COMPLETION[:-1] + b', "logprobs": NaN}'), SCORED),
    "error with 200": (raw(b'{"error": {"message": "overloaded"}}'), ("empty", None)),
    "404": (raw(b'{"detail": "Not Found"}', 404), ("refused", None)),
}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_every_behaviour_gives_a_score_or_a_truthful_state(name: str) -> None:
    behave, expected = BEHAVIOURS[name]
    options = {"timeout": 0.2 if name == "hangs" else 10.0}
    _, found = asyncio.run(judged(behave, options=options, ignore_request_failure=True))
    assert [outcome(row_score) for row_score in found] == [expected] * 6


def test_only_what_may_become_better_is_asked_again() -> None:
    asked_again = {"prose only", "says nothing", "null", "no choices", "thinks without end", "HTML with 200"}
    for name in (*asked_again, "fenced", "declines", "filtered", "out of range", "404"):
        server, found = asyncio.run(judged(BEHAVIOURS[name][0], 1, ignore_request_failure=True))
        assert len(server.asked) == (3 if name in asked_again else 1), name
        assert [call.asking for call in found[0].calls] == ([1, 2, 3] if name in asked_again else [1])


@pytest.mark.parametrize(("setting", "calls"), [(None, 3), (0, 1), (1, 2), (3, 4)])
def test_asking_again_can_be_set(setting: int | None, calls: int) -> None:
    server, _ = asyncio.run(judged(said("no idea"), 1, retries_unscored=setting))
    assert len(server.asked) == calls


def test_pattern_without_a_group_is_no_reason_to_ask_again() -> None:
    scores = [{"name": "clarity", "minimum": 0, "maximum": 4, "parser": {"type": "regex", "pattern": "GRADE"}}]
    server, _ = asyncio.run(judged(said("GRADE"), 1, scores=scores))
    assert len(server.asked) == 1


def test_reply_cut_off_is_asked_for_once_more_with_more_room() -> None:
    async def behave(asked: Asked) -> Said:
        if asked.body["max_tokens"] < 4000:
            return completion('{"why": "long', finish_reason="length")
        return completion(THREE)

    server, found = asyncio.run(judged(behave, 1))
    assert [asked.body["max_tokens"] for asked in server.asked] == [1024, 4096]
    assert outcome(found[0]) == SCORED
    assert [call.asking for call in found[0].calls] == [1, 2], "the first attempt is kept"
    assert len(found[0].to_wire()["requests"]) == 2


def test_server_that_wants_no_larger_limit_leaves_the_reply_truncated() -> None:
    async def behave(asked: Asked) -> Said:
        if asked.body["max_tokens"] > 1024:
            return refusal(400, "max_tokens is too large")
        return completion('{"why": "long', finish_reason="length")

    server, found = asyncio.run(judged(behave, 1, retries_unscored=3))
    assert len(server.asked) == 2
    assert outcome(found[0]) == ("truncated", None)


def test_server_that_ignores_the_form_gets_the_schema_in_the_prompt_for_the_rest_of_the_run() -> None:
    async def behave(asked: Asked) -> Said:
        told = any("JSON schema" in m["content"] for m in asked.body["messages"])
        return completion(THREE if told else "I give it three points.")

    forms = FormState()
    server, found = asyncio.run(judged(behave, 40, options={"forms": forms, "config": RunConfig(parallelism=1)}))
    assert {outcome(row_score) for row_score in found} == {SCORED}
    assert len(server.asked) == 41
    (record,) = forms.to_wire().values()
    assert (record["form"], record["because"]) == (Form.JSON_OBJECT.value, "json_schema ignored")


def test_one_bad_reply_does_not_change_the_prompts_of_the_run() -> None:
    async def behave(asked: Asked) -> Said:
        return completion("Hm." if asked.number == 5 else THREE)

    forms = FormState()
    server, found = asyncio.run(judged(behave, 20, options={"forms": forms, "config": RunConfig(parallelism=1)}))
    assert {outcome(row_score) for row_score in found} == {SCORED}
    assert [dialect.form for dialect in forms.dialects.values()] == [Form.JSON_SCHEMA]
    assert server.asked[4].body == server.asked[5].body, "the same question again"


def test_refused_forms_cost_no_more_than_the_calls_on_their_way() -> None:
    forms = FormState()
    server, found = asyncio.run(judged(only("json_object"), 60, options={"forms": forms}))
    assert {outcome(row_score) for row_score in found} == {SCORED}
    assert len(server.asked) <= 60 + 4 * 4
    (record,) = forms.to_wire().values()
    assert record["because"] == "json_schema refused, guided_json refused, nvext refused, tool refused"


def test_html_with_200_for_every_row_ends_the_run() -> None:
    with pytest.raises(RunAborted, match="no completion"):
        asyncio.run(judged(BEHAVIOURS["HTML with 200"][0], 50))
