"""Parquet and Arrow files as items: real files, values as they were, and no file that takes the reader down."""

import base64
import gzip
import io
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from arro3.core import Array, DataType, Field, RecordBatch, Table, list_array, struct_array
from arro3.io import write_ipc, write_ipc_stream, write_parquet

from assay_sdk.engine import columnar_child
from assay_sdk.engine.dataset import count_items, read_items
from assay_sdk.engine.errors import DatasetError

MAPS = (  # written by another library: two columns of maps, text to dates and integers to decimals
    "UEFSMRUEFRQVJkwVBBUAEgAAKLUv/SAKUQAAAQAAAGEBAAAAYhUAFSAVMiwVCBUQFQYVBhwAAAAotS/9IBCBAAACAAAAAwIDAAAAAxoAAQMC"
    "FQQVCBUaTBUCFQASAAAotS/9IAQhAACFVwAAFQAVIBUyLBUIFRAVBhUGHAAAACi1L/0gEIEAAAIAAAADAgMAAAADGwABAgAVBBUQFSJMFQIV"
    "ABIAACi1L/0gCEEAAAEAAAAAAAAAFQAVIBUyLBUGFRAVBhUGHAAAACi1L/0gEIEAAAIAAAAGAAMAAAADBgABAgAVBBUGFRhMFQIVABIAACi1"
    "L/0gAxkAAAAAlhUAFSAVMiwVBhUQFQYVBhwAAAAotS/9IBCBAAACAAAABgADAAAAAwcAAQIAFQQZnDUAGAZzY2hlbWEVBAA1AhgBbRUCFQJM"
    "LAAAADUEGAlrZXlfdmFsdWUVBAAVDCUAGANrZXklAEwcAAAAFQIlAhgFdmFsdWUlDExsAAAANQIYAWsVAhUCTCwAAAA1BBgJa2V5X3ZhbHVl"
    "FQQAFQQlABgDa2V5ABUOFQYVAhgFdmFsdWUlChUEFQosXBUEFQoAAAAWBhkcGUwmABwVDBk1AAYQGTgBbQlrZXlfdmFsdWUDa2V5FQwWCBZ2"
    "FpoBJkomCCksFQQVABUCABUAFRAVAgA8FgQZJgYCGTYCAgQAAAAmABwVAhk1AAYQGTgBbQlrZXlfdmFsdWUFdmFsdWUVDBYIFmoWjgEm2AEm"
    "ogEpLBUEFQAVAgAVABUQFQIAPCkmBgIZRgICAgIAAAAmABwVBBk1AAYQGTgBawlrZXlfdmFsdWUDa2V5FQwWBhZyFpYBJu4CJrACKSwVBBUA"
    "FQIAFQAVEBUCADwpJgYAGTYCAgIAAAAmABwVDhk1AAYQGTgBawlrZXlfdmFsdWUFdmFsdWUVDBYGFmgWjAEm+gMmxgMpLBUEFQAVAgAVABUQ"
    "FQIAPCkmBgAZRgICAAIAAAAWugMWBiYIFsoEACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZTBwAABwAABwAABwAAAD9AQAA"
    "UEFSMQ=="
)
TEXT = DataType.string()


def texts(values: list[str | None], kind: DataType) -> Array:
    return Array(values, type=TEXT).cast(kind)


def parquet(columns: dict[str, Array], **options: Any) -> bytes:
    out = io.BytesIO()
    write_parquet(Table.from_pydict(columns), out, **options)
    return out.getvalue()


def numbered(rows: int, **options: Any) -> bytes:
    numbers = Array(list(range(rows)), type=DataType.int64())
    return parquet({"n": numbers, "text": Array([f"row {n}" for n in range(rows)], type=TEXT)}, **options)


