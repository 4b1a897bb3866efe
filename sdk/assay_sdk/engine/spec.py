"""What to evaluate and how: the metrics and run settings as they travel on the wire, validated.

Everything that can be known to be wrong without a row is refused here: broken templates and patterns, empty ranges,
schemas that do not hold the scores, credentials in the open.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.paths import find, steps_of
from assay_sdk.engine.template import compile_template

JobType = Literal["online", "offline"]
SecretRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)?$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = int | Finite

_AUTH_HEADER = re.compile(r"auth|api[-_]?key|token|secret|cookie|credential", re.IGNORECASE)


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class InferenceParams(BaseModel):
    """Request parameters. Any further key is sent as it is; `extra_body`, `extra_headers`, `extra_query` and `timeout`
    (seconds) have the meaning they have in the usual Python clients."""

    model_config = ConfigDict(extra="allow")

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: list[str] | None = None

    @model_validator(mode="after")
    def _one_token_limit(self) -> "InferenceParams":
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("give max_tokens or max_completion_tokens, not both")
        _refuse_credentials((self.model_extra or {}).get("extra_headers"))
        return self


class Model(_Spec):
    """A model behind an OpenAI-compatible address."""

    url: str
    name: str = Field(min_length=1)
    host_url: str | None = None
    served_model_name: str | None = None
    api_key_secret: SecretRef | None = None
    default_headers: dict[str, str] | None = None
    inference: InferenceParams | None = None
    format: Literal["nim", "openai"] = "openai"

    def secret_refs(self) -> list[str]:
        """The secrets needed to ask this model."""
        return [self.api_key_secret] if self.api_key_secret else []

    @model_validator(mode="before")
    @classmethod
    def _no_reference(cls, data: Any) -> Any:
        if isinstance(data, str):
            raise ValueError(f"the reference {data!r} cannot be resolved here: give the model's url and name instead")
        return data

    @field_validator("url")
    @classmethod
    def _reachable_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an absolute http:// or https:// address")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials: store them as a secret and name it in api_key_secret")
        return url

    @field_validator("default_headers")
    @classmethod
    def _no_credentials(cls, headers: dict[str, str] | None) -> dict[str, str] | None:
        _refuse_credentials(headers)
        return headers


class JSONScoreParser(_Spec):
    """Reads a score from a JSON reply: the literal top-level key `json_path`, else the place it leads to as a path."""

    type: Literal["json"] = "json"
    json_path: str


class RegexScoreParser(_Spec):
    """Reads a score from the first group of a pattern: at the start of the reply, or its first or last match."""

    type: Literal["regex"] = "regex"
    pattern: str
    method: Literal["match", "search", "last"] = "match"

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"the pattern does not compile: {error}") from error
        return pattern


class _Score(_Spec):
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    description: str | None = None
    parser: JSONScoreParser | RegexScoreParser = Field(
        default_factory=lambda: JSONScoreParser(json_path=""), discriminator="type"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_by_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("parser") is None:
            return {**data, "parser": {"type": "json", "json_path": data.get("name")}}
        return data


class RangeScore(_Score):
    """A number between `minimum` and `maximum`, both included."""

    minimum: Number
    maximum: Number

    @model_validator(mode="after")
    def _not_empty(self) -> "RangeScore":
        if not self.minimum < self.maximum:
            raise ValueError("minimum must be below maximum")
        return self


class RubricItem(_Spec):
    """One grade of a rubric."""

    label: str
    value: Number
    description: str | None = None


class RubricScore(_Score):
    """One of a few labels, each worth a number."""

    rubric: list[RubricItem] = Field(min_length=2)


def _kind_of(score: Any) -> str:
    has_rubric = "rubric" in score if isinstance(score, dict) else isinstance(score, RubricScore)
    return "rubric" if has_rubric else "range"


JudgeScore = Annotated[
    Annotated[RangeScore, Tag("range")] | Annotated[RubricScore, Tag("rubric")], Discriminator(_kind_of)
]


class StructuredOutput(_Spec):
    """A JSON schema that replies have to follow."""

    json_schema: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None
    name: str | None = None


class Reasoning(_Spec):
    """How a reasoning model marks its thinking, and how hard it should think."""

    end_token: str | None = Field(default=None, min_length=1)
    include_if_not_finished: bool | None = None
    effort: str | None = None


class MetricOutput(_Spec):
    """One value a metric gives for each row."""

    name: str
    description: str | None
    value_json_schema: dict[str, Any]


class Metric(_Spec):
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
        properties = {s.parser.json_path: _schema_of(s) for s in self.scores if isinstance(s.parser, JSONScoreParser)}
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
                schema = _schema_of(score)
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
                    _check_property(self.structured_output.json_schema, score)
        return self


class RunConfig(_Spec):
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


class FieldMapping(_Spec):
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


def _schema_of(score: RangeScore | RubricScore) -> dict[str, Any]:
    if isinstance(score, RubricScore):
        return {"type": "string", "enum": [item.label for item in score.rubric]}
    kind = "integer" if isinstance(score.minimum, int) else "number"
    return {"type": kind, "minimum": score.minimum, "maximum": score.maximum}


def _check_property(schema: dict[str, Any], score: RangeScore | RubricScore) -> None:
    assert isinstance(score.parser, JSONScoreParser)
    path = score.parser.json_path
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict):
        raise ValueError("structured_output.schema must be an object schema with properties")
    nested = [part for step in steps_of(path) for part in ("properties", step)][1:]
    found = properties.get(path) or find(properties, nested)
    if not isinstance(found, dict):
        raise ValueError(f"structured_output.schema has no property '{path}', where score '{score.name}' is read")
    wanted = {"string"} if isinstance(score, RubricScore) else {"number", "integer", "boolean"}
    given = found.get("type", list(wanted))  # a property without a type (an enum, a reference) is given the benefit
    if not wanted & set([given] if isinstance(given, str) else given):
        raise ValueError(f"property '{path}' of structured_output.schema must be a {' or '.join(sorted(wanted))}")


def _refuse_credentials(headers: Any) -> None:
    for name in headers if isinstance(headers, dict) else ():
        if _AUTH_HEADER.search(name):
            raise ValueError(
                f"header '{name}' looks like a credential: store it as a secret, name it in api_key_secret"
            )
