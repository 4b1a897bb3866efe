"""The comparer itself: it must see the differences that break clients."""

import pytest
from contract.replay import same_shape

ENTRY = {
    "id": "workspace-8uxh4nxywEJyV5J1p2WraB",
    "at": "2026-11-22T17:31:55.421546",
    "n": 1,
    "text": None,
    "roles": ["a"],
}


def test_other_values_of_the_same_kind_are_the_same_shape() -> None:
    ours = {
        "id": "workspace-ED1GJBAnpZk4FYyb5GUh6",
        "at": "2027-01-01T00:00:00.000000",
        "n": 2.5,
        "text": None,
        "roles": ["b", "c"],
    }
    assert same_shape(ENTRY, ours) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "project-ED1GJBAnpZk4FYyb5GUh6"}, "$.id"),
        ({"id": "workspace-0OIl"}, "$.id"),
        ({"at": "2026-11-22T17:31:55.421546Z"}, "$.at"),
        ({"at": "2026-11-22T17:31:55"}, "$.at"),
        ({"n": True}, "$.n"),
        ({"n": "1"}, "$.n"),
        ({"text": "x"}, "$.text"),
        ({"roles": []}, "$.roles"),
        ({"roles": [1]}, "$.roles[0]"),
        ({"more": 1}, "$.more"),
    ],
)
def test_a_difference_is_named_with_its_place(change: dict[str, object], place: str) -> None:
    found = same_shape(ENTRY, ENTRY | change)
    assert len(found) == 1
    assert found[0].startswith(place + ":")


def test_a_missing_field_is_a_difference() -> None:
    assert same_shape(ENTRY, {key: value for key, value in ENTRY.items() if key != "n"}) == [
        "$.n: recorded, not in ours"
    ]


def test_a_sentence_must_be_that_sentence_and_mistakes_must_be_in_the_same_place() -> None:
    assert same_shape({"detail": "Not Found"}, {"detail": "Not found"})
    mistake = {"type": "missing", "loc": ["body", "name"], "msg": "Field required", "input": {}}
    assert same_shape({"detail": [mistake]}, {"detail": [mistake | {"msg": "other words"}]}) == []
    assert same_shape({"detail": [mistake]}, {"detail": [mistake | {"loc": ["body", "value"]}]})
    assert same_shape({"detail": [mistake]}, {"detail": [mistake | {"type": "enum"}]})
