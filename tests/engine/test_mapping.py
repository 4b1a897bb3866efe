"""A dataset's columns under the names of the templates, and the columns that are not there."""

from assay_sdk.engine.mapping import Unmapped, apply_field_mapping
from assay_sdk.engine.spec import FieldMapping


def test_mapping_adds_canonical_names() -> None:
    item = {"question": "x", "meta": {"gold": "g"}, "a.b": 1, "output": "old"}
    mapping = FieldMapping(
        input="question", reference="meta.gold", output="a.b", context="nope", custom={"topic": "meta"}
    )
    assert apply_field_mapping(item, mapping) == {
        **item,
        "input": "x",
        "reference": "g",
        "output": 1,
        "topic": {"gold": "g"},
    }
    assert item["output"] == "old"


def test_what_no_row_has_is_told_with_what_there_is() -> None:
    unmapped = Unmapped(FieldMapping(input="question", reference="meta.gold", custom={"topic": "subject"}))
    unmapped.see([{"question": "x", "meta": None}, {"meta": {"silver": 1}}])
    assert unmapped
    assert str(unmapped) == (
        "field_mapping names what no row has: 'subject' (for 'topic'), 'meta.gold' (for 'reference'). "
        "Columns there are: question, meta."
    )
    unmapped.see([{"subject": None, "meta": {"gold": None}}])
    assert not unmapped


def test_no_more_rows_are_looked_at_than_needed() -> None:
    rows = iter([{"a": 1}, {"b": 1}])
    Unmapped(FieldMapping(input="a")).see(rows)
    Unmapped(None).see(rows)
    assert list(rows) == [{"b": 1}]


def test_many_columns_are_not_all_named() -> None:
    unmapped = Unmapped(FieldMapping(input="x"))
    unmapped.see([{f"c{number}": 0 for number in range(30)}])
    assert str(unmapped).endswith(", c19 and 10 more.")
