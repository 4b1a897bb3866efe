"""Resampling rows with replacement, counted: how often each of a few different values is drawn."""

from collections.abc import Sequence
from random import Random

FEW = 2000
"""Up to so many trials a binomial is drawn bit by bit; more are halved first."""


def multinomial(rng: Random, counts: Sequence[int], rows: Sequence[int]) -> list[int]:
    """As many rows as there are, drawn with replacement: how often each cell comes up.

    `counts` says how often each cell occurs, and `rows` is the same row by row: the cell of every row.
    """
    n = len(rows)
    if len(counts) * (n + 2400) < 430 * n:  # measured: where drawing cell by cell takes less time than row by row
        return _cell_by_cell(rng, counts, n)
    drawn = [0] * len(counts)
    for cell in rng.choices(rows, k=n):
        drawn[cell] += 1
    return drawn


def _cell_by_cell(rng: Random, counts: Sequence[int], n: int) -> list[int]:
    drawn = []
    left, of = n, n
    for count in counts:
        taken = binomial(rng, left, count, of)
        drawn.append(taken)
        left, of = left - taken, of - count
    return drawn


def binomial(rng: Random, n: int, upper: int, lower: int) -> int:
    """How many of `n` trials succeed, each with the chance `upper / lower`. Exact, and quick for large n.

    A uniform number is below p if, at the first binary digit in which they differ, p has the one: the digits of all
    trials that are still level are drawn at once and counted. Many trials are first halved at their median, which is
    Beta distributed (Devroye, Non-Uniform Random Variate Generation, 1986, chapter X.4.3).
    """
    if upper >= lower:
        return n
    below = 0
    while n > FEW and upper:
        middle = n // 2 + 1
        median = rng.betavariate(middle, n + 1 - middle)
        p = upper / lower
        if p < median:
            n, p = middle - 1, p / median
        else:
            below, n, p = below + middle, n - middle, (p - median) / (1 - median)
        upper, lower = p.as_integer_ratio()
    while n and upper:
        upper *= 2
        zeros = rng.getrandbits(n).bit_count()
        if upper >= lower:
            upper -= lower
            below, n = below + zeros, n - zeros
        else:
            n = zeros
    return below
