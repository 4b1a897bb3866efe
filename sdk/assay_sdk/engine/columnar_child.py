"""The script that reads a Parquet or Arrow file on its standard input: `columnar_child.py SUFFIX TASK NUMBER`.

Task `rows` writes each row after the first NUMBER as a line of JSON, `count` writes none and stops at NUMBER (0: at the
end). The last line is `=` and the number of rows, or `!` and what is wrong. Imports nothing of Assay.

Values stay what they are: integers and texts as such, decimals and times as their exact text, nested ones as objects
and lists. Floats that JSON lacks: NaN is null, an infinity is the text `Infinity`. Bytes are text if they are UTF-8,
otherwise Base64.
"""

import base64
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import orjson
from arro3.core import Array, DataType, Field, RecordBatch

BATCH_ROWS = 256
BATCH_BYTES = 16 << 20  # where rows are wide, a batch has fewer of them
PROBE_ROWS = 4  # that tell how wide they are
MAX_BATCH_BYTES = 512 << 20
MAX_MEMORY = 2 << 30  # bytes of address space
BATCH_SECONDS = 60.0  # of work on one batch
MAX_ROW_BYTES = 64 << 20
MAX_DEPTH = 60  # of a column's type
FREE_ROWS = 1_000_000  # so many may be in a file however small it is
ROWS_A_BYTE = 1000  # beyond that, a file that holds more than so many for each of its bytes is taken for a trap

LOSSY = ("Timestamp(", "(ns", "Interval", "Union", "View(")
"""In a map these would be rounded to what Python's own types hold."""

Fix = Callable[[Any], Any]


class Trouble(Exception):
    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


def main(suffix: str, task: str, number: int) -> None:
    out = sys.stdout.buffer
    done = 0
    try:
        limit_memory()
        most = max(FREE_ROWS, ROWS_A_BYTE * os.fstat(0).st_size)
        for batch in timed(batches(suffix)):
            if done > most:
                raise Trouble(f"it claims to hold more than {most} rows, which is no file but a trap", done)
            if batch.nbytes > MAX_BATCH_BYTES:
                raise Trouble(f"{batch.num_rows} rows take more than {MAX_BATCH_BYTES >> 20} MiB", done + 1)
            before, done = done, done + batch.num_rows
            if task == "count":
                columns(batch, before)
                if 0 < number <= done:
                    done = number
                    break
            elif done > number:
                skipped = max(number - before, 0)
                write(out, batch.slice(skipped), before + skipped)
        out.write(b"=%d\n" % done)
    except BrokenPipeError:
        raise
    except BaseException as error:  # the library's panics are no Exception
        what = f"the file cannot be read: {first_line(error)}"
        trouble = error if isinstance(error, Trouble) else Trouble(what, done + 1 if done else None)
        out.write(b"!" + orjson.dumps({"message": str(trouble), "row": trouble.row}) + b"\n")
    out.flush()


