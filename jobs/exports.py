"""A job's rows so far as a file to take away: JSON lines, CSV or Parquet, in flat memory."""

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, BinaryIO, cast

import orjson
from django.conf import settings

from assay.jobs.columns import Kind
from assay.jobs.flat_rows import Cell, FlatRows
from assay.jobs.joined import Joined
from assay.jobs.models import Job
from assay.jobs.packs import row_lines

PIECE = 64 * 1024
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""What makes a spreadsheet take a cell for a formula, and run it, if there is no apostrophe before it."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
BATCH_ROWS = 500
GROUP_ROWS = 5000


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {
    Format.JSONL: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8",
    Format.PARQUET: "application/vnd.apache.parquet",
}


def export(job: Job, form: Format) -> Iterator[bytes]:
    """Yield the rows stored so far as a file of that form, in pieces. Raises ``RowLost``."""
    match form:
        case Format.JSONL:
            yield from row_lines(job)
        case Format.CSV:
            yield from csv_pieces(job)
        case Format.PARQUET:
            yield from parquet_pieces(job)


def csv_pieces(job: Job) -> Iterator[bytes]:
    """Yield a table as CSV that is safe to open: a text that a spreadsheet would run has an apostrophe in front."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    with _scratch() as scratch:
        rows = FlatRows(job, scratch)
        writer.writerow([_harmless(column.name) for column in rows.columns])
        for cells in rows:
            writer.writerow(map(_harmless, cells))
            if text.tell() > PIECE:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
        yield text.getvalue().encode()


def _harmless(cell: Cell) -> Any:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str) and FORMULA.match(cell) and not NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def parquet_pieces(job: Job) -> Iterator[bytes]:
    """Yield a table as Parquet; it is written to a temporary file first, since its index comes last."""
    from arro3.core import DataType, Field, Schema
    from arro3.io import read_json, write_parquet

    types = {
        Kind.TRUTH: DataType.bool(),
        Kind.NUMBER: DataType.int64(),
        Kind.FLOAT: DataType.float64(),
        Kind.TEXT: DataType.string(),
    }
    with _scratch() as scratch, _scratch() as file:
        rows = FlatRows(job, scratch)
        names = [column.name for column in rows.columns]
        schema = Schema([Field(name, types[kind]) for name, kind in rows.columns])
        lines = (orjson.dumps(dict(zip(names, cells, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for cells in rows)
        batches = read_json(cast(BinaryIO, _Source(lines)), schema, batch_size=BATCH_ROWS)
        write_parquet(batches, file, max_row_group_size=GROUP_ROWS, compression="zstd(1)")
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _scratch() -> BinaryIO:
    return cast(BinaryIO, tempfile.TemporaryFile(dir=settings.DATA_DIR))


class _Source(Joined):
    """Lines as the file that the Parquet library reads from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__(pieces)
        self._left = b""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, and not one more."""
        held = self._left or super().read(size)
        taken, self._left = held[:size], held[size:]
        return taken

    def seek(self, *_: int) -> int:
        """Be there: the library refuses a file that cannot seek, and then reads on all the same."""
        raise io.UnsupportedOperation("seek")
