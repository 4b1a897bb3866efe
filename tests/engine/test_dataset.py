"""Files as rows: whatever the layout, nothing altered, nothing dropped in silence, little held in memory."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from backports import zstd

from assay_sdk.engine import csvtext, jsontext, unpack
from assay_sdk.engine.dataset import count_items, read_items, read_rows
from assay_sdk.engine.errors import DatasetError
from assay_sdk.engine.spec import FieldMapping


def items(name: str, content: str | bytes) -> list[dict[str, Any]]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_items(io.BytesIO(data), name))


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 1}, {"a": [1, {"b": "]"}]}]',
        ' [\n {"a": 1},\n\n {"a": [1, {"b": "]"}]}\n]\n',
        '{"a": 1}\n{"a": [1, {"b": "]"}]}\n',
        '{\n  "a": 1\n}\n{\n  "a": [1, {"b": "]"}]\n}',
        '\ufeff[{"a": 1},{"a": [1, {"b": "]"}]}]',
    ],
    ids=["array", "spread array", "lines", "one after the other", "byte-order mark"],
)
def test_layouts_of_json(content: str) -> None:
    assert items("a.json", content) == [{"a": 1}, {"a": [1, {"b": "]"}]}]


@pytest.mark.parametrize("size", [1, 7, 65_530, 65_536, 200_000])
def test_values_across_reads(size: int) -> None:
    wanted = [{"text": "x" * size, "n": n} for n in range(5)]
    assert items("a.json", json.dumps(wanted, indent=1)) == wanted
    assert items("a.json", "\n\n".join(map(json.dumps, wanted))) == wanted


@pytest.mark.parametrize(
    ("name", "content", "line", "message"),
    [
        ("a.json", '[{"a": 1},\n {"a": }]', 2, "not JSON"),
        ("a.json", '[{"a": 1}\n {"a": 2}]', 2, "comma is missing"),
        ("a.json", '[{"a": 1},\n', 2, "does not end"),
        ("a.json", '[{"a": 1}] x', 1, "after the end"),
        ("a.json", '[{"a": 1}, 5]', 1, "not 5"),
        ("a.json", '{"a": 1}\n[2]', 2, "not \\[2\\]"),
        ("a.jsonl", '{"a": 1}\n\n{"a": ', 3, "not JSON"),
        ("a.jsonl", '{"a": 1}\n"text"', 2, "has to be a JSON object"),
        ("a.csv", "a,b\n1,2\n3\n", 3, "1 cells, but the header has 2"),
        ("a.csv", 'a,b\n1,"two', 2, "not CSV"),
        ("a.csv", "a,a\n1,2\n", 1, "same name"),
    ],
)
def test_first_error_names_file_and_line(name: str, content: str, line: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        items(name, content)
    assert (caught.value.name, caught.value.line) == (name, line)
    assert str(caught.value).startswith(f"{name}, line {line}: ")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": "\xff"}', "line 1"),
        ("a.csv", b"a\n\xff\n", "not UTF-8"),
        ("a.jsonl.gz", b"no gzip", "gzip"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:40], "gzip"),
        ("a.txt", b"", "cannot be read; readable: .json, .jsonl, .csv"),
        ("a.orc", b"", "cannot be read"),
        ("a.jsonl.zst", b"no zstd", "zstd"),
    ],
)
def test_what_is_not_text_or_not_known(name: str, content: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        items(name, content)


def test_numbers_keep_every_digit() -> None:
    numbers = [123456789012345678901234567890, -9223372036854775809, 9007199254740993, 0.1, 1e-7]
    for name in ("a.json", "a.jsonl"):
        assert items(name, "\n".join(f'{{"n": {n}}}' for n in numbers)) == [{"n": n} for n in numbers]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_what_json_cannot_hold_is_written_so_that_it_can(name: str) -> None:
    assert items(name, '{"n": [NaN, Infinity, -Infinity, 1e999, -1e999, 1e308]}') == [
        {"n": [None, "Infinity", "-Infinity", "1e999", "-1e999", 1e308]}
    ]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_half_a_character_is_refused(name: str) -> None:
    assert items(name, r'{"q": "\ud83d\udeb2"}') == [{"q": "\U0001f6b2"}]
    with pytest.raises(DatasetError, match="line 2: .*half a character"):
        items(name, '{"q": "x"}\n' + r'{"q": "\ud83d"}')


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize("skip", [0, 1, 2, 3, 4])
def test_items_may_be_skipped(name: str, skip: int) -> None:
    content = "n\n\n0\n1\n2\n" if name == "a.csv" else '\ufeff{"n": 0}\n \n{"n": 1}\n{"n": 2}\n'
    found = list(read_items(io.BytesIO(content.encode()), name, skip))
    assert found == [{"n": n} for n in range(skip, 3)]
    assert count_items(io.BytesIO(content.encode()), name, skip) == min(skip, 3)


@pytest.mark.parametrize("suffix", ["", ".gz", ".GZIP", ".zst", ".zstd"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_however_it_is_packed(name: str, suffix: str) -> None:
    plain = (b"n\n1\n" if name == "a.csv" else b'{"n": 1}\n') * 1
    parts = {"": [plain], ".gz": [gzip.compress(plain)], ".zst": [zstd.compress(plain[:3]), zstd.compress(plain[3:])]}
    packed = b"".join(parts[suffix.lower().replace("ip", "").replace("td", "t")])
    assert items(name + suffix, packed) == [{"n": 1}]


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_cut_off_zstd_file_is_not_a_short_one(cut: int) -> None:
    packed = zstd.compress(b"".join(b'{"a": %d}\n' % number for number in range(1000)))
    with pytest.raises(DatasetError, match=r"a\.jsonl\.zst: the file is not sound zstd data"):
        items("a.jsonl.zst", packed[:-cut])


def test_a_file_that_unpacks_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "FREE_BYTES", 1 << 20)
    endless = zstd.compress(b"{}\n" * (1 << 21))
    assert len(endless) < 1000
    with pytest.raises(DatasetError, match=r"a\.jsonl\.zst: the file unpacks to more than 1000 times its size"):
        items("a.jsonl.zst", endless)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b'{"a": "' + b"x" * 2000 + b'"}'),
        ("a.json", b'[{"a": "' + b"x" * 200_000 + b'"}]'),
        ("a.csv", b"a,b\n" + b"x" * 500 + b"," + b"y" * 600 + b"\n"),
        ("a.csv", b"a,b\n" + b'"x\n",' * 400 + b"\n"),
    ],
    ids=["line", "value", "record", "record of many lines"],
)
def test_an_item_has_a_largest_size(name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (jsontext, csvtext):
        monkeypatch.setattr(module, "MAX_ITEM_BYTES", 1000)
    with pytest.raises(DatasetError, match="the item is longer than"):
        items(name, content)


def test_csv_numbers_that_are_none() -> None:
    (item,) = items("a.csv", f"big,huge,none\n{'9' * 5000},1e999,nan\n")
    assert item == {"big": "9" * 5000, "huge": "1e999", "none": "nan"}


def test_csv_columns_have_one_kind_and_text_stays_as_it_is() -> None:
    text = "id,score,ok,answer,note\n007,4,true,42,\n010,2.5,false,yes,x\n011,,,,\n"
    assert items("a.csv.gz", gzip.compress(text.encode())) == [
        {"id": "007", "score": 4.0, "ok": True, "answer": "42", "note": ""},
        {"id": "010", "score": 2.5, "ok": False, "answer": "yes", "note": "x"},
        {"id": "011", "score": None, "ok": None, "answer": "", "note": ""},
    ]


def test_csv_cell_that_comes_late_and_does_not_fit_stays_text() -> None:
    lines = ["n", *map(str, range(1500)), "many"]
    found = items("a.csv", "\n".join(lines))
    assert (found[0], found[-2], found[-1]) == ({"n": 0}, {"n": 1499}, {"n": "many"})


def test_csv_cells_may_be_long() -> None:
    assert items("a.csv", f"a\n{'x' * 300_000}\n") == [{"a": "x" * 300_000}]


class Endless(io.RawIOBase):
    """A file of so many bytes that never exists as a whole."""

    def __init__(self, line: bytes, count: int, opening: bytes = b"", closing: bytes = b"") -> None:
        self._parts = iter([opening, *([line] * count), closing])
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.jsonl", lambda: Endless(b'{"text": "' + b"x" * 1000 + b'"}\n', 10_000)),
        ("a.json", lambda: Endless(b'{"text": "' + b"x" * 1000 + b'"},\n', 10_000, b"[", b'{"text": ""}]')),
        ("a.csv", lambda: Endless(b"x" * 1000 + b"\n", 10_000, b"text\n")),
    ],
)
def test_memory_does_not_grow_with_the_file(name: str, make: Callable[[], Endless]) -> None:
    tracemalloc.start()
    count = sum(1 for _ in read_items(io.BufferedReader(make()), name))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count in (10_000, 10_001)
    assert peak < 3_000_000


def test_no_rows_at_all_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no rows"):
        list(read_rows([], lambda name: io.BytesIO()))
    with pytest.raises(DatasetError, match="no rows"):
        list(read_rows(["a.csv"], lambda name: io.BytesIO(b"a,b\n")))


def test_rows_are_numbered_through_files_and_end_at_the_limit() -> None:
    files = {"a.jsonl": b'{"n": 1}\n', "b.jsonl": b'{"n": 2}\n{"n": 3}\nbroken'}
    rows = list(read_rows(sorted(files), lambda name: io.BytesIO(files[name]), limit=3))
    assert [(row.index, row.item) for row in rows] == [(0, {"n": 1}), (1, {"n": 2}), (2, {"n": 3})]


def test_a_mapped_column_that_no_row_has_is_an_error_before_the_first_row() -> None:
    content = b'{"question": "x", "meta": {"gold": null}}\n{"question": "y", "late": 1}\n'

    def rows(**mapping: Any) -> list[dict[str, Any]]:
        found = read_rows(["a.jsonl"], lambda name: io.BytesIO(content), mapping=FieldMapping(**mapping))
        return [row.item for row in found]

    assert [item.get("input") for item in rows(input="late", reference="meta.gold")] == [None, 1]
    with pytest.raises(DatasetError, match=r"no row has: 'meta.old' \(for 'reference'\)") as caught:
        rows(input="question", reference="meta.old")
    assert str(caught.value).endswith("Columns there are: question, meta, late.")
