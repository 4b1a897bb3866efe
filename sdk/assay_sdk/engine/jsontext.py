"""JSON text as items, a line or a value at a time. What JSON cannot hold is written the way JSON can hold it."""

import io
import json
import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from assay_sdk.engine.errors import DatasetError

MAX_ITEM_BYTES = 64 * 1024 * 1024
MAX_ITEM_VALUES = 4_000_000
"""What an item may hold: small values take a hundred times the memory of their text."""
ORJSON_DEEPEST = 254
DEEPEST = 100
"""How deep an item may be nested: it goes, some levels deeper, into requests, results and pages."""
MOST_BLANK = 1_000_000
"""Blank lines in a row."""
TOO_LONG = f"the item is longer than {MAX_ITEM_BYTES // 2**20} MiB"
TOO_MANY = f"the item holds more than {MAX_ITEM_VALUES:,} values"
TOO_DEEP = f"the item is nested deeper than {DEEPEST} levels"
CHUNK_CHARACTERS = 64 * 1024

# orjson turns an integer beyond 64 bits into a float. Nineteen digits in a row may be one; blanking out the digits and
# looking for the run costs a tenth of what a regular expression does.
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = b"0" * 19
_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_lines(stream: BinaryIO, name: str, skip: int = 0) -> Iterator[dict[str, Any]]:
    """One object a line. The first `skip` items are passed over without a look at them."""
    number = blank = 0
    while line := stream.readline(MAX_ITEM_BYTES + 1):
        number += 1
        if len(line) > MAX_ITEM_BYTES:
            raise DatasetError(TOO_LONG, name=name, line=number)
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not line or line.isspace():
            blank += 1
            if blank > MOST_BLANK:
                raise DatasetError(f"there are more than {MOST_BLANK:,} blank lines", name=name, line=number)
            continue
        blank = 0
        if skip:
            skip -= 1
            continue
        try:
            _check_values(line)
            value = _exact(line) if _LONG_INTEGER in line.translate(_DIGITS) else _fast(line)
            check_depth(value, line.count(b"[") + line.count(b"{"))
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"the line is not JSON: {error}", name=name, line=number) from error
        yield _object(value, name, number)


def read_json(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """An array of objects, one object, or several one after the other."""
    text = _Window(io.TextIOWrapper(stream, encoding="utf-8-sig"), name)
    text.skip_space()
    in_array = text.take("[")
    first = True
    while not text.at_end():
        if in_array:
            if text.take("]"):
                text.skip_space()
                if not text.at_end():
                    raise text.error("there is something after the end of the array")
                return
            if not first and not text.take(","):
                raise text.error("a comma is missing between two items")
            if text.at_end():
                break
        line = text.line
        yield _object(text.value(), name, line)
        text.skip_space()
        first = False
    if in_array:
        raise text.error("the array does not end")


def unwrapped(items: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The items below `data` or `rows` where the file is one object that holds nothing but a list of them there."""
    first = next(items, None)
    if first is None:
        return
    second = next(items, None)
    lists = [first[key] for key in ("data", "rows") if isinstance(first.get(key), list)]
    if second is None and len(lists) == 1 and all(isinstance(item, dict) for item in lists[0]):
        yield from lists[0]
        return
    yield first
    if second is not None:
        yield second
        yield from items


def _object(value: Any, name: str, line: int | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DatasetError(f"an item has to be a JSON object, not {json.dumps(value)[:40]}", name=name, line=line)
    return value


def _check_values(text: str | bytes) -> None:
    """Raise ValueError for a text whose values would take too much memory."""
    if len(text) <= MAX_ITEM_VALUES:
        return
    if isinstance(text, bytes):
        values = text.count(b",") + text.count(b"[") + text.count(b"{")
    else:
        values = text.count(",") + text.count("[") + text.count("{")
    if values > MAX_ITEM_VALUES:
        raise ValueError(TOO_MANY)


def check_depth(value: Any, opened: int) -> None:
    """Raise ValueError for a value that is too deep to go any further; `opened`: how many brackets its text opens."""
    if opened <= DEEPEST:
        return
    wrapped = value
    for _ in range(ORJSON_DEEPEST - DEEPEST):
        wrapped = [wrapped]
    try:
        orjson.dumps(wrapped)  # far faster than going through it
    except TypeError:  # or there is an integer beyond 64 bits in it
        level = [value]
        for _ in range(DEEPEST):
            holders = [each for each in level if isinstance(each, dict | list)]
            level = [part for each in holders for part in (each.values() if isinstance(each, dict) else each)]
        if any(isinstance(each, dict | list) for each in level):
            raise ValueError(TOO_DEEP) from None


def _float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


# NaN is "no number"; an infinity, or what is too large for a float, stays what was written, as text.
_DECODER = json.JSONDecoder(
    parse_float=_float,
    parse_constant={"NaN": None, "Infinity": "Infinity", "-Infinity": "-Infinity"}.__getitem__,
)


def _fast(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return _exact(line)  # which takes NaN too, and tells better what is wrong


def _exact(line: bytes) -> Any:
    text = line.decode()
    value = _DECODER.decode(text)
    _check_characters(text, value)
    return value


def _check_characters(text: str, value: Any) -> None:
    """Refuse half a character (a lone surrogate): nothing could send or store it."""
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError(r"a text holds half a character (a \ud800 to \udfff without its other half)") from None


class _Window:
    """A view on a text that moves forward as values are taken from it; it holds little more than one value."""

    def __init__(self, stream: io.TextIOWrapper, name: str) -> None:
        self.line = 1
        self._stream = stream
        self._name = name
        self._text = ""
        self._at = 0

    def error(self, message: str) -> DatasetError:
        return DatasetError(message, name=self._name, line=self.line)

    def at_end(self) -> bool:
        return self._at == len(self._text) and not self._more(CHUNK_CHARACTERS)

    def skip_space(self) -> None:
        while not self.at_end():
            space = _SPACE.match(self._text, self._at)
            self._advance(space.end() if space else self._at)
            if self._at < len(self._text):
                return

    def take(self, character: str) -> bool:
        if self.at_end() or self._text[self._at] != character:
            return False
        self._advance(self._at + 1)
        self.skip_space()
        return True

    def value(self) -> Any:
        while True:
            try:
                _check_values(self._text)
            except ValueError as error:
                raise self.error(str(error)) from None
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > MAX_ITEM_BYTES:
                    raise self.error(TOO_LONG) from error
                # It may only be cut off. Doubling what is read keeps the work in proportion to the value's length.
                if not self._more(max(CHUNK_CHARACTERS, len(self._text) - self._at)):
                    raise self.error(f"this is not JSON: {error}") from error
                continue
            try:
                text = self._text[self._at : end]
                _check_characters(text, value)
                check_depth(value, text.count("[") + text.count("{"))
            except ValueError as error:
                raise self.error(str(error)) from error
            self._advance(end)
            return value

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self, characters: int) -> bool:
        chunk = self._stream.read(characters)
        self._text, self._at = self._text[self._at :] + chunk, 0
        return bool(chunk)
