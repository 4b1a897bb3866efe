"""Tool calls, wanted and made."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import Model, RunConfigOnlineModel, parse_metric
from assay_sdk.engine.tools import same_calls
from tests.engine.played import Played

METRIC = {"type": "tool-calling", "reference": "{{item.want}}"}


def call(name: Any, arguments: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


def scores_of(want: Any, made: Any) -> RowScore:
    response = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": made}}]}

    async def go() -> RowScore:
        rows = [Row(0, {"want": want, "response": response})]
        return [row async for row in evaluate(rows, [parse_metric(METRIC)])][0]

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("want", "made", "values"),
    [
        ([call("a", {"x": 1})] * 2, [call("a", '{"x": 1}')] * 2, [1.0, 1.0]),
        ([call("a", {"x": 1})] * 2, [call("a", '{"x": 1}')], [0.0, 0.0]),
        ([call("a", {"x": 1}), call("a", {"x": 2})], [call("a", '{"x": 2}'), call("a", {"x": 1})], [1.0, 1.0]),
        ([call("a", {"x": 1}), call("a", {"x": 1})], [call("a", '{"x": 2}'), call("a", {"x": 1})], [1.0, 0.0]),
        ([call("a", '{"x": 1}')], [call("a", {"x": 1})], [1.0, 1.0]),
        ([call("a", None)], [call("a", "{}")], [1.0, 1.0]),
        ([], None, [1.0, 1.0]),
        ([call("a", {})], [None, "x", {"function": None}, call(["a"], "{}"), call("a", "{}")], [1.0, 1.0]),
    ],
)
def test_each_call_counts_as_often_as_it_is_made(want: Any, made: Any, values: list[float]) -> None:
    assert [score.value for score in scores_of(want, made).metrics["tool-calling"]] == values


@pytest.mark.parametrize(
    "want", [None, "a", {"function": {}}, [None], [{"function": {"name": ["a"], "arguments": {}}}]]
)
def test_a_reference_that_is_no_list_of_calls_says_so(want: Any) -> None:
    row = scores_of(want, [])
    assert not row.scored
    assert "reference" in row.errors["tool-calling"]


def test_deep_arguments_are_unreadable_not_fatal() -> None:
    names, arguments = scores_of([call("a", {})], [call("a", "[" * 100_000)]).metrics["tool-calling"]
    assert names.value == 1.0
    assert arguments.reason == "the arguments of a call are no JSON"


def test_a_target_that_only_calls_tools_has_answered() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [call("a", "{}")]}

    async def go() -> RowScore:
        run = evaluate(
            [Row(0, {"want": [call("a", {})]})],
            [parse_metric(METRIC), parse_metric({"type": "exact-match", "reference": "x"})],
            config=RunConfigOnlineModel(),
            transport=Played({"target.example": [{"message": message}], "judge.example": []}),
            target=Model(url="http://target.example/v1/chat/completions", name="t"),
            prompt_template="Go.",
        )
        return [row async for row in run][0]

    row = asyncio.run(go())
    assert [score.value for score in row.metrics["tool-calling"]] == [1.0, 1.0]
    assert "no answer" in row.errors["exact-match"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([{}, {"x": 1}, {"x": [1]}]))), st.randoms())
def test_order_does_not_matter(calls: list[tuple[str, Any]], rng: Any) -> None:
    shuffled = list(calls)
    rng.shuffle(shuffled)
    assert same_calls(calls, shuffled)
    assert not same_calls(calls, [*shuffled, ("c", {})])
