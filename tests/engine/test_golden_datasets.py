"""The golden vectors of the datasets: files in, rows out."""

import gzip
import io
from itertools import islice
from typing import Any

import pytest

from assay_sdk.engine.dataset import read_rows
from assay_sdk.engine.errors import DatasetError
from assay_sdk.engine.selection import select
from assay_sdk.engine.spec import FieldMapping
from tests.engine.deviations import DATASET, Deviation
from tests.engine.golden import cases


def rows_of(definition: dict[str, Any]) -> list[dict[str, Any]]:
    files = {
        name: gzip.compress(text.encode()) if name.endswith((".gz", ".gzip")) else text.encode()
        for name, text in definition["files"].items()
    }
    mapping = definition.get("field_mapping")
    rows = read_rows(
        select(files, definition["path"]),
        lambda name: io.BytesIO(files[name]),
        mapping=FieldMapping(**mapping) if mapping else None,
        limit=definition.get("limit_samples"),
    )
    return [row.item for row in rows]


@pytest.mark.parametrize("case", cases("datasets"))
def test_dataset(case: dict[str, Any]) -> None:
    ours = DATASET.get(case["id"], Deviation(0))
    recorded = case["expected"]
    if ours.error or ("error" in recorded and ours.rows is None):
        with pytest.raises(DatasetError, match=ours.error):
            rows_of(case["metric"])
        return
    expected = recorded["rows"] if ours.rows is None else ours.rows
    rows = rows_of(case["metric"])
    assert rows == expected
    assert [[type(value) for value in row.values()] for row in rows] == [
        [type(row_[key]) for key in row] for row, row_ in zip(rows, expected, strict=True)
    ]


def test_broken_line_is_named() -> None:
    files = {"a.jsonl": b'{"q": "x"}\nnot json\n{"q": "y"}\n'}
    rows = read_rows(["a.jsonl"], lambda name: io.BytesIO(files[name]))
    assert [row.item for row in islice(rows, 1)] == [{"q": "x"}]
    with pytest.raises(DatasetError, match=r"a\.jsonl, line 2: ") as caught:
        next(rows)
    assert (caught.value.name, caught.value.line) == ("a.jsonl", 2)
