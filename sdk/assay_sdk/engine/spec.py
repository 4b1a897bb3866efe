"""What to evaluate and how: the metrics and run settings as they travel on the wire, validated.

Everything that can be known to be wrong without a row is refused here: broken templates and patterns, empty ranges,
schemas that do not hold the scores, credentials in the open.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.model import InferenceParams as InferenceParams
from assay_sdk.engine.model import Model as Model
from assay_sdk.engine.model import Reasoning as Reasoning
from assay_sdk.engine.model import Spec as Spec
from assay_sdk.engine.model import StructuredOutput as StructuredOutput
from assay_sdk.engine.scores import JSONScoreParser as JSONScoreParser
from assay_sdk.engine.scores import JudgeScore as JudgeScore
from assay_sdk.engine.scores import RangeScore as RangeScore
from assay_sdk.engine.scores import RegexScoreParser as RegexScoreParser
from assay_sdk.engine.scores import RubricItem as RubricItem
from assay_sdk.engine.scores import RubricScore as RubricScore
from assay_sdk.engine.scores import check_property, schema_of
from assay_sdk.engine.template import compile_template

JobType = Literal["online", "offline"]


class MetricOutput(Spec):
    """One value a metric gives for each row."""

    name: str
    description: str | None
    value_json_schema: dict[str, Any]


class Metric(Spec):
    """What every metric has in common. `type` names it on the wire and keys its results."""

    type: str
    description: str | None = None
    labels: dict[str, Any] = Field(default_factory=dict)
    supported_job_types: list[JobType] = ["online", "offline"]
    job_type: JobType | None = None
    ignore_request_failure: bool = False

    @property
    def key(self) -> str:
        return self.type

    def outputs(self) -> list[MetricOutput]:
        """The values each row gets, as the wire contract derives them from a definition."""
        raise NotImplementedError

    def secret_refs(self) -> list[str]:
        """The secrets this metric needs in order to run."""
        return []


class LLMJudgeMetric(Metric):
    """A language model that gives each row one or more scores."""

    NUMBER: ClassVar = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
    LABEL: ClassVar = {"description": "String label metric value.", "title": "Label", "type": "string"}

    type: Literal["llm-judge"] = "llm-judge"
    model: Model
    scores: list[JudgeScore] = Field(min_length=1)
    prompt_template: str | dict[str, Any] | None = None
    optional_fields: list[str] = Field(default_factory=list)
    structured_output: StructuredOutput | None = None
    inference: InferenceParams | None = None
    system_prompt: str | None = None
    reasoning: Reasoning | None = None

    def outputs(self) -> list[MetricOutput]:
        found = []
        for score in self.scores:
            number = {"name": score.name, "description": score.description, "value_json_schema": dict(self.NUMBER)}
            found.append(MetricOutput(**number))
            if isinstance(score, RubricScore):
                label = {"name": f"{score.name}.label", "value_json_schema": dict(self.LABEL)}
                label["description"] = f"Selected rubric label for {score.name}"  # to the letter: bundles are compared
                found.append(MetricOutput(**{**number, **label}))
        return found

    def secret_refs(self) -> list[str]:
        return self.model.secret_refs()

    def reply_schema(self) -> dict[str, Any] | None:
        """The JSON schema a reply should follow, or None when no score is read from JSON and none is asked for."""
        if self.structured_output:
            return self.structured_output.json_schema
        properties = {s.parser.json_path: schema_of(s) for s in self.scores if isinstance(s.parser, JSONScoreParser)}
        if not properties:
            return None
        return {"type": "object", "properties": properties, "required": list(properties)}

    @field_validator("scores")
    @classmethod
    def _consistent_scores(cls, scores: list[RangeScore | RubricScore]) -> list[RangeScore | RubricScore]:
        if len({score.name for score in scores}) < len(scores):
            raise ValueError("score names must be unique")
        read: dict[str, dict[str, Any]] = {}
        for score in scores:
            if isinstance(score.parser, JSONScoreParser):
                schema = schema_of(score)
                if read.setdefault(score.parser.json_path, schema) != schema:
                    raise ValueError(f"two scores read '{score.parser.json_path}' but expect different values there")
        return scores

    @field_validator("prompt_template")
    @classmethod
    def _usable_template(cls, template: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        if isinstance(template, dict):
            if reserved := {"system_prompt", "reasoning"} & template.keys():
                raise ValueError(f"'{min(reserved)}' is a field of the metric, not of its prompt_template")
            if not {"messages", "prompt"} & template.keys():
                raise ValueError("a request template needs 'messages' or 'prompt'")
        try:
            compile_template(template)
        except TemplateFailure as error:
            raise ValueError(str(error)) from error
        return template

    @model_validator(mode="after")
    def _schema_holds_scores(self) -> "LLMJudgeMetric":
        if self.structured_output:
            for score in self.scores:
                if isinstance(score.parser, JSONScoreParser):
                    check_property(self.structured_output.json_schema, score)
        return self


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


METRICS: dict[str, type[Metric]] = {"llm-judge": LLMJudgeMetric}


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
