"""A fileset as rows: chosen, counted before anything is paid, and streamed in any part."""

import gzip
import io
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from arro3.core import Array, DataType, Table
from arro3.io import write_parquet
from backports import zstd

from assay.filesets import blobs, local, rows
from assay.filesets.models import Fileset
from assay.filesets.rows import (
    ColumnsMissing,
    FileUnreadable,
    NoRows,
    NothingSelected,
    PlannedInput,
    plan_inputs,
    stream,
)
from assay_sdk.engine.spec import FieldMapping
from tests.hub.server import Hub

pytestmark = pytest.mark.django_db

LINES = b"".join(b'{"n":%d}\n' % number for number in range(10))
Put = Callable[..., None]


@pytest.fixture
def put(fileset: Fileset) -> Put:
    def put(**files: bytes) -> None:
        for name, content in files.items():
            local.put(fileset, name.replace("__", "/").replace("_", "."), io.BytesIO(content))

    return put


def plan(fileset: Fileset, fragment: str = "", limit: int | None = None) -> list[tuple[str, int]]:
    return [(found.path, found.rows) for found in plan_inputs(fileset, fileset.revision, fragment, limit)]


def read(fileset: Fileset, start: int, stop: int, fragment: str = "") -> list[tuple[int, Any]]:
    inputs = plan_inputs(fileset, fileset.revision, fragment, None)
    return list(stream(fileset, fileset.revision, inputs, start, stop))


def numbers(found: list[tuple[int, Any]]) -> list[int]:
    assert all(index == item["n"] for index, item in found)
    return [index for index, _ in found]


