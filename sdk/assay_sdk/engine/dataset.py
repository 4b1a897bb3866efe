"""Files as items: JSON, JSON lines, CSV, Parquet and Arrow, plain or packed, read as a stream and never altered.

What the file says is what the row holds: dates stay text, integers stay integers, absent keys stay absent. A broken
line is an error that names it; nothing is skipped in silence.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, BinaryIO

from assay_sdk.engine.columnar import count_columnar, read_columnar
from assay_sdk.engine.csvtext import read_csv
from assay_sdk.engine.errors import DatasetError
from assay_sdk.engine.glance import Glance, glanced
from assay_sdk.engine.jsontext import read_json, read_lines, unwrapped
from assay_sdk.engine.mapping import Unmapped, apply_field_mapping
from assay_sdk.engine.result import Row
from assay_sdk.engine.selection import COLUMNAR, READABLE
from assay_sdk.engine.spec import FieldMapping
from assay_sdk.engine.unpack import suffix_of, unpacked

CHECKED_ROWS = 1000
"""Rows that are looked through for a mapped column before it counts as missing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read where that differs from what they say themselves."""

    suffix: str | None = None
    """The format, such as `.jsonl`, whatever a file's name ends in."""
    cells_as_text: bool = False
    """Whether every cell of a CSV file is the text that it is."""
    unwrap: bool = False
    """Whether a JSON file may hold one object with the items below `data` or `rows`."""
    glance: Glance | None = None
    """How much may be read, where somebody waits; DatasetUnfinished is raised beyond it."""


PLAIN = Reading()


def read_items(
    stream: BinaryIO, name: str, skip: int = 0, reading: Reading = PLAIN
) -> Generator[dict[str, Any], None, None]:
    """The items of one file after the first `skip`, in order; `name` tells its format.

    What is skipped is not decoded where the format allows. Raises DatasetError at the first thing amiss.
    """
    suffix = reading.suffix or _readable(name)
    plain = _plain(stream, name, suffix, reading)
    if suffix in COLUMNAR:
        yield from read_columnar(plain, name, suffix, skip, reading.glance)
        return
    try:
        if suffix == ".jsonl":
            yield from read_lines(plain, name, skip)
        elif suffix == ".json":
            items = read_json(plain, name)
            yield from islice(unwrapped(items) if reading.unwrap else items, skip, None)
        else:
            yield from islice(read_csv(plain, name, typed=not reading.cells_as_text), skip, None)
    except UnicodeDecodeError as error:
        raise DatasetError("the file is not UTF-8 text", name=name) from error


def count_items(stream: BinaryIO, name: str, limit: int | None = None, reading: Reading = PLAIN) -> int:
    """How many items one file holds, `limit` at most, each of them decoded. Raises DatasetError like `read_items`."""
    suffix = reading.suffix or _readable(name)
    if suffix in COLUMNAR:
        return count_columnar(_plain(stream, name, suffix, reading), name, suffix, limit, reading.glance)
    return sum(1 for _ in islice(read_items(stream, name, reading=reading), limit))


def read_rows(
    names: Iterable[str],
    open_file: Callable[[str], BinaryIO],
    *,
    mapping: FieldMapping | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """The rows of several files, numbered through, mapped columns added.

    Raises DatasetError if there is not a single row, or if none of the first thousand has a column that is mapped.
    """

    def all_items() -> Iterator[dict[str, Any]]:
        for name in names:
            with open_file(name) as stream:
                yield from read_items(stream, name)

    items = islice(all_items(), limit)
    unmapped = Unmapped(mapping)
    looked_at: list[dict[str, Any]] = []
    for item in islice(items, CHECKED_ROWS):
        looked_at.append(item)
        unmapped.see([item])
        if not unmapped:
            break
    if not looked_at:
        raise DatasetError("there are no rows", name="dataset")
    if unmapped:
        raise DatasetError(str(unmapped), name="dataset")
    for index, item in enumerate(chain(looked_at, items)):
        yield Row(index, apply_field_mapping(item, mapping) if mapping else item)


def _plain(stream: BinaryIO, name: str, suffix: str, reading: Reading) -> BinaryIO:
    plain = unpacked(stream, name)
    if reading.glance is None or (plain is stream and suffix in COLUMNAR):
        return plain
    return glanced(plain, reading.glance, name)


def _readable(name: str) -> str:
    suffix = suffix_of(name)
    if suffix not in READABLE:
        message = f"files of this kind cannot be read; readable: {', '.join(READABLE)}, also packed as .gz or .zst"
        raise DatasetError(message, name=name)
    return suffix
