"""The scores of a job as its pages speak of them: names, scales, how each is read, and what a missing one means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from assay.jobs.models import Job
from assay.jobs.parts import metrics_of
from assay_sdk.engine.people import labels_of
from assay_sdk.engine.result import ScoreState
from assay_sdk.engine.spec import (
    JSONScoreParser,
    JudgeScore,
    LLMJudgeMetric,
    Metric,
    NumberScore,
    PairwiseMetric,
    PanelMetric,
    RangeScore,
    RegexScoreParser,
    RubricScore,
    SelfConsistencyMetric,
)

Stored = Mapping[str, Sequence[Sequence[Any]]]
"""``RowScore.scores``."""
MEANINGS = {
    ScoreState.SCORED: ("good", "The score was read."),
    ScoreState.REFUSED: ("bad", "The model's server rejected the call, or the model declined to answer."),
    ScoreState.UNPARSEABLE: ("warn", "There was a reply, but no score could be read from it."),
    ScoreState.OUT_OF_RANGE: ("warn", "The reply names a number outside the score's range."),
    ScoreState.TRUNCATED: ("warn", "The reply was cut off before the score."),
    ScoreState.TRANSPORT: ("bad", "No usable reply arrived, retries included."),
    ScoreState.TEMPLATE: ("bad", "The row could not fill the prompt."),
    ScoreState.EMPTY: ("warn", "The reply held no text."),
    ScoreState.SKIPPED: ("warn", "Not asked, because there was no answer to judge."),
}
"""The colour of each state of a score, and what it means."""


@dataclass(frozen=True)
class JobScore:
    """One score that each row gets."""

    metric: str
    name: str
    title: str
    """Its name where no other score of the job has it, else its full name."""
    main: bool = True
    """False for what stands beside another score: a spread, a single vote."""
    labels: Mapping[str, float] | None = None
    """Of a rubric, from the lowest value to the highest."""
    exact: bool = False
    """Whether rows of a label have the label's value, which a mean of several votes has not."""
    low: float | None = None
    high: float | None = None
    reads: str = ""
    """How it is read from a reply."""

    @property
    def full(self) -> str:
        return f"{self.metric}.{self.name}"

    def entry(self, scores: Stored) -> Sequence[Any] | None:
        """Return what a row has of it: name, value, label, state, reason."""
        return next((entry for entry in scores.get(self.metric, ()) if entry[0] == self.name), None)

    def value(self, scores: Stored) -> float | None:
        """Return the row's value."""
        entry = self.entry(scores)
        return None if entry is None else entry[1]


def scores_of(job: Job) -> list[JobScore]:
    """Return the job's scores in their order; none if its metrics are of another version of the platform."""
    try:
        metrics = metrics_of(job)
    except ValidationError:
        return []
    names = [name for metric in metrics.values() for name in metric.scales()]
    return [
        _score(key, metric, name, rubric, name if names.count(name) == 1 else f"{key}.{name}")
        for key, metric in metrics.items()
        for name, rubric in metric.scales().items()
    ]


def _score(key: str, metric: Metric, name: str, rubric: RubricScore | None, title: str) -> JobScore:
    declared = {score.name: score for judge in judges_in(metric) for score in judge.scores}
    score = declared.get(name)
    scale = score if isinstance(score, RangeScore | NumberScore) else None
    values = {item.label: float(item.value) for item in rubric.rubric} if rubric else {}
    return JobScore(
        metric=key,
        name=name,
        title=title,
        main=score is not None or not declared or isinstance(metric, PairwiseMetric),
        labels={label: values[label] for label in labels_of(values)} if values else None,
        exact=isinstance(metric, LLMJudgeMetric),
        low=scale.minimum if scale else min(values.values(), default=None),
        high=scale.maximum if scale else max(values.values(), default=None),
        reads=reads(score) if score else "",
    )


def judges_in(metric: Metric) -> list[LLMJudgeMetric]:
    """Return the judges that a metric asks."""
    match metric:
        case LLMJudgeMetric():
            return [metric]
        case SelfConsistencyMetric():
            return [metric.judge]
        case PanelMetric():
            return list(metric.judges)
        case PairwiseMetric():
            return [metric.judge()]
    return []


def reads(score: JudgeScore) -> str:
    """Return in words how a score is read from a reply."""
    match score.parser:
        case JSONScoreParser(json_path=path):
            return f"“{path}” of the JSON in the reply"
        case RegexScoreParser(pattern=pattern, method=method):
            where = {"match": "at the start of the reply", "search": "first match", "last": "last match"}[method]
            return f"pattern {pattern}, {where}"
