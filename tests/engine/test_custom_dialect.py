"""What the engine does for definitions that speak of no scale, and for rows and requests of older evaluations."""

import io
import json
from typing import Any

import pytest
from pydantic import ValidationError

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.cached import cached_sample
from assay_sdk.engine.dataset import Reading, count_items, read_items
from assay_sdk.engine.flat import as_list, prompt_of
from assay_sdk.engine.names import AnswerSample, LooseRow
from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.result import Row, ScoreState
from assay_sdk.engine.run import run
from assay_sdk.engine.spec import LLMJudgeMetric, NumberScore, parse_metric
from assay_sdk.engine.template import compile_template


def number(reply: str, kind: str = "integer", parser: dict[str, Any] | None = None, **bounds: float) -> Any:
    found = parser or {"type": "regex", "pattern": r"SCORE: (\S+)", "method": "search"}
    [score] = read_scores([reader_of(NumberScore(name="Any name", kind=kind, parser=found, **bounds))], reply)
    return score.value if score.state is ScoreState.SCORED else score.state.value


@pytest.mark.parametrize(
    ("reply", "kind", "wanted"),
    [
        ("Well. SCORE: 4", "integer", 4.0),
        ("SCORE: 4.0", "integer", 4.0),
        ("SCORE: 4.5", "integer", "unparseable"),
        ("SCORE: 4.5", "number", 4.5),
        ("SCORE: -1e3", "number", -1000.0),
        ("SCORE: 4/5", "number", "unparseable"),
        ("SCORE: four", "number", "unparseable"),
        ("SCORE: nan", "number", "unparseable"),
        ("SCORE: inf", "number", "unparseable"),
        ("SCORE: 1e999", "number", "unparseable"),
        ("SCORE: True", "boolean", 1.0),
        ("SCORE: 0", "boolean", 0.0),
        ("SCORE: 2", "boolean", "unparseable"),
        ("nothing", "integer", "unparseable"),
    ],
)
def test_a_number_without_a_scale(reply: str, kind: str, wanted: Any) -> None:
    assert number(reply, kind) == wanted


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [(True, "integer", 1.0), ("2.0", "integer", 2.0), (2.5, "number", 2.5), (None, "number", "unparseable"),
     ([3], "number", "unparseable"), ({"score": 3}, "number", "unparseable"), (False, "boolean", 0.0)],
)  # fmt: skip
def test_a_number_in_json(value: Any, kind: str, wanted: Any) -> None:
    reply = f"Sure:\n```json\n{json.dumps({'a': {'b': value}})}\n```"
    assert number(reply, kind, {"type": "json", "json_path": "a.b"}) == wanted


def test_bounds_hold_where_they_are_given() -> None:
    assert number("SCORE: 5", minimum=1, maximum=5) == 5.0
    assert number("SCORE: 6", maximum=5) == "out_of_range"
    assert number("SCORE: -6", maximum=5) == -6.0
    with pytest.raises(ValidationError, match="must not be above"):
        NumberScore(name="a", kind="number", minimum=2, maximum=1)


def test_what_has_no_scale_asks_for_no_schema_and_a_range_still_needs_its_bounds() -> None:
    judge = {"type": "llm-judge", "model": {"url": "http://a.test/v1", "name": "m"}}
    metric = parse_metric({**judge, "scores": [{"name": "A b", "kind": "number"}]})
    assert isinstance(metric, LLMJudgeMetric)
    assert metric.reply_schema() is None
    with pytest.raises(ValidationError, match="range.minimum"):
        parse_metric({**judge, "scores": [{"name": "a"}]})


def test_columns_by_their_plain_names() -> None:
    row = LooseRow({"Full Name": 1, "full-name": 2, "ID": 3, "id": 4, "ok": 5})
    found = {
        name: compile_template(f"{{{{ item.{name} }}}}")({"item": row}) for name in ("full_name", "full_name_1", "id")
    }
    assert found == {"full_name": 1, "full_name_1": 2, "id": 4}, "a column's own name comes first"
    assert row["id_1"] == 3
    assert compile_template("{{ item['Full Name'] }}")({"item": row}) == 1
    assert compile_template("{{ item.nope | default('x') }}")({"item": row}) == "x"
    assert compile_template("{{ item | tojson }}")({"item": row}) == dict(row)
    assert json.loads(json.dumps(row)) == dict(row), "nothing is stored that was not there"


