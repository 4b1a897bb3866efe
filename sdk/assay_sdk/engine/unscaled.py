"""What one value of a reply means where no scale was agreed: a number as it is written, whole or true where asked."""

import math
from typing import Any

from assay_sdk.engine.result import Score, ScoreState
from assay_sdk.engine.scores import NumberScore
from assay_sdk.engine.values import Grade, Unread, excerpt, plain_number

_TRUTHS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


def number_grader(score: NumberScore) -> Grade:
    """Reads a number in figures; "4.0" is an integer, and nothing is made of "4/5", which has a scale of its own."""
    low = -math.inf if score.minimum is None else score.minimum
    high = math.inf if score.maximum is None else score.maximum

    def grade(value: Any) -> Score:
        number = _truth(value) if score.kind == "boolean" else plain_number(value)
        if math.isinf(number):
            raise Unread(f"{excerpt(value)} is no finite number")
        if score.kind == "integer" and not number.is_integer():
            raise Unread(f"{excerpt(value)} is not a whole number")
        if not low <= number <= high:
            raise Unread(f"{excerpt(value)} is outside the range {low}–{high}", ScoreState.OUT_OF_RANGE)
        return Score(score.name, number, None, ScoreState.SCORED)

    return grade


def _truth(value: Any) -> float:
    if isinstance(value, str) and value.strip().casefold() in _TRUTHS:
        return _TRUTHS[value.strip().casefold()]
    number = plain_number(value)
    if number not in (0.0, 1.0):
        raise Unread(f"{excerpt(value)} is neither true nor false")
    return number