def timed(found: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
    """The batches; whoever takes too long over one is ended by the system, for native code hears nobody else."""
    alarm = getattr(signal, "setitimer", None)  # not on Windows
    while True:
        if alarm:
            alarm(signal.ITIMER_PROF, BATCH_SECONDS)
        batch = next(found, None)
        if batch is None:
            return
        yield batch


def limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MAX_MEMORY if hard == resource.RLIM_INFINITY else min(MAX_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def batches(suffix: str) -> Iterator[RecordBatch]:
    from arro3.io import read_ipc, read_ipc_stream, read_parquet

    file = open(0, "rb", closefd=False)  # noqa: SIM115
    file.seek(0)
    start = file.read(6)
    file.seek(0)
    if suffix == ".parquet":
        wide = max((batch.nbytes for batch in islice(read_parquet(file, batch_size=PROBE_ROWS), 1)), default=0)
        file.seek(0)
        rows = max(1, min(BATCH_ROWS, BATCH_BYTES * PROBE_ROWS // max(wide, 1)))
        yield from read_parquet(file, batch_size=rows)
        return
    if start.startswith(b"FEA1"):
        raise Trouble("this is a Feather file of version 1; write it again as version 2")
    if start != b"ARROW1" and not start.startswith(b"\xff\xff\xff\xff"):
        raise Trouble("this is no Arrow file")
    for batch in read_ipc(file) if start == b"ARROW1" else read_ipc_stream(file):
        for first in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(first, min(BATCH_ROWS, batch.num_rows - first))


def write(out: Any, batch: RecordBatch, before: int) -> None:
    names = batch.column_names
    if len(set(names)) < len(names):
        raise Trouble("two columns have the same name")
    found = [
        [fix(value) for value in array.to_pylist()] if fix else array.to_pylist()
        for array, fix in columns(batch, before)
    ]
    rows = zip(*found, strict=True) if found else ((),) * batch.num_rows
    for number, row in enumerate(rows):
        line = orjson.dumps(dict(zip(names, row, strict=True)))
        if len(line) > MAX_ROW_BYTES:
            raise Trouble(f"the row takes more than {MAX_ROW_BYTES >> 20} MiB", before + number + 1)
        out.write(line + b"\n")


def columns(batch: RecordBatch, before: int) -> list[tuple[Array, Fix | None]]:
    found = []
    for name, array in zip(batch.column_names, batch.columns, strict=True):
        target, fix = plain(array.type, name)
        found.append((cast(array, target, name, before) if target else array, fix))
    return found


def cast(array: Array, target: DataType, name: str, before: int) -> Array:
    try:
        return array.cast(target)
    except Exception as error:
        for row in range(len(array) if len(array) > 1 else 0):
            cast(array.slice(row, 1), target, name, before + row)
        raise Trouble(f"column '{name}': {first_line(error)}", before + 1) from None


def plain(kind: DataType, name: str, depth: int = 0) -> tuple[DataType | None, Fix | None]:
    """What to cast a column to, and what to do with each of its values after that."""
    if depth > MAX_DEPTH:
        raise Trouble(f"column '{name}' is nested deeper than {MAX_DEPTH} levels")
    is_ = DataType
    if is_.is_boolean(kind) or is_.is_integer(kind) or is_.is_null(kind):
        return None, None
    if is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind):
        return None, None
    if is_.is_floating(kind):
        return None, finite
    if is_.is_decimal(kind) or is_.is_temporal(kind) or is_.is_interval(kind):
        return DataType.string(), None
    if is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_binary_view(kind) or is_.is_fixed_size_binary(kind):
        return None, text_of
    if is_.is_dictionary(kind) and kind.value_type is not None:
        inner, fix = plain(kind.value_type, name, depth + 1)
        return inner or kind.value_type, fix
    if is_.is_struct(kind):
        return struct(kind, name, depth + 1)
    if kind.value_field is not None and not is_.is_run_end_encoded(kind):
        inner, fix = plain(kind.value_field.type, name, depth + 1)
        view = is_.is_list_view(kind) or is_.is_large_list_view(kind)
        target = DataType.large_list(kind.value_field.with_type(inner or kind.value_field.type))
        return target if inner or view else None, each(fix) if fix else None
    if is_.is_map(kind) and not any(lossy in repr(kind) for lossy in LOSSY):
        return None, mapped
    described = first_line(repr(kind)).removeprefix("arro3.core.DataType<").removesuffix(">")
    raise Trouble(f"column '{name}' is of a type that cannot be read: {described}")


def struct(kind: DataType, name: str, depth: int) -> tuple[DataType | None, Fix | None]:
    fields: list[Field] = list(kind.fields)
    if len({field.name for field in fields}) < len(fields):
        raise Trouble(f"column '{name}' has two fields of the same name")
    parts = [plain(field.type, name, depth) for field in fields]
    target = None
    if any(inner for inner, _ in parts):
        cast_to = [field.with_type(inner or field.type) for field, (inner, _) in zip(fields, parts, strict=True)]
        target = DataType.struct(cast_to)
    fixes = [(field.name, fix) for field, (_, fix) in zip(fields, parts, strict=True) if fix]

    def fix(value: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if value is None else value | {key: fix(value[key]) for key, fix in fixes}

    return target, fix if fixes else None


def each(fix: Fix) -> Fix:
    return lambda values: None if values is None else [fix(value) for value in values]


def finite(value: float | None) -> float | str | None:
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def text_of(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def mapped(pairs: list[tuple[Any, Any]] | None) -> dict[str, Any] | None:
    return None if pairs is None else {key_of(key): loose(inner) for key, inner in pairs}


def loose(value: Any) -> Any:
    """A value in a map, whose type the library does not tell: by what it turned out to be."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return mapped(value)
    if isinstance(value, list):
        return [loose(inner) for inner in value]
    if isinstance(value, dict):
        return {key: loose(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, bytes):
        return text_of(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value) if _foreign(value) else value


def key_of(key: Any) -> str:
    return key if isinstance(key, str) else str(loose(key))


def _foreign(value: Any) -> bool:
    return not (value is None or isinstance(value, str | int))


def first_line(error: object) -> str:
    text = str(error).strip() or type(error).__name__
    return text.removeprefix("called `Result::unwrap()` on an `Err` value: ").splitlines()[0][:300]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
