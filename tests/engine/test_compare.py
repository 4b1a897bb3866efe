"""Comparison of runs: which rows pair up, the difference, its interval, the test that fits, what would have shown."""

import json
import random
from collections.abc import Callable, Sequence

import pytest

from assay_sdk.engine.compare import RunScores, compare, fingerprint
from assay_sdk.engine.comparison import Comparison, Difference
from assay_sdk.engine.errors import NotComparable
from tests.engine.references import np, stats


def run(name: str, values: Sequence[float | None], *, first: int = 0, item: Callable[[int], object] = str) -> RunScores:
    scores = RunScores(name, "llm-judge.s")
    for index, value in enumerate(values, first):
        scores.add(index, {"q": item(index)}, value)
    return scores


def between(first: Sequence[float | None], second: Sequence[float | None], **options: object) -> Difference:
    found = compare([run("a", first), run("b", second)], **options)  # type: ignore[arg-type]
    return found.differences[0]


def graded(n: int, seed: int = 4) -> tuple[list[float], list[float]]:
    rng = random.Random(seed)
    before = [float(rng.randrange(5)) for _ in range(n)]
    return before, [min(4.0, max(0.0, value + rng.choice([-1, 0, 0, 1, 1]))) for value in before]


def test_the_mean_difference_its_t_interval_and_wilcoxon() -> None:
    for n in (2, 10, 60, 400):
        before, after = graded(n)
        found = between(before, after)
        paired = stats.ttest_rel(after, before)
        low, high = paired.confidence_interval()
        assert found.difference.value == pytest.approx(np.mean(np.subtract(after, before)), abs=1e-12)
        assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=1e-9)
        assert found.difference.method == "Student's t"
        assert found.p == pytest.approx(stats.wilcoxon(after, before).pvalue, rel=1e-9)
        assert found.p_holm == found.p, "a single comparison needs no correction"
        assert (found.higher, found.lower) == (
            sum(b > a for a, b in zip(before, after, strict=True)),
            sum(b < a for a, b in zip(before, after, strict=True)),
        )
        assert found.higher + found.lower + found.equal == found.n == n


def test_a_score_of_two_values_gets_mcnemar_and_an_interval_that_holds_for_few_changes() -> None:
    before = [1.0] * 30 + [0.0] * 30
    after = [0.0] * 2 + [1.0] * 28 + [1.0] * 8 + [0.0] * 22
    found = between(before, after)
    assert found.test == "McNemar, exact"
    assert found.p == pytest.approx(stats.binomtest(2, 10).pvalue, rel=1e-9)
    # Bonett and Price by hand: 9 and 3 of 62.
    z, up, down = stats.norm.ppf(0.975), 9 / 62, 3 / 62
    half = z * ((up + down - (up - down) ** 2) / 62) ** 0.5
    assert (found.difference.low, found.difference.high) == pytest.approx(
        (up - down - half, up - down + half), abs=1e-12
    )
    stars = between([5 * value for value in before], [5 * value for value in after])
    assert stars.p == found.p
    assert stars.difference.low == pytest.approx(5 * (up - down - half))
    forced = between(before, after, test="wilcoxon")
    assert forced.p == pytest.approx(stats.wilcoxon(after, before).pvalue, rel=1e-9)


def test_mcnemar_refuses_a_score_of_more_values() -> None:
    with pytest.raises(NotComparable, match="two values, this one has 3"):
        between([0, 1, 2], [0, 1, 2], test="mcnemar")


def test_the_bootstrap_on_request() -> None:
    before, after = graded(120)
    found, again = (between(before, after, test="bootstrap", seed=3, resamples=2000) for _ in range(2))
    assert found == again != between(before, after, test="bootstrap", seed=4, resamples=2000)
    assert (found.test, found.difference.method) == ("bootstrap", "BCa bootstrap")
    low, high = stats.ttest_rel(after, before).confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=0.03)
    assert found.p == pytest.approx(stats.ttest_rel(after, before).pvalue, abs=0.02)
    assert between(before, after, test="bootstrap", resamples=0).untested == "no resamples to test with"


def test_the_smallest_difference_that_would_show() -> None:
    before, after = graded(60)
    error = np.std(np.subtract(after, before), ddof=1) / 60**0.5
    found = between(before, after).detectable.value
    assert found == pytest.approx(error * (stats.t.ppf(0.975, 59) + stats.t.ppf(0.8, 59)), rel=1e-9)
    # Of 400 studies with such a true difference about four in five find it.
    rng = np.random.default_rng(1)
    shown = [stats.ttest_1samp(rng.normal(found, error * 60**0.5, 60), 0).pvalue < 0.05 for _ in range(400)]
    assert 0.73 < np.mean(shown) < 0.87


# Which rows


def test_rows_pair_up_by_place_and_item() -> None:
    first = run("a", [1.0, 2.0, 3.0, None, 5.0])
    second = run("b", [2.0, 2.0, 9.0, 4.0, 5.0, 6.0], item=lambda index: "another" if index == 2 else str(index))
    found = compare([first, second]).differences[0]
    assert (found.n, found.other_item, found.unscored, found.only_first, found.only_second) == (3, 1, 1, 0, 1)
    assert found.unpaired == 2
    assert found.difference.value == pytest.approx(1 / 3)


