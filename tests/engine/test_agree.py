"""Agreement with people: known values, what is undefined and why, labels, and what the result says of itself."""

import json
import math
import random
from typing import Any

import pytest

from assay_sdk.engine.agree import Agreement, agreement

Pairs = list[tuple[float, float]]
CORRELATIONS = ("pearson", "spearman", "kendall")
KAPPAS = ("kappa", "kappa_linear", "kappa_quadratic")


def of(pairs: Pairs, name: str) -> float:
    value = agreement([j for j, _ in pairs], [h for _, h in pairs], resamples=0)[name].value
    assert value is not None
    return value


def test_worked_examples() -> None:
    # Two raters, 20 + 5 + 10 + 15 rows: Cohen's kappa is 0.4.
    pairs: Pairs = [(1, 1)] * 20 + [(0, 1)] * 10 + [(1, 0)] * 5 + [(0, 0)] * 15
    assert of(pairs, "kappa") == pytest.approx(0.4)
    assert of(pairs, "accuracy") == pytest.approx(0.7)
    # Anscombe's first set: r = 0.81642.
    xs = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    ys = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    assert of(list(zip(xs, ys, strict=True)), "pearson") == pytest.approx(0.81642051634484)
    # By hand: 3 pairs of rows concordant, 2 discordant, 1 tied by people.
    assert of([(1, 1), (2, 3), (3, 3), (4, 2)], "kendall") == pytest.approx((3 - 2) / math.sqrt(6 * 5))
    assert of([(1, 2), (3, 3), (5, 2)], "bias") == pytest.approx(2 / 3)
    assert of([(1, 2), (3, 3), (5, 2)], "mae") == pytest.approx(4 / 3)
    assert of([(1, 2), (3, 3), (5, 2)], "rmse") == pytest.approx(math.sqrt(10 / 3))


def test_perfect_agreement_and_its_opposite() -> None:
    up = [float(i) for i in range(50)]
    same, opposite = agreement(up, up), agreement(up, up[::-1])
    for name in (*CORRELATIONS, *KAPPAS, "accuracy"):
        assert same[name].value == 1.0
    for name in CORRELATIONS:
        assert opposite[name].value == pytest.approx(-1.0)


def test_a_constant_column_is_undefined_and_says_whose() -> None:
    judge = agreement([2, 2, 2, 2, 2, 2], [1, 2, 3, 1, 2, 3])
    people = agreement([1, 2, 3, 1, 2, 3], [2] * 6)
    both = agreement([2] * 6, [2] * 6)
    for name in (*CORRELATIONS, *KAPPAS):
        assert (judge[name].value, judge[name].reason) == (None, "the judge always gives the same value")
        assert (people[name].value, people[name].reason) == (None, "people always give the same value")
        assert both[name].value is None
    assert judge["mae"].value == pytest.approx(2 / 3)
    assert (both["accuracy"].value, both["bias"].value) == (1.0, 0.0)
    assert judge.confusion == [[0, 2, 0], [0, 2, 0], [0, 2, 0]]


def test_without_rows_everything_is_undefined() -> None:
    found = agreement([None, 1.0, math.nan], [1.0, None, None])
    assert (found.rows, found.n, found.left_out, found.unscored, found.unrated) == (3, 0, 3, 2, 2)
    assert all(s.value is None and s.reason == "no row has both scores" and s.n == 0 for s in found.statistics.values())
    assert (agreement([], []).n, agreement([], []).confusion) == (0, [])


def test_too_many_values_are_no_categories() -> None:
    continuous = agreement([i / 7 for i in range(200)], [i / 9 for i in range(200)], resamples=0)
    for name in ("accuracy", *KAPPAS):
        assert continuous[name].value is None
        assert "no categories" in str(continuous[name].reason)
    assert (continuous.confusion, continuous.categories) == ([], [])
    percent = agreement(range(101), range(101), resamples=0)
    assert percent["kappa"].value == 1.0, "0 to 100 is a scale that people use"


def test_rows_without_both_scores_are_left_out() -> None:
    found = agreement([1.0, None, 3.0, math.nan], [1.0, 2.0, None, 4.0])
    assert (found.n, found.left_out, found.unscored, found.unrated) == (1, 3, 2, 1)
    with pytest.raises(ValueError):
        agreement([1.0, 2.0], [1.0])


def test_confusion_matrix_has_people_in_its_rows() -> None:
    found = agreement([0, 1, 1, 1], [0, 0, 1, 1], categories=[0, 1, 2])
    assert found.categories == [0, 1, 2]
    assert found.confusion == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]


def test_an_unused_category_counts_as_distance() -> None:
    judge, human = [0, 2, 0, 2, 0], [2, 0, 0, 2, 1]
    wide = agreement(judge, human, categories=[0, 1, 2], resamples=0)["kappa_linear"].value
    narrow = agreement(judge, human, categories=[0, 2, 1], resamples=0)["kappa_linear"].value
    assert wide != narrow
    gap = agreement([0, 5, 0, 5], [0, 5, 5, 5], categories=[0, 1, 2, 3, 4, 5], resamples=0)
    assert gap["kappa_linear"].value == gap["kappa"].value, "of two values, weights cannot matter"


