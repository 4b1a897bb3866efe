"""From scores to statistics, exact and independent of the order in which rows come in."""

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay_sdk.engine.result import RowScore, Score, ScoreState
from assay_sdk.engine.spec import Metric, RubricScore, keyed

BINS = 10
NEWER_FIELDS = ("median", "sample_std_dev", "sample_variance")  # older clients refuse them


class ScoreSummary:
    """The values of one score so far, and how many rows are unscored for which reason."""

    def __init__(self, rubric: RubricScore | None) -> None:
        self.rubric = rubric
        self.values = array("d")
        self.labels: Counter[str] = Counter()
        self.states: Counter[str] = Counter()

    def add(self, score: Score) -> None:
        """Take in one row's score."""
        self.states[score.state.value] += 1
        if score.value is not None and math.isfinite(score.value):
            self.values.append(score.value)
            if score.label:
                self.labels[score.label] += 1

    def merge(self, other: "ScoreSummary") -> None:
        """Take in all that another summary of the same score has seen."""
        self.values.extend(other.values)
        self.labels.update(other.labels)
        self.states.update(other.states)

    def to_wire(self, name: str) -> dict[str, Any]:
        """The aggregate of this score. Statistics that do not exist are null."""
        values = sorted(self.values)
        wire = {"name": name, "count": len(values), "nan_count": self.states.total() - len(values)}
        wire |= statistics_of(values)
        if self.rubric:
            return wire | {"score_type": "rubric"} | self._distribution(self.rubric)
        percentiles = {f"p{p}": percentile(values, p) for p in range(10, 101, 10)} if values else None
        return wire | {"score_type": "range", "percentiles": percentiles, "histogram": {"bins": histogram(values)}}

    def _distribution(self, score: RubricScore) -> dict[str, Any]:
        grades: dict[str, dict[str, Any]] = {}
        for item in score.rubric:
            # A label defined twice is one grade: its last value, counted once per definition, as the contract has it.
            count = grades.get(item.label, {"count": 0})["count"] + self.labels[item.label]
            described = {"description": item.description} if item.description else {}
            grades[item.label] = {"label": item.label, **described, "value": item.value, "count": count}
        best = max(grades.values(), key=lambda grade: grade["count"])  # the first in the rubric's order, if several
        return {
            "rubric_distribution": list(grades.values()),
            "mode_category": best["label"] if best["count"] else None,
        }


class Summary:
    """The aggregates of a run. Folding rows in any split and order gives the same as folding them all at once."""

    def __init__(self, metrics: Sequence[Metric] | Mapping[str, Metric]) -> None:
        by_key = keyed(metrics)
        self.scores: dict[str, dict[str, ScoreSummary]] = {
            key: {name: ScoreSummary(rubric) for name, rubric in metric.scales().items()}
            for key, metric in by_key.items()
        }
        self.corpora = {key: corpus for key, metric in by_key.items() if (corpus := metric.corpus())}
        self.rows = 0

    def add(self, row_score: RowScore) -> None:
        """Fold in one row."""
        self.rows += 1
        for key, scores in row_score.metrics.items():
            for score in scores:
                self.scores[key][score.name].add(score)
            if key in self.corpora:
                self.corpora[key].add(scores)

    def merge(self, other: "Summary") -> None:
        """Fold in all rows of another summary of the same metrics."""
        self.rows += other.rows
        for key, scores in self.scores.items():
            for name, score in scores.items():
                score.merge(other.scores[key][name])
        for key, corpus in self.corpora.items():
            corpus.merge(other.corpora[key])

    def to_wire(
        self, *, legacy: bool = False, prefix: bool = True, fields: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """The aggregate-scores document.

        `legacy` leaves out what clients before 0.6.0 refuse, `prefix=False` the metric key in names (0.1.0), `fields`
        keeps only those statistics, besides name and count.
        """
        kept = None if fields is None else {"name", "count", *fields}
        scores = []
        for key, summaries in self.scores.items() if self.rows else ():
            for name, summary in summaries.items():
                scores.append(summary.to_wire(f"{key}.{name}" if prefix else name))
            corpus = self.corpora.get(key)
            if corpus and (value := corpus.value()) is not None:
                scores.append(corpus_to_wire(f"{key}.{corpus.name}" if prefix else corpus.name, value))
        dropped = NEWER_FIELDS if legacy else ()
        return {
            "scores": [
                {k: v for k, v in wire.items() if k not in dropped and (kept is None or k in kept)} for wire in scores
            ]
        }


def corpus_to_wire(name: str, value: float) -> dict[str, Any]:
    """The aggregate of a score of all rows together: as if of one row, for the contract has no other place for it."""
    one = ScoreSummary(None)
    one.add(Score(name, value, None, ScoreState.SCORED))
    return one.to_wire(name) | dict.fromkeys(NEWER_FIELDS)


def statistics_of(values: Sequence[float]) -> dict[str, float | None]:
    """Sum, mean, spread… of sorted finite values; None for what does not exist or is beyond a float."""
    names = ("sum", "mean", "min", "max", "median", "std_dev", "variance", "sample_std_dev", "sample_variance")
    if not values:
        return dict.fromkeys(names)
    n = len(values)
    # Huge values are brought near 1 by a power of two, which changes no digit; others are left as they are.
    exponent = math.frexp(max(-values[0], values[-1]))[1]
    shift = exponent if exponent > 400 else 0
    scaled = [math.ldexp(value, -shift) for value in values] if shift else values
    total = math.fsum(scaled)
    mean = min(max(total / n, scaled[0]), scaled[-1])
    squares = math.fsum((value - mean) ** 2 for value in scaled)
    spread: list[float | None] = []
    for divisor in (n, n - 1):
        variance = squares / divisor if divisor else None
        for power, value in ((1, variance and math.sqrt(variance)), (2, variance)):
            spread.append(value if value is None else _unscaled(value, power * shift))
    std_dev, variance, sample_std_dev, sample_variance = spread
    numbers = (_unscaled(total, shift), _unscaled(mean, shift), values[0], values[-1], percentile(values, 50))
    return dict(zip(names, (*numbers, std_dev, variance, sample_std_dev, sample_variance), strict=True))


def _unscaled(value: float, shift: int) -> float | None:
    try:
        return math.ldexp(value, shift)
    except OverflowError:
        return None


def percentile(values: Sequence[float], p: int) -> float:
    """The p-th percentile of sorted values by the n+1 rule, which NumPy calls "weibull"."""
    position = (p / 100) * (len(values) + 1) - 1
    if position <= 0:
        return values[0]
    if position >= len(values) - 1:
        return values[-1]
    below = math.floor(position)
    low, high, share = values[below], values[below + 1], position - below
    if math.isinf(high - low):
        return low + share * high - share * low
    return low + share * (high - low)


def histogram(values: Sequence[float]) -> list[dict[str, Any]]:
    """Ten equal bins over sorted values; each holds its lower bound, the last one its upper bound too."""
    if not values:
        return []
    low, high = values[0], values[-1]
    if low == high:
        return [{"lower_bound": low, "upper_bound": high, "count": len(values)}]
    width = high / BINS - low / BINS if math.isinf(high - low) else (high - low) / BINS
    edges = [low + i * width for i in range(BINS)] + [high]  # not low + 10·width, which may fall short of the maximum
    counts = [0] * BINS
    for value in values:
        counts[min(bisect_right(edges, value), BINS) - 1] += 1
    return [{"lower_bound": edges[i], "upper_bound": edges[i + 1], "count": count} for i, count in enumerate(counts)]
