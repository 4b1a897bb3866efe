"""Commits, uploads, looks, sweeps and deletes at the same moment leave a history in one line, on both databases."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import migrated_environment

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
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with migrated_environment(request.param, tmp_path_factory.mktemp("race")) as env:
        run = subprocess.run(
            [sys.executable, str(SCRIPT), str(ROUNDS)],
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        found: dict[str, Any] = json.loads(run.stdout)
        assert found["vendor"] == request.param
        yield found


def test_the_files_are_those_of_main_and_the_commits_in_one_line(outcome: dict[str, Any]) -> None:
    assert not outcome["wrong"]


def test_whoever_loses_is_told_so(outcome: dict[str, Any]) -> None:
    assert set(outcome["seen"]) >= set(ENDS) - {"in_between"}
    for name, ends in outcome["seen"].items():
        assert set(ends) <= ENDS[name], (name, ends)
