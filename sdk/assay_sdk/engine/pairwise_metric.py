"""The comparison of two answers in both orders, as it travels on the wire."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.llm_judge import LLMJudgeMetric
from assay_sdk.engine.metric import Metric, MetricOutput
from assay_sdk.engine.model import InferenceParams, Model, Reasoning
from assay_sdk.engine.scores import JSONScoreParser, RubricItem, RubricScore
from assay_sdk.engine.template import compile_template

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer

VERDICT = RubricScore(
    name="better",
    description="which of the two answers is better",
    parser=JSONScoreParser(json_path="better"),
    rubric=[
        RubricItem(label="first", value=1, description="the first answer is better"),
        RubricItem(label="second", value=0, description="the second answer is better"),
        RubricItem(label="tie", value=0.5, description="neither is better than the other"),
    ],
)
PREFERENCE = RubricScore(
    name="preference",
    description="Whether candidate A is better than candidate B",
    rubric=[RubricItem(label="win", value=1), RubricItem(label="tie", value=0.5), RubricItem(label="loss", value=0)],
)
POSITION = RubricScore(
    name="position",
    description="Which place the two verdicts were for",
    rubric=[
        RubricItem(label="both_first", value=1, description="both name whichever answer is shown first"),
        RubricItem(label="first_or_tie", value=0.5, description="one names the answer shown first, one is a tie"),
        RubricItem(label="same_answer", value=0, description="both name the same answer"),
        RubricItem(label="both_tie", value=0, description="both are ties"),
        RubricItem(label="second_or_tie", value=-0.5, description="one names the answer shown second, one is a tie"),
        RubricItem(label="both_second", value=-1, description="both name whichever answer is shown second"),
    ],
)
CONSISTENT = "consistent"


class PairwiseMetric(Metric):
    """A judge compares two candidate answers of each row, in both orders; the result is from candidate A's side.

    A candidate is a column or, with `{{ }}` in it, a template. The judge may say that neither is better. `tie_rule`
    says what becomes of a verdict in one order with a tie in the other: `strict` makes it a tie, `lean` a win for the
    answer that was named. `conflict` says what becomes of two verdicts for different answers.
    """

    type: Literal["pairwise"] = "pairwise"
    model: Model
    candidate_a: str = Field(default="answer_a", min_length=1)
    candidate_b: str = Field(default="answer_b", min_length=1)
    question: str | None = Field(default=None, min_length=1)
    criteria: str | None = None
    prompt_template: str | dict[str, Any] | None = None
    tie_rule: Literal["strict", "lean"] = "strict"
    conflict: Literal["tie", "unscored"] = "tie"
    optional_fields: list[str] = Field(default_factory=list)
    inference: InferenceParams | None = None
    system_prompt: str | None = None
    reasoning: Reasoning | None = None
    guard: bool | None = None
    guard_seed: int | None = None
    injection: Literal["unscored", "flag", "off"] | None = None

    def scales(self) -> dict[str, RubricScore | None]:
        return {PREFERENCE.name: PREFERENCE, POSITION.name: POSITION, CONSISTENT: None}

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        from assay_sdk.engine.pairwise import Pairwise

        return Pairwise(self, self.judge().scorer(lines, online=online))

    def outputs(self) -> list[MetricOutput]:
        found = []
        for score in (PREFERENCE, POSITION):
            found.append(_output(score.name, score.description, self.NUMBER))
            found.append(_output(f"{score.name}.label", f"Selected rubric label for {score.name}", self.LABEL))
        return [*found, _output(CONSISTENT, "1 if both orders gave the same verdict, else 0", self.NUMBER)]

    def secret_refs(self) -> list[str]:
        return self.model.secret_refs()

    def addresses(self) -> list[str]:
        return [self.model.url]

    def calls_per_row(self) -> int:
        return 2

    def judge(self) -> LLMJudgeMetric:
        """The judge that is asked in either order. Its prompt knows the answers as `first` and `second`."""
        shared = (
            *("model", "optional_fields", "inference", "system_prompt", "reasoning"),
            *("guard", "guard_seed", "injection", "ignore_request_failure"),
        )
        fields = {name: getattr(self, name) for name in shared}
        template = self.prompt_template or default_comparison(self)
        return LLMJudgeMetric.model_validate({**fields, "scores": [VERDICT], "prompt_template": template})

    @field_validator("candidate_a", "candidate_b", "question")
    @classmethod
    def _compiles(cls, source: str | None) -> str | None:
        try:
            compile_template(as_template(source) if source else None)
        except TemplateFailure as error:
            raise ValueError(str(error)) from error
        return source

    @model_validator(mode="after")
    def _can_be_asked(self) -> "PairwiseMetric":
        if self.candidate_a == self.candidate_b:
            raise ValueError("candidate_a and candidate_b are the same")
        try:
            self.judge()
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise PydanticCustomError("pairwise", "{place}: {msg}", {"place": place, "msg": first["msg"]}) from None
        return self


def as_template(source: str) -> str:
    """What a column's name, or a template, means as a template."""
    return source if "{" in source else f"{{{{ item[{source!r}] }}}}"


def default_comparison(metric: PairwiseMetric) -> str | dict[str, Any]:
    """The prompt of a comparison when its author wrote none."""
    what = (metric.criteria or "which of the two answers is better as a whole").replace("{%", "{ %")
    system = (
        "You are a careful, impartial judge. You are shown two answers; compare them, and judge nothing else. Neither "
        "their order nor their length counts.\nCriterion: {% raw %}" + what + "{% endraw %}\n"
        'Answer with one JSON object: {"better": "first"}, {"better": "second"} or {"better": "tie"}.'
    )
    question = "Question:\n{{ question }}\n\n" if metric.question else ""
    shown = question + "First answer:\n{{ first }}\n\nSecond answer:\n{{ second }}"
    if "/v1/completions" in metric.model.url:
        return {"prompt": f"{system}\n\n{shown}"}
    return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": shown}]}


def _output(name: str, description: str | None, schema: dict[str, Any]) -> MetricOutput:
    return MetricOutput(name=name, description=description, value_json_schema=dict(schema))
