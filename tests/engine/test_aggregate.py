"""Aggregates: exact, the same in any order and split, and in the shape each client version takes."""

import math
import random
from itertools import pairwise
from typing import Any

import pytest

from assay_sdk.engine.aggregate import Summary, histogram, percentile, statistics_of
from assay_sdk.engine.result import RowScore, Score, ScoreState
from assay_sdk.engine.spec import LLMJudgeMetric, parse_metric

RUBRIC = [
    {"label": "poor", "value": 0, "description": "of no use"},
    {"label": "fair", "value": 0.5},
    {"label": "good", "value": 1},
]


def metric(*scores: dict[str, Any]) -> LLMJudgeMetric:
    model = {"url": "http://judge.example/v1", "name": "judge"}
    found = parse_metric(
        {"type": "llm-judge", "model": model, "scores": scores or [{"name": "s", "minimum": 0, "maximum": 9}]}
    )
    assert isinstance(found, LLMJudgeMetric)
    return found


def row(value: float | None, label: str | None = None, key: str = "llm-judge", index: int = 0) -> RowScore:
    state, reason = (ScoreState.SCORED, None) if value is not None else (ScoreState.UNPARSEABLE, "why")
    return RowScore(index, {}, {}, {key: [Score("s", value, label, state, reason)]})


def summary_of(*rows: RowScore, of: LLMJudgeMetric | None = None) -> Summary:
    summary = Summary([of or metric()])
    for row_score in rows:
        summary.add(row_score)
    return summary


def aggregate(*values: float | None) -> dict[str, Any]:
    (found,) = summary_of(*(row(value) for value in values)).to_wire()["scores"]
    assert isinstance(found, dict)
    return found


def test_ten_times_a_tenth_has_the_mean_of_a_tenth_and_no_spread() -> None:
    found = aggregate(*[0.1] * 10)
    assert (found["sum"], found["mean"], found["variance"], found["std_dev"]) == (1.0, 0.1, 0.0, 0.0)


def test_any_order_and_any_split_give_the_very_same_aggregates() -> None:
    rng = random.Random(5)
    values = [rng.choice([None, rng.gauss(3, 2), rng.uniform(0, 1e12), 0.1]) for _ in range(500)]
    whole = aggregate(*values)
    for _ in range(5):
        rng.shuffle(values)
        cut = rng.randrange(len(values))
        left, right = (summary_of(*(row(value) for value in part)) for part in (values[:cut], values[cut:]))
        left.merge(right)
        assert left.to_wire()["scores"] == [whole]
        assert left.rows == 500


def test_every_value_is_in_a_bin_and_the_bins_touch() -> None:
    rng = random.Random(3)
    for _ in range(500):
        values = sorted(round(rng.uniform(0, 1), 1) for _ in range(20))
        bins = histogram(values)
        assert sum(b["count"] for b in bins) == 20
        assert (bins[0]["lower_bound"], bins[-1]["upper_bound"]) == (values[0], values[-1])
        assert all(a["upper_bound"] == b["lower_bound"] for a, b in pairwise(bins))


@pytest.mark.parametrize("values", [[1e308] * 10, [-1.7e308, 1.7e308], [1e200, 2e200], [5e-324, 1e-300], [-1e308, 5.0]])
def test_extreme_values_break_nothing(values: list[float]) -> None:
    found = aggregate(*values)
    numbers = [v for v in found.values() if isinstance(v, float)]
    assert all(math.isfinite(number) for number in numbers)
    assert found["min"] <= found["mean"] <= found["max"]
    assert sum(b["count"] for b in found["histogram"]["bins"]) == len(values)


def test_percentiles_follow_the_n_plus_one_rule() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], p) for p in (10, 20, 50, 90)] == [1.0, 1.0, 2.5, 4.0]
    assert statistics_of([1.0, 2.0, 9.0])["median"] == 2.0


def test_unscored_rows_are_counted_apart_with_their_reasons() -> None:
    summary = summary_of(row(4.0), row(None), row(None))
    (found,) = summary.to_wire()["scores"]
    assert (found["count"], found["nan_count"], found["mean"]) == (1, 2, 4.0)
    assert dict(summary.scores["llm-judge"]["s"].states) == {"scored": 1, "unparseable": 2}


def test_without_a_single_score_the_statistics_are_null() -> None:
    assert aggregate(None) == {
        "name": "llm-judge.s",
        "count": 0,
        "nan_count": 1,
        **dict.fromkeys(
            ("sum", "mean", "min", "max", "median", "std_dev", "variance", "sample_std_dev", "sample_variance")
        ),
        "score_type": "range",
        "percentiles": None,
        "histogram": {"bins": []},
    }


def test_rubric_keeps_its_order_and_descriptions_and_breaks_ties_by_it() -> None:
    of = metric({"name": "s", "rubric": RUBRIC})
    (found,) = summary_of(row(1.0, "good"), row(0.0, "poor"), row(None, ""), of=of).to_wire()["scores"]
    assert found["rubric_distribution"] == [
        {"label": "poor", "description": "of no use", "value": 0, "count": 1},
        {"label": "fair", "value": 0.5, "count": 0},
        {"label": "good", "value": 1, "count": 1},
    ]
    assert found["mode_category"] == "poor"
    assert "percentiles" not in found


def test_shapes_for_older_clients() -> None:
    summary = summary_of(row(1.0), row(2.0))
    newer = {"median", "sample_std_dev", "sample_variance"}
    (new,) = summary.to_wire()["scores"]
    (old,) = summary.to_wire(legacy=True, prefix=False)["scores"]
    assert new["name"] == "llm-judge.s"
    assert old["name"] == "s"
    assert new.keys() - old.keys() == newer
    (few,) = summary.to_wire(fields=["mean"])["scores"]
    assert few == {"name": "llm-judge.s", "count": 2, "mean": 1.5}


def test_two_metrics_of_one_type_are_kept_apart() -> None:
    summary = Summary([metric(), metric()])
    summary.add(RowScore(0, {}, {}, row(1.0).metrics | row(3.0, key="llm-judge_2").metrics))
    assert [(s["name"], s["mean"]) for s in summary.to_wire()["scores"]] == [
        ("llm-judge.s", 1.0),
        ("llm-judge_2.s", 3.0),
    ]


def test_row_on_the_wire_says_nan_in_words_and_why() -> None:
    scores = [
        Score("s", None, None, ScoreState.OUT_OF_RANGE, "17 is outside"),
        Score("t", 1.0, "good", ScoreState.SCORED),
    ]
    row_score = RowScore(3, {"q": 1}, {}, {"llm-judge": scores})
    assert row_score.to_wire() == {
        "row_index": 3,
        "item": {"q": 1},
        "sample": {},
        "metrics": {
            "llm-judge": [
                {"name": "s", "value": "NaN"},
                {"name": "t", "value": 1.0},
                {"name": "t.label", "value": "good"},
            ]
        },
        "requests": [],
        "metric_errors": None,
        "metric_diagnostics": None,
        "states": {
            "llm-judge": {
                "s": {"state": "out_of_range", "reason": "17 is outside"},
                "t": {"state": "scored", "reason": None},
            }
        },
    }
    assert not row_score.scored
    assert row_score.failure is not None
    assert row_score.failure.text == "s: 17 is outside"