def test_an_answer_as_data_where_it_is_data() -> None:
    assert AnswerSample(output_text='{"a": [1]}')["output_json"] == {"a": [1]}
    for sample in (AnswerSample(output_text="prose"), AnswerSample()):
        with pytest.raises(KeyError):
            sample["output_json"]


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"response": "a", "output": "b"}, "a"),
        ({"response": {"choices": [{"message": {"content": "c"}}]}, "output": "b"}, "c"),
        ({"response": {"choices": [{"text": "d"}]}}, "d"),
        ({"response": None, "output_text": "e", "prediction": "f"}, "e"),
        ({"output": 5, "prediction": "f"}, "f"),
        ({"response": {"choices": []}, "output": "b"}, None),
        ({}, None),
    ],
)
def test_an_answer_that_was_made_before(item: dict[str, Any], text: str | None) -> None:
    assert cached_sample(item).get("output_text") == text


def test_a_conversation_as_one_prompt() -> None:
    parts = [{"type": "text", "text": "b"}, {"type": "image"}]
    messages = [
        {"role": "system", "content": "a"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None},
    ]
    assert prompt_of(messages) == "system: a\n\nuser: b\n\nassistant: \n\nassistant:"
    with pytest.raises(TypeError):
        prompt_of(["hello"])
    assert as_list("[1]") == [1]
    assert [as_list(text) for text in ("{}", "no", "[", 3)] == ["{}", "no", "[", 3]


def test_json_in_a_prompt_is_json_and_not_a_web_page() -> None:
    assert compile_template("Row: {{ item | tojson }}!")({"item": {"a": "<b> & 'c'"}}) == 'Row: {"a": "<b> & \'c\'"}!'


def test_files_read_as_older_evaluations_read_them() -> None:
    reading = Reading(cells_as_text=True, unwrap=True)
    csv = b"a,b\n007,\n1,true\n"
    assert list(read_items(io.BytesIO(csv), "a.csv", reading=reading)) == [
        {"a": "007", "b": ""},
        {"a": "1", "b": "true"},
    ]
    for wrapped, wanted in (
        ({"data": [{"a": 1}, {"a": 2}]}, [{"a": 1}, {"a": 2}]),
        ({"rows": [{"a": 1}], "version": 2}, [{"a": 1}]),
        ({"data": [1]}, [{"data": [1]}]),
        ([{"data": [{"a": 1}]}, {"b": 1}], [{"data": [{"a": 1}]}, {"b": 1}]),
    ):
        content = json.dumps(wrapped).encode()
        assert list(read_items(io.BytesIO(content), "a.json", reading=reading)) == wanted
        assert count_items(io.BytesIO(content), "a.json", reading=reading) == len(wanted)
    lines = io.BytesIO(b'{"a": 1}\n')
    assert list(read_items(lines, "odd.txt", reading=Reading(suffix=".jsonl"))) == [{"a": 1}]


def test_metrics_under_keys_of_their_own() -> None:
    check = {"type": "string-check", "operation": "==", "right_template": "a"}
    metrics = {
        f"task.{name}": parse_metric({**check, "left_template": f"{{{{ item.{name} }}}}"}) for name in ("x", "y")
    }
    result = run([Row(0, {"x": "a", "y": "b"})], metrics)
    assert {key: scores[0].value for key, scores in result.rows[0].metrics.items()} == {"task.x": 1.0, "task.y": 0.0}
    assert [score["name"] for score in result.aggregates["scores"]] == ["task.x.string-check", "task.y.string-check"]
    assert list(Summary(metrics).scores) == ["task.x", "task.y"]


def test_accuracy_is_of_the_texts_as_they_are() -> None:
    given = {"type": "exact-match", "reference": "{{ item.r }} ", "candidate": "{{ item.c }}"}
    rows = [Row(0, {"r": "The end.", "c": "the end"}), Row(1, {"r": "a", "c": "a\n"})]
    for as_written, wanted in ((False, [1.0, 1.0]), (True, [0.0, 1.0])):
        result = run(rows, [parse_metric({**given, "as_written": as_written})])
        assert [row.metrics["exact-match"][0].value for row in result.rows] == wanted
