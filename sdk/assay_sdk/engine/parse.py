"""From the text of a judge's reply to its scores. Whatever the reply, the result is a value; nothing here raises."""

from collections.abc import Callable, Sequence
from typing import Any

from assay_sdk.engine.paths import steps_of
from assay_sdk.engine.patterns import Pattern, TookTooLong
from assay_sdk.engine.result import Score
from assay_sdk.engine.scores import (
    JSONScoreParser,
    JudgeScore,
    NumberScore,
    RangeScore,
    RegexScoreParser,
    RubricScore,
)
from assay_sdk.engine.unscaled import number_grader
from assay_sdk.engine.values import Grade, Unread, excerpt, range_grader, rubric_grader
from assay_sdk.engine.verdict import Reply, values_in

Reader = Callable[[Reply], Score]


def reader_of(score: JudgeScore) -> Reader:
    """The function that reads one score from a reply."""
    is_json = isinstance(score.parser, JSONScoreParser)
    match score:
        case RangeScore():
            grade = range_grader(score, strict=not is_json)
        case NumberScore():
            grade = number_grader(score)
        case RubricScore():
            grade = rubric_grader(score, strict=not is_json)
    find = (
        _json_reader(score.parser, grade)
        if isinstance(score.parser, JSONScoreParser)
        else _regex_reader(score.parser, grade)
    )
    label = "" if isinstance(score, RubricScore) else None

    def read(reply: Reply) -> Score:
        try:
            return find(reply)
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


def never_readable(score: JudgeScore) -> bool:
    """Whether no reply whatever can give this score: its pattern has no group to read it from."""
    return isinstance(score.parser, RegexScoreParser) and not Pattern(score.parser.pattern, "match").groups


def _json_reader(parser: JSONScoreParser, grade: Grade) -> Callable[[Reply], Score]:
    path = parser.json_path
    steps = steps_of(path)

    def read(reply: Reply) -> Score:
        first, *others = values_in(reply, path, steps)
        score = grade(first)
        if any(not _agrees(grade, value, score) for value in others):
            raise Unread(f"the reply holds several JSON objects that differ in '{path}'")
        return score

    return read


def _agrees(grade: Grade, value: Any, score: Score) -> bool:
    try:
        return grade(value) == score
    except Unread:
        return False


def _regex_reader(parser: RegexScoreParser, grade: Grade) -> Callable[[Reply], Score]:
    pattern = Pattern(parser.pattern, parser.method)

    def read(reply: Reply) -> Score:
        if not pattern.groups:
            raise Unread("the pattern has no group (…) to read the score from")
        try:
            group = pattern.first_group(reply.text)
        except TookTooLong as error:
            raise Unread(f"the pattern takes too long on the reply: {error}") from None
        if group is None:
            raise Unread(f"the pattern finds no score in the reply: {excerpt(reply.text)}")
        return grade(group)

    return read
