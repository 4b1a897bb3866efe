"""Malformed replies by type, each with what a careful person would score. Wrong is worse than unread."""

import json
from pathlib import Path
from typing import Any

import pytest

from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.reply import verdict_in
from assay_sdk.engine.result import Score, ScoreState
from assay_sdk.engine.spec import RangeScore, RubricScore

LINES = (Path(__file__).parent / "malformed_replies.jsonl").read_text().splitlines()
REPLIES: list[dict[str, Any]] = [json.loads(line) for line in LINES]

LABELS = [{"label": label, "value": value} for value, label in enumerate(("poor", "fair", "good"))]
READERS = {
    "clarity": reader_of(RangeScore.model_validate({"name": "clarity", "minimum": 0, "maximum": 5})),
    "quality": reader_of(RubricScore.model_validate({"name": "quality", "rubric": LABELS})),
}


def read(entry: dict[str, Any]) -> Score | None:
    text = verdict_in(entry["reply"], None)
    return read_scores([READERS[entry["score"]]], text)[0] if text else None


def found(entry: dict[str, Any]) -> Any:
    score = read(entry)
    if score is None or score.state is not ScoreState.SCORED:
        return None
    return score.label if "label" in entry else score.value


@pytest.mark.parametrize("entry", REPLIES, ids=[entry["id"] for entry in REPLIES])
def test_no_reply_gives_a_wrong_score(entry: dict[str, Any]) -> None:
    assert found(entry) in (None, entry.get("label", entry.get("value")))


def test_nearly_all_that_a_person_could_score_is_scored() -> None:
    scoreable = [entry for entry in REPLIES if entry.get("label", entry.get("value")) is not None]
    missed = [entry["id"] for entry in scoreable if found(entry) is None]
    assert len(REPLIES) >= 200
    assert len(scoreable) >= 150
    assert len(missed) <= 0.01 * len(scoreable), missed
