"""Objects as models write them: JSON, and what people read as JSON without a second thought.

Single and typographic quotes, unquoted keys, Python's literals, comments, surplus and missing commas, line breaks in
strings. Whatever could be read in two ways is an error, never a guess.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SCANNED_CHARACTERS = 200_000
SCANNED_BRACES = 200
LENIENT_CHARACTERS = 20_000
DEEPEST = 50

_DECODER = json.JSONDecoder(strict=False)

_CLOSING = {'"': '"', "'": "'", "`": "`", "“": "”", "”": "”", "„": "“”", "‘": "’", "«": "»"}
_SPACE = re.compile(r"(?:\s|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[^\W\d][\w$.\-]*")
_SCALAR = re.compile(r"[^,，;}\]｝\n{\[\"“”:：]*?(?=\s{0,20}(?:[,，;}\]｝\n]|//|/\*|#))")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_ENDS_VALUE = re.compile(r"\s*(?:[,，;}\]｝]|//|/\*|#|$)|[ \t]*\n\s*[\"'“]?\w+[\"'”]?\s*[:：}\]]")
_ENDS_KEY = re.compile(r"\s*[:：=]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LITERALS = {
    "true": True, "false": False, "null": None, "none": None, "undefined": None, "nil": None,
    "nan": float("nan"), "infinity": float("inf"), "+infinity": float("inf"), "-infinity": float("-inf"),
}  # fmt: skip


class Broken(Exception):
    """Internal: this is no object, or one that cannot be read without guessing."""


@dataclass(slots=True)
class Found:
    """An object and where it stands in the text."""

    value: dict[str, Any]
    start: int
    end: int


@dataclass(slots=True)
class Scan:
    """The outermost objects of a text, and the text with them cut out. `broken`: an unreadable one ended the scan."""

    text: str
    objects: list[Found] = field(default_factory=list)
    broken: bool = False

    @property
    def rest(self) -> str:
        """Everything outside the objects."""
        cuts = [0, *(place for found in self.objects for place in (found.start, found.end)), len(self.text)]
        return "\n".join(self.text[a:b] for a, b in zip(cuts[::2], cuts[1::2], strict=True))


def scan(text: str) -> Scan:
    """Find the outermost objects, fences and prose around them or not. Cost is bounded whatever the text."""
    found = Scan(text)
    position, attempts = 0, 0
    for _ in range(SCANNED_BRACES):
        position = _next_brace(text, position)
        if position < 0:
            return found
        start = position
        try:
            value, position = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            attempts += 1
            try:
                if attempts > SCANNED_BRACES // 10:
                    raise Broken
                value, position = _Grammar(text[start : start + LENIENT_CHARACTERS]).object_at(0, 0)
                position += start
            except Broken:
                if text[start + 1 : start + 200].lstrip()[:1] in ('"', "'", "“"):
                    found.broken = True  # what is nested in it is no verdict
                    return found
                position = start + 1
                continue
        found.objects.append(Found(value, start, position))
    found.broken = _next_brace(text, position) >= 0
    return found


def _next_brace(text: str, position: int) -> int:
    plain, wide = text.find("{", position), text.find("｛", position)
    return max(plain, wide) if min(plain, wide) < 0 else min(plain, wide)


class _Grammar:
    """Recursive descent over one text. Every method takes a place and gives (value, the place after it)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._place = 0  # after the member that was read last

    def object_at(self, place: int, depth: int) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        for at in self._members(place, "}｝", depth):
            if at < 0:
                return members, -at
            key, after = self._key(at)
            members[key], self._place = self._value(self._expect(after, ":：="), depth)
        raise Broken

    def _list(self, place: int, depth: int) -> tuple[list[Any], int]:
        values: list[Any] = []
        for at in self._members(place, "]", depth):
            if at < 0:
                return values, -at
            value, self._place = self._value(at, depth)
            values.append(value)
        raise Broken

    def _members(self, place: int, closing: str, depth: int) -> Iterator[int]:
        """The place of each member; at the end the place after the closing bracket, negated."""
        if depth > DEEPEST:
            raise Broken
        place += 1
        while True:
            place = self._skip(place, ",，;")
            if self._at(place) in closing:
                yield -(place + 1)
                return
            yield place
            place = self._place
            after = self._skip(place, "")
            separated = self._at(after) in ",，;" + closing or "\n" in self.text[place:after]
            if not separated and "\n" not in self.text[place - 1 : place + 1]:
                raise Broken
            place = after

    def _key(self, place: int) -> tuple[str, int]:
        if self._at(place) in _CLOSING:
            return self._string(place, _ENDS_KEY)
        word = _WORD.match(self.text, place)
        if not word:
            raise Broken
        return word[0], word.end()

    def _value(self, place: int, depth: int) -> tuple[Any, int]:
        place = self._skip(place, "")
        match self._at(place):
            case "{" | "｛":
                return self.object_at(place, depth + 1)
            case "[":
                return self._list(place, depth + 1)
            case quote if quote in _CLOSING:
                return self._string(place, _ENDS_VALUE)
        scalar = _SCALAR.match(self.text, place)
        if not scalar or not scalar[0].strip():
            raise Broken
        return _plain(scalar[0].strip()), scalar.end()

    def _string(self, place: int, ends: re.Pattern[str]) -> tuple[str, int]:
        """A quote inside a string that nobody escaped is told by what follows it."""
        closing = _CLOSING[self._at(place)]
        said: list[str] = []
        place += 1
        while place < len(self.text):
            character = self.text[place]
            if character == "\\":
                said.append(_ESCAPES.get(self._at(place + 1), self._at(place + 1)))
                place += 2
                continue
            if character in closing and ends.match(self.text, place + 1):
                return "".join(said), place + 1
            said.append(character)
            place += 1
        raise Broken

    def _expect(self, place: int, characters: str) -> int:
        place = self._skip(place, "")
        if self._at(place) not in characters:
            raise Broken
        return place + 1

    def _skip(self, place: int, characters: str) -> int:
        while True:
            space = _SPACE.match(self.text, place)
            place = space.end() if space else place
            if not characters or self.text[place : place + 1] not in [*characters]:
                return place
            place += 1

    def _at(self, place: int) -> str:
        character = self.text[place : place + 1]
        if not character:
            raise Broken
        return character


def _plain(word: str) -> Any:
    if word.casefold() in _LITERALS:
        return _LITERALS[word.casefold()]
    if _NUMBER.fullmatch(word) and word.isascii():
        return float(word) if any(sign in word for sign in ".eE") or len(word) > 300 else int(word)
    return word
