"""Files made to fill the memory or to take for ever end in a clear message, soon, and in little memory."""

import gzip
import io
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from arro3.core import Array, DataType, Field, RecordBatch, Schema
from arro3.io import read_json, write_ipc_stream, write_parquet

from assay_sdk.engine import columnar, csvtext, jsontext
from assay_sdk.engine.dataset import Reading, count_items, read_items
from assay_sdk.engine.errors import DatasetError, DatasetUnfinished
from assay_sdk.engine.glance import Glance


def items(name: str, content: bytes, **reading: Any) -> list[dict[str, Any]]:
    return list(read_items(io.BytesIO(content), name, reading=Reading(**reading)))


def nested(depth: int, inner: bytes = b"1") -> bytes:
    """An item of so many levels."""
    return b'{"a": ' + b"[" * (depth - 1) + inner + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("inner", [b"1", b"1234567890123456789012345", b'"]]]]"'])
def test_items_are_nested_no_deeper_than_they_can_travel(name: str, inner: bytes) -> None:
    assert len(items(name, nested(jsontext.DEEPEST, inner))) == 1
    with pytest.raises(DatasetError, match="deeper than 100 levels"):
        items(name, nested(jsontext.DEEPEST + 1, inner))


@pytest.mark.parametrize("depth", [500, 2_000, 100_000])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_whatever_the_depth(name: str, depth: int) -> None:
    with pytest.raises(DatasetError):
        items(name, nested(depth))
    with pytest.raises(DatasetError):
        items(name, b"[" * depth)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("value", [b"[]", b"{}", b"0", b"[[[[]]]]"])
def test_items_of_very_many_values_are_refused(name: str, value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsontext, "MAX_ITEM_VALUES", 10_000)
    assert len(items(name, b'{"a": [' + b",".join([value] * 1_000) + b"]}")) == 1
    with pytest.raises(DatasetError, match="values"):
        items(name, b'{"a": [' + b",".join([value] * 10_001) + b"]}")


def test_endless_blank_lines_end() -> None:
    assert items("a.jsonl", b"\n" * 1_000_000 + b'{"a": 1}\n' + b" \n" * 500_000) == [{"a": 1}]
    with pytest.raises(DatasetError, match="blank lines"):
        items("a.jsonl", b'{"a": 1}\n' + b"\n" * 1_000_001)


@pytest.mark.parametrize(
    "content",
    [
        b"," * csvtext.MOST_COLUMNS + b"\n",
        ",".join(map(str, range(csvtext.MOST_COLUMNS + 1))).encode(),
        b"a,b\n" + b"," * 5_000_000 + b"\n",
    ],
)
def test_a_table_has_no_million_columns(content: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(DatasetError, match="more than 20000 cells"):
        items("a.csv", content)
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def test_rows_that_tell_the_types_of_a_wide_table_are_held_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvtext, "TYPED_CHARACTERS", 100_000)
    names = ",".join(f"c{number}" for number in range(2_000))
    content = io.BytesIO(f"{names}\n".encode() + (b"1," * 1_999 + b"1\n") * 500 + (b"x," * 1_999 + b"x\n"))
    found = read_items(content, "a.csv")
    assert set(next(found).values()) == {1}
    assert content.tell() < 200_000, "of two million"
    *_, last = found
    assert set(last.values()) == {"x"}, "what comes later does not fit its column, and stays text"


def claims(rows: int) -> bytes:
    """An Arrow stream of a few bytes that says it holds so many rows of nothing."""
    stream = io.BytesIO()
    schema = Schema([Field("a", DataType.null())])
    nothing = read_json(io.BytesIO(b'{"a": null}\n' * 7777), schema, batch_size=8000).read_next_batch()
    write_ipc_stream(nothing, stream)
    content = stream.getvalue()
    assert (7777).to_bytes(8, "little") in content
    return content.replace((7777).to_bytes(8, "little"), rows.to_bytes(8, "little"))


@pytest.mark.parametrize("rows", [3_000_000, 2**40, 2**62])
def test_a_file_cannot_claim_more_rows_than_it_can_hold(rows: int) -> None:
    began = time.monotonic()
    with pytest.raises(DatasetError, match="trap|cannot be read|damaged"):
        count_items(io.BytesIO(claims(rows)), "a.arrow")
    assert time.monotonic() - began < 20
    assert count_items(io.BytesIO(claims(500_000)), "a.arrow") == 500_000


def test_a_packed_table_is_copied_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "MOST_COPIED", 1 << 20)
    with pytest.raises(DatasetError, match="unpacks to more than"):
        items("a.parquet.gz", gzip.compress(b"\x00" * (3 << 20)))


# While somebody waits


def endless() -> bytes:
    return gzip.compress(b'{"a": 1}\n' * 3_000_000)


def test_a_glance_reads_no_more_than_it_may() -> None:
    found: Iterator[dict[str, Any]] = read_items(
        io.BytesIO(endless()), "a.jsonl.gz", reading=Reading(glance=Glance(60, 1 << 20))
    )
    seen = 0
    with pytest.raises(DatasetUnfinished, match="no more than 1 MB"):
        for _ in found:
            seen += 1
    assert 100_000 < seen < 200_000


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz", "a.parquet.gz"])
def test_a_glance_takes_no_longer_than_it_may(name: str) -> None:
    began = time.monotonic()
    with pytest.raises(DatasetUnfinished, match="takes more than 0.05 s"):
        count_items(io.BytesIO(endless()), name, reading=Reading(glance=Glance(0.05, 1 << 40)))
    assert time.monotonic() - began < 5


def test_a_glance_at_a_large_table_ends_its_reader() -> None:
    file = io.BytesIO()
    numbers = Array(list(range(300_000)), DataType.int64())
    write_parquet(RecordBatch.from_arrays([numbers] * 30, names=[f"c{n}" for n in range(30)]), file)
    began = time.monotonic()
    with pytest.raises(DatasetUnfinished, match="takes more than 0.3 s"):
        items("a.parquet", file.getvalue(), glance=Glance(0.3, 1 << 40))
    assert time.monotonic() - began < 5
    first = next(read_items(io.BytesIO(file.getvalue()), "a.parquet", reading=Reading(glance=Glance(60, 1))))
    assert first["c29"] == 0
