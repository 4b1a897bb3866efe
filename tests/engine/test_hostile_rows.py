"""What a row, a template or a judge's server says is read in bounded time, and can always be sent and stored."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.fence import Fence
from assay_sdk.engine.injection import MOST_TEXTS, UNHEARD, Watch
from assay_sdk.engine.jsonpath import compile_path
from assay_sdk.engine.llm_judge import LLMJudgeMetric
from assay_sdk.engine.logprobs import place_of
from assay_sdk.engine.names import LooseRow
from assay_sdk.engine.numerals import number_in
from assay_sdk.engine.overlap import MOST_CHARACTERS, MOST_WORDS, BLEUMetric, ROUGEMetric
from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.patterns import LONGEST_PATTERN, compile_pattern
from assay_sdk.engine.reply import any_json, decoded
from assay_sdk.engine.result import Row, Score, ScoreState
from assay_sdk.engine.scores import RangeScore
from assay_sdk.engine.template import compile_template
from assay_sdk.engine.tools import MOST_CALLS, ToolCallingMetric

RANGE = {"name": "clarity", "minimum": 0, "maximum": 5}
JUDGE = {"type": "llm-judge", "model": {"url": "http://x/v1", "name": "m"}, "scores": [RANGE]}


def quick(work: Callable[[], Any], seconds: float = 3) -> Any:
    began = time.thread_time()
    found = work()
    assert time.thread_time() - began < seconds
    return found


def watched(item: dict[str, Any], prompt: str = "", **more: Any) -> Score:
    metric = LLMJudgeMetric.model_validate({**JUDGE, **more})
    watch = Watch(metric, [reader_of(score) for score in metric.scores])
    (score,) = quick(lambda: watch.read('{"clarity": 4}', Row(0, item), {}, lambda: prompt or json.dumps(item)))
    return score


def test_row_of_more_text_than_can_be_looked_through_has_no_score_in_silence() -> None:
    texts = [f"text {number}" for number in range(MOST_TEXTS + 1)]
    assert watched({"a": texts}).state is ScoreState.UNPARSEABLE
    assert UNHEARD in str(watched({"a": texts}).reason)
    assert watched({"a": texts}, injection="flag").flags == (UNHEARD,)
    assert watched({"a": texts}, injection="off").value == 4
    assert watched({"a": texts, "q": "why"}, prompt="Judge this: why").value == 4, "the judge was shown none of them"
    assert watched({str(number): "x" * 150_000 + str(number) for number in range(40)}).value is None
    assert watched({"image": "QUJD" * 3_000_000}).value == 4, "of one long text no more is heard than of others"


def test_fence_around_very_many_texts_is_refused() -> None:
    texts = [f"a text of the row, number {number}" for number in range(20_000)]
    with pytest.raises(TemplateFailure, match="too many long texts"):
        quick(lambda: Fence(0, 1, texts).told(json.dumps(texts)))
    one = "the same text again and again"
    told = quick(lambda: Fence(0, 1, [one]).told(one * 20_000))
    assert told.count(one) == 20_000 == told.count("[end ") - 1


@pytest.mark.parametrize("text", ["." * 1_000_000, "a" + "." * 500_000 + "5", "1" + " " * 1_000_000, "1.,:" * 200_000])
def test_number_is_found_in_whatever_text(text: str) -> None:
    quick(lambda: number_in(text))


def scored(metric: Any, item: dict[str, Any], sample: dict[str, Any] | None = None) -> Sequence[Score]:
    import asyncio

    scores, _ = asyncio.run(metric.scorer(None, online=False).score(Row(0, item), sample or {}, None))
    found: Sequence[Score] = scores
    return found


def test_texts_are_compared_up_to_a_length() -> None:
    rouge = ROUGEMetric(type="rouge", reference="{{ item.r }}!", candidate="{{ item.c }}!")
    bleu = BLEUMetric(type="bleu", references=["{{ item.r }}!"], candidate="{{ item.c }}!")
    words = {"r": "one two", "c": " ".join(f"w{number}" for number in range(MOST_WORDS + 1))}
    long = {"r": "x" * MOST_CHARACTERS, "c": "y"}
    for metric, item in ((rouge, words), (rouge, long), (bleu, long)):
        first = quick(lambda metric=metric, item=item: scored(metric, item))[0]
        assert first.state is ScoreState.TEMPLATE and "more than" in str(first.reason) or "takes" in str(first.reason)
    assert scored(rouge, {"r": "one two", "c": "one two"})[0].value == 1


def test_tool_calls_are_compared_up_to_a_number() -> None:
    calls = [{"function": {"name": f"f{number}", "arguments": {}}} for number in range(MOST_CALLS + 1)]
    response = {"choices": [{"message": {"tool_calls": calls}}]}
    metric = ToolCallingMetric(type="tool-calling", reference="{{ item.calls }}")
    found = scored(metric, {"calls": calls, "response": response})
    assert "tool calls" in str(found[0].reason)
    few = {"choices": [{"message": {"tool_calls": calls[:5]}}]}
    assert scored(metric, {"calls": calls[:5], "response": few})[1].value == 1


def test_columns_that_all_come_to_one_name() -> None:
    row = LooseRow({"a" + chr(0x4E00 + number): number for number in range(3_000)})
    assert quick(lambda: row["a__2999"]) == 2999


# Patterns and paths


@pytest.mark.parametrize(
    "pattern", ["(a)" * LONGEST_PATTERN, r"(?i)" + r"[\0-\U0010fffe]" * 100, r"(?x-i:(?i:" + "[b-ÿ]" * 50 + "))"]
)
def test_pattern_that_takes_long_to_compile_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"longer than|more than"):
        quick(lambda: compile_pattern(pattern), 0.5)


def test_place_of_a_score_is_looked_for_in_bounded_time() -> None:
    parser = {"type": "regex", "pattern": r"((a+)+)$", "method": "search"}
    hostile = RangeScore.model_validate({**RANGE, "parser": parser})
    began = time.monotonic()
    assert place_of(hostile, "a" * 50 + "!") is None
    assert time.monotonic() - began < 5
    honest = RangeScore.model_validate({**RANGE, "parser": {**parser, "pattern": r"GRADE: (\d+)", "method": "last"}})
    text = "GRADE: 1 " + "x" * 150_000 + " GRADE: 23."
    assert place_of(honest, text) == (len(text) - 3, len(text) - 1)
    early = RangeScore.model_validate({**RANGE, "parser": {**parser, "pattern": r"GRADE: (\d+)", "method": "match"}})
    assert place_of(early, "\n GRADE: 4") == (9, 10)


def tree(depth: int) -> Any:
    value: Any = {"x": 1}
    for _ in range(depth):
        value = {"a": value, "b": [1, 2]}
    return value


@pytest.mark.parametrize("path", ["$..*..*..*..*", '$.a[?(@.t =~ "^(a+)+$")].t', "$.." + "a.." * 30 + "a"])
def test_path_is_followed_in_bounded_time(path: str) -> None:
    find = compile_path(path)
    value = {"a": [{"t": "a" * 60 + "!"}], "d": tree(90)}
    began = time.monotonic()
    try:
        find(value)
    except ValueError as error:
        assert "more than 1 s" in str(error)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("path", "found"),
    [("$..x", [1]), ("$.a[*].n", [1, 2]), ("$.a[?(@.n > 1)].n", [2]), ("a[0].n", [1]), ("$", None), ("$.none", [])],
)
def test_both_ways_of_following_a_path_agree(path: str, found: list[Any] | None) -> None:
    value = {"a": [{"n": 1}, {"n": 2}], "d": {"x": 1}}
    assert compile_path(path)(value) == ([value] if found is None else found)


def test_path_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="1,000 characters"):
        compile_path("$" + ".a" * 1_000)


# What can be sent and stored


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a": "\ud800", "\udfff": 1}',
        b'{"a": NaN, "b": [Infinity]}',
        b'{"a": 1' + b"0" * 300 + b"}",
        b'{"a": NaN, "b": [9223372036854775808, -99999999999999999999, 1' + b"0" * 5_000 + b"]}",
        b'{"a": ' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"a": NaN, "b": ' + b"[" * 400 + b"]" * 400 + b"}",
    ],
)
def test_whatever_a_server_says_can_be_stored(body: bytes) -> None:
    found = decoded(body)
    assert found is not None
    assert orjson.loads(orjson.dumps({"requests": [{"response": found}]}))
    assert any_json(body) == found or "NaN" in str(body)


def test_reply_is_no_deeper_than_can_be_read() -> None:
    assert decoded(b"[" * 100_000) is None
    assert decoded(b'{"a":' * 5_000 + b"1" + b"}" * 5_000) is None


@pytest.mark.parametrize(
    "source",
    [
        "{% set n = namespace(x=[]) %}{% for i in range(300) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson }}",
        "{{ item.deep }}",
        "{{ item.deep | tojson }}",
        "{{ 9 ** 3000 * 9 ** 3000 }}",
    ],
)
def test_template_gives_nothing_that_cannot_travel(source: str) -> None:
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    with pytest.raises(TemplateFailure, match="nested deeper|thousands of digits"):
        compile_template(source)({"item": {"deep": deep}})


@pytest.mark.parametrize("source", ["{{ item[loop] }}!", "{{ item[item.none] }}", "{{ item[item.__class__] }}!"])
def test_missing_name_may_be_missing_itself(source: str) -> None:
    with pytest.raises(TemplateFailure):
        compile_template(source)({"item": {"a": 1}})


@pytest.mark.parametrize(
    "reply",
    [
        '{"clarity": ' + "9" * 19_000 + "'5}",
        "{'clarity': '" + "1" * 19_000 + "x'}",
        json.dumps({"clarity": "4" + "\t" * 3_000 + "x"}),
        json.dumps({"clarity": "1" + "." * 3_000 + "x"}) + json.dumps({"clarity": 4}),
        "clarity: 4" + " " * 5_000 + "x",
    ],
)
def test_reply_made_to_be_read_for_ever_is_read_soon(reply: str) -> None:
    quick(lambda: read_scores([reader_of(RangeScore.model_validate(RANGE))], reply), 1)
