"""The scores a judge gives, and how each is read from its reply, as they travel on the wire."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from assay_sdk.engine.model import Spec
from assay_sdk.engine.paths import find, steps_of
from assay_sdk.engine.patterns import compile_pattern

Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = int | Finite


class JSONScoreParser(Spec):
    """Reads a score from a JSON reply: the literal top-level key `json_path`, else the place it leads to as a path."""

    type: Literal["json"] = "json"
    json_path: str


class RegexScoreParser(Spec):
    """Reads a score from the first group of a pattern: at the start of the reply, or its first or last match."""

    type: Literal["regex"] = "regex"
    pattern: str
    method: Literal["match", "search", "last"] = "match"

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            compile_pattern(pattern)
        except ValueError as error:
            raise ValueError(f"the pattern does not compile: {error}") from error
        return pattern


class _Score(Spec):
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    description: str | None = None
    parser: JSONScoreParser | RegexScoreParser = Field(
        default_factory=lambda: JSONScoreParser(json_path=""), discriminator="type"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_by_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("parser") is None and isinstance(data.get("name"), str):
            return {**data, "parser": {"type": "json", "json_path": data["name"]}}
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


class NumberScore(_Score):
    """A number as it is written, within bounds only where they are given; any name will do."""

    name: str = Field(min_length=1, max_length=255)
    kind: Literal["integer", "number", "boolean"]
    minimum: Number | None = None
    maximum: Number | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "NumberScore":
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum must not be above maximum")
        return self


class RemoteScore(_Score):
    """A number in the reply of a service, where a JSONPath leads; its bounds, if it has any, are included."""

    parser: JSONScoreParser = Field(default_factory=lambda: JSONScoreParser(json_path=""))
    minimum: Number | None = None
    maximum: Number | None = None


class RubricItem(Spec):
    """One grade of a rubric."""

    label: str
    value: Number
    description: str | None = None


class RubricScore(_Score):
    """One of a few labels, each worth a number."""

    rubric: list[RubricItem] = Field(min_length=2)


class Expectation(Spec):
    """Scores as the mean of the legal ones, weighted by the probability that the judge gave each (G-Eval, 2023).

    `require` leaves a row unscored when the server gives no log probabilities; `prefer` then takes the score as it is
    written, and flags it. A row is unscored, too, when less than `least_mass` of the probability is on legal scores.
    """

    mode: Literal["require", "prefer"] = "require"
    top_logprobs: int = Field(default=20, ge=1, le=100)
    least_mass: Finite = Field(default=0.5, ge=0, le=1)


EXPECTATION_PARTS = {
    "mass": "Share of the probability that was seen to be on legal values of {}",
    "written": "The value of {} that the judge wrote",
}
"""What stands beside an expected score."""


def _kind_of(score: Any) -> str:
    if isinstance(score, dict):
        return "rubric" if "rubric" in score else "number" if "kind" in score else "range"
    return "rubric" if isinstance(score, RubricScore) else "number" if isinstance(score, NumberScore) else "range"


JudgeScore = Annotated[
    Annotated[RangeScore, Tag("range")] | Annotated[NumberScore, Tag("number")] | Annotated[RubricScore, Tag("rubric")],
    Discriminator(_kind_of),
]


def schema_of(score: RangeScore | RubricScore) -> dict[str, Any]:
    """The JSON schema of the value a score is read from."""
    if isinstance(score, RubricScore):
        return {"type": "string", "enum": [item.label for item in score.rubric]}
    kind = "integer" if isinstance(score.minimum, int) else "number"
    return {"type": kind, "minimum": score.minimum, "maximum": score.maximum}


def legal_values(score: JudgeScore) -> dict[str, float]:
    """Every text a score may be written as → its value. Raises ValueError for a range that is not of whole numbers."""
    if isinstance(score, RubricScore):
        return {item.label: float(item.value) for item in score.rubric}
    low, high = score.minimum, score.maximum
    if not (isinstance(low, int) and isinstance(high, int)) or high - low > 1000:
        raise ValueError(
            f"score '{score.name}': an expectation is over whole numbers, at most 1,001 of them, or labels"
        )
    return {str(number): float(number) for number in range(low, high + 1)}


def check_property(schema: dict[str, Any], score: JudgeScore) -> None:
    """Raises ValueError if a reply that follows the schema would not hold the score."""
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
    given = found.get("type", list(wanted))  # a property without a type (an enum, a reference) may well be right
    if not wanted & {str(kind) for kind in (given if isinstance(given, list) else [given])}:
        raise ValueError(f"property '{path}' of structured_output.schema must be a {' or '.join(sorted(wanted))}")
