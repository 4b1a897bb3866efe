"""CSV as items: columns of numbers and truth values are such, everything else is the text it is."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, BinaryIO

from assay_sdk.engine.errors import DatasetError
from assay_sdk.engine.jsontext import MAX_ITEM_BYTES, TOO_LONG

TYPED_ROWS = 1000
"""The rows that decide what a column holds."""
TYPED_CHARACTERS = 8_000_000
"""No more rows than take so many characters decide it: they are held meanwhile."""
MOST_COLUMNS = 20_000

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,999})", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def read_csv(stream: BinaryIO, name: str, *, typed: bool = True) -> Iterator[dict[str, Any]]:
    """One object a record, under the names of the header; unless `typed`, every cell is the text that it is."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ITEM_BYTES))
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    held = 0  # characters of the record that is being read
    read = 0  # characters of all records so far

    def bounded() -> Iterator[str]:
        nonlocal held
        while line := text.readline(MAX_ITEM_BYTES + 1):
            held += len(line)
            if held > MAX_ITEM_BYTES:
                raise DatasetError(TOO_LONG, name=name, line=reader.line_num + 1)
            if line.count(",") >= MOST_COLUMNS and (not columns or '"' not in line):
                raise DatasetError(f"there are more than {MOST_COLUMNS} cells", name=name, line=reader.line_num + 1)
            yield line

    reader = csv.reader(bounded(), strict=True)

    def records() -> Iterator[list[str]]:
        nonlocal held, read
        try:
            for cells in reader:
                held, read = 0, read + held
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
    first: list[list[str]] = []
    for cells in islice(lines, TYPED_ROWS) if typed else ():
        first.append(cells)
        if read > TYPED_CHARACTERS:
            break
    readers: list[Callable[[str], Any]] = [str] * len(columns)
    if typed:
        readers = [_cell_reader(cells) for cells in zip(*first, strict=True)]
    for cells in chain(first, lines):
        yield {column: read(cell) for column, read, cell in zip(columns, readers, cells, strict=True)}


def _cell_reader(cells: Iterable[str]) -> Callable[[str], Any]:
    """How to read a column: as numbers or truth values if all its cells are such, otherwise as the text it is.

    Numbers with a leading zero are names (007, postcodes) and stay text, as does what later does not fit.
    """
    filled = [cell for cell in cells if cell]
    kinds: Mapping[Callable[[str], Any], Callable[[str], Any]] = {
        _INTEGER.fullmatch: int,
        _is_float: float,
        {"true": True, "false": False}.__contains__: {"true": True, "false": False}.__getitem__,
    }
    for fits, convert in kinds.items():
        if filled and all(fits(cell) for cell in filled):
            return lambda cell: None if cell == "" else convert(cell) if fits(cell) else cell
    return str


def _is_float(cell: str) -> bool:
    return _FLOAT.fullmatch(cell) is not None and math.isfinite(float(cell))
