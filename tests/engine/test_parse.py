"""Reading replies: what a person would read, the parser reads; and no reply whatever raises."""

import json
import random
import time
from typing import Any

import pytest

from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.reply import verdict_in
from assay_sdk.engine.result import Score, ScoreState
from assay_sdk.engine.spec import RangeScore, Reasoning, RubricScore


def by_json(path: str = "clarity") -> RangeScore:
    return RangeScore.model_validate(
        {"name": "clarity", "minimum": 0, "maximum": 4, "parser": {"type": "json", "json_path": path}}
    )


def by_pattern(pattern: str, method: str = "search") -> RangeScore:
    parser = {"type": "regex", "pattern": pattern, "method": method}
    return RangeScore.model_validate({"name": "clarity", "minimum": 0, "maximum": 10, "parser": parser})


def rubric(*labels: str) -> RubricScore:
    items = [{"label": label, "value": value} for value, label in enumerate(labels)]
    return RubricScore.model_validate({"name": "quality", "rubric": items})


def read(score: RangeScore | RubricScore, text: str) -> Score:
    (found,) = read_scores([reader_of(score)], text)
    return found


@pytest.mark.parametrize(
    "text",
    [
        'The set {a, b} is small. {"clarity": 3}',
        'First a draft: {"draft": true}\nNow: {"clarity": 3}',
        '{"clarity": 3}\n\nTo repeat: {"clarity": 3}',
        '```json\n{\n  "why": "uses {braces}, and \\"quotes\\",",\n  "clarity": 3,\n}\n```',
        '{"list": [1, 2,], "clarity": 3,}',
        '{"clarity": " 3 "}',
        '{"clarity": true, "clarity": 3.0}',
    ],
)
def test_json_that_a_person_would_read_as_three(text: str) -> None:
    assert read(by_json(), text) == Score("clarity", 3.0, None, ScoreState.SCORED)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"clarity": 1}\n{"clarity": 4}', "differ in 'clarity'"),
        ('{"draft": {"clarity": 1}, "clarity": 4, "why": "cut', "outside of any readable JSON object"),
        ('{"clarity": null}', "has no 'clarity', or null there"),
        ('{"Clarity of thought": 3}', "has no 'clarity'"),
        ('{"clarity": "three or so"}', "'three or so' is not a number"),
        ('{"clarity": "NaN"}', "'NaN' is not a number"),
        ('{"clarity": [3]}', "a list is not a number"),
        ("sorry", "not a JSON object: 'sorry'"),
    ],
)
def test_json_that_gives_no_score_says_why(text: str, why: str) -> None:
    score = read(by_json(), text)
    assert (score.value, score.state) == (None, ScoreState.UNPARSEABLE)
    assert why in str(score.reason)


@pytest.mark.parametrize("value", ["4.01", "-1", "1e999", "-Infinity", '"5"', "9" * 400])
def test_number_outside_the_range_is_no_score(value: str) -> None:
    score = read(by_json(), f'{{"clarity": {value}}}')
    assert (score.value, score.state) == (None, ScoreState.OUT_OF_RANGE)
    assert "is outside the range 0–4" in str(score.reason)


@pytest.mark.parametrize("value", ["0", "4", "-0.0", "4.0"])
def test_bounds_belong_to_the_range(value: str) -> None:
    assert read(by_json(), f'{{"clarity": {value}}}').value == float(value)


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("grade.clarity", {"grade": {"clarity": 2}}),
        ("$.grade.clarity", {"grade": {"clarity": 2}}),
        ("$.grades[1].n", {"grades": [{"n": 1}, {"n": 2}]}),
        ("grades[-1]", {"grades": [1, 2]}),
        ("$['odd key']['a.b']", {"odd key": {"a.b": 2}}),
        ("grade.clarity", {"grade.clarity": 2, "grade": {"clarity": 1}}),
    ],
)
def test_path_leads_into_the_reply_unless_it_is_a_key_of_it(path: str, reply: dict[str, Any]) -> None:
    assert read(by_json(path), json.dumps(reply)).value == 2.0


