"""Two or more runs on the same rows: which one scores higher, and is it more than chance?

Rows pair up where they stand at the same place and hold the same item, so that a difference is the runs' and not the
rows'. Intervals and tests: `paired`, `significance`. Over several comparisons the p-values are corrected by Holm.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import combinations
from typing import Any, Literal

import orjson

from assay_sdk.engine.aggregate import statistics_of
from assay_sdk.engine.comparison import ChangedRow, ComparedRun, Comparison, Difference
from assay_sdk.engine.errors import NotComparable
from assay_sdk.engine.intervals import RESAMPLES, Interval, Undefined
from assay_sdk.engine.paired import Changes
from assay_sdk.engine.significance import Test, holm
from assay_sdk.engine.statistic import Statistic

TestName = Literal["auto", "mcnemar", "wilcoxon", "bootstrap"]
MOST_CHANGED = 10


class RunScores:
    """One score of one run, to be filled row by row."""

    def __init__(self, run: str, score: str) -> None:
        self.run = run
        self.score = score
        self.rows: dict[int, tuple[bytes, float | None]] = {}

    def add(self, index: int, item: Any, value: float | None) -> None:
        """Take in a row; of its item only a fingerprint is kept."""
        self.rows[index] = fingerprint(item), value


def fingerprint(item: Any) -> bytes:
    """The same for items with the same content, in whatever order their members stand."""
    try:
        text = orjson.dumps(item, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a whole number beyond 64 bits, which a local run may well hold
        text = json.dumps(item, default=str, sort_keys=True).encode()
    return blake2b(text, digest_size=16).digest()


def compare(
    runs: Sequence[RunScores],
    *,
    test: TestName = "auto",
    baseline: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    changed: int = MOST_CHANGED,
) -> Comparison:
    """Compare each two of the runs, or each with the run named by `baseline`.

    The test fits the score: McNemar's where it has two values, else Wilcoxon's; or name one. "bootstrap" gives the
    interval too. `changed` is how many rows that changed most to list. Raises NotComparable if two runs have no row
    in common, or the test does not fit.
    """
    names = [run.run for run in runs]
    if len(runs) < 2 or len(set(names)) < len(names):
        raise NotComparable("a comparison takes two or more runs, each once")
    if baseline is not None and baseline not in names:
        raise NotComparable(f"'{baseline}' is not among the runs that are compared: {', '.join(names)}")
    couples = list(combinations(sorted(runs, key=lambda run: run.run != baseline), 2))
    if baseline is not None:
        couples = couples[: len(runs) - 1]  # the baseline stands first, and so do its couples
    how = _How(test, resamples, seed, changed)
    differences = _corrected([_difference(first, second, how) for first, second in couples])
    return Comparison([_alone(run) for run in runs], differences, resamples, seed)


@dataclass(frozen=True, slots=True)
class _How:
    test: TestName
    resamples: int
    seed: int
    changed: int


@dataclass(frozen=True, slots=True)
class _Pairing:
    """The rows of two runs, put together."""

    rows: list[ChangedRow]
    only_first: int
    only_second: int
    other_item: int
    unscored: int

    @classmethod
    def of(cls, first: RunScores, second: RunScores) -> "_Pairing":
        rows = []
        shared = other_item = unscored = 0
        for index in sorted(first.rows.keys() & second.rows.keys()):
            (item, before), (same_item, after) = first.rows[index], second.rows[index]
            shared += 1
            if item != same_item:
                other_item += 1
            elif before is None or after is None:
                unscored += 1
            else:
                rows.append(ChangedRow(index, before, after))
        return cls(rows, len(first.rows) - shared, len(second.rows) - shared, other_item, unscored)


def _difference(first: RunScores, second: RunScores, how: _How) -> Difference:
    paired = _Pairing.of(first, second)
    if not paired.rows and not paired.unscored:
        why = f"{paired.other_item} rows stand at the same place but hold another item" if paired.other_item else ""
        why = why or f"'{first.run}' has {len(first.rows)} rows and '{second.run}' {len(second.rows)}, none shared"
        raise NotComparable(f"'{first.run}' and '{second.run}' have no rows in common: {why}")
    changes = Changes([(row.first, row.second) for row in paired.rows])
    interval, tested = _tested(changes, how)
    n = len(paired.rows)
    moved = sorted((row for row in paired.rows if row.first != row.second), key=_size)
    return Difference(
        first=first.run,
        second=second.run,
        n=n,
        only_first=paired.only_first,
        only_second=paired.only_second,
        other_item=paired.other_item,
        unscored=paired.unscored,
        higher=changes.higher,
        lower=changes.lower,
        equal=n - changes.higher - changes.lower,
        difference=Statistic.of(changes.mean, n, interval),
        test=tested.name if isinstance(tested, Test) else None,
        statistic=tested.statistic if isinstance(tested, Test) else None,
        p=tested.p if isinstance(tested, Test) else None,
        p_holm=None,
        untested=tested.reason if isinstance(tested, Undefined) else None,
        detectable=Statistic.of(changes.detectable(), n),
        changed=moved[: how.changed],
    )


def _tested(changes: Changes, how: _How) -> tuple[Interval | Undefined, Test | Undefined]:
    if how.test == "bootstrap":
        return changes.bootstrap(how.resamples, how.seed)
    if how.test == "mcnemar" and not changes.two_valued:
        raise NotComparable(f"McNemar's test needs a score of two values, this one has {len(changes.values)}")
    ranks = how.test == "wilcoxon" or not changes.two_valued
    return changes.interval(), changes.test(ranks=ranks)


def _size(row: ChangedRow) -> tuple[float, int]:
    return -abs(row.second - row.first), row.index


def _corrected(differences: list[Difference]) -> list[Difference]:
    adjusted = iter(holm([found.p for found in differences if found.p is not None]))
    return [found if found.p is None else replace(found, p_holm=next(adjusted)) for found in differences]


def _alone(run: RunScores) -> ComparedRun:
    values = [value for _, value in run.rows.values() if value is not None]
    return ComparedRun(run.run, run.score, len(run.rows), len(values), statistics_of(sorted(values))["mean"])
