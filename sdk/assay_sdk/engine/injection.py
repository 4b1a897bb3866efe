"""Verdicts that the judged text dictated: recognised, and not taken for the judge's own.

Two signs are looked for. An *echo* is a verdict that stands, with the same value, in the row's own text; a reply that
holds another verdict too is read without the echoed one. A text that *talks to the judge* tells it what to conclude;
a score that is what the text asked for is then no evidence of anything.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from assay_sdk.engine.disguise import LONGEST, turned, views
from assay_sdk.engine.fence import texts_in
from assay_sdk.engine.llm_judge import LLMJudgeMetric
from assay_sdk.engine.parse import Reader, read_scores
from assay_sdk.engine.paths import steps_of
from assay_sdk.engine.patterns import Pattern, TookTooLong
from assay_sdk.engine.persuasion import Listener
from assay_sdk.engine.result import Row, Score, ScoreState
from assay_sdk.engine.scores import JSONScoreParser, JudgeScore, NumberScore, RubricScore

ECHO = "echo: the judge's verdict stands in the row's own text"
ECHO_BESIDE = "echo: the reply also repeats a verdict that stands in the row's own text"
TALKS = "talks to the judge: the row's text {}"
DICTATED = "{}; a verdict that the row itself may have dictated is not taken for the judge's"

UNHEARD = "the row holds more text than is looked through for verdicts that it dictates"
MOST_TEXTS = 20_000
MOST_HEARD = 5_000_000
"""Characters of all texts of a row, of each no more than is heard."""
MOST_WORK = 500_000_000
"""Characters of a request times texts that are looked for in it."""

Shown = Callable[[], Any]
"""Gives the request that the judge was sent, rendered anew: only a text in it can have spoken to the judge."""


Found = tuple[str, tuple[int, int]]
"""What a verdict in a text says, and where it stands."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    heard: list[str]
    signs: list[str]


class Watch:
    """Reads the scores of one metric, and looks after where they came from."""

    def __init__(self, metric: LLMJudgeMetric, readers: Sequence[Reader]) -> None:
        self._readers = readers
        self._policy = metric.injection or "unscored"
        self._wanted = {score.name: score for score in metric.scores}
        self._forms = {score.name: form_of(score) for score in metric.scores}
        self._keys = {_key_of(score).casefold() for score in metric.scores}
        self._metric = metric

    @cached_property
    def _listener(self) -> Listener:
        words = [word for score in self._metric.scores for word in _words_of(score)]
        return Listener.of([*self._wanted, *self._keys], words)

    def read(self, text: str, row: Row, sample: Mapping[str, Any], shown: Shown) -> list[Score]:
        """The scores in a reply about a row."""
        scores = read_scores(self._readers, text)
        if self._policy == "off":
            return scores
        said = {name: list(form(text)) for name, form in self._forms.items() if form}
        if not any(score.value is not None or len(said.get(score.name, ())) > 1 for score in scores):
            return scores
        texts = _texts_of(row, sample)
        if _too_much(texts):
            request = " ".join(texts_in(shown()))
            if len(texts) * len(request) <= MOST_WORK:
                texts = [text for text in texts if _stands_in(text, request)]
            if _too_much(texts):
                return [self._unheard(score) for score in scores]
        suspects = [suspect for suspect in self._suspects(texts) if suspect.signs or self._repeats(suspect, said)]
        if suspects:
            request = " ".join(texts_in(shown()))
            suspects = [suspect for suspect in suspects if _stands_in(suspect.heard[0], request)]
        if not suspects:
            return scores
        dictated = {name: [each for suspect in suspects for each in self._in_text(name, suspect)] for name in said}
        own = self._without(text, said, dictated)
        scores = scores if own == text else read_scores(self._readers, own)
        signs = list(dict.fromkeys(sign for suspect in suspects for sign in suspect.signs))
        talk = [view for suspect in suspects if suspect.signs for view in suspect.heard]
        beside = own != text or any(_among(literal, dictated[name]) for name in said for literal, _ in said[name])
        return [self._checked(score, dictated.get(score.name, []), beside, signs, talk) for score in scores]

    def _unheard(self, score: Score) -> Score:
        if score.value is None or self._policy == "flag":
            return replace(score, flags=(UNHEARD,))
        reason = f"{UNHEARD}; with injection 'off' it is judged all the same"
        return Score(score.name, None, score.label if score.label is None else "", ScoreState.UNPARSEABLE, reason)

    def _suspects(self, texts: Sequence[str]) -> Iterator["_Suspect"]:
        """Each text of the row, in every guise that it might speak in, and its signs of talking to the judge."""
        for text in texts:
            heard = list(dict.fromkeys([*views(text), *(other for key in self._keys for other in turned(text, key))]))
            signs = [sign for view in heard for sign in self._listener.signs(view.casefold())]
            yield _Suspect(heard, list(dict.fromkeys(signs)))

    def _repeats(self, suspect: "_Suspect", said: Mapping[str, Sequence[Found]]) -> bool:
        for name, places in said.items():
            values = self._in_text(name, suspect) if places else []
            if values and any(_among(literal, values) for literal, _ in places):
                return True
        return False

    def _in_text(self, name: str, suspect: "_Suspect") -> list[str]:
        """The values of the score's verdicts in a text of the row."""
        form = self._forms[name]
        return [literal for view in suspect.heard for literal, _ in form(view)] if form else []

    def _without(self, text: str, said: Mapping[str, Sequence[Found]], dictated: Mapping[str, Sequence[str]]) -> str:
        """The reply without the verdicts that only repeat the row's, provided that it holds others."""
        for name, places in said.items():
            echoed = [place for literal, place in places if _among(literal, dictated[name])]
            if 0 < len(echoed) < len(places):
                for start, stop in echoed:
                    text = text[:start] + " " * (stop - start) + text[stop:]
        return text

    def _checked(self, score: Score, dictated: Sequence[str], beside: bool, signs: list[str], talk: list[str]) -> Score:
        flags = []
        if signs:
            flags.append(TALKS.format(", ".join(signs)))
        echo = score.value is not None and _among(score.label or str(score.value), dictated)
        if echo or beside:
            flags.append(ECHO if echo else ECHO_BESIDE)
        if score.value is None:
            return replace(score, flags=tuple(flags))
        if self._policy == "unscored" and (echo or (signs and self._asked_for(score, talk))):
            label = score.label if score.label is None else ""
            reason = DICTATED.format(flags[-1])
            return Score(score.name, None, label, ScoreState.UNPARSEABLE, reason, tuple(flags))
        return replace(score, flags=tuple(flags))

    def _asked_for(self, score: Score, heard: Sequence[str]) -> bool:
        """Whether a text that talks to the judge can have meant this value; it is honest if it asked for another."""
        wanted = self._wanted[score.name]
        values = _values_of(wanted)
        assert score.value is not None
        if not values:  # there is no scale on which to tell praise from blame
            named = {float(number) for number in _NAMED.findall(" ".join(heard))}
            return score.value in named or not named
        low, high = min(values), max(values)
        # From the upper half on, a score may be what flattery was after; from the lower, slander of a rival.
        asked = " ".join(heard).casefold()
        named = {float(number) for number in _NAMED.findall(asked)} & set(values)
        named |= {value for word, value in _NUMBERS.items() if value in values and re.search(rf"\b{word}\b", asked)}
        if isinstance(wanted, RubricScore):
            labels = {item.label.casefold(): float(item.value) for item in wanted.rubric}
            named |= {value for label, value in labels.items() if re.search(rf"\b{re.escape(label)}\b", asked)}
        if re.search(r"\b(?:lowest|minimum|worst|zero|failing)\b", asked):
            named.add(low)
        if not named or re.search(r"\b(?:highest|max\w*|full|perfect|top|best|flawless|excellent)\b", asked):
            named.add(high)
        return score.value in named or (score.value - low) * 2 >= high - low


