"""Files as items: JSON, JSON lines and CSV, plain or gzipped, read as a stream and never altered.

What the file says is what the row holds: dates stay text, integers stay integers, absent keys stay absent. A broken
line is an error that names it; nothing is skipped in silence.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, BinaryIO, cast

import orjson

from assay_sdk.engine.errors import DatasetError
from assay_sdk.engine.paths import find
from assay_sdk.engine.result import Row
from assay_sdk.engine.spec import FieldMapping

READABLE = (".json", ".jsonl", ".csv")
KNOWN = (*READABLE, ".parquet", ".feather", ".arrow", ".orc")  # the others are refused, rather than left out
PACKED = (".gz", ".gzip")

MAX_LINE_BYTES = 64 * 1024 * 1024
CHUNK_CHARACTERS = 64 * 1024
TYPED_ROWS = 1000  # the rows that decide what a CSV column holds

_LONG_INTEGER = re.compile(rb"\d{19}")  # orjson would turn it into a float
_SPACE = re.compile(r"[ \t\r\n]*")
_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def read_items(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """The items of one file, in order; `name` tells its format. Raises DatasetError at the first thing amiss."""
    suffix = _suffix(name)
    if suffix not in READABLE:
        raise DatasetError(
            f"files of this kind cannot be read; readable: {', '.join(READABLE)}, also gzipped", name=name
        )
    if name.lower().endswith(PACKED):
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="rb"))
    read = {".jsonl": _read_lines, ".json": _read_json, ".csv": _read_csv}[suffix]
    try:
        yield from read(stream, name)
    except UnicodeDecodeError as error:
        raise DatasetError("the file is not UTF-8 text", name=name) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetError(f"the file is not sound gzip data: {error}", name=name) from error


def read_rows(
    names: Iterable[str],
    open_file: Callable[[str], BinaryIO],
    *,
    mapping: FieldMapping | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """The rows of several files, numbered through. Raises DatasetError if there is not a single one."""

    def items() -> Iterator[dict[str, Any]]:
        for name in names:
            with open_file(name) as stream:
                yield from read_items(stream, name)

    index = -1
    for index, item in enumerate(islice(items(), limit)):
        yield Row(index, apply_field_mapping(item, mapping) if mapping else item)
    if index < 0:
        raise DatasetError("there are no rows", name="dataset")


def apply_field_mapping(item: dict[str, Any], mapping: FieldMapping) -> dict[str, Any]:
    """The item with each mapped value added under its canonical name. A path that leads nowhere adds nothing."""
    added = {}
    for name, path in mapping.paths().items():
        value = item[path] if path in item else find(item, path.split("."))
        if value is not None:
            added[name] = value
    return item | added


def select(paths: Iterable[str], fragment: str | None) -> list[str]:
    """The data files that a fragment means: one path, a folder, or a pattern in which `*` stays within a folder and
    `**` does not. Without a fragment all of them. Sorted; empty if nothing fits."""
    wanted = (fragment or "").strip("/")
    everything = sorted(paths)
    if wanted in everything:
        return [wanted]
    inside = re.compile(f"{re.escape(wanted)}/.*" if wanted else ".*", re.DOTALL)
    pattern = _glob(wanted) if re.search(r"[*?\[]", wanted) else inside
    return [path for path in everything if pattern.fullmatch(path) and _suffix(path) in KNOWN]


def _suffix(name: str) -> str:
    name = name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return name[name.rfind(".") :] if "." in name else ""


def _glob(pattern: str) -> re.Pattern[str]:
    tokens = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]]+\])", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = []
    for token in tokens:
        if token.startswith("[") and token.endswith("]"):
            parts.append("[" + token[1:-1].replace("\\", r"\\").replace("!", "^", token.startswith("[!")) + "]")
        else:
            parts.append(meaning.get(token) or re.escape(token))
    return re.compile("".join(parts), re.DOTALL)


def _object(value: Any, name: str, line: int | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DatasetError(f"an item has to be a JSON object, not {json.dumps(value)[:40]}", name=name, line=line)
    return value


def _read_lines(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise DatasetError(f"the line is longer than {MAX_LINE_BYTES // 2**20} MiB", name=name, line=number)
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if line.strip():
            try:
                value = json.loads(line) if _LONG_INTEGER.search(line) else _loads(line)
            except (ValueError, RecursionError) as error:
                raise DatasetError(f"the line is not JSON: {error}", name=name, line=number) from error
            yield _object(value, name, number)


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return json.loads(line)  # which takes NaN and Infinity too, and tells better what is wrong


def _read_json(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
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


class _Window:
    """A view on a text that moves forward as values are taken from it; it holds little more than one value."""

    def __init__(self, stream: io.TextIOWrapper, name: str) -> None:
        self.line = 1
        self._stream = stream
        self._name = name
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder()

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
                value, end = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                # It may only be cut off. Doubling what is read keeps the work in proportion to the value's length.
                if not self._more(max(CHUNK_CHARACTERS, len(self._text) - self._at)):
                    raise self.error(f"this is not JSON: {error}") from error
                continue
            self._advance(end)
            return value

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self, characters: int) -> bool:
        chunk = self._stream.read(characters)
        self._text, self._at = self._text[self._at :] + chunk, 0
        return bool(chunk)


def _read_csv(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)

    def records() -> Iterator[list[str]]:
        try:
            for cells in reader:
                if cells:  # blank lines are no rows
                    if columns and len(cells) != len(columns):
                        message = f"{len(cells)} cells, but the header has {len(columns)}"
                        raise DatasetError(message, name=name, line=reader.line_num)
                    yield cells
        except csv.Error as error:
            raise DatasetError(f"the line is not CSV: {error}", name=name, line=reader.line_num) from error

    columns: list[str] = []
    lines = records()
    columns = next(lines, [])
    if len(set(columns)) < len(columns):
        raise DatasetError("two columns have the same name", name=name, line=1)
    first = list(islice(lines, TYPED_ROWS))
    typed = [_cell_reader(cells) for cells in zip(*first, strict=True)]
    for cells in chain(first, lines):
        yield {column: read(cell) for column, read, cell in zip(columns, typed, cells, strict=True)}


def _cell_reader(cells: Iterable[str]) -> Callable[[str], Any]:
    """How to read a column: as numbers or truth values if all its cells are such, otherwise as the text it is.

    Numbers with a leading zero are names (007, postcodes) and stay text, as does what later does not fit.
    """
    filled = [cell for cell in cells if cell]
    kinds: Mapping[Callable[[str], Any], Callable[[str], Any]] = {
        _INTEGER.fullmatch: int,
        _FLOAT.fullmatch: float,
        {"true": True, "false": False}.__contains__: {"true": True, "false": False}.__getitem__,
    }
    for fits, convert in kinds.items():
        if filled and all(fits(cell) for cell in filled):
            return lambda cell: None if cell == "" else convert(cell) if fits(cell) else cell
    return str
