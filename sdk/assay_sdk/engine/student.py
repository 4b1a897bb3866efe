"""Student's t: how many standard errors to either side of a mean of rows (Abramowitz and Stegun, section 26.7)."""

import math
from functools import lru_cache

from assay_sdk.engine.intervals import NORMAL

MANY = 1000
"""From so many degrees of freedom on, the expansion in their reciprocal is exact to 13 digits."""


@lru_cache(maxsize=256)
def t_quantile(share: float, degrees: int) -> float:
    """The value that Student's t with so many degrees of freedom stays below with the chance `share`."""
    if share < 0.5:
        return -t_quantile(1 - share, degrees)
    z = NORMAL.inv_cdf(share)
    return _expanded(z, degrees) if degrees >= MANY else _solved(share, z, degrees)


def _expanded(z: float, degrees: int) -> float:
    """26.7.5"""
    z2 = z * z
    terms = (
        (z2 + 1) / 4,
        ((5 * z2 + 16) * z2 + 3) / 96,
        (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384,
        ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160,
    )
    return z + z * math.fsum(term / degrees**power for power, term in enumerate(terms, 1))


def _solved(share: float, start: float, degrees: int) -> float:
    """By Newton's steps, each kept inside the bracket that the earlier ones left."""
    low, high = 0.0, 1.0
    while t_below(high, degrees) < share:
        low, high = high, 2 * high
    t = min(max(start, low), high)
    for _ in range(200):
        error = t_below(t, degrees) - share
        low, high = (low, t) if error > 0 else (t, high)
        step = t - error / _density(t, degrees)
        step = step if low <= step <= high else (low + high) / 2
        if abs(step - t) <= 1e-15 * step:
            break
        t = step
    return t


def t_below(t: float, degrees: int) -> float:
    """The chance that Student's t stays below `t` (26.7.3 and 26.7.4, sums of half as many terms as `degrees`)."""
    angle = math.atan2(t, math.sqrt(degrees))
    cosine2 = math.cos(angle) ** 2
    term, total = (math.cos(angle), 0.0) if degrees % 2 else (1.0, 0.0)
    for k in range(degrees % 2, degrees - 1, 2):
        total += term
        term *= cosine2 * (k + 1) / (k + 2)
    within = math.sin(angle) * total
    return 0.5 + ((angle + within) / math.pi if degrees % 2 else within / 2)


def _density(t: float, degrees: int) -> float:
    scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - 0.5 * math.log(degrees * math.pi)
    return math.exp(scale - (degrees + 1) / 2 * math.log1p(t * t / degrees))