def items(content: bytes, name: str = "a.parquet", skip: int = 0) -> list[dict[str, Any]]:
    found = list(read_items(io.BytesIO(content), name, skip))
    assert count_items(io.BytesIO(content), name) == len(found) + skip
    return found


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Array([2**64 - 1, None], type=DataType.uint64()), [2**64 - 1, None]),
        (Array([-(2**63), 1], type=DataType.int64()), [-(2**63), 1]),
        (Array([0.1, None], type=DataType.float64()), [0.1, None]),
        (Array([float("nan"), float("-inf")], type=DataType.float64()), [None, "-Infinity"]),
        (Array([True, None], type=DataType.bool()), [True, None]),
        (texts(["12345678901234567890.10", None], DataType.decimal128(38, 2)), ["12345678901234567890.10", None]),
        (texts(["0.0000001", "1" * 60], DataType.decimal256(76, 7)), ["0.0000001", "1" * 60 + ".0000000"]),
        (texts(["2031-05-06", None], DataType.date32()), ["2031-05-06", None]),
        (texts(["10:00:00.000001"], DataType.time64("us")), ["10:00:00.000001"]),
        (texts(["2031-05-06T10:00:00.123456789"], DataType.timestamp("ns")), ["2031-05-06T10:00:00.123456789"]),
        (texts(["2031-05-06T10:00:00Z"], DataType.timestamp("ms", tz="UTC")), ["2031-05-06T10:00:00Z"]),
        (
            texts(["2031-05-06T10:00:00Z"], DataType.timestamp("ms", tz="Europe/Berlin")),
            ["2031-05-06T12:00:00+02:00"],
        ),
        (Array([b"caf\xc3\xa9", b"\xff\x00", None], type=DataType.binary()), ["caf\u00e9", "/wA=", None]),
        (texts(["a", None], DataType.dictionary(DataType.int32(), TEXT)), ["a", None]),
        (texts(["x", None], DataType.large_string()), ["x", None]),
    ],
    ids=lambda value: str(value.type)[20:-2] if isinstance(value, Array) else "",
)
def test_a_column_is_what_it_was(column: Array, expected: list[Any]) -> None:
    found = [item["c"] for item in items(parquet({"c": column}))]
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


def test_nested_columns_are_objects_and_lists() -> None:
    days = texts(["2031-05-06", None, "2031-05-07"], DataType.date32())
    lists = list_array(Array([0, 2, 2, 3], type=DataType.int32()), days)
    inner = struct_array([Array([float("nan"), 1.5, 2.0], type=DataType.float64())], fields=[_field("x", "float64")])
    fields = [Field("days", lists.type), Field("inner", inner.type)]
    nested = struct_array([lists, inner], fields=fields)
    assert [item["c"] for item in items(parquet({"c": nested}))] == [
        {"days": ["2031-05-06", None], "inner": {"x": None}},
        {"days": [], "inner": {"x": 1.5}},
        {"days": ["2031-05-07"], "inner": {"x": 2.0}},
    ]


def _field(name: str, kind: str) -> Field:
    return Field(name, getattr(DataType, kind)())


def test_maps_are_objects() -> None:
    assert items(base64.b64decode(MAPS)) == [
        {"m": {"a": "2031-05-06", "b": None}, "k": {"1": "1.50"}},
        {"m": {}, "k": {}},
        {"m": None, "k": None},
    ]


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "gzip(6)", "brotli(3)", "lz4_raw", "zstd(3)"])
def test_however_it_is_compressed(compression: str) -> None:
    assert [item["n"] for item in items(numbered(600, compression=compression, max_row_group_size=100))] == [
        *range(600)
    ]


@pytest.mark.parametrize("write", [write_ipc, write_ipc_stream])
@pytest.mark.parametrize("name", ["a.arrow", "a.feather", "a.arrow.gz"])
def test_arrow_as_file_and_as_stream(write: Callable[..., None], name: str) -> None:
    out = io.BytesIO()
    write(RecordBatch.from_pydict({"n": Array(list(range(700)), type=DataType.int64())}), out)
    content = gzip.compress(out.getvalue()) if name.endswith(".gz") else out.getvalue()
    assert items(content, name, 300) == [{"n": n} for n in range(300, 700)]


@pytest.mark.parametrize("skip", [0, 1, 255, 256, 257, 599, 600, 700])
def test_any_part_is_the_same_part(skip: int) -> None:
    found = list(read_items(io.BytesIO(numbered(600, max_row_group_size=100)), "a.parquet", skip))
    assert [item["n"] for item in found] == [*range(skip, 600)]


