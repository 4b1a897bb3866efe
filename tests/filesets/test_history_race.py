"""Commits, uploads, looks, sweeps and deletes at the same moment leave a history in one line, on both databases."""

from pathlib import Path
from typing import Any

import pytest

from tests.services import told_by

SCRIPT = Path(__file__).resolve().parent.parent / "history_race.py"
ROUNDS = 3

ENDS = {
    "stale": {"done / ParentMoved", "ParentMoved / done"},
    "both": {"done / done / done / done"},
    "births": {"done / done / done"},
    "doors": {"done / done / done / done / done"},
    "clash": {"done / BadRequest", "BadRequest / done"},
    "named": {"done / RefExists", "RefExists / done"},
    "squashed": {"done / done"},
    "swept": {"done / done", "BadRequest / done"},
    "in_between": {"BadRequest"},
    "deleted": {"done / done", "FilesetGone / done"},
}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("race")
    return told_by(SCRIPT, str(ROUNDS), vendor=request.param, data_dir=folder, timeout=300)


def test_the_files_are_those_of_main_and_the_commits_in_one_line(outcome: dict[str, Any]) -> None:
    assert not outcome["wrong"]


def test_whoever_loses_is_told_so(outcome: dict[str, Any]) -> None:
    assert set(outcome["seen"]) >= set(ENDS) - {"in_between"}
    for name, ends in outcome["seen"].items():
        assert set(ends) <= ENDS[name], (name, ends)
