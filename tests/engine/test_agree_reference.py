"""The same numbers as SciPy and scikit-learn, to 1e-9, on thousands of columns, most of them nasty."""

import random
import warnings
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_sdk.engine.agree import agreement
from assay_sdk.engine.categories import MOST
from tests.engine.references import metrics, np, stats

CLOSE = 1e-9
Columns = tuple[list[float], list[float]]


def reference(judge: list[float], human: list[float]) -> dict[str, float]:
    scale = {value: place for place, value in enumerate(sorted({*judge, *human}))}
    a, b = [scale[value] for value in judge], [scale[value] for value in human]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        of_categories = {
            "accuracy": lambda: metrics.accuracy_score(b, a),
            "kappa": lambda: metrics.cohen_kappa_score(a, b),
            "kappa_linear": lambda: metrics.cohen_kappa_score(a, b, weights="linear"),
            "kappa_quadratic": lambda: metrics.cohen_kappa_score(a, b, weights="quadratic"),
        }
        return {
            "pearson": stats.pearsonr(judge, human).statistic,
            "spearman": stats.spearmanr(judge, human).statistic,
            "kendall": stats.kendalltau(judge, human).statistic,
            "mae": metrics.mean_absolute_error(human, judge),
            "rmse": metrics.root_mean_squared_error(human, judge),
            "bias": float(np.mean(np.subtract(judge, human))),
            **{name: compute() for name, compute in of_categories.items() if len(scale) <= MOST},
        }


def compare(judge: list[float], human: list[float]) -> int:
    """Hold every statistic that is defined against the reference, and return how many were."""
    found = agreement(judge, human, resamples=0)
    constant = len(set(judge)) == 1 or len(set(human)) == 1
    compared = 0
    for name, expected in reference(judge, human).items():
        value = found[name].value
        if name in ("mae", "rmse", "bias"):
            unit = max(map(abs, judge + human)) or 1.0
            assert value is not None and abs(value - expected) <= CLOSE * unit, (name, judge, human)
        elif constant and name != "accuracy":
            assert value is None
            continue
        else:
            assert value is not None and abs(value - expected) <= CLOSE, (name, judge, human)
        compared += 1
    return compared


RNG = random.Random(17)
KINDS: dict[str, Callable[[], float]] = {
    "five grades": lambda: float(RNG.randrange(5)),
    "yes or no": lambda: float(RNG.randrange(2)),
    "any number": RNG.random,
    "huge": lambda: RNG.choice([-1, 1]) * RNG.random() * 1e150,
    "tiny": lambda: RNG.random() * 1e-150,
    "far from zero": lambda: 1e9 + RNG.randrange(10),
    "of all sizes": lambda: 10.0 ** RNG.randrange(-20, 20),
    "negative": lambda: -float(RNG.randrange(4)),
    "halves": lambda: RNG.randrange(9) / 2,
    "almost constant": lambda: float(RNG.random() < 0.03),
}


@pytest.mark.parametrize("kind", KINDS)
def test_random_columns(kind: str) -> None:
    compared = 0
    for size in (2, 3, 5, 12, 60):
        for _ in range(4):
            judge = [KINDS[kind]() for _ in range(size)]
            other = KINDS[RNG.choice([kind, *KINDS])]
            compared += compare(judge, [other() if RNG.random() < 0.7 else value for value in judge])
    assert compared > 60


@pytest.mark.thorough
@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=40))
def test_all_small_tables(pairs: list[tuple[int, int]]) -> None:
    compare([float(j) for j, _ in pairs], [float(h) for _, h in pairs])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), max_size=30))
def test_whatever_is_finite_gives_a_finite_number_or_a_reason(pairs: list[tuple[float, float]]) -> None:
    for found in agreement([j for j, _ in pairs], [h for _, h in pairs], resamples=20).statistics.values():
        numbers = [number for number in (found.value, found.low, found.high) if number is not None]
        assert all(np.isfinite(numbers))
        assert found.reason if found.value is None else True


@pytest.mark.thorough
def test_a_large_table() -> None:
    human = [RNG.randrange(101) / 10 for _ in range(5000)]
    compare([value + RNG.gauss(0, 2) for value in human], human)
    compare([min(10.0, max(0.0, round(value + RNG.gauss(0, 2), 1))) for value in human], human)


def test_where_scipy_loses_digits_the_exact_value() -> None:
    """Far from zero a float's own digits are few; the correlation of what they say is exact all the same."""
    judge = [1e15 + v / 8 for v in (0, 3, 1, 9, 4, 8)]
    human = [1e12 + v / 4096 for v in (1, 2, 0, 8, 6, 9)]
    exact = [(Fraction(j), Fraction(h)) for j, h in zip(judge, human, strict=True)]
    n = len(exact)
    mj, mh = sum(j for j, _ in exact) / n, sum(h for _, h in exact) / n
    upper = sum((j - mj) * (h - mh) for j, h in exact)
    lower = sum((j - mj) ** 2 for j, _ in exact) * sum((h - mh) ** 2 for _, h in exact)
    assert agreement(judge, human)["pearson"].value == pytest.approx(float(upper) / float(lower) ** 0.5, abs=1e-13)


def test_labels_as_scikit_learn_counts_them() -> None:
    order = ["poor", "fair", "good", "great"]
    for _ in range(30):
        judge = [RNG.choice(order) for _ in range(30)]
        human = [value if RNG.random() < 0.6 else RNG.choice(order) for value in judge]
        found = agreement(judge, human, categories=order, resamples=0)
        for name, weights in (("kappa", None), ("kappa_linear", "linear"), ("kappa_quadratic", "quadratic")):
            expected = metrics.cohen_kappa_score(judge, human, labels=order, weights=weights)
            assert found[name].value == pytest.approx(expected, abs=CLOSE)
        assert found.confusion == metrics.confusion_matrix(human, judge, labels=order).tolist()
        assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(human, judge), abs=CLOSE)


def test_kendall_counts_every_pair_of_rows() -> None:
    pairs = [(float(RNG.randrange(4)), float(RNG.randrange(6))) for _ in range(50)]
    signs = [((a[0] > b[0]) - (a[0] < b[0]), (a[1] > b[1]) - (a[1] < b[1])) for a, b in combinations(pairs, 2)]
    untied = sum(x != 0 for x, _ in signs) * sum(y != 0 for _, y in signs)
    found = agreement([j for j, _ in pairs], [h for _, h in pairs], resamples=0)["kendall"].value
    assert found == pytest.approx(sum(x * y for x, y in signs) / untied**0.5, abs=1e-12)