def _texts_of(row: Row, sample: Mapping[str, Any]) -> list[str]:
    parts = [value for key, value in sample.items() if key != "response"]
    return list(dict.fromkeys([*texts_in(row.item), *texts_in(parts)]))


def _too_much(texts: Sequence[str]) -> bool:
    return len(texts) > MOST_TEXTS or sum(min(len(text), 2 * LONGEST) for text in texts) > MOST_HEARD


_NAMED = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w%])")
_NUMBERS = {"zero": 0.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0}
_NUMBERS |= {"six": 6.0, "seven": 7.0, "eight": 8.0, "nine": 9.0, "ten": 10.0}


def form_of(score: JudgeScore) -> Callable[[str], Iterator[Found]] | None:
    """Finds the verdicts in a text that look like one of this score: what each says, and where it stands."""
    parser = score.parser
    if isinstance(parser, JSONScoreParser):
        key = re.escape(_key_of(score))
        quote = r"[\\\"'`“”‘’]{0,3}"
        value = r"(?>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"  # a part of a number is never tried: long ones would take long
        if isinstance(score, RubricScore):
            value = "|".join(re.escape(item.label) for item in sorted(score.rubric, key=lambda i: -len(i.label)))
        written = re.compile(
            rf"[{{｛][^{{}}]{{0,400}}?(?<!\w){key}{quote}\s*[:=]>?\s*{quote}({value})(?![\w.]*\w)[^{{}}]{{0,400}}[}}｝]?",
            re.IGNORECASE,
        )

        def found(text: str) -> Iterator[Found]:
            if "{" in text or "｛" in text:
                yield from ((match[1], match.span()) for match in written.finditer(text))

        return found
    pattern = Pattern(parser.pattern, "search")
    if not pattern.groups:
        return None
    return lambda text: _spoken(pattern, text)


def _spoken(pattern: Pattern, text: str) -> Iterator[Found]:
    """The matches of a pattern that are more than a bare value: a number alone may stand anywhere."""
    try:
        matches = pattern.all(text)
    except TookTooLong:
        return  # then no score was read with it either
    for group, inner, start, stop in matches:
        if group is not None and inner - start >= 2:
            yield group, (start, stop)


def _among(literal: str, others: Sequence[str]) -> bool:
    """Whether one of them says the same: as a number, or but for case."""
    return any(literal.strip().casefold() == other.strip().casefold() or _same(literal, other) for other in others)


def _same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _key_of(score: JudgeScore) -> str:
    if not isinstance(score.parser, JSONScoreParser):
        return score.name
    steps = steps_of(score.parser.json_path)
    return str(steps[-1]) if steps else score.parser.json_path


def _values_of(score: JudgeScore) -> list[float]:
    if isinstance(score, RubricScore):
        return [float(item.value) for item in score.rubric]
    if isinstance(score, NumberScore) and (score.minimum is None or score.maximum is None):
        return []
    assert score.minimum is not None and score.maximum is not None
    whole = isinstance(score.minimum, int) and isinstance(score.maximum, int) and score.maximum - score.minimum <= 1000
    between = range(int(score.minimum), int(score.maximum) + 1) if whole else ()
    return [float(score.minimum), float(score.maximum), *map(float, between)]


def _words_of(score: JudgeScore) -> list[str]:
    return [item.label for item in score.rubric] if isinstance(score, RubricScore) else []


def _stands_in(text: str, request: str) -> bool:
    """Whether the judge was shown the text, perhaps as JSON; the beginning of a long one is enough."""
    part = text.strip()[:200].strip()
    return not part or any(
        shown in request for shown in (part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1])
    )
