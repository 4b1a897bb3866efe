"""Agreement with people: known values, definitions spelled out the slow way, and what is undefined."""

import math
import random
from itertools import combinations

import pytest

from assay_sdk.engine.agree import agreement, kappa, kendall, ranks

Pairs = list[tuple[float, float]]


def of(pairs: Pairs, name: str) -> float:
    value = agreement([j for j, _ in pairs], [h for _, h in pairs]).statistics[name].value
    assert value is not None
    return value


def slow_kendall(pairs: Pairs) -> float:
    signs = [((a[0] > b[0]) - (a[0] < b[0]), (a[1] > b[1]) - (a[1] < b[1])) for a, b in combinations(pairs, 2)]
    untied_x, untied_y = sum(x != 0 for x, _ in signs), sum(y != 0 for _, y in signs)
    return sum(x * y for x, y in signs) / math.sqrt(untied_x * untied_y)


def slow_pearson(xs: list[float], ys: list[float]) -> float:
    n = len(xs)
    mx, my = sum(xs) / n, sum(ys) / n
    upper = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True))
    return upper / math.sqrt(sum((x - mx) ** 2 for x in xs) * sum((y - my) ** 2 for y in ys))


def slow_kappa(pairs: Pairs, scale: list[float], power: int) -> float:
    n, k = len(pairs), len(scale)
    weight = [[0.0 if i == j else abs(i - j) ** power for j in range(k)] for i in range(k)]
    observed = expected = 0.0
    for i in range(k):
        for j in range(k):
            observed += weight[i][j] * sum(p == (scale[i], scale[j]) for p in pairs) / n
            share_i = sum(p[0] == scale[i] for p in pairs) / n
            share_j = sum(p[1] == scale[j] for p in pairs) / n
            expected += weight[i][j] * share_i * share_j
    return 1 - observed / expected


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
    assert ranks([10, 20, 20, 5]) == [2, 3.5, 3.5, 1]
    assert of([(1, 2), (3, 3), (5, 2)], "bias") == pytest.approx(2 / 3)
    assert of([(1, 2), (3, 3), (5, 2)], "mae") == pytest.approx(4 / 3)
    assert of([(1, 2), (3, 3), (5, 2)], "rmse") == pytest.approx(math.sqrt(10 / 3))


def test_definitions_spelled_out_the_slow_way() -> None:
    rng = random.Random(11)
    for _ in range(60):
        n = rng.randrange(3, 40)
        pairs: Pairs = [(float(rng.randrange(5)), float(rng.randrange(5))) for _ in range(n)]
        xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
        if len(set(xs)) == 1 or len(set(ys)) == 1:
            continue
        assert of(pairs, "kendall") == pytest.approx(slow_kendall(pairs))
        assert of(pairs, "pearson") == pytest.approx(slow_pearson(xs, ys))
        assert of(pairs, "spearman") == pytest.approx(slow_pearson(ranks(xs), ranks(ys)))
        scale = sorted({*xs, *ys})
        for name, power in (("kappa", 0), ("kappa_linear", 1), ("kappa_quadratic", 2)):
            assert of(pairs, name) == pytest.approx(slow_kappa(pairs, scale, power))


def test_perfect_agreement_and_its_opposite() -> None:
    up = [float(i) for i in range(50)]
    same, opposite = agreement(up, up), agreement(up, up[::-1])
    for name in ("pearson", "spearman", "kendall", "kappa", "kappa_quadratic", "accuracy"):
        assert same.statistics[name].value == 1.0
    for name in ("pearson", "spearman", "kendall"):
        assert opposite.statistics[name].value == pytest.approx(-1.0)


def test_what_does_not_exist_is_undefined_and_says_why() -> None:
    constant = agreement([2, 2, 2], [1, 2, 3]).statistics
    for name in ("pearson", "spearman", "kendall"):
        assert constant[name].value is None
        assert constant[name].reason == "the judge gives always the same value"
    assert constant["mae"].value == pytest.approx(2 / 3)
    both = agreement([2, 2], [2, 2]).statistics
    assert (both["kappa"].value, both["accuracy"].value) == (None, 1.0)
    nothing = agreement([None, 1.0], [1.0, None])
    assert (nothing.n, nothing.left_out) == (0, 2)
    assert all(s.value is None and s.reason == "no row has both scores" for s in nothing.statistics.values())
    continuous = agreement([i / 7 for i in range(100)], [i / 9 for i in range(100)])
    assert continuous.statistics["kappa"].value is None
    assert "no categories" in str(continuous.statistics["kappa"].reason)
    assert continuous.confusion == []


def test_rows_without_both_scores_are_left_out() -> None:
    found = agreement([1.0, None, 3.0, math.nan], [1.0, 2.0, None, 4.0])
    assert (found.n, found.left_out) == (1, 3)


def test_confusion_matrix_has_people_in_its_rows() -> None:
    found = agreement([0, 1, 1, 1], [0, 0, 1, 1], categories=[0, 1, 2])
    assert found.categories == [0, 1, 2]
    assert found.confusion == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]


def test_an_unused_category_counts_as_distance() -> None:
    pairs: Pairs = [(0, 2), (2, 0), (0, 0), (2, 2), (0, 1)]
    wide, narrow = kappa(pairs, [0, 1, 2], 1), kappa(pairs, [0, 2, 1], 1)
    assert wide != narrow


def test_intervals_hold_the_value_and_are_the_same_for_the_same_seed() -> None:
    rng = random.Random(2)
    human = [float(rng.randrange(5)) for _ in range(80)]
    judge = [min(4.0, max(0.0, h + rng.choice([-1, 0, 0, 1]))) for h in human]
    first, second = (agreement(judge, human, resamples=200, seed=1).statistics for _ in range(2))
    assert first == second
    for name, found in first.items():
        assert found.value is not None and found.low is not None and found.high is not None, name
        assert found.low <= found.value <= found.high
        assert found.low < found.high


def test_many_rows_take_little_time() -> None:
    rng = random.Random(4)
    pairs: Pairs = [(rng.random(), rng.random()) for _ in range(50_000)]
    assert abs(kendall(pairs)) < 0.02
