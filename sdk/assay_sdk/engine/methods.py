"""Ways of judging by several votes, as they travel on the wire: one judge asked several times, and a panel."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from assay_sdk.engine.llm_judge import LLMJudgeMetric
from assay_sdk.engine.metric import Metric, MetricOutput
from assay_sdk.engine.model import InferenceParams
from assay_sdk.engine.scores import JudgeScore, RubricScore
from assay_sdk.engine.votes import SPREAD, Combine

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer

NUMBER, LABEL = Metric.NUMBER, Metric.LABEL
SAMPLING_TEMPERATURE = 1.0

_SPREAD_TEXT = {
    "std": "Standard deviation of the votes on {}",
    "agreement": "Share of the votes that are for the most frequent value of {}",
    "votes": "Votes that {} was made of",
}


def _number(name: str, description: str | None) -> MetricOutput:
    return MetricOutput(name=name, description=description, value_json_schema=dict(NUMBER))


def _voted(score: JudgeScore) -> list[MetricOutput]:
    found = [_number(score.name, score.description)]
    if isinstance(score, RubricScore):
        text = f"Selected rubric label for {score.name}"
        found.append(MetricOutput(name=f"{score.name}.label", description=text, value_json_schema=dict(LABEL)))
    return found + [_number(f"{score.name}.{part}", _SPREAD_TEXT[part].format(score.name)) for part in SPREAD]


def _scale(score: JudgeScore) -> dict[str, RubricScore | None]:
    found: dict[str, RubricScore | None] = {score.name: score if isinstance(score, RubricScore) else None}
    return found | {f"{score.name}.{part}": None for part in SPREAD}


class SelfConsistencyMetric(Metric):
    """One judge asked `samples` times about each row; the score is what the samples come to, with their spread."""

    type: Literal["self-consistency"] = "self-consistency"
    judge: LLMJudgeMetric
    samples: int = Field(default=5, ge=2, le=128)
    combine: Combine = "mean"
    temperature: float | None = Field(default=None, gt=0, le=2)
    quorum: int | None = Field(default=None, ge=1)
    one_call: bool = True

    @property
    def needed(self) -> int:
        """How many samples of a score have to be scores: more than half of them, if nothing else was said."""
        return self.quorum or self.samples // 2 + 1

    def scales(self) -> dict[str, RubricScore | None]:
        return {name: scale for score in self.judge.scores for name, scale in _scale(score).items()}

    def outputs(self) -> list[MetricOutput]:
        return [output for score in self.judge.scores for output in _voted(score)]

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        from assay_sdk.engine.judge import judge_settings
        from assay_sdk.engine.samples import Samples

        judge = self.sampler()
        caller = lines.caller("judge", judge.model, judge.inference, judge_settings(judge))
        return Samples(self, judge.scorer(lines, online=online), caller)

    def secret_refs(self) -> list[str]:
        return self.judge.secret_refs()

    def addresses(self) -> list[str]:
        return self.judge.addresses()

    def calls_per_row(self) -> int:
        return self.samples

    def sampler(self) -> LLMJudgeMetric:
        """The judge as it is asked for samples: at a temperature at which they can differ."""
        given = self.judge.inference.model_dump(exclude_none=True) if self.judge.inference else {}
        below = self.judge.model.inference.model_dump(exclude_none=True) if self.judge.model.inference else {}
        own = given.get("temperature", below.get("temperature"))
        temperature = self.temperature or (SAMPLING_TEMPERATURE if own is None else own)
        inference = InferenceParams.model_validate({**given, "temperature": temperature})
        return self.judge.model_copy(update={"inference": inference})

    @model_validator(mode="after")
    def _can_differ(self) -> "SelfConsistencyMetric":
        inference = self.sampler().inference
        if inference is None or not inference.temperature:
            raise ValueError("the judge's temperature is 0, so its samples would be alike: set temperature")
        if self.needed > self.samples:
            raise ValueError("quorum is larger than samples")
        if self.judge.expectation is not None:
            raise ValueError("the judge's expectation already weighs what it might have said: ask it once")
        return self


class PanelMetric(Metric):
    """Several judges asked about each row, each in its own way; the score is what they come to, with their spread."""

    type: Literal["panel"] = "panel"
    judges: list[LLMJudgeMetric] = Field(min_length=2, max_length=32)
    combine: Combine = "mean"
    quorum: int | None = Field(default=None, ge=1)

    @property
    def needed(self) -> int:
        """How many judges have to give a score: all of them, if nothing else was said."""
        return self.quorum or len(self.judges)

    @property
    def scores(self) -> list[JudgeScore]:
        """The scores that the judges give."""
        return list(self.judges[0].scores)

    def scales(self) -> dict[str, RubricScore | None]:
        found: dict[str, RubricScore | None] = {}
        for score in self.scores:
            found |= _scale(score) | {f"{score.name}.{who}": None for who, _ in self.members()}
        return found

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        from assay_sdk.engine.panel import Panel

        return Panel(self, [judge.scorer(lines, online=online) for judge in self.judges])

    def outputs(self) -> list[MetricOutput]:
        found = []
        for score in self.scores:
            found += _voted(score)
            found += [_number(f"{score.name}.{who}", f"{score.name} by {model}") for who, model in self.members()]
        return found

    def members(self) -> list[tuple[str, str]]:
        """How results name each judge, and the name of its model."""
        return [(f"judge_{i}", judge.model.name) for i, judge in enumerate(self.judges, 1)]

    def secret_refs(self) -> list[str]:
        return list(dict.fromkeys(ref for judge in self.judges for ref in judge.secret_refs()))

    def addresses(self) -> list[str]:
        return list(dict.fromkeys(url for judge in self.judges for url in judge.addresses()))

    def calls_per_row(self) -> int:
        return len(self.judges)

    @model_validator(mode="after")
    def _speak_of_the_same(self) -> "PanelMetric":
        if any(judge.expectation is not None for judge in self.judges):
            raise ValueError("a panel's judges give votes; expectation is for a judge on its own")
        asked = {"parser", "description"}
        first, *others = ([score.model_dump(exclude=asked) for score in judge.scores] for judge in self.judges)
        if any(other != first for other in others):
            raise ValueError("the judges of a panel have to give the same scores: names, ranges, labels and values")
        if self.needed > len(self.judges):
            raise ValueError("quorum is larger than the number of judges")
        return self
