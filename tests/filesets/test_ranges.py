import pytest

from assay.filesets.ranges import Span, read_range
from assay.platform.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=2-4", Span(2, 5)),
        ("bytes=5-", Span(5, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-30", Span(0, 10)),
        ("bytes=0-999", Span(0, 10)),
        ("bytes=9-9", Span(9, 10)),
        ("bytes=0-1,4-5", Span(0, 2)),
        ("bytes=0-999999999999999999", Span(0, 10)),
    ],
)
def test_a_range_is_cut_off_at_the_end(header: str, span: Span) -> None:
    assert read_range(header, 10) == span


@pytest.mark.parametrize(
    "header",
    ["junk", "bytes=4-2", "bytes=10-", "bytes=50-60", "bytes=-0", "bytes=-", "bytes=", "bytes=a-b", "items=0-1",
     "bytes=--1", "bytes=٣-٤", "bytes=" + "9" * 5000 + "-", ""],
)  # fmt: skip
def test_other_ranges_are_refused_by_name(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        read_range(header, 10)
    assert refused.value.detail == f"Invalid range: {header}"


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_an_empty_file_has_no_range(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        read_range(header, 0)
