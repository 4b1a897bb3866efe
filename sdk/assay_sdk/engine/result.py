"""What a run produces: values, one row score per row, with a reason for every score that is missing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from assay_sdk.engine.errors import TemplateFailure


class ScoreState(StrEnum):
    """How a score came out. Only a scored one has a value; every other state is a kind of unscored."""

    SCORED = "scored"
    REFUSED = "refused"  # the model's server rejected the call, or the model declined to answer
    UNPARSEABLE = "unparseable"  # there was a reply, but no score could be read from it
    OUT_OF_RANGE = "out_of_range"  # a number outside the score's minimum and maximum
    TRUNCATED = "truncated"  # the reply was cut off before the score
    TRANSPORT = "transport"  # no usable HTTP reply, retries included
    TEMPLATE = "template"  # the row could not fill the prompt
    EMPTY = "empty"  # the reply held no text
    SKIPPED = "skipped"  # not attempted, because the sample to judge is missing


@dataclass(frozen=True, slots=True)
class Row:
    """One item with its place in the dataset, and perhaps the sample to judge, if it was made elsewhere."""

    index: int
    item: dict[str, Any]
    sample: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One named score of one row. `label` is None for range scores and "" for an unscored rubric score."""

    name: str
    value: float | None
    label: str | None
    state: ScoreState
    reason: str | None = None
    flags: tuple[str, ...] = ()
    """What is suspicious about it, scored or not."""
    counts: tuple[int, ...] = ()
    """What a score of all rows together is made of, for a metric that has one."""

    def outputs(self) -> list[dict[str, Any]]:
        """The wire outputs: an unscored value is the string "NaN", a rubric score has a second output, its label."""
        number = {"name": self.name, "value": "NaN" if self.value is None else self.value}
        return [number] if self.label is None else [number, {"name": f"{self.name}.label", "value": self.label}]


@dataclass(frozen=True, slots=True)
class Call:
    """One answered or failed model call, retries included. `request` is the body sent; headers are never kept.

    `attempts` counts what it took to get a reply; `asking` is 2 or more where an earlier reply was of no use.
    """

    request: dict[str, Any]
    response: Any
    attempts: int
    seconds: float
    asking: int = 1
    key: bytes = b""
    """Under which the reply is kept; empty where it is not."""
    kept: bool = False
    """Whether the reply came from what was kept: nothing was paid for it."""

    @property
    def usage(self) -> dict[str, Any] | None:
        """The token counts the server reported, if any."""
        usage = self.response.get("usage") if isinstance(self.response, dict) else None
        return usage if isinstance(usage, dict) else None


class Calls(list[Call]):
    """The calls about one row, in the order in which they ended."""

    def __init__(self, row: int, *, asked: Counter[bytes] | None = None) -> None:
        super().__init__()
        self.row = row
        self._asked: Counter[bytes] = Counter() if asked is None else asked

    def branch(self) -> "Calls":
        """Return an empty list of calls about the same row, for what is asked side by side."""
        return Calls(self.row, asked=self._asked)

    def asks(self, key: bytes) -> int:
        """Note that a question is asked, and return how often it was before, by another metric for one."""
        self._asked[key] += 1
        return self._asked[key] - 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a metric has no scores for a row, and what to do about it.

    `hopeless`: the next row will most likely fail in the same way. `cause` tells whether two failures are the same.
    """

    kind: ScoreState
    text: str
    hopeless: bool = False
    cause: str = ""

    @classmethod
    def of_template(cls, row: Row, error: TemplateFailure) -> "Failure":
        """The row cannot fill the template. A column that is missing once is usually missing everywhere."""
        missing = error.missing is not None
        return cls(ScoreState.TEMPLATE, f"Row {row.index}: {error}", missing, f"missing {error.missing}")


@dataclass(frozen=True, slots=True)
class RowScore:
    """Everything one row came to. A row that failed is a row score too."""

    index: int
    item: dict[str, Any]
    sample: dict[str, Any]
    metrics: dict[str, list[Score]]
    calls: list[Call] = field(default_factory=list)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    doubtful: tuple[bytes, ...] = ()
    """The keys of the kept replies that led to no score: who asks the row again will want others."""

    @property
    def errors(self) -> dict[str, str]:
        """Metric key → text, for the metrics that could not be run on this row."""
        return {key: failure.text for key, failure in self.failures.items()}

    @property
    def flags(self) -> dict[str, list[str]]:
        """Metric key → what is suspicious about its scores of this row, for the metrics that found something."""
        found = {key: [flag for score in scores for flag in score.flags] for key, scores in self.metrics.items()}
        return {key: list(dict.fromkeys(flags)) for key, flags in found.items() if flags}

    @property
    def scored(self) -> bool:
        """Whether every score of every metric has a value."""
        return all(score.state is ScoreState.SCORED for scores in self.metrics.values() for score in scores)

    @property
    def failure(self) -> Failure | None:
        """The first thing that went wrong, or None for a fully scored row."""
        for failure in self.failures.values():
            return failure
        for scores in self.metrics.values():
            for score in scores:
                if score.state is not ScoreState.SCORED:
                    return Failure(score.state, f"{score.name}: {score.reason}")
        return None

    def to_wire(self) -> dict[str, Any]:
        """The row in the row-scores shape of the wire contract, plus `states`: why a value is missing."""
        return {
            "row_index": self.index,
            "item": self.item,
            "sample": self.sample,
            "metrics": {key: [o for score in scores for o in score.outputs()] for key, scores in self.metrics.items()},
            "requests": [
                {"request": call.request, "response": call.response}
                for call in self.calls
                if call.response is not None  # a failed call is told of in metric_errors
            ],
            "metric_errors": self.errors or None,
            "metric_diagnostics": None,
            "states": {key: {score.name: _told(score) for score in scores} for key, scores in self.metrics.items()},
        }


def _told(score: Score) -> dict[str, Any]:
    told: dict[str, Any] = {"state": score.state.value, "reason": score.reason}
    return {**told, "flags": list(score.flags)} if score.flags else told
