"""The LLM judge as it travels on the wire."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.metric import Metric, MetricOutput
from assay_sdk.engine.model import InferenceParams, Model, Reasoning, StructuredOutput
from assay_sdk.engine.scores import (
    EXPECTATION_PARTS,
    Expectation,
    JSONScoreParser,
    JudgeScore,
    NumberScore,
    RubricScore,
    check_property,
    legal_values,
    schema_of,
)
from assay_sdk.engine.template import compile_template

if TYPE_CHECKING:
    from assay_sdk.engine.judge import Judge
    from assay_sdk.engine.run import Lines


class LLMJudgeMetric(Metric):
    """A language model that gives each row one or more scores."""

    type: Literal["llm-judge"] = "llm-judge"
    model: Model
    scores: list[JudgeScore] = Field(min_length=1)
    prompt_template: str | dict[str, Any] | None = None
    optional_fields: list[str] = Field(default_factory=list)
    structured_output: StructuredOutput | None = None
    inference: InferenceParams | None = None
    system_prompt: str | None = None
    reasoning: Reasoning | None = None
    retries_unscored: int | None = Field(default=None, ge=0, le=3)
    """How often a row whose reply holds no readable score is asked again; None means twice."""
    expectation: Expectation | None = None
    guard: bool | None = None
    """Whether what comes from the row stands in the prompt between boundaries that the row cannot know."""
    guard_seed: int | None = None
    """Makes the boundaries the same in every run."""
    injection: Literal["unscored", "flag", "off"] | None = None
    """What to do with a verdict that the row's own text seems to have dictated; None means `unscored`."""

    def outputs(self) -> list[MetricOutput]:
        found = []
        for score in self.scores:
            number = {"name": score.name, "description": score.description, "value_json_schema": dict(self.NUMBER)}
            found.append(MetricOutput(**number))
            if isinstance(score, RubricScore):
                label = {"name": f"{score.name}.label", "value_json_schema": dict(self.LABEL)}
                label["description"] = f"Selected rubric label for {score.name}"  # to the letter: bundles are compared
                found.append(MetricOutput(**{**number, **label}))
            for part, text in EXPECTATION_PARTS.items() if self.expectation else ():
                beside = {"name": f"{score.name}.{part}", "description": text.format(score.name)}
                found.append(MetricOutput(**{**number, **beside}))
        return found

    def scales(self) -> dict[str, RubricScore | None]:
        found: dict[str, RubricScore | None] = {}
        for score in self.scores:
            found[score.name] = score if isinstance(score, RubricScore) else None
            found |= {f"{score.name}.{part}": None for part in EXPECTATION_PARTS} if self.expectation else {}
        return found

    def secret_refs(self) -> list[str]:
        return self.model.secret_refs()

    def addresses(self) -> list[str]:
        return [self.model.url]

    def scorer(self, lines: "Lines", *, online: bool) -> "Judge":
        from assay_sdk.engine.judge import Judge, judge_settings  # here, because the judge knows this definition

        if self.expectation is not None:
            from assay_sdk.engine.expectation import ExpectingJudge, expecting_settings

            caller = lines.caller("judge", self.model, self.inference, expecting_settings(self))
            return ExpectingJudge(self, caller, online=online)
        return Judge(self, lines.caller("judge", self.model, self.inference, judge_settings(self)), online=online)

    def calls_per_row(self) -> int:
        return 1

    def reply_schema(self) -> dict[str, Any] | None:
        """The JSON schema a reply should follow, or None when no score is read from JSON and none is asked for."""
        if self.structured_output:
            return self.structured_output.json_schema
        scaled = [score for score in self.scores if not isinstance(score, NumberScore)]
        properties = {s.parser.json_path: schema_of(s) for s in scaled if isinstance(s.parser, JSONScoreParser)}
        if not properties or len(scaled) < len(self.scores):
            return None  # what has no scale has no schema either: the prompt alone says what is wanted
        return {"type": "object", "properties": properties, "required": list(properties)}

    @field_validator("scores")
    @classmethod
    def _consistent_scores(cls, scores: list[JudgeScore]) -> list[JudgeScore]:
        if len({score.name for score in scores}) < len(scores):
            raise ValueError("score names must be unique")
        read: dict[str, dict[str, Any]] = {}
        for score in scores:
            if isinstance(score.parser, JSONScoreParser) and not isinstance(score, NumberScore):
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
        for score in self.scores if self.expectation else ():
            legal_values(score)
        if self.structured_output:
            for score in self.scores:
                if isinstance(score.parser, JSONScoreParser) and not isinstance(score, NumberScore):
                    check_property(self.structured_output.json_schema, score)
        return self
