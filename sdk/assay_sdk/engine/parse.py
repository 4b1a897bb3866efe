"""From the text of a judge's reply to its scores. Whatever the reply, the result is a value; nothing here raises."""

import json
import math
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from assay_sdk.engine.paths import find, steps_of
from assay_sdk.engine.result import Score, ScoreState
from assay_sdk.engine.spec import JSONScoreParser, RangeScore, RegexScoreParser, RubricScore

# A pattern that backtracks badly takes time that grows with the text; an honest verdict is near one of its ends.
SEARCHED_CHARACTERS = 100_000
SCANNED_CHARACTERS = 200_000
SCANNED_BRACES = 200

_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
_DECODER = json.JSONDecoder()


class Unread(Exception):
    """Internal: no score could be read, and why."""

    def __init__(self, reason: str, state: ScoreState = ScoreState.UNPARSEABLE) -> None:
        super().__init__(reason)
        self.state = state


class Reply:
    """A judge's text, with the JSON objects found in it (looked for once, and only if a score is read from JSON)."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        try:
            whole = json.loads(self.text)
        except (ValueError, RecursionError):
            tail = self.text[-SCANNED_CHARACTERS:]
            found = list(_objects_in(tail))
            return found or list(_objects_in(_TRAILING_COMMA.sub(lambda comma: comma[1] or "", tail)))
        return [whole] if isinstance(whole, dict) else []


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, fences and prose around them or not."""
    position = text.find("{")
    for _ in range(SCANNED_BRACES):
        if position < 0:
            return
        try:
            value, position = _DECODER.raw_decode(text, position)
            yield value
        except (ValueError, RecursionError):
            if text[position + 1 :].lstrip()[:1] == '"':
                return  # a broken object: what is nested in it is no verdict
            position += 1
        position = text.find("{", position)


Reader = Callable[[Reply], Score]


def reader_of(score: RangeScore | RubricScore) -> Reader:
    """The function that reads one score from a reply."""
    raw = _json_reader(score.parser) if isinstance(score.parser, JSONScoreParser) else _regex_reader(score.parser)
    label = None if isinstance(score, RangeScore) else ""
    grade = _range_grader(score) if isinstance(score, RangeScore) else _rubric_grader(score)

    def read(reply: Reply) -> Score:
        try:
            return grade(raw(reply))
        except RecursionError:
            unread = Unread("the reply is nested too deeply")
        except Unread as error:
            unread = error
        return Score(score.name, None, label, unread.state, str(unread))

    return read


def read_scores(readers: Sequence[Reader], text: str) -> list[Score]:
    """Every score, each read on its own: one that cannot be read does not spoil the others."""
    reply = Reply(text)
    return [read(reply) for read in readers]


def _json_reader(parser: JSONScoreParser) -> Callable[[Reply], Any]:
    path = parser.json_path
    steps = steps_of(path)

    def read(reply: Reply) -> Any:
        if not reply.objects:
            raise Unread(f"the reply is not a JSON object: {_excerpt(reply.text)}")
        values = [found[path] if path in found else find(found, steps) for found in reply.objects]
        values = [value for value in values if value is not None]
        if not values:
            raise Unread(f"the reply has no '{path}', or null there: {_excerpt(reply.text)}")
        if any(value != values[0] for value in values[1:]):
            raise Unread(f"the reply holds several JSON objects that differ in '{path}'")
        return values[0]

    return read


def _regex_reader(parser: RegexScoreParser) -> Callable[[Reply], Any]:
    pattern = re.compile(parser.pattern)

    def find_match(text: str) -> re.Match[str] | None:
        head, tail = text[:SEARCHED_CHARACTERS], text[-SEARCHED_CHARACTERS:]
        match parser.method:
            case "match":  # the line break that models like to begin with is no reason to miss what follows it
                return pattern.match(head) or pattern.match(head.lstrip())
            case "search":
                return pattern.search(head) or pattern.search(tail)
            case "last":
                return next(iter(deque(pattern.finditer(tail), maxlen=1)), None)

    def read(reply: Reply) -> Any:
        if not pattern.groups:
            raise Unread("the pattern has no group (…) to read the score from")
        match = find_match(reply.text)
        if match is None or match[1] is None:
            raise Unread(f"the pattern finds no score in the reply: {_excerpt(reply.text)}")
        return match[1]

    return read


def _range_grader(score: RangeScore) -> Callable[[Any], Score]:
    def grade(value: Any) -> Score:
        number = _number(value)
        if not score.minimum <= number <= score.maximum:
            bounds = f"{score.minimum}–{score.maximum}"
            raise Unread(f"{_excerpt(value)} is outside the range {bounds}", ScoreState.OUT_OF_RANGE)
        return Score(score.name, number, None, ScoreState.SCORED)

    return grade


def _number(value: Any) -> float:
    if isinstance(value, int | float | str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf
        if not math.isnan(number):
            return number
    raise Unread(f"{_excerpt(value)} is not a number")


def _rubric_grader(score: RubricScore) -> Callable[[Any], Score]:
    values = {item.label: float(item.value) for item in score.rubric}
    alike: dict[str, set[str]] = {}
    for label in values:
        alike.setdefault(_normalised(label), set()).add(label)

    def grade(value: Any) -> Score:
        label = value
        if isinstance(value, str) and value not in values:
            candidates = alike.get(_normalised(value), set())
            label = next(iter(candidates)) if len(candidates) == 1 else None
        if not isinstance(label, str):
            raise Unread(f"{_excerpt(value)} is none of the labels {', '.join(values)}")
        return Score(score.name, values[label], label, ScoreState.SCORED)

    return grade


def _normalised(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


def _excerpt(value: Any, length: int = 80) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = " ".join((value if isinstance(value, str) else repr(value))[: 4 * length].split())
    text = text if len(text) <= length else text[: length - 1] + "…"
    return repr(text) if isinstance(value, str) else text