def test_counting_ends_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a-blob-without-a-suffix"
    path.write_bytes(numbered(600))
    with path.open("rb") as file:
        assert [count_items(file, "a.parquet", limit) for limit in (0, 1, 599, 600, 601, None)] == [
            0,
            1,
            599,
            600,
            600,
            600,
        ]


def children() -> set[str]:
    """Return the ids of this process's children."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in Path(task, "children").read_text().split()}


def test_only_some_of_a_file_may_be_taken() -> None:
    """Whoever stops early leaves no process behind."""
    before = children()
    rows = read_items(io.BytesIO(numbered(100_000)), "a.parquet")
    assert next(rows)["n"] == 0
    assert len(children()) == len(before) + 1
    rows.close()  # type: ignore[attr-defined]
    assert children() == before


def test_a_row_that_cannot_be_told_is_named() -> None:
    far = Array([0] * 300 + [2**50], type=DataType.int64()).cast(DataType.timestamp("s"))
    with pytest.raises(DatasetError, match=r"a\.parquet, row 301: column 'when': ") as caught:
        list(read_items(io.BytesIO(parquet({"when": far})), "a.parquet"))
    assert (caught.value.name, caught.value.row) == ("a.parquet", 301)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.parquet", b"", "Parquet file too small"),
        ("a.parquet", b"n\n1\n" * 100, "a.parquet: the file cannot be read: "),
        ("a.feather", b"FEA1" + b"\0" * 100, "Feather file of version 1"),
        ("a.arrow", b"no arrow at all", "a.arrow: this is no Arrow file"),
        ("a.orc", b"ORC", "a.orc: files of this kind cannot be read; readable: .json, .jsonl, .csv, .parquet"),
    ],
)
def test_what_is_no_such_file_is_said(name: str, content: bytes, said: str) -> None:
    for read in (lambda: list(read_items(io.BytesIO(content), name)), lambda: count_items(io.BytesIO(content), name)):
        with pytest.raises(DatasetError, match=said):
            read()


def test_two_columns_of_one_name_are_refused() -> None:
    one = Array([1], type=DataType.int64())
    table = Table.from_arrays([one, one], names=["a", "a"])
    out = io.BytesIO()
    write_parquet(table, out)
    with pytest.raises(DatasetError, match="two columns have the same name"):
        list(read_items(io.BytesIO(out.getvalue()), "a.parquet"))


def test_a_reader_that_dies_is_a_bad_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text("import os; print('{\"n\": 0}', flush=True); os.abort()")
    monkeypatch.setattr("assay_sdk.engine.columnar._CHILD", script)
    rows = read_items(io.BytesIO(b""), "a.parquet")
    assert next(rows) == {"n": 0}
    with pytest.raises(DatasetError, match=r"a\.parquet: the file is damaged.*SIGABRT"):
        next(rows)


def test_no_secret_reaches_the_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    script = tmp_path / "child.py"
    script.write_text("import json, os; print(json.dumps(dict(os.environ)))")
    monkeypatch.setattr("assay_sdk.engine.columnar._CHILD", script)
    assert "sk-secret" not in next(read_items(io.BytesIO(b""), "a.parquet")).values()


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_an_error_or_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(numbered(50, compression="zstd(3)"))
    for _ in range(5):
        content[chance.randrange(len(content))] = chance.randrange(256)
    try:
        assert all(isinstance(item, dict) for item in read_items(io.BytesIO(bytes(content)), "a.parquet"))
    except DatasetError as error:
        assert error.name == "a.parquet"


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay_sdk.engine.columnar.find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"a\.parquet: .*install assay-sdk\[parquet\]"):
        next(read_items(io.BytesIO(numbered(1)), "a.parquet"))


def test_wide_rows_are_taken_few_at_a_time() -> None:
    """A few bytes of dictionary can stand for gigabytes."""
    wide = parquet({"a": Array(["x" * 3_000_000] * 60, type=TEXT)}, compression="zstd(3)")
    assert len(wide) < 100_000
    assert count_items(io.BytesIO(wide), "a.parquet") == 60
    assert len(list(columnar_batches(wide))) == 12


def columnar_batches(content: bytes) -> Iterator[RecordBatch]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        kept = os.dup(0)
        os.dup2(file.fileno(), 0)
        try:
            yield from columnar_child.batches(".parquet")
        finally:
            os.dup2(kept, 0)
            os.close(kept)
