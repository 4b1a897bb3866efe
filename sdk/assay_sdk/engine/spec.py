"""What to evaluate and how: the metrics and run settings as they travel on the wire, validated.

Everything that can be known to be wrong without a row is refused here: broken templates and patterns, empty ranges,
schemas that do not hold the scores, credentials in the open.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from assay_sdk.engine.checks import NumberCheckMetric as NumberCheckMetric
from assay_sdk.engine.checks import StringCheckMetric as StringCheckMetric
from assay_sdk.engine.likeness import ExactMatchMetric as ExactMatchMetric
from assay_sdk.engine.likeness import F1Metric as F1Metric
from assay_sdk.engine.llm_judge import LLMJudgeMetric as LLMJudgeMetric
from assay_sdk.engine.methods import PanelMetric as PanelMetric
from assay_sdk.engine.methods import SelfConsistencyMetric as SelfConsistencyMetric
from assay_sdk.engine.metric import JobType as JobType
from assay_sdk.engine.metric import Metric as Metric
from assay_sdk.engine.metric import MetricOutput as MetricOutput
from assay_sdk.engine.model import InferenceParams as InferenceParams
from assay_sdk.engine.model import Model as Model
from assay_sdk.engine.model import Reasoning as Reasoning
from assay_sdk.engine.model import Spec as Spec
from assay_sdk.engine.model import StructuredOutput as StructuredOutput
from assay_sdk.engine.overlap import BLEUMetric as BLEUMetric
from assay_sdk.engine.overlap import ROUGEMetric as ROUGEMetric
from assay_sdk.engine.pairwise_metric import PairwiseMetric as PairwiseMetric
from assay_sdk.engine.remote import NemoAgentToolkitRemoteMetric as NemoAgentToolkitRemoteMetric
from assay_sdk.engine.remote import RemoteMetric as RemoteMetric
from assay_sdk.engine.scores import Expectation as Expectation
from assay_sdk.engine.scores import JSONScoreParser as JSONScoreParser
from assay_sdk.engine.scores import JudgeScore as JudgeScore
from assay_sdk.engine.scores import NumberScore as NumberScore
from assay_sdk.engine.scores import RangeScore as RangeScore
from assay_sdk.engine.scores import RegexScoreParser as RegexScoreParser
from assay_sdk.engine.scores import RemoteScore as RemoteScore
from assay_sdk.engine.scores import RubricItem as RubricItem
from assay_sdk.engine.scores import RubricScore as RubricScore
from assay_sdk.engine.tools import ToolCallingMetric as ToolCallingMetric


class RunConfig(Spec):
    """How to run: how many rows at once, and how many of them (the first ones) in all."""

    parallelism: int = Field(default=8, ge=1)
    limit_samples: int | None = Field(default=None, ge=1)


class RunConfigOnline(RunConfig):
    """How to run when the answers to be judged are produced during the run."""

    ignore_request_failure: bool = False
    request_timeout: float | None = Field(default=None, gt=0)
    max_retries: int = Field(default=3, ge=0)


class RunConfigOnlineModel(RunConfigOnline):
    """How to run when a model produces the answers, and how to ask that model."""

    inference: InferenceParams | None = None
    system_prompt: str | None = None
    reasoning: Reasoning | None = None
    structured_output: StructuredOutput | None = None


class RunConfigAsAsked(RunConfigOnlineModel):
    """The same, and nothing is sent to that model that nobody asked for, not even a limit of tokens."""


class FieldMapping(Spec):
    """Which columns of a dataset are its input, its stored output… as dotted paths."""

    input: str | None = None
    output: str | None = None
    context: str | None = None
    reference: str | None = None
    trajectory: str | None = None
    messages: str | None = None
    tool_calls: str | None = None
    tools: str | None = None
    custom: dict[str, str] = Field(default_factory=dict)

    def paths(self) -> dict[str, str]:
        """Canonical name → path."""
        return self.custom | self.model_dump(exclude={"custom"}, exclude_none=True)


METRICS: dict[str, type[Metric]] = {
    "bleu": BLEUMetric,
    "exact-match": ExactMatchMetric,
    "f1": F1Metric,
    "llm-judge": LLMJudgeMetric,
    "nemo-agent-toolkit-remote": NemoAgentToolkitRemoteMetric,
    "number-check": NumberCheckMetric,
    "pairwise": PairwiseMetric,
    "panel": PanelMetric,
    "remote": RemoteMetric,
    "rouge": ROUGEMetric,
    "self-consistency": SelfConsistencyMetric,
    "string-check": StringCheckMetric,
    "tool-calling": ToolCallingMetric,
}


def parse_metric(data: dict[str, Any]) -> Metric:
    """The metric that a JSON definition describes. Raises pydantic's ValidationError, which names each bad field."""
    kind = data.get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in METRICS:
        known = ", ".join(sorted(METRICS))
        error = PydanticCustomError("unknown_metric_type", "unknown metric type; known: {known}", {"known": known})
        raise ValidationError.from_exception_data("Metric", [InitErrorDetails(type=error, loc=("type",), input=kind)])
    return METRICS[kind].model_validate(data)


def metric_keys(metrics: Sequence[Metric]) -> list[str]:
    """The result key of each metric: its type, with `_2`, `_3`… for further metrics of the same type."""
    seen: dict[str, int] = {}
    keys = []
    for metric in metrics:
        count = seen[metric.key] = seen.get(metric.key, 0) + 1
        keys.append(metric.key if count == 1 else f"{metric.key}_{count}")
    return keys


def keyed(metrics: Sequence[Metric] | Mapping[str, Metric]) -> dict[str, Metric]:
    """The metrics by their result keys: those that they are given under, or else `metric_keys`."""
    return dict(metrics) if isinstance(metrics, Mapping) else dict(zip(metric_keys(metrics), metrics, strict=True))
