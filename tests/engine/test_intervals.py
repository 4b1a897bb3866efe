"""Intervals: BCa is SciPy's for the same replicates, resamples are drawn as they should be, and the work is bounded."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import pytest

from assay_sdk.engine import draws
from assay_sdk.engine.agree import agreement
from assay_sdk.engine.draws import binomial, multinomial
from assay_sdk.engine.intervals import MOST_CELLS, Bootstrap, Interval, Undefined, wilson
from tests.engine.references import np, stats


class Mean:
    """The mean of values of which equal ones are counted."""

    def __init__(self, values: Sequence[float], counts: Sequence[int]) -> None:
        self.values, self.counts = values, counts

    @classmethod
    def of(cls, rows: Sequence[float]) -> Self:
        found = Counter(rows)
        return cls(list(found), list(found.values()))

    def measure(self, weights: Sequence[int]) -> dict[str, float | Undefined]:
        total = sum(value * weight for value, weight in zip(self.values, weights, strict=True))
        return {"mean": float(total) / sum(weights)}

    def part(self, cells: Sequence[int]) -> Self:
        return type(self)([self.values[cell] for cell in cells], [1] * len(cells))


def bootstrap(rows: Sequence[float], resamples: int = 1000, seed: int = 0) -> Bootstrap:
    cells = Mean.of(rows)
    return Bootstrap(cells, cells.measure(cells.counts), resamples=resamples, seed=seed)


def interval(drawn: Bootstrap) -> Interval:
    found = drawn.intervals()["mean"]
    assert isinstance(found, Interval)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_bca_is_that_of_scipy(seed: int) -> None:
    rng = random.Random(seed)
    rows = [round(rng.expovariate(1), rng.choice([1, 9])) for _ in range(rng.choice([6, 20, 90]))]
    drawn = bootstrap(rows, resamples=400, seed=seed)
    given: Any = type("Given", (), {"bootstrap_distribution": np.array(drawn.drawn["mean"])})
    theirs = stats.bootstrap((rows,), np.mean, n_resamples=0, bootstrap_result=given, method="BCa").confidence_interval
    ours = interval(drawn)
    assert ours.method == "BCa bootstrap"
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_many_different_rows_are_resampled_in_part_and_the_interval_is_as_wide() -> None:
    rng = random.Random(5)
    rows = [rng.gauss(0, 1) for _ in range(20 * MOST_CELLS)]
    found = interval(bootstrap(rows))
    assert found.method == "m out of n bootstrap"
    half = 1.96 * np.std(rows) / len(rows) ** 0.5
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.12)
    assert found.low < np.mean(rows) < found.high


def test_rows_that_are_alike_are_counted_not_copied() -> None:
    """Ten thousand rows of few different scores are resampled whole, and their interval is the textbook's."""
    rng = random.Random(6)
    human = [float(rng.randrange(5)) for _ in range(10_000)]
    judge = [value if rng.random() < 0.6 else float(rng.randrange(5)) for value in human]
    found = agreement(judge, human)
    assert found["pearson"].method == found["kappa"].method == "BCa bootstrap"
    errors = np.abs(np.subtract(judge, human))
    half = 1.96 * np.std(errors) / 100
    assert (found["mae"].low, found["mae"].high) == pytest.approx(
        (np.mean(errors) - half, np.mean(errors) + half), abs=0.15 * half
    )


@pytest.mark.thorough
def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """150 samples of 40 rows from a population that is known; by chance alone 89 to 99 % of intervals are hits."""
    population = [(0, 0)] * 5 + [(0, 1)] * 2 + [(1, 0)] + [(1, 1)] * 6 + [(1, 2)] * 2 + [(2, 2)] * 4
    truth = agreement([j for j, _ in population], [h for _, h in population], resamples=0)
    rng, hits = random.Random(3), Counter[str]()
    for seed in range(150):
        rows = rng.choices(population, k=40)
        found = agreement([j for j, _ in rows], [h for _, h in rows], resamples=150, seed=seed)
        for name in ("kappa", "spearman", "mae", "accuracy"):
            value, low, high = truth[name].value, found[name].low, found[name].high
            assert value is not None and low is not None and high is not None
            hits[name] += low <= value <= high
    assert all(0.88 <= hit / 150 <= 0.99 for hit in hits.values()), hits


def test_wilson_is_that_of_scipy() -> None:
    for n in (1, 2, 7, 60, 1000):
        for successes in {0, 1, n // 2, n - 1, n}:
            theirs = stats.binomtest(successes, n).proportion_ci(method="wilson")
            ours = wilson(successes, n)
            assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_chance_of_a_mean_agrees_with_the_t_test() -> None:
    rng = random.Random(8)
    for shift in (0.0, 0.1, 0.3):
        rows = [rng.gauss(shift, 1) for _ in range(120)]
        chance = bootstrap(rows, resamples=2000).chance("mean")
        assert chance == pytest.approx(stats.ttest_1samp(rows, 0).pvalue, abs=0.04)


# Draws


@pytest.mark.parametrize(("n", "upper", "lower"), [(9, 1, 3), (400, 1, 7), (30_000, 3, 8), (30_000, 1, 9000)])
def test_binomial_draws(n: int, upper: int, lower: int) -> None:
    rng = random.Random(1)
    drawn = [binomial(rng, n, upper, lower) for _ in range(3000)]
    p = upper / lower
    assert np.mean(drawn) == pytest.approx(n * p, abs=5 * (n * p * (1 - p) / 3000) ** 0.5)
    assert np.var(drawn) == pytest.approx(n * p * (1 - p), rel=0.15)


@pytest.mark.parametrize("few", [2000, 1])
def test_binomial_draws_have_their_distribution(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "FEW", few)
    rng = random.Random(2)
    drawn = Counter(binomial(rng, 9, 1, 3) for _ in range(5000))
    counts = [drawn[k] for k in range(8)]  # eight and nine successes are too rare to count
    shares = stats.binom.pmf(range(8), 9, 1 / 3)
    assert stats.chisquare(counts, sum(counts) * shares / sum(shares)).pvalue > 1e-4
    assert (binomial(rng, 50, 0, 3), binomial(rng, 50, 3, 3), binomial(rng, 0, 1, 3)) == (0, 50, 0)


@pytest.mark.parametrize("counts", [[1] * 60, [500, 300, 200], [3000, 1, 999]])
def test_multinomial_draws(counts: list[int]) -> None:
    rng = random.Random(3)
    rows = [cell for cell, count in enumerate(counts) for _ in range(count)]
    drawn = [multinomial(rng, counts, rows) for _ in range(1500)]
    assert {sum(each) for each in drawn} == {len(rows)}
    for cell, count in enumerate(counts):
        spread = (count * (1 - count / len(rows))) ** 0.5
        assert np.mean([each[cell] for each in drawn]) == pytest.approx(count, abs=5 * spread / 1500**0.5)
