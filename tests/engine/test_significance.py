"""Tests of paired rows: the p-values of SciPy, and of the definitions where SciPy has none."""

import math
import random
from collections.abc import Callable

import pytest

from assay_sdk.engine.intervals import Undefined
from assay_sdk.engine.significance import Test as Found
from assay_sdk.engine.significance import holm, mcnemar, wilcoxon
from assay_sdk.engine.student import t_quantile
from tests.engine.references import stats

RNG = random.Random(1)
KINDS: dict[str, Callable[[], float]] = {
    "continuous": lambda: RNG.gauss(0.2, 1),
    "graded": lambda: float(RNG.randrange(-2, 4)),
    "three-valued": lambda: RNG.choice([-1.0, 1.0, 0.0]),
    "huge": lambda: RNG.choice([-1, 1]) * 1e160 * RNG.random(),
    "one-sided": lambda: abs(RNG.gauss(0, 1)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_wilcoxon_is_that_of_scipy(kind: str) -> None:
    for size in (1, 2, 3, 7, 12, 13, 14, 30, 50, 51, 200):
        # Of few tied rows SciPy goes through all signs, which takes it seconds.
        if kind == "three-valued" and size in (12, 13):
            continue
        for _ in range(12 if size > 13 or kind not in ("graded", "three-valued") else 1):
            differences = [KINDS[kind]() for _ in range(size)]
            found = wilcoxon(differences)
            if not any(differences):
                assert found == Undefined("no row changed")
                continue
            expected = stats.wilcoxon(differences)
            assert isinstance(found, Found)
            assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
            assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)


def test_mcnemar_is_binomial_for_few_changes_and_chi_square_for_many() -> None:
    for higher in range(45):
        for lower in range(45):
            n = higher + lower
            found = mcnemar(higher, lower)
            if not n:
                assert found == Undefined("no row changed")
                continue
            assert isinstance(found, Found)
            assert found.name == ("McNemar, exact" if n < 25 else "McNemar")
            corrected = max(0, abs(higher - lower) - 1) ** 2 / n
            expected = stats.binomtest(higher, n).pvalue if n < 25 else stats.chi2.sf(corrected, 1)
            assert found.p == pytest.approx(expected, rel=1e-9)


def test_holm_by_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    for _ in range(50):
        p_values = [RNG.random() ** 3 for _ in range(RNG.randrange(1, 9))]
        adjusted = holm(p_values)
        ordered = sorted(p_values)
        for p, found in zip(p_values, adjusted, strict=True):
            steps = [(len(ordered) - rank) * value for rank, value in enumerate(ordered) if value <= p]
            assert found == pytest.approx(min(1.0, max(steps)))


def test_t_quantiles_are_those_of_scipy() -> None:
    for degrees in (*range(1, 40), 100, 333, 999, 1000, 9999, 200_000):
        for share in (0.01, 0.2, 0.5, 0.8, 0.95, 0.975, 0.9999):
            assert t_quantile(share, degrees) == pytest.approx(stats.t.ppf(share, degrees), rel=1e-10, abs=1e-12)
    assert t_quantile(0.975, 1) == pytest.approx(math.tan(0.475 * math.pi))
