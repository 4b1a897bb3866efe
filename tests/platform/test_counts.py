"""What lists say there is in all, without counting it, is what there is: on both databases, and while all change it."""

from pathlib import Path
from typing import Any

import pytest

from tests.services import told_by

SCRIPT = Path(__file__).resolve().parent.parent / "counting.py"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("counting")
    return told_by(SCRIPT, vendor=request.param, data_dir=folder, timeout=120)


def exact(compared: dict[str, list[int]]) -> dict[str, int]:
    wrong = {name: pair for name, pair in compared.items() if pair[0] != pair[1]}
    assert not wrong, "counted, and there are"
    return {name: there for name, (_, there) in compared.items()}


def test_rows_that_come_go_and_move(found: dict[str, Any]) -> None:
    assert exact(found["nothing"]) == {"one": 0, "two": 0, "all": 0, "kind": 0, "filesets": 0}
    assert exact(found["made"]) == {"one": 4, "two": 0, "all": 4, "kind": 1, "filesets": 7}
    assert exact(found["gone and moved"]) == {"one": 2, "two": 1, "all": 3, "kind": 1, "filesets": 6}


def test_a_transaction_sees_its_own_rows_until_it_is_undone(found: dict[str, Any]) -> None:
    assert exact(found["seen in its own transaction"])["filesets"] == 7
    assert exact(found["rolled back"])["filesets"] == 6


def test_folding_keeps_the_sum_and_few_rows(found: dict[str, Any]) -> None:
    assert found["folded"] == found["gone and moved"]
    before, after = found["rows of the count"]
    assert after <= before and after <= 5


def test_writers_and_folders_at_once(found: dict[str, Any]) -> None:
    assert set(found["ends"]) == {"done"}
    assert exact(found["raced"])["one"] == 2 + 2 * 25


def test_a_table_made_anew_is_counted_anew(found: dict[str, Any]) -> None:
    assert exact(found["triggers put back"])["two"] == 3
