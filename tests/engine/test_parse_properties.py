"""Whatever a judge says, reading it gives a value or a reason, never an exception that nobody named."""

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assay_sdk.engine.lenient import scan
from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.reply import arguments_of, decoded, finish_reason_of, text_of, verdict_in
from assay_sdk.engine.result import ScoreState
from assay_sdk.engine.scores import RangeScore, RubricScore
from assay_sdk.engine.verdict import holds_object

LABELS = [{"label": "good", "value": 1}, {"label": "poor", "value": 0}]
RANGE = {"name": "clarity", "minimum": 0, "maximum": 4}
READERS = [
    reader_of(RangeScore.model_validate(RANGE)),
    reader_of(RangeScore.model_validate({**RANGE, "parser": {"type": "json", "json_path": "$.a['b'][0]"}})),
    reader_of(RangeScore.model_validate({**RANGE, "parser": {"type": "regex", "pattern": r"(\S+)", "method": "last"}})),
    reader_of(RubricScore.model_validate({"name": "quality", "rubric": LABELS})),
]
PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        "“",
        "”",
        ",",
        ":",
        "=",
        "clarity",
        "quality",
        "good",
        '"clarity": 3',
        "a",
        "b",
        "4/4",
    ]
    + ["4", "-", ".", "e9", "NaN", "null", "True", "//", "/*", "*/", "#", "\n", "\\", "\\u12", "<think>", "</think>"]
    + [
        "<clarity>",
        "</clarity>",
        "|",
        "**",
        "`",
        "\ufeff",
        "\ud800",
        "\x00",
        "٣",
        "²",
        "(",
        ")",
        " out of 4",
        "&quot;",
        "｛",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["clarity", "a", "score", "name", "result", "max", "quality", "label"]), inner
        )
    ),
    max_leaves=12,
)


def check(text: str) -> None:
    for score in read_scores(READERS, text):
        assert (score.value is None) == (score.state is not ScoreState.SCORED) == bool(score.reason)
        assert score.value is None or math.isfinite(score.value)
    holds_object(text)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_text_is_read(text: str) -> None:
    check(text)
    verdict = verdict_in(text, None)
    assert verdict is None or verdict in text
    assert all(isinstance(found.value, dict) for found in scan(text).objects)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_any_json_is_read(value: Any) -> None:
    check(json.dumps(value))
    check(f"So: {value!r}")
    check(f"```json\n{json.dumps(value, indent=1)}\n``` {json.dumps(value)}")


@settings(max_examples=100, deadline=None)
@given(VALUES, st.binary(max_size=60))
def test_any_completion_is_read(value: Any, body: bytes) -> None:
    decoded(body)
    shapes = [{"choices": value}, {"choices": [value]}, {"choices": [{"message": value, "finish_reason": value}]}]
    shapes += [{"choices": [{"message": {"content": value, "tool_calls": value}}]}]
    shapes += [{"choices": [{"message": {"tool_calls": [{"function": {"arguments": value}}, value]}}]}]
    for shape in shapes:
        for read in (text_of, finish_reason_of, arguments_of):
            assert isinstance(read(shape), str | None)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 4), st.text(max_size=30), st.booleans())
def test_a_plain_verdict_is_read_whatever_stands_beside_it(value: int, why: str, fenced: bool) -> None:
    said = json.dumps({"why": why, "clarity": value})
    (score, *_) = read_scores(READERS, f"```json\n{said}\n```" if fenced else said)
    assert score.value == value
