"""Metrics that a service of one's own computes, over a real socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import ValidationError

from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.jsonpath import compile_path
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row, RowScore, ScoreState
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import Metric, parse_metric
from tests.engine.wire import Asked, Said, serving

QUICK = Retry(base=0.001, longest_asked=0.0)
KEY = "sk-remote-1234567890"


def remote(url: str, **fields: Any) -> Metric:
    score = {"name": "quality", "parser": {"type": "json", "json_path": "$.result.quality"}}
    definition = {"type": "remote", "url": url, "body": {"answer": "{{item.said}}"}, "scores": [score]}
    return parse_metric(definition | fields)


async def scored(
    answer: Callable[[Asked], Awaitable[Said]], items: list[dict[str, Any]], **fields: Any
) -> tuple[list[RowScore], list[Asked]]:
    async with serving(answer) as server:
        metric = remote(f"http://127.0.0.1:{server.port}/grade?tenant=7", **fields)
        rows = [Row(index, item) for index, item in enumerate(items)]
        run = evaluate(rows, [metric], retry=QUICK, api_keys={"grader": KEY})
        return sorted([row async for row in run], key=lambda row: row.index), server.asked


def saying(body: Any, status: int = 200) -> Callable[[Asked], Awaitable[Said]]:
    async def answer(asked: Asked) -> Said:
        return Said(body, status)

    return answer


def test_the_filled_body_is_posted_with_the_key_to_the_address_as_it_stands() -> None:
    said = saying({"result": {"quality": 0.5, "echo": KEY}})
    (row,), (asked,) = asyncio.run(scored(said, [{"said": "leaf"}], api_key_secret="grader"))
    assert row.metrics["remote"][0].value == 0.5
    assert (asked.path, asked.body) == ("/grade?tenant=7", {"answer": "leaf"})
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    logged = row.to_wire()["requests"]
    assert logged == [{"request": {"answer": "leaf"}, "response": {"result": {"quality": 0.5, "echo": "******"}}}]


def test_a_reply_may_be_any_json() -> None:
    score = {"name": "quality", "parser": {"type": "json", "json_path": "$[?(@.of == 'style')].v"}}
    said = saying([{"of": "tone", "v": 1}, {"of": "style", "v": "0.25"}])
    (row,), _ = asyncio.run(scored(said, [{"said": "x"}], scores=[score]))
    assert row.metrics["remote"][0].value == 0.25
    assert row.calls[0].usage is None


@pytest.mark.parametrize(
    ("reply", "state", "words"),
    [
        ({"result": {}}, "unparseable", "nothing at"),
        ({"result": {"quality": "high"}}, "unparseable", '"high" is no number'),
        ({"result": {"quality": [1]}}, "unparseable", "no number"),
        ({"result": {"quality": "Infinity"}}, "unparseable", "no number"),
        ({"result": {"quality": 7}}, "out_of_range", "outside the range 0–1"),
        (b"<html>Gateway</html>", "unparseable", "no JSON: <html>"),
        (b"[" * 100_000, "unparseable", "no JSON"),
    ],
)
def test_what_is_no_score_says_why(reply: Any, state: str, words: str) -> None:
    score = {"name": "quality", "parser": {"type": "json", "json_path": "$.result.quality"}, "minimum": 0, "maximum": 1}
    (row,), _ = asyncio.run(scored(saying(reply), [{"said": "x"}], scores=[score]))
    (missing,) = row.metrics["remote"]
    assert (missing.value, missing.state) == (None, state)
    assert words in str(missing.reason)


def test_a_busy_service_is_asked_again_and_one_that_stays_away_is_told_of() -> None:
    async def answer(asked: Asked) -> Said:
        return Said({"result": {"quality": 1}}) if asked.number % 3 == 0 else Said({"error": "busy"}, 500)

    rows, asked = asyncio.run(scored(answer, [{"said": "x"}]))
    assert rows[0].metrics["remote"][0].value == 1.0
    assert (len(asked), rows[0].calls[0].attempts) == (3, 3)
    rows, asked = asyncio.run(scored(answer, [{"said": "x"}], max_retries=1))
    assert rows[0].metrics["remote"][0].state is ScoreState.TRANSPORT
    assert "500" in rows[0].errors["remote"]
    assert len(asked) == 2


def test_a_refused_key_names_the_secret_and_never_the_key() -> None:
    (row,), _ = asyncio.run(scored(saying({"error": f"bad {KEY}"}, 401), [{"said": "x"}], api_key_secret="grader"))
    assert row.metrics["remote"][0].state is ScoreState.REFUSED
    assert "Check secret 'grader'" in row.errors["remote"]
    assert KEY not in json.dumps(row.to_wire())


def test_a_key_that_is_not_at_hand_ends_the_run_before_it_begins() -> None:
    with pytest.raises(RunAborted, match="needs secret 'other'"):
        asyncio.run(scored(saying({}), [{"said": "x"}], api_key_secret="other"))


def test_an_agent_toolkit_is_posted_the_row_as_it_is() -> None:
    async def go() -> tuple[list[RowScore], list[Asked]]:
        async with serving(saying({"result": {"score": 3}})) as server:
            url = f"http://127.0.0.1:{server.port}/evaluate"
            metric = parse_metric({"type": "nemo-agent-toolkit-remote", "url": url, "evaluator_name": "Groundedness 2"})
            assert [output.name for output in metric.outputs()] == ["Groundedness 2"]
            return [row async for row in evaluate([Row(0, {"q": "{{ 7 * 7 }}"})], [metric])], server.asked

    (row,), (asked,) = asyncio.run(go())
    assert asked.body == {"evaluator_name": "Groundedness 2", "item": {"q": "{{ 7 * 7 }}"}}
    assert row.metrics["nemo-agent-toolkit-remote"][0].value == 3.0


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://grader"},
        {"url": "http://user:pass@grader/x"},
        {"scores": []},
        {"scores": [{"name": "a"}, {"name": "a"}]},
        {"scores": [{"name": "a", "parser": {"type": "regex", "pattern": "x"}}]},
        {"scores": [{"name": "a", "parser": {"type": "json", "json_path": "$..["}}]},
        {"body": {"a": "{{ item."}},
        {"timeout_seconds": 0},
        {"max_retries": -1},
    ],
)
def test_a_definition_that_cannot_work_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        remote(**({"url": "http://grader.example/x"} | fields))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.a[*].b", [1, 2]),
        ("a[1].b", [2]),
        ("$..b", [1, 2]),
        ("$.a[?(@.b > 1)].b", [2]),
        ("$.a[-1:].b", [2]),
        ("$.z", []),
    ],
)
def test_jsonpath_is_real(path: str, found: list[int]) -> None:
    assert compile_path(path)({"a": [{"b": 1}, {"b": 2}]}) == found
