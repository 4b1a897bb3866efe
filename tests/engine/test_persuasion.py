"""What is looked for before an expression is tried never misses a text that the expression would find."""

import random
import re
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from assay_sdk.engine import persuasion
from assay_sdk.engine.persuasion import Listener
from tests.engine.benign import texts
from tests.engine.injections import ATTACKS

LISTENER = Listener.of(["answer_quality", "clarity"], ["good", "very bad"])
SAMPLES = 200


def made_from(pattern: re.Pattern[str], draw: random.Random) -> str:
    """A text that the pattern describes, but for what it says of its surroundings."""
    return _made(_parser.parse(pattern.pattern), draw)


def _made(parsed: Any, draw: random.Random) -> str:
    return "".join(_one(str(operation), argument, draw) for operation, argument in parsed)


def _one(name: str, argument: Any, draw: random.Random) -> str:
    match name:
        case "LITERAL":
            return chr(argument)
        case "ANY":
            return draw.choice(" ab1")
        case "NOT_LITERAL":
            return "x" if chr(argument) != "x" else "y"
        case "IN":
            name, argument = draw.choice(argument)
            return _of_set(name, argument, draw)
        case "CATEGORY":
            return _of_set(name, argument, draw)
        case "BRANCH":
            return _made(draw.choice(argument[1]), draw)
        case "SUBPATTERN":
            return _made(argument[-1], draw)
        case "MAX_REPEAT" | "MIN_REPEAT":
            low, high, repeated = argument
            return "".join(_made(repeated, draw) for _ in range(draw.randint(low, min(int(high), low + 3))))
        case _:  # positions and looks around
            return ""


def _of_set(name: Any, argument: Any, draw: random.Random) -> str:
    match str(name):
        case "LITERAL":
            return chr(argument)
        case "RANGE":
            return chr(draw.randint(*argument))
        case _:
            kinds = {
                "CATEGORY_WORD": "ae1",
                "CATEGORY_NOT_WORD": " .,",
                "CATEGORY_DIGIT": "0479",
                "CATEGORY_SPACE": " ",
            }
            return draw.choice(kinds[str(argument)])


@pytest.mark.parametrize("sign", [*persuasion._COMMANDS, *persuasion._HINTS], ids=lambda sign: sign.name)
def test_no_sign_without_its_stems(sign: persuasion._Sign) -> None:
    draw = random.Random(1)
    made = [made_from(sign.pattern, draw).strip() for _ in range(SAMPLES)]
    found = [text for text in made if sign.pattern.search(text)]
    assert len(found) > SAMPLES / 2
    assert [text for text in found if not any(stem in text for stem in sign.stems)] == []


@pytest.mark.parametrize("name", ["told", "owed", "fixed", "named"])
def test_nothing_is_told_without_a_verdict_to_give(name: str) -> None:
    draw = random.Random(2)
    pattern = getattr(LISTENER, name)
    made = [made_from(pattern, draw).strip() for _ in range(SAMPLES)]
    found = [text for text in made if pattern.search(text)]
    assert len(found) > SAMPLES / 4
    assert [text for text in found if not LISTENER.asked.search(text)] == []


def test_shortcuts_change_no_result() -> None:
    """The signs of whole texts are those found by trying each expression on each sentence."""
    draw = random.Random(3)
    sentences = [part for text in [*(attack.text for attack in ATTACKS), *texts()] for part in text.split(". ")]
    found = 0
    for _ in range(SAMPLES):
        text = draw.choice([". ", "\n", "; "]).join(draw.choices(sentences, k=draw.randint(1, 4))).casefold()
        signs = LISTENER.signs(text)
        found += bool(signs)
        assert signs == thorough(text), text
    assert found > SAMPLES / 50


def thorough(text: str) -> list[str]:
    if not any(stem in text for stem in LISTENER.stems):
        return []
    sentences = list(persuasion._sentences(text))
    signs = [*persuasion._COMMANDS, *persuasion._HINTS]
    weights = {s.name: s.weight for s in signs if any(s.pattern.search(sentence) for sentence in sentences)}
    for sentence in sentences:
        if any(stem in sentence for stem in LISTENER.stems):
            LISTENER._add(sentence, weights)
    if persuasion._SETS_ASIDE.name in weights and LISTENER.graded.search(text):
        weights["speaks of a verdict"] = 1
    told = {"tells what to answer", "tells what it deserves", "states a verdict"}
    if weights.keys() & told and persuasion.INSISTS.search(text):
        weights["insists"] = 1
    return list(weights) if sum(weights.values()) >= persuasion.ENOUGH else []