def test_all_data_files_are_read_in_order(fileset: Fileset, put: Put) -> None:
    put(b_jsonl=b'{"n":2}\n\n{"n":3}', a_json=b'[{"n":0},{"n":1}]', c_csv=b"n\n4\n", README_md=b"# no rows")
    assert plan(fileset) == [("a.json", 2), ("b.jsonl", 2), ("c.csv", 1)]
    assert numbers(read(fileset, 0, 99)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fragment", "paths"),
    [
        ("a.jsonl", ["a.jsonl"]),
        ("train", ["train/b.jsonl", "train/deep/c.jsonl"]),
        ("train/", ["train/b.jsonl", "train/deep/c.jsonl"]),
        ("train/*.jsonl", ["train/b.jsonl"]),
        ("train/**", ["train/b.jsonl", "train/deep/c.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "train/b.jsonl", "train/deep/c.jsonl"]),
        ("*.jsonl", ["a.jsonl"]),
    ],
)
def test_a_fragment_selects(fragment: str, paths: list[str], fileset: Fileset, put: Put) -> None:
    put(a_jsonl=LINES, train__b_jsonl=LINES, train__deep__c_jsonl=LINES, train__notes_md=b"x", train2__d_jsonl=LINES)
    expected = paths if fragment != "**/*.jsonl" else [*paths, "train2/d.jsonl"]
    assert [path for path, _ in plan(fileset, fragment)] == expected


def test_a_plan_knows_the_blob_it_counted(fileset: Fileset, put: Put) -> None:
    put(a_jsonl=LINES)
    (planned,) = plan_inputs(fileset, "", "", None)
    put(a_jsonl=b'{"n":99}\n')
    assert numbers(list(stream(fileset, "", [planned], 0, 99))) == list(range(10))


@pytest.mark.parametrize("name", ["a_jsonl", "a_jsonl_gz", "a_jsonl_zst", "a_json", "a_csv_gz"])
def test_any_part_is_the_same_part(name: str, fileset: Fileset, put: Put) -> None:
    content = {
        "a_jsonl": LINES.replace(b"\n", b"\n \n", 4),
        "a_jsonl_gz": gzip.compress(b"\xef\xbb\xbf" + LINES),
        "a_jsonl_zst": zstd.compress(LINES),
        "a_json": b"[" + LINES.strip().replace(b"\n", b",") + b"]",
        "a_csv_gz": gzip.compress(b"n\n" + b"".join(b"%d\n" % number for number in range(10))),
    }
    put(**{name: content[name]}, b_jsonl=b'{"n":10}\n{"n":11}\n')
    for start in range(13):
        for stop in range(start, 14):
            assert numbers(read(fileset, start, stop)) == list(range(start, min(stop, 12))), (start, stop)


def parquet(rows: int) -> bytes:
    out = io.BytesIO()
    write_parquet(
        Table.from_pydict({"n": Array(list(range(rows)), type=DataType.int64())}), out, max_row_group_size=100
    )
    return out.getvalue()


def test_parquet_among_others_in_any_part(fileset: Fileset, put: Put) -> None:
    put(a_parquet=parquet(600), b_jsonl=b'{"n":600}\n{"n":601}\n')
    assert plan(fileset) == [("a.parquet", 600), ("b.jsonl", 2)]
    assert plan(fileset, limit=257) == [("a.parquet", 257)]
    for start, stop in ((0, 1), (255, 258), (599, 601), (0, 602), (600, 602)):
        assert numbers(read(fileset, start, stop)) == list(range(start, stop))


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_mapped_columns_are_looked_for_before_anything_is_paid(limit: int | None, fileset: Fileset, put: Put) -> None:
    put(a_jsonl=b'{"q":1}\n{"q":2}\n', b_jsonl=b'{"q":3,"meta":{"gold":null}}\n', c_parquet=parquet(2))
    mapping = FieldMapping(input="q", reference="meta.gold")
    if limit == 1:
        with pytest.raises(ColumnsMissing) as refused:
            plan_inputs(fileset, "", "", limit, mapping)
        assert str(refused.value) == (
            "Fileset 'w-one/data': field_mapping names what no row has: 'meta.gold' (for 'reference'). "
            "Columns there are: q."
        )
    else:
        assert plan_inputs(fileset, "", "", limit, mapping) == plan_inputs(fileset, "", "", limit)


def test_a_limit_ends_the_counting(fileset: Fileset, put: Put) -> None:
    put(a_jsonl=LINES, b_jsonl=LINES + b"broken", c_jsonl=b"broken")
    assert plan(fileset, limit=4) == [("a.jsonl", 4)]
    assert plan(fileset, limit=10) == [("a.jsonl", 10)]
    assert plan(fileset, limit=20) == [("a.jsonl", 10), ("b.jsonl", 10)]
    with pytest.raises(FileUnreadable):
        plan(fileset, limit=21)


def test_what_matches_nothing_is_told_what_there_is(fileset: Fileset, put: Put) -> None:
    with pytest.raises(NothingSelected, match="no data file in fileset 'w-one/data'. It holds no files."):
        plan(fileset)
    put(README_md=b"x")
    with pytest.raises(NothingSelected, match="There is no data file in fileset 'w-one/data'. It holds: README.md."):
        plan(fileset)
    put(**{f"part-{number}_jsonl": LINES for number in range(9)})
    with pytest.raises(NothingSelected) as refused:
        plan(fileset, "nope.jsonl")
    assert str(refused.value).startswith(
        "'nope.jsonl' matches no data file in fileset 'w-one/data'. It holds: README.md"
    )
    assert str(refused.value).endswith(" and 2 more.")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a_jsonl", b'{"n":0}\n{"n":\n', "a.jsonl, line 2: "),
        ("a_jsonl", b'{"n":0}\n[1]\n', "a.jsonl, line 2: "),
        ("a_jsonl_gz", b"no gzip", "a.jsonl.gz: "),
        ("a_jsonl_gz", gzip.compress(LINES * 100, mtime=0)[:-20], "a.jsonl.gz: "),
        ("a_csv", b"n,m\n1,2\n3\n", "a.csv, line 3: "),
        ("a_jsonl", b'{"n":"\xff"}', "a.jsonl"),
        ("a_parquet", b"PAR1", "a.parquet: the file cannot be read: "),
        ("a_orc", b"ORC", "a.orc: files of this kind cannot be read; readable: .json, .jsonl, .csv, .parquet"),
    ],
)
def test_a_broken_file_is_named_with_its_line(name: str, content: bytes, said: str, fileset: Fileset, put: Put) -> None:
    put(**{name: content})
    with pytest.raises(FileUnreadable) as refused:
        plan(fileset)
    assert str(refused.value).startswith(f"Fileset 'w-one/data': {said}")


