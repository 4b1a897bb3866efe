"""A delete and a create that race leave no dangling reference, on both databases."""

from pathlib import Path
from typing import Any

import pytest

from tests.services import told_by

SCRIPT = Path(__file__).resolve().parent.parent / "deletion_race.py"
ROUNDS = 5

ONE_OR_THE_OTHER = {
    # The delete came first, and what refers to the deleted thing was refused …
    "done / IntegrityError",
    "done / Invalid",
    "done / Conflict",
    "done / NotFound",
    # … or it came second, and so was refused itself.
    "Conflict / done",
    "NotFound / done",
}
BOTH = "done / done"
"""A cascade that comes second takes the new job along; a target and a job from it share nothing but a key; and what is
made through v1 brings its namespace back."""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("race")
    return told_by(SCRIPT, str(ROUNDS), vendor=request.param, data_dir=folder, timeout=300)


def test_nothing_refers_to_what_is_gone(outcome: dict[str, Any]) -> None:
    assert outcome["dangling"] == 0


def test_of_a_delete_and_a_create_one_is_refused_in_good_order(outcome: dict[str, Any]) -> None:
    for name, ends in outcome["seen"].items():
        assert set(ends) <= ONE_OR_THE_OTHER | ({BOTH} if "cascade" in name or "target" in name else set()), (
            name,
            ends,
        )


def test_a_reference_made_between_the_look_and_the_delete_stops_the_delete(outcome: dict[str, Any]) -> None:
    if outcome["vendor"] == "postgresql":
        assert outcome["seen"]["in between"] == {"Conflict / done": 1}
