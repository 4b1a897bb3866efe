"""Which files a fragment means."""

import time

import pytest

from assay_sdk.engine.selection import select

PATHS = ["x/y/b.jsonl", "x/a.jsonl", "b.jsonl", "notes.txt", "x/c.csv.gz", "odd[1].jsonl", "x/t.parquet"]
DATA = ["b.jsonl", "odd[1].jsonl", "x/a.jsonl", "x/c.csv.gz", "x/t.parquet", "x/y/b.jsonl"]


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        (None, DATA),
        ("", DATA),
        ("x", DATA[2:]),
        ("/x/", DATA[2:]),
        ("*.jsonl", ["b.jsonl", "odd[1].jsonl"]),
        ("**/*.jsonl", ["b.jsonl", "odd[1].jsonl", "x/a.jsonl", "x/y/b.jsonl"]),
        ("**", DATA),
        ("**/y/**", ["x/y/b.jsonl"]),
        ("x/**/b.jsonl", ["x/y/b.jsonl"]),
        ("**b.jsonl", ["b.jsonl", "x/y/b.jsonl"]),
        ("x/*", ["x/a.jsonl", "x/c.csv.gz", "x/t.parquet"]),
        ("x/**", DATA[2:]),
        ("*/*/*", ["x/y/b.jsonl"]),
        ("?.jsonl", ["b.jsonl"]),
        ("x?a.jsonl", []),
        ("x/[!b-z].jsonl", ["x/a.jsonl"]),
        ("x/[^b-z].jsonl", ["x/a.jsonl"]),
        ("x[!a]a.jsonl", []),
        ("x/[a-c]*", ["x/a.jsonl", "x/c.csv.gz"]),
        ("x/[z-a]*", []),
        ("x/[--b].jsonl", ["x/a.jsonl"]),
        ("x/[b-].jsonl", []),
        ("odd[[]1[]].jsonl", ["odd[1].jsonl"]),
        ("odd[1].jsonl", ["odd[1].jsonl"]),
        ("notes.txt", ["notes.txt"]),
        ("*.txt", []),
        ("missing.jsonl", []),
        ("[", []),
    ],
)
def test_by_path_folder_and_pattern(fragment: str | None, expected: list[str]) -> None:
    assert select(PATHS, fragment) == expected


def test_a_folder_is_no_prefix() -> None:
    assert select(["xy/a.jsonl"], "x") == []


def test_packed_and_unreadable_data_files_are_data_files() -> None:
    """What is data but cannot be read is refused when it is read, rather than left out in silence."""
    paths = ["a.json.zst", "b.CSV.GZIP", "c.orc", "d.feather", "e.arrow", "gz", "f.gz", "g.zip", "folder.json/readme"]
    assert select(paths, "") == ["a.json.zst", "b.CSV.GZIP", "c.orc", "d.feather", "e.arrow"]


def test_hidden_files_are_taken_only_by_name() -> None:
    paths = ["a.json", ".b.json", ".cache/c.json", "x/.d.json", "x/e.json", "._a.json"]
    assert select(paths, "") == select(paths, "**") == ["a.json", "x/e.json"]
    assert select(paths, "*.json") == ["a.json"]
    assert select(paths, "x/*.json") == ["x/e.json"]
    assert select(paths, ".cache") == [".cache/c.json"]
    assert select(paths, ".b.json") == [".b.json"]
    assert select(paths, "x/.*.json") == ["x/.d.json"]


@pytest.mark.parametrize("fragment", ["*a" * 40 + "b.json", "**/" * 40 + "b.json", "**a" * 40 + "b.json"])
def test_no_pattern_takes_long(fragment: str) -> None:
    started = time.process_time()
    assert select(["a" * 200 + ".json", "/".join("a" * 100) + ".json"], fragment) == []
    assert time.process_time() - started < 2
