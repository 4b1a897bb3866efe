"""Is a difference between two runs more than chance? Tests of paired rows, and Holm's correction over several."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from assay_sdk.engine.intervals import Undefined

EXACT_DISCORDANT = 25
EXACT_DIFFERENCES = 50
EXACT_TIED = 13


@dataclass(frozen=True, slots=True)
class Test:
    """What a test found: its statistic, and how probable one as extreme is, if only chance is at work."""

    name: str
    statistic: float
    p: float


def mcnemar(higher: int, lower: int) -> Test | Undefined:
    """McNemar's test of a score of two values, from the rows on which the second run is higher, and lower.

    Fewer than 25 of them are judged by the exact binomial distribution, more by chi-square with the correction for
    continuity (McNemar, Psychometrika 12, 1947; Edwards, Psychometrika 13, 1948), which as in R ends at 0: as many rows
    up as down are no sign of anything.
    """
    n, fewer = higher + lower, min(higher, lower)
    if not n:
        return Undefined("no row changed")
    if n < EXACT_DISCORDANT:
        tail = sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
        return Test("McNemar, exact", float(fewer), min(1.0, 2 * tail))
    chi2 = max(0, abs(higher - lower) - 1) ** 2 / n
    return Test("McNemar", chi2, math.erfc(math.sqrt(chi2 / 2)))


def wilcoxon(differences: Sequence[float]) -> Test | Undefined:
    """Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945), two-sided, as SciPy does it by default.

    Rows that did not change are left out, tied differences share their average rank. The distribution is exact for up
    to 50 rows if none is tied or unchanged, and for up to 13 anyway; else normal, corrected for ties.
    """
    changed = [difference for difference in differences if difference]
    if not changed:
        return Undefined("no row changed")
    doubled = _doubled_ranks([abs(difference) for difference in changed])
    ties = Counter(doubled)
    up = sum(rank for rank, difference in zip(doubled, changed, strict=True) if difference > 0)
    both = sum(doubled)
    tied = len(ties) < len(changed)
    plain = not tied and len(changed) == len(differences)
    statistic = min(up, both - up) / 2
    if len(differences) <= (EXACT_DIFFERENCES if plain else EXACT_TIED):
        return Test("Wilcoxon, exact", statistic, _exact(doubled, min(up, both - up)))
    n = len(changed)
    variance = (n * (n + 1) * (2 * n + 1) - sum(count**3 - count for count in ties.values()) / 2) / 24
    z = (up / 2 - n * (n + 1) / 4) / math.sqrt(variance)
    return Test("Wilcoxon", statistic, math.erfc(abs(z) / math.sqrt(2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, each as large as it counts among them (Holm, Scand. J. Statist. 6, 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _doubled_ranks(sizes: Sequence[float]) -> list[int]:
    """Twice the average rank of each, which is a whole number."""
    counts = Counter(sizes)
    before, rank = 0, {}
    for size in sorted(counts):
        rank[size] = 2 * before + counts[size] + 1
        before += counts[size]
    return [rank[size] for size in sizes]


def _exact(ranks: Sequence[int], sum_of_one_sign: int) -> float:
    """How probable a sum at most so large, or as extreme on the other side, is, if every sign is a toss of a coin."""
    ways = [1] + [0] * sum_of_one_sign
    for rank in ranks:
        for total in range(sum_of_one_sign, rank - 1, -1):
            ways[total] += ways[total - rank]
    return min(1.0, 2 * sum(ways) / (1 << len(ranks)))
