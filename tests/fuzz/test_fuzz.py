"""Every target for a moment: its seeds, what was ever found, and then cases that nobody has seen before.

``python -m tests.fuzz`` goes on from there for as long as it is given.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.fuzzing import Cases, Target, fuzz, try_case
from tests.fuzz.targets import TARGETS, furnished

SECONDS = 0.15
"""For the cases of each; CI fuzzes for a minute beside this."""
SEEDS = 10
"""Of each: those of requests are the routes, which have a test of their own."""
WITHOUT_DATABASE = [name for name, target in TARGETS.items() if not target.database]
WITH_DATABASE = [name for name, target in TARGETS.items() if target.database]


@pytest.mark.parametrize("name", WITHOUT_DATABASE)
def test_what_reads_bytes(name: str) -> None:
    check(TARGETS[name])


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: "object") -> Iterator[None]:
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic(), furnished():  # type: ignore[attr-defined]
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_what_asks_the_database(name: str, world: None) -> None:
    check(TARGETS[name])


def check(target: Target) -> None:
    seed = secrets.randbelow(2**31)
    findings = [finding for finding in fuzz(target, seed, SECONDS, most=SEEDS) if finding is not None]
    again = f"python -m tests.fuzz {target.name} --seed {seed}"
    assert not findings, f"seed {seed} ({again})\n" + "\n".join(map(str, findings[:3]))


# The harness itself


def crash(case: bytes) -> str:
    if b"boom" in case:
        raise KeyError("boom")
    if b"loop" in case:
        while True:
            pass
    if b"slow" in case:
        sum(range(10**7))
    return "fine"


@pytest.mark.parametrize(
    ("case", "what"), [(b"a boom", "KeyError"), (b"a loop", "hangs"), (b"slow", "of work"), (b"a refusal", "")]
)
def test_a_crash_a_hang_and_a_slow_case_are_found(case: bytes, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.fuzzing.SECONDS", 0.2 if what != "of work" else 0.05)
    _, finding = try_case(Target("t", crash, (b"",)), case)
    assert (what in str(finding)) if what else finding is None


@pytest.mark.thorough
def test_cases_follow_from_the_seed(tmp_path: Path) -> None:
    target = Target("t", crash, (b'{"a": 1, "b": [2, 3]}', b"other"))
    first, second, other = (Cases(target, Random(seed)) for seed in (1, 1, 2))
    made = [first.next() for _ in range(50)]
    assert made == [second.next() for _ in range(50)] != [other.next() for _ in range(50)]
    assert len(set(made)) > 40
    _, finding = try_case(target, b"boom")
    assert finding is not None
    assert finding.keep(tmp_path).read_bytes() == b"boom"
