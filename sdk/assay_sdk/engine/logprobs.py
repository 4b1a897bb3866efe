"""How probable each legal score was, read from the log probabilities of the tokens in which the judge wrote its score.

The method is G-Eval's (Liu et al. 2023, "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment"): the score is
the sum of the legal values, each weighted by its probability. Here the probability is the server's own, renormalised
over the legal values, and the share of it that could be seen is reported beside the score.
"""

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from assay_sdk.engine.paths import steps_of
from assay_sdk.engine.patterns import Method, Pattern, TookTooLong
from assay_sdk.engine.reply import first_choice
from assay_sdk.engine.scores import JSONScoreParser, JudgeScore

BEFORE = b' "\t\n:'
_LITERAL = r'\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+(?:\.\d+)?))'


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a reply, and how probable each piece was in its place: at least the one that stands there."""

    text: bytes
    options: Mapping[bytes, float]


def tokens_of(response: Mapping[str, Any]) -> list[Token]:
    """The tokens of a chat or plain completion, [] if the server gave no log probabilities."""
    told = first_choice(response).get("logprobs")
    if not isinstance(told, dict):
        return []
    content = told.get("content")
    return _of_chat(content) if isinstance(content, list) else _of_completion(told)


def _of_chat(content: Sequence[Any]) -> list[Token]:
    found = []
    for entry in content:
        if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
            return []
        others = entry.get("top_logprobs")
        options: dict[bytes, float] = {}
        for option in [entry, *(others if isinstance(others, list) else [])]:
            if isinstance(option, dict) and (probability := _probability(option.get("logprob"))) is not None:
                text = _bytes_of(option)
                options[text] = max(probability, options.get(text, 0.0))  # the piece that stands there is listed twice
        if not options:
            return []
        found.append(Token(_bytes_of(entry), options))
    return found


def _of_completion(told: Mapping[str, Any]) -> list[Token]:
    texts, own, tops = told.get("tokens"), told.get("token_logprobs"), told.get("top_logprobs")
    if not isinstance(texts, list) or not isinstance(own, list):
        return []
    tops = tops if isinstance(tops, list) else [None] * len(texts)
    found = []
    for text, logprob, top in zip(texts, own, tops, strict=False):
        given = {**(top if isinstance(top, dict) else {}), str(text): logprob}
        known = {str(option).encode(): _probability(value) for option, value in given.items()}
        options = {option: probability for option, probability in known.items() if probability is not None}
        if not options:
            return []
        found.append(Token(str(text).encode(), options))
    return found


def _bytes_of(entry: Mapping[str, Any]) -> bytes:
    raw = entry.get("bytes")
    if isinstance(raw, list):
        try:
            return bytes(raw)
        except (ValueError, TypeError):
            pass
    return str(entry.get("token")).encode("utf-8", "surrogatepass")


def _probability(logprob: Any) -> float | None:
    if not isinstance(logprob, int | float) or isinstance(logprob, bool) or math.isnan(logprob):
        return None
    return math.exp(min(0.0, logprob))


def place_of(score: JudgeScore, text: str) -> tuple[int, int] | None:
    """Where in a reply its score is written; the last such place for JSON."""
    parser = score.parser
    if isinstance(parser, JSONScoreParser):
        steps = steps_of(parser.json_path)
        keys = {parser.json_path, str(steps[-1]) if steps else parser.json_path}
        pattern = "(?:" + "|".join(re.escape(json.dumps(key)) for key in keys) + ")" + _LITERAL
        match = _last(re.finditer(pattern, text))
        return match.span(1 if match[1] is not None else 2) if match else None
    wanted = _pattern(parser.pattern, parser.method)
    try:
        return wanted.place(text) if wanted.groups else None
    except TookTooLong:
        return None


@lru_cache(64)
def _pattern(pattern: str, method: Method) -> Pattern:
    return Pattern(pattern, method)


def _last(matches: Iterator[re.Match[str]]) -> re.Match[str] | None:
    return next(iter(deque(matches, maxlen=1)), None)


def distribution(tokens: Sequence[Token], start: int, legal: Sequence[str]) -> dict[str, float]:
    """The probability of each legal text in the place that begins at byte `start`.

    A value of several tokens is followed along the tokens that were written. What an alternative would have gone on
    with is not known: it counts if only one legal text begins with it, or if it is itself legal and the longer ones
    are seen to be tokens of their own. What remains open counts for nothing, and so is missing from the sum.
    """
    folded = {text.casefold(): text for text in legal}
    known = folded if len(folded) == len(legal) else {text: text for text in legal}
    fold = str.casefold if known is folded else str
    found = dict.fromkeys(legal, 0.0)
    index, offset = _token_at(tokens, start)
    written, reached, lead = "", 1.0, tokens[index].text[:offset] if index < len(tokens) else b""
    begins = True
    for token in tokens[index:]:
        continued = None
        texts = {option: _after(lead, option) if begins else _text(option) for option in token.options}
        options = {option: fold(written + text) for option, text in texts.items()}
        for option, text in options.items():
            fits = _fitting(text, known)
            if len(fits) > 1 and option == token.text:
                continued = text, reached * token.options[option]
            elif len(fits) == 1:
                found[known[fits[0]]] += reached * token.options[option]
            elif text in known and any(rival in options.values() for rival in fits if rival != text):
                found[known[text]] += reached * token.options[option]
        if continued is None:
            return found
        (written, reached), begins = continued, False
    if written in known:  # the reply ends with it
        found[known[written]] += reached
    return found


def _fitting(text: str, known: Mapping[str, str]) -> list[str]:
    """The legal texts that a reply beginning with `text` may turn out to hold."""
    return [
        legal
        for legal in known
        if text and (legal.startswith(text) or (text.startswith(legal) and not text[len(legal)].isalnum()))
    ]


def _token_at(tokens: Sequence[Token], start: int) -> tuple[int, int]:
    passed = 0
    for index, token in enumerate(tokens):
        if start < passed + len(token.text):
            return index, start - passed
        passed += len(token.text)
    return len(tokens), 0


def _after(lead: bytes, option: bytes) -> str:
    """An alternative without what stands before the value: a blank, a quotation mark."""
    if lead and option.startswith(lead):
        rest = option.removeprefix(lead)
    else:
        rest = b"" if lead.strip(BEFORE) else option.lstrip(BEFORE)
    return _text(rest)


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "ignore")