@pytest.mark.parametrize("path", ["/clarity", "$..clarity", "grades[*]", "$", "a..b", "grades[9]"])
def test_path_that_leads_nowhere_is_no_score(path: str) -> None:
    assert read(by_json(path), '{"grades": [3], "clarity": 3}').state is ScoreState.UNPARSEABLE


def test_pattern_methods() -> None:
    text = "At first 2, then 5, in the end 9."
    assert read(by_pattern(r"(\d)", "search"), text).value == 2.0
    assert read(by_pattern(r"(\d)", "last"), text).value == 9.0
    assert read(by_pattern(r"(\d)", "match"), text).state is ScoreState.UNPARSEABLE
    assert read(by_pattern(r"(\d)", "match"), "\n 7").value == 7.0
    assert read(by_pattern(r"\n (\d)", "match"), "\n 7").value == 7.0


def test_pattern_finds_the_verdict_at_the_end_of_a_long_reply() -> None:
    for method in ("search", "last"):
        assert read(by_pattern(r"GRADE: (\d)", method), "x" * 500_000 + "GRADE: 7").value == 7.0


def test_labels_match_in_any_spelling_but_only_if_that_is_clear() -> None:
    assert read(rubric("poor", "Very Good"), '{"quality": "  very\\u00a0good"}').label == "Very Good"
    assert read(rubric("No", "Sí"), '{"quality": "SI\\u0301"}').value == 1.0
    assert read(rubric("us", "US"), '{"quality": "US"}').value == 1.0
    unclear = read(rubric("us", "US"), '{"quality": "Us"}')
    assert (unclear.value, unclear.label, unclear.state) == (None, "", ScoreState.UNPARSEABLE)


@pytest.mark.parametrize(
    ("text", "reasoning", "verdict"),
    [
        ("<think>2?</think>\n9", None, "\n9"),
        ("2? Hm.</think>9", None, "9"),
        ("<think>2? Hm.", None, None),
        ("9, I <think> that is </think> it", None, "9, I <think> that is </think> it"),
        ("work[/done]9", Reasoning(end_token="[/done]"), "9"),
        ("[/done]<think>a</think>9", Reasoning(end_token="[/done]"), "9"),
        ("still at work", Reasoning(end_token="[/done]"), "still at work"),
        ("still at work", Reasoning(end_token="[/done]", include_if_not_finished=False), ""),
    ],
)
def test_thinking_is_not_the_verdict(text: str, reasoning: Reasoning | None, verdict: str | None) -> None:
    assert verdict_in(text, reasoning) == verdict


def test_no_reply_raises_and_every_unscored_one_says_why() -> None:
    rng = random.Random(7)
    pieces = [
        '{"clarity": 3}',
        "{",
        "}",
        "[",
        "]",
        '"',
        ",",
        ":",
        "3",
        "-",
        "1e400",
        "null",
        "NaN",
        "```json",
        "<think>",
    ]
    pieces += ["</think>", "\ufeff", "\x00", "\ud800", "clarity", "GRADE: 4", " ", "\n", "٣", "é", "\\", "9" * 5000]
    readers = [
        reader_of(by_json()),
        reader_of(by_json("a.b[0]")),
        reader_of(by_pattern(r"GRADE: (\d+)?")),
        reader_of(by_pattern(r"(\S+)", "last")),
        reader_of(rubric("GRADE: 4", "3")),
    ]
    for _ in range(1000):
        text = "".join(rng.choices(pieces, k=rng.randrange(12)))
        for score in read_scores(readers, text):
            assert (score.value is None) == (score.reason is not None)
            assert score.value is None or score.state is ScoreState.SCORED


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "{" * 200_000, '"' * 200_000, "{},\\" * 60_000])
def test_hostile_replies_cost_little(text: str) -> None:
    began = time.perf_counter()
    assert read(by_json(), text).state is ScoreState.UNPARSEABLE
    assert time.perf_counter() - began < 2