def test_no_rows_at_all(fileset: Fileset, put: Put) -> None:
    put(a_jsonl=b"\n\n", b_json=b"[]")
    with pytest.raises(NoRows, match="hold no rows: a.jsonl, b.json"):
        plan(fileset)
    put(c_jsonl=LINES)
    assert plan(fileset)[2] == ("c.jsonl", 10)


def test_every_reason_is_one_kind_of_error() -> None:
    """Who plans a job catches one class."""
    kinds = (NothingSelected, FileUnreadable, NoRows, ColumnsMissing)
    assert all(issubclass(each, rows.RowsUnreadable) for each in kinds)


def test_lost_content_is_said(fileset: Fileset, put: Put, data_folder: Path) -> None:
    put(a_jsonl=LINES)
    (planned,) = plan_inputs(fileset, "", "", None)
    assert planned.blob
    blobs.path(planned.blob).unlink()
    with pytest.raises(FileUnreadable, match="'a.jsonl' in fileset 'w-one/data' is missing") as refused:
        list(stream(fileset, "", [planned], 0, 1))
    assert str(data_folder) not in str(refused.value)


def test_memory_stays_flat(fileset: Fileset) -> None:
    line = b'{"text":"' + b"x" * 10_000 + b'"}\n'
    local.put(fileset, "big.jsonl", io.BytesIO(line * 2_000))
    inputs = plan_inputs(fileset, "", "", None)
    tracemalloc.start()
    for start in (0, 1_900):
        assert sum(1 for _ in islice(stream(fileset, "", inputs, start, 2_000), 2_000)) == 2_000 - start
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


# On a hub


def test_a_hub_is_read_at_the_given_revision(hub_fileset: Fileset, hub: Hub) -> None:
    pinned = hub_fileset.revision
    inputs = plan_inputs(hub_fileset, pinned, "train", None)
    assert inputs == [PlannedInput("train/a.jsonl", None, 2), PlannedInput("train/b.jsonl", None, 1)]
    assert not any("weights" in request.path for request in hub.requests)
    newer = hub.add_commit("ns/data", {"train/a.jsonl": b'{"n":7}\n'})
    Fileset.objects.filter(pk=hub_fileset.pk).update(revision=newer)
    hub_fileset.refresh_from_db()
    assert numbers(list(stream(hub_fileset, pinned, inputs, 0, 9))) == [0, 1, 2]


def test_a_lost_cache_is_fetched_again_and_a_hub_is_not_needed_before(
    hub_fileset: Fileset, hub: Hub, data_folder: Path
) -> None:
    inputs = plan_inputs(hub_fileset, hub_fileset.revision, "train/a.jsonl", None)
    hub.stop()
    assert numbers(list(stream(hub_fileset, hub_fileset.revision, inputs, 0, 9))) == [0, 1]
    (blob,) = {path.resolve() for path in (data_folder / "hub-cache").rglob("*.jsonl")}
    blob.unlink()
    with pytest.raises(FileUnreadable, match="cannot be reached"):
        list(stream(hub_fileset, hub_fileset.revision, inputs, 0, 9))
    hub.start()
    assert numbers(list(stream(hub_fileset, hub_fileset.revision, inputs, 1, 9))) == [1]


def test_what_a_hub_refuses_is_a_reason_like_any_other(hub_fileset: Fileset, hub: Hub) -> None:
    hub.remove_repository("ns/data")
    with pytest.raises(FileUnreadable, match="dataset 'ns/data' at http"):
        plan(hub_fileset)
