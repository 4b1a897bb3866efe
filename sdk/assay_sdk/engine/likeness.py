"""How alike two texts are word by word: `exact-match` and `f1`."""

from collections import Counter
from typing import TYPE_CHECKING, Literal

from assay_sdk.engine.measured import Measuring, TemplateText, candidate_template, scored, text_template
from assay_sdk.engine.metric import Metric
from assay_sdk.engine.result import Score
from assay_sdk.engine.scores import RubricScore
from assay_sdk.engine.template import Context
from assay_sdk.engine.words import words_of

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer


class _Likeness(Metric):
    reference: TemplateText
    candidate: TemplateText | None = None

    def scales(self) -> dict[str, RubricScore | None]:
        return {self.type: None}

    def likeness(self, reference: list[str], candidate: list[str]) -> float:
        raise NotImplementedError

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        reference, candidate = text_template("reference", self.reference), candidate_template(self.candidate)

        def measure(context: Context) -> list[Score]:
            return [scored(self.type, self.likeness(words_of(reference(context)), words_of(candidate(context))))]

        return Measuring([self.type], measure)


class ExactMatchMetric(_Likeness):
    """1 if reference and candidate are the same words in the same order, else 0."""

    type: Literal["exact-match"] = "exact-match"
    as_written: bool = False
    """Compare the texts themselves, space around them aside."""

    def likeness(self, reference: list[str], candidate: list[str]) -> float:
        return float(reference == candidate)

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        if not self.as_written:
            return super().scorer(lines, online=online)
        reference, candidate = text_template("reference", self.reference), candidate_template(self.candidate)

        def measure(context: Context) -> list[Score]:
            return [scored(self.type, float(reference(context).strip() == candidate(context).strip()))]

        return Measuring([self.type], measure)


class F1Metric(_Likeness):
    """The harmonic mean of the shares of words that reference and candidate have in common."""

    type: Literal["f1"] = "f1"

    def likeness(self, reference: list[str], candidate: list[str]) -> float:
        if not reference or not candidate:
            return float(reference == candidate)
        return f_measure((Counter(reference) & Counter(candidate)).total(), len(candidate), len(reference))


def f_measure(common: int, found: int, wanted: int) -> float:
    """The harmonic mean of precision (common of found) and recall (common of wanted)."""
    if not common:
        return 0.0
    precision, recall = common / found, common / wanted
    return 2 * precision * recall / (precision + recall)