def test_values_that_squares_of_would_not_fit() -> None:
    judge, human = [1e200, 2e200, 4e200, 3e200, 1e200], [1e200, 2e200, 3e200, 4e200, 2e200]
    huge, small = agreement(judge, human), agreement([v / 1e200 for v in judge], [v / 1e200 for v in human])
    for name in CORRELATIONS:
        assert huge[name].value == pytest.approx(small[name].value)
    assert huge["rmse"].value == pytest.approx(1e200 * (small["rmse"].value or 0))
    beyond = agreement([1.7e308, -1.7e308], [-1.7e308, 1.7e308])
    assert (beyond["mae"].value, beyond["mae"].reason) == (None, "beyond what a number can hold")
    assert beyond["pearson"].value == -1.0


def test_large_values_that_differ_by_little() -> None:
    offset = [1e15 + v for v in (1, 2, 3, 4, 5, 6)]
    assert agreement(offset, [1, 2, 3, 4, 6, 5])["pearson"].value == pytest.approx(0.9428571428571428, abs=1e-12)


# Labels


def test_labels() -> None:
    judge = ["good", "bad", "good", "fair", None, "good"]
    human = ["good", "bad", "fair", "fair", "bad", "good"]
    found = agreement(judge, human, categories=["bad", "fair", "good"], resamples=0)
    assert set(found.statistics) == {"accuracy", *KAPPAS}
    assert found["accuracy"].value == pytest.approx(0.8)
    assert found.categories == ["bad", "fair", "good"]
    assert found.confusion == [[1, 0, 0], [0, 1, 1], [0, 0, 2]]
    numbers = agreement([2, 0, 2, 1, None, 2], [2, 0, 1, 1, 0, 2], categories=[0, 1, 2], resamples=0)
    for name in KAPPAS:
        assert found[name].value == numbers[name].value


def test_labels_without_an_order_have_no_weighted_kappa() -> None:
    for categories in (None, ["good", "bad"]):
        found = agreement(["good", "bad", "bad"], ["good", "bad", "odd"], categories=categories, resamples=0)
        assert found["kappa"].value is not None
        assert found["kappa_quadratic"].value is None
        assert "no order" in str(found["kappa_quadratic"].reason)
        assert set(found.categories) == {"good", "bad", "odd"}


def test_numbers_and_labels_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot be compared with labels"):
        agreement([1.0, 2.0], ["good", "bad"])


# Intervals


def noisy(n: int, seed: int = 2) -> tuple[list[float], list[float]]:
    rng = random.Random(seed)
    human = [float(rng.randrange(5)) for _ in range(n)]
    return [min(4.0, max(0.0, h + rng.choice([-1, 0, 0, 1]))) for h in human], human


def test_each_statistic_has_an_interval_and_its_rows() -> None:
    judge, human = noisy(80)
    for name, found in agreement(judge, human, resamples=300).statistics.items():
        assert found.value is not None and found.low is not None and found.high is not None, name
        assert found.low < found.value < found.high, name
        assert found.n == 80
        assert found.method == ("Wilson" if name == "accuracy" else "BCa bootstrap")


def test_the_same_seed_gives_the_same_intervals_in_whatever_order_rows_come() -> None:
    judge, human = noisy(60)
    order = list(range(60))
    random.Random(9).shuffle(order)
    first = agreement(judge, human, resamples=200, seed=1)
    assert agreement([judge[i] for i in order], [human[i] for i in order], resamples=200, seed=1) == first
    assert agreement(judge, human, resamples=200, seed=2).statistics != first.statistics


def test_an_interval_that_would_say_nothing_is_left_out_and_says_why() -> None:
    perfect = agreement([1, 2, 3] * 10, [1, 2, 3] * 10)
    assert (perfect["kappa"].low, perfect["kappa"].value) == (None, 1.0)
    assert "too much alike" in str(perfect["kappa"].reason)
    assert perfect["accuracy"].low == pytest.approx(0.8865, abs=1e-4), "30 of 30 is no certainty"
    rare = agreement([1] * 29 + [2], [1, 2] * 15)
    assert rare["pearson"].low is None and "of the resamples" in str(rare["pearson"].reason)
    few = agreement([1, 2, 3], [1, 3, 2])
    assert few["pearson"].low is None and "fewer than 5 rows" in str(few["pearson"].reason)
    none = agreement(*noisy(30), resamples=0)
    assert all(found.low is None for found in none.statistics.values())


# The value


def test_it_travels_and_holds_no_nan() -> None:
    for found in (agreement(*noisy(40)), agreement([1.0], [1.0]), agreement(["a", "b"], ["b", "b"]), agreement([], [])):
        document = json.loads(json.dumps(found.to_wire(), allow_nan=False))
        assert Agreement.from_wire(document) == found
        newer: dict[str, Any] = {**document, "from": "the future"}
        assert Agreement.from_wire(newer) == found


def test_the_summary_reads_well() -> None:
    text = agreement([0, 0, 1, 1, 2, None], [0, 0, 1, 2, 2, 2], score="llm-judge.tone", column="tone").summary()
    head, *rest = text.splitlines()
    assert head == "llm-judge.tone against people's 'tone': 5 of 6 rows have both (1 unscored, 0 unrated)"
    assert any(line.split()[:2] == ["mae", "0.2"] for line in rest)
    assert [line.split() for line in rest[-3:]] == [["0", "2", "0", "0"], ["1", "0", "1", "0"], ["2", "0", "1", "1"]]
    constant = agreement([1, 1, 1], [0, 1, 2]).summary()
    assert "pearson          undefined" in constant
    assert "pearson: the judge always gives the same value" in constant
