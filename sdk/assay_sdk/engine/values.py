"""What one value of a reply means on a score's scale. Raises Unread for everything a careful reader would ask about."""

import math
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from assay_sdk.engine.result import Score, ScoreState
from assay_sdk.engine.spec import RangeScore, RubricScore

LONGEST_FIGURE = 500

Grade = Callable[[Any], Score]

INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"))
"""Characters that only make a text look the same and be another, as a table for str.translate."""


class Unread(Exception):
    """Internal: no score could be read, and why."""

    def __init__(self, reason: str, state: ScoreState = ScoreState.UNPARSEABLE) -> None:
        super().__init__(reason)
        self.state = state


_NAMED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {word: number for number, word in enumerate(_NAMED)}
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_FIGURE = re.compile(
    rf"""(?:(?:score|rating|grade|value)\s*[:=]\s*)?
    (?P<number>{_NUMBER}|{"|".join(_WORDS)})
    (?:\s*(?:/|\bout\s+of\b|\bof\b|\bvon\b|\bsur\b|\bde\b|／)\s*(?P<top>{_NUMBER}|{"|".join(_WORDS)}))?
    \s*(?P<unit>%|points?|pts?\.?|stars?|⭐+|★+)?
    \s*(?:\((?P<aside>[^()\d]{{1,60}})\)|[:,–—-]\s*(?P<comment>[^\W\d]+))?
    \s*[.!]?""",
    re.VERBOSE | re.IGNORECASE,
)
_DOUBTS = frozenset(
    [
        "not",
        "no",
        "or",
        "to",
        "if",
        "but",
        "maybe",
        "perhaps",
        "minus",
        "plus",
        "less",
        "more",
        "except",
        "unless",
        "should",
        "would",
        "could",
        "nearly",
        "almost",
        "half",
        "between",
        "above",
        "below",
        "wrong",
        "corrected",
        "changed",
    ]
)
_MARKUP = " \t\r\n*_`\"'“”‘’"
_HOLDERS = ("score", "value", "rating", "grade", "points")
_LABEL_HOLDERS = ("label", "category", "grade", "rating", "value", "verdict", "answer", "score")
_TOPS = ("max", "maximum", "max_score", "maxscore", "out_of", "outof", "of", "scale", "total")


def range_grader(score: RangeScore, *, strict: bool) -> Grade:
    """Reads a number. `strict`: the text of a user's own regex group, which Python's float has to understand."""

    def grade(value: Any) -> Score:
        number = plain_number(value) if strict else _figure(_held(value, _HOLDERS, score), score)
        if not score.minimum <= number <= score.maximum:
            bounds = f"{score.minimum}–{score.maximum}"
            raise Unread(f"{excerpt(value)} is outside the range {bounds}", ScoreState.OUT_OF_RANGE)
        return Score(score.name, number, None, ScoreState.SCORED)

    return grade


def rubric_grader(score: RubricScore, *, strict: bool) -> Grade:
    """Reads a label, whatever its case and space; unless `strict` also in an object, or in markup."""
    values = {item.label: float(item.value) for item in score.rubric}
    alike: dict[str, set[str]] = {}
    for label in values:
        alike.setdefault(_normalised(label), set()).add(label)

    def known(value: Any) -> str | None:
        if not isinstance(value, str) or value in values:
            return value if isinstance(value, str) else None
        candidates = alike.get(_normalised(value), set())
        return next(iter(candidates)) if len(candidates) == 1 else None

    def grade(value: Any) -> Score:
        label, numbers = known(value), _numbers_in(value)
        if label is None and not strict:
            value = _held(value, _LABEL_HOLDERS)
            label = known(value) or (known(value.strip(_MARKUP).rstrip(".")) if isinstance(value, str) else None)
        if label is None:
            raise Unread(f"{excerpt(value)} is none of the labels {', '.join(values)}")
        if any(number != values[label] for number in numbers):
            raise Unread(f"the reply says {excerpt(label)} and another value beside it")
        return Score(score.name, values[label], label, ScoreState.SCORED)

    return grade


def excerpt(value: Any, length: int = 80) -> str:
    """A value as a reason quotes it."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = " ".join((value if isinstance(value, str) else _shown(value))[: 4 * length].split())
    text = text if len(text) <= length else text[: length - 1] + "…"
    return repr(text) if isinstance(value, str) else text


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"


def _held(value: Any, holders: tuple[str, ...], score: RangeScore | None = None) -> Any:
    """`{"score": 3, "reason": "…"}` means 3, if nothing else in it could be meant."""
    if not isinstance(value, dict):
        return value
    low = {str(key).casefold(): inner for key, inner in value.items()}
    tops = [low[name] for name in _TOPS if isinstance(low.get(name), int | float)]
    if score is not None and any(top != score.maximum for top in tops):
        raise Unread("the reply uses a scale of its own")
    held = [low[name] for name in holders if name in low]
    if score is None and len(held) > 1:
        held = held[:1] if isinstance(held[0], str) else held
    if len(held) != 1 or isinstance(held[0], dict | list):
        raise Unread(f"{excerpt(value)} is not a value")
    return held[0]


def _numbers_in(value: Any) -> list[float]:
    """The numbers that stand beside a label in an object, which have to be that label's."""
    beside = value.items() if isinstance(value, dict) else ()
    named = (inner for name, inner in beside if str(name).casefold() in _LABEL_HOLDERS)
    return [inner for inner in named if isinstance(inner, int | float) and not isinstance(inner, bool)]


def _figure(value: Any, score: RangeScore) -> float:
    """A number, or a text that is nothing but one: "4", "4/5" or "4 out of 5" on a scale to 5, "4 (good)", "four"."""
    if not isinstance(value, str):
        return plain_number(value)
    # The expression takes time by a power of how much space there is in a row.
    text = " ".join(value[:LONGEST_FIGURE].translate(INVISIBLE).strip(_MARKUP).split())
    found = _FIGURE.fullmatch(text) if len(value) <= LONGEST_FIGURE else None
    if found is None:
        if text.casefold().lstrip("+-") in ("inf", "infinity"):
            return plain_number(text)
        raise Unread(f"{excerpt(value)} is not a number")
    aside = (found["aside"] or found["comment"] or "").casefold().split()
    if len(aside) > 8 or _DOUBTS & {word.strip(".,;!?") for word in aside}:
        raise Unread(f"{excerpt(value)} is not clearly a number")
    number = _count(found["number"])
    top = _count(found["top"]) if found["top"] else None
    if top is not None and top != score.maximum:
        raise Unread(f"{excerpt(value)} is on another scale than {score.minimum}–{score.maximum}")
    if found["unit"] and found["unit"][0] in "⭐★":
        raise Unread(f"{excerpt(value)} is not clearly a number")
    if found["unit"] == "%" and score.maximum != 100:
        raise Unread(f"{excerpt(value)} is a percentage, on a scale of {score.minimum}–{score.maximum}")
    return number


def _count(text: str) -> float:
    word = text.casefold()
    return float(_WORDS[word]) if word in _WORDS else float(text)


def plain_number(value: Any) -> float:
    """The number that a value is, or that its text is for Python. Raises Unread."""
    if isinstance(value, int | float | str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf
        if not math.isnan(number):
            return number
    raise Unread(f"{excerpt(value)} is not a number")


def _normalised(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())
