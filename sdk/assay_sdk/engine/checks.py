"""Checks of one text or number against another: `string-check` and `number-check`."""

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from assay_sdk.engine.measured import Measuring, TemplateText, scored, text_template, unread
from assay_sdk.engine.metric import Metric
from assay_sdk.engine.numerals import exact, number_in
from assay_sdk.engine.result import Score
from assay_sdk.engine.scores import Number, RubricScore
from assay_sdk.engine.template import Context, compile_template

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer

SHOWN_CHARACTERS = 60

TEXT_CHECKS: Mapping[str, Callable[[str, str], bool]] = {
    **dict.fromkeys(("equals", "=="), operator.eq),
    **dict.fromkeys(("!=", "<>", "not equals"), operator.ne),
    "contains": operator.contains,
    "not contains": lambda left, right: right not in left,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
NUMBER_CHECKS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    **dict.fromkeys(("equals", "=="), operator.eq),
    **dict.fromkeys(("!=", "<>", "not equals"), operator.ne),
    **dict.fromkeys((">=", "gte", "greater than or equal"), operator.ge),
    **dict.fromkeys((">", "gt", "greater than"), operator.gt),
    **dict.fromkeys(("<=", "lte", "less than or equal"), operator.le),
    **dict.fromkeys(("<", "lt", "less than"), operator.lt),
}
DIFFERENCE = "absolute difference"


class _Check(Metric):
    left_template: TemplateText
    right_template: TemplateText

    def scales(self) -> dict[str, RubricScore | None]:
        return {self.type: None}


class StringCheckMetric(_Check):
    """1 if the left text stands in the given relation to the right one, else 0. Nothing is normalised."""

    type: Literal["string-check"] = "string-check"
    operation: Literal[
        "equals", "==", "!=", "<>", "not equals", "contains", "not contains", "startswith", "endswith"
    ]  # fmt: skip

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        left = text_template("left_template", self.left_template)
        right = text_template("right_template", self.right_template)
        holds = TEXT_CHECKS[self.operation]

        def measure(context: Context) -> list[Score]:
            return [scored(self.type, float(holds(left(context), right(context))))]

        return Measuring([self.type], measure)


class NumberCheckMetric(_Check):
    """1 if the left number stands in the given relation to the right one, else 0. Compared exactly, as written."""

    type: Literal["number-check"] = "number-check"
    operation: Literal[
        "equals", "==", "!=", "<>", "not equals", ">=", "gte", "greater than or equal", ">", "gt", "greater than",
        "<=", "lte", "less than or equal", "<", "lt", "less than", "absolute difference",
    ]  # fmt: skip
    epsilon: Number | None = None

    @model_validator(mode="after")
    def _epsilon_where_it_counts(self) -> "NumberCheckMetric":
        if self.operation == DIFFERENCE and self.epsilon is None:
            raise ValueError(f"'{DIFFERENCE}' needs an epsilon: the largest difference that is still right")
        if self.operation != DIFFERENCE and self.epsilon:
            raise ValueError(f"epsilon is for '{DIFFERENCE}' only")
        return self

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        left, right = compile_template(self.left_template), compile_template(self.right_template)
        epsilon = exact(self.epsilon) if self.epsilon is not None else None

        def holds(one: Fraction, other: Fraction) -> bool:
            if epsilon is not None and self.operation == DIFFERENCE:
                return abs(one - other) <= epsilon
            return NUMBER_CHECKS[self.operation](one, other)

        def measure(context: Context) -> list[Score]:
            sides = (left(context), right(context))
            numbers = [_number(side) for side in sides]
            for name, side, number in zip(("left", "right"), sides, numbers, strict=True):
                if number is None:
                    return [unread(self.type, f"the {name} side does not end on a number: {_shown(side)}")]
            one, other = numbers
            assert one is not None and other is not None
            return [scored(self.type, float(holds(one, other)))]

        return Measuring([self.type], measure)


def _number(side: Any) -> Fraction | None:
    if isinstance(side, int | float) and not isinstance(side, bool):
        return exact(side)
    return number_in(str(side))


def _shown(side: Any) -> str:
    text = repr(str(side))
    return text if len(text) <= SHOWN_CHARACTERS else "…" + text[1 - SHOWN_CHARACTERS :]
