"""Overlap of word sequences: `bleu` and `rouge`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from assay_sdk.engine.bleu import ORDERS, bleu, counts_of
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.measured import Measuring, TemplateText, candidate_template, scored, text_template
from assay_sdk.engine.metric import Corpus, Metric
from assay_sdk.engine.result import Score
from assay_sdk.engine.rouge import rouge, words_of
from assay_sdk.engine.scores import RubricScore
from assay_sdk.engine.template import Context

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer


MOST_CHARACTERS = 1_000_000
"""Of all texts of a row together."""
MOST_WORDS = 20_000
"""Of each of two texts: their longest common subsequence takes time and memory by the product of both."""


class BLEUMetric(Metric):
    """How much of the candidate's wording is in one of the references, 0 to 100: each row's, and the corpus's."""

    type: Literal["bleu"] = "bleu"
    references: list[TemplateText] = Field(min_length=1)
    candidate: TemplateText | None = None

    def scales(self) -> dict[str, RubricScore | None]:
        return {"sentence": None}

    def corpus(self) -> Corpus:
        return BLEUCorpus()

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        references = [text_template("reference", source) for source in self.references]
        candidate = candidate_template(self.candidate)

        def measure(context: Context) -> list[Score]:
            found, wanted = candidate(context), [reference(context) for reference in references]
            length = len(found) + sum(map(len, wanted))
            if length > MOST_CHARACTERS:
                raise TemplateFailure(f"There are {length:,} characters to compare; BLEU takes {MOST_CHARACTERS:,}")
            counts = counts_of(found, wanted)
            return [scored("sentence", bleu(counts), counts)]

        return Measuring(["sentence"], measure)


class BLEUCorpus:
    """BLEU of all scored rows as one text: all their references count, as they do for each sentence."""

    name = "corpus"

    def __init__(self) -> None:
        self.rows = 0
        self.counts: tuple[int, ...] = (0,) * (2 + 2 * ORDERS)

    def add(self, scores: Sequence[Score]) -> None:
        """Fold in one row."""
        for score in scores:
            if score.counts:
                self.rows += 1
                self._take(score.counts)

    def merge(self, other: "BLEUCorpus") -> None:
        """Fold in all rows of another one."""
        self.rows += other.rows
        self._take(other.counts)

    def value(self) -> float | None:
        """The score, or None as long as no row is scored."""
        return bleu(self.counts) if self.rows else None

    def _take(self, counts: tuple[int, ...]) -> None:
        self.counts = tuple(map(sum, zip(self.counts, counts, strict=True)))


class ROUGEMetric(Metric):
    """How much reference and candidate overlap, by words, pairs, triples, and their longest common subsequence."""

    type: Literal["rouge"] = "rouge"
    reference: TemplateText
    candidate: TemplateText | None = None

    def scales(self) -> dict[str, RubricScore | None]:
        return dict.fromkeys(("rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score"))

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        reference, candidate = text_template("reference", self.reference), candidate_template(self.candidate)
        names = [*self.scales()]

        def measure(context: Context) -> list[Score]:
            texts = reference(context), candidate(context)
            if sum(map(len, texts)) > MOST_CHARACTERS:
                raise TemplateFailure(f"There are more than {MOST_CHARACTERS:,} characters to compare")
            wanted, found = map(words_of, texts)
            if max(len(wanted), len(found)) > MOST_WORDS:
                raise TemplateFailure(f"There are more than {MOST_WORDS:,} words to compare")
            values = rouge(wanted, found)
            return [scored(name, value) for name, value in zip(names, values, strict=True)]

        return Measuring(names, measure)