def test_the_order_of_an_items_members_does_not_matter() -> None:
    assert fingerprint({"a": 1, "b": {"c": [1, 2], "d": None}}) == fingerprint({"b": {"d": None, "c": [1, 2]}, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint({"a": 2**80}) != fingerprint({"a": 2**80 + 1})
    assert fingerprint({"a": object}) != fingerprint({"b": object})


def test_runs_without_a_common_row_cannot_be_compared() -> None:
    with pytest.raises(NotComparable, match="no rows in common: 3 rows stand at the same place but hold another item"):
        compare([run("a", [1, 2, 3]), run("b", [1, 2, 3], item=lambda _: "x")])
    with pytest.raises(NotComparable, match="'a' has 3 rows and 'b' 2, none shared"):
        compare([run("a", [1, 2, 3]), run("b", [1, 2], first=7)])
    with pytest.raises(NotComparable, match="'b' 0"):
        compare([run("a", [1, 2, 3]), run("b", [])])


def test_rows_in_common_without_scores_are_no_error() -> None:
    found = between([None, 1.0], [1.0, None])
    assert (found.n, found.unscored, found.p, found.untested) == (0, 2, None, "no row has both scores")
    assert (found.difference.value, found.difference.reason) == (None, "no row has both scores")


def test_the_rows_that_changed_most_come_first() -> None:
    found = between([1, 1, 1, 1, 4], [2, 1, 4, 0, 1], changed=3)
    assert [(row.index, row.first, row.second) for row in found.changed] == [(2, 1, 4), (4, 4, 1), (0, 1, 2)]
    assert between([1, 2], [2, 1], changed=0).changed == []


# Several


def test_each_with_each_or_all_with_one_corrected_by_holm() -> None:
    runs = [run(name, graded(80, seed)[seed % 2]) for seed, name in enumerate("abc")]
    each = compare(runs)
    assert [(found.first, found.second) for found in each.differences] == [("a", "b"), ("a", "c"), ("b", "c")]
    p_values = sorted((found.p or 0.0, found.p_holm or 0.0) for found in each.differences)
    assert p_values[0][1] == pytest.approx(min(1.0, 3 * p_values[0][0]))
    assert p_values[1][1] == pytest.approx(min(1.0, max(p_values[0][1], 2 * p_values[1][0])))
    one = compare(runs, baseline="b")
    assert [(found.first, found.second) for found in one.differences] == [("b", "a"), ("b", "c")]
    assert [entry.run for entry in one.runs] == ["a", "b", "c"], "runs stay in the order in which they were given"


@pytest.mark.parametrize("names", [["a"], [], ["a", "a"]])
def test_it_takes_two_different_runs(names: list[str]) -> None:
    with pytest.raises(NotComparable, match="two or more runs, each once"):
        compare([run(name, [1, 2]) for name in names])


def test_a_baseline_is_one_of_the_runs() -> None:
    with pytest.raises(NotComparable, match="'c' is not among the runs that are compared: a, b"):
        between([1, 2], [2, 1], baseline="c")


# What does not exist


def test_what_does_not_exist_says_why() -> None:
    same = between([1, 2, 3], [1, 2, 3])
    assert (same.difference.value, same.p, same.untested) == (0.0, None, "no row changed")
    assert (same.detectable.value, same.detectable.reason) == (None, "no row changed")
    shifted = between([1, 2, 3], [2, 3, 4])
    assert shifted.difference.reason == shifted.detectable.reason == "every row changed by the same"
    assert shifted.p == pytest.approx(0.25), "the test needs no spread"
    single = between([1, 2], [3, None])
    assert (single.n, single.difference.value, single.detectable.reason) == (1, 2.0, "only one row")
    beyond = between([1.7e308, 0.0, 1.0], [-1.7e308, 1.0, 5.0])
    assert (beyond.difference.value, beyond.difference.reason) == (None, "beyond what a number can hold")


def test_it_travels_and_holds_no_nan() -> None:
    for first, second in (graded(30), ([1.0], [1.0]), ([1.0], [2.0]), ([None], [1.0]), ([1e308, 2.0], [-1e308, 1.0])):
        found = compare([run("a", first), run("b", second)])
        document = json.loads(json.dumps(found.to_wire(), allow_nan=False))
        assert Comparison.from_wire(document) == found
        assert Comparison.from_wire({**document, "from": "the future"}) == found


def test_the_summary_reads_well() -> None:
    first = run("plain", [1.0, 2.0, 3.0, None, 5.0, 1.0])
    second = run("strict", [0.0, 2.0, 2.0, 4.0, 3.0], item=lambda index: "another" if index == 1 else str(index))
    lines = compare([first, second]).summary().splitlines()
    assert lines[2].split() == ["plain", "llm-judge.s", "5", "of", "6", "2.4"]
    row = next(line for line in lines if line.startswith("strict - plain  "))
    assert row.split()[3:7] == ["3", "0", "3", "-1.333"]
    assert "strict - plain: 2 rows do not pair up: 1 only in plain, 0 only in strict, 1 with another item" in lines
    assert "strict - plain: 1 rows lack a score" in lines
    assert "strict - plain: rows that changed most: 4 (5 to 3), 0 (1 to 0), 2 (3 to 2)" in lines
