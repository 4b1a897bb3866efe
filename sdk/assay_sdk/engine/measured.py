"""Metrics that ask nobody: templates are filled from the row, and what they give is compared."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.result import Calls, Failure, Row, Score, ScoreState
from assay_sdk.engine.template import Context, compile_template

T = TypeVar("T")

SHOWN_CHARACTERS = 60


def _compiles(template: T) -> T:
    try:
        compile_template(template)
    except TemplateFailure as error:
        raise ValueError(str(error)) from error
    return template


TemplateText = Annotated[str, AfterValidator(_compiles)]
TemplateFields = Annotated[dict[str, Any], AfterValidator(_compiles)]

Measure = Callable[[Context], list[Score]]
"""From what templates may name to the scores of a row. Raises TemplateFailure for a row that cannot be measured."""


class Measuring:
    """A metric that asks nobody, ready to score rows."""

    def __init__(self, names: Sequence[str], measure: Measure) -> None:
        self._names = names
        self._measure = measure

    async def score(self, row: Row, sample: Mapping[str, Any], calls: Calls) -> tuple[list[Score], Failure | None]:
        """The row's scores, and what kept it from being scored, if anything did."""
        try:
            return self._measure(context_of(row, sample)), None
        except TemplateFailure as error:
            # Never hopeless: what costs nothing goes on to the last row, however many lack a column.
            failure = replace(Failure.of_template(row, error), hopeless=False)
            return self.unscored(failure), failure

    def unscored(self, failure: Failure) -> list[Score]:
        """All scores of a row that could not be measured."""
        return [Score(name, None, None, failure.kind, failure.text) for name in self._names]


def context_of(row: Row, sample: Mapping[str, Any]) -> Context:
    """What templates may name: the columns and the sample's fields, bare or as `item.…` and `sample.…`."""
    return {**row.item, **sample, "item": row.item, "sample": sample}


def scored(name: str, value: float, counts: tuple[int, ...] = ()) -> Score:
    """A score that has a value."""
    return Score(name, value, None, ScoreState.SCORED, counts=counts)


def unread(name: str, reason: str) -> Score:
    """A score that could not be read from what there is."""
    return Score(name, None, None, ScoreState.UNPARSEABLE, reason)


def text_template(field: str, source: str) -> Callable[[Context], str]:
    """The text that a metric's template gives. Raises TemplateFailure for a lone expression that is something else."""
    render = compile_template(source)

    def text(context: Context) -> str:
        value = render(context)
        if not isinstance(value, str):
            shown = json.dumps(value, ensure_ascii=False, default=str)[:SHOWN_CHARACTERS]
            raise TemplateFailure(f"The {field} {source!r} gives {shown}, which is no text: add '| string' to it")
        return value

    return text


def candidate_template(source: str | None) -> Callable[[Context], str]:
    """The text to be measured: what the template gives, or else the answer in the sample."""
    if source is not None:
        return text_template("candidate", source)

    def answer(context: Context) -> str:
        text = context["sample"].get("output_text")
        if not isinstance(text, str):
            raise TemplateFailure(
                "There is no answer to measure: name it in candidate, or give the row a text column 'output'",
                missing="output_text",
            )
        return text

    return answer
