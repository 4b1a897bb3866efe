"""Two candidate answers compared by a judge, in both orders, and how far their places decided."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.judge import Judge
from assay_sdk.engine.pairwise_metric import CONSISTENT, POSITION, PREFERENCE, PairwiseMetric, as_template
from assay_sdk.engine.request import as_text
from assay_sdk.engine.result import Calls, Failure, Row, Score, ScoreState
from assay_sdk.engine.scores import RubricScore
from assay_sdk.engine.template import compile_template
from assay_sdk.engine.votes import Verdict, together

Z = 1.959963984540054  # of a two-sided 95 % interval

_VALUES = {score.name: {item.label: float(item.value) for item in score.rubric} for score in (PREFERENCE, POSITION)}
_OTHER = {"first": "second", "second": "first", "tie": "tie"}
_PREFERS = {"first": "win", "second": "loss", "tie": "tie"}


class Pairwise:
    """A pairwise metric, ready to score rows."""

    def __init__(self, metric: PairwiseMetric, judge: Judge) -> None:
        self.metric = metric
        self._judge = judge
        wanted = {"a": metric.candidate_a, "b": metric.candidate_b}
        if metric.question:
            wanted["question"] = metric.question
        self._render = compile_template({name: as_template(source) for name, source in wanted.items()})

    async def score(self, row: Row, sample: Mapping[str, Any], calls: Calls) -> Verdict:
        """The comparison of a row: A is shown first in one call and second in the other."""
        try:
            shown = self._render({**row.item, **sample, "item": row.item, "sample": sample})
        except TemplateFailure as error:
            failure = Failure.of_template(row, error)
            return self.unscored(failure), failure
        shown = {name: as_text(value) for name, value in shown.items()}
        a, b = shown.pop("a"), shown.pop("b")
        first = calls.branch()
        second = calls.branch()
        (straight, failed), (swapped, failed_too) = await together(
            [
                self._judge.score(row, {**sample, **shown, "first": a, "second": b}, first),
                self._judge.score(row, {**sample, **shown, "first": b, "second": a}, second),
            ]
        )
        calls += [*first, *second]
        return compared(self.metric, straight[0], swapped[0]), failed or failed_too

    def unscored(self, failure: Failure) -> list[Score]:
        """All scores of a row that could not be compared."""
        return _unscored(failure.kind, failure.text)


def compared(metric: PairwiseMetric, straight: Score, swapped: Score) -> list[Score]:
    """What two verdicts come to: `straight` with candidate A shown first, `swapped` with A shown second."""
    flags = tuple(dict.fromkeys((*straight.flags, *swapped.flags)))
    for score, order in ((straight, "A first"), (swapped, "B first")):
        if score.state is not ScoreState.SCORED:
            return _unscored(score.state, f"with {order}: {score.reason}", flags)
    first, second = straight.label or "", _OTHER[swapped.label or ""]  # both from A's side now
    position = _position(straight.label or "", swapped.label or "")
    preferred: Score
    if first == second or (metric.tie_rule == "lean" and "tie" in (first, second)):
        preferred = _labelled(PREFERENCE, _PREFERS[first if first != "tie" else second], flags)
    elif "tie" in (first, second) or metric.conflict == "tie":
        preferred = _labelled(PREFERENCE, "tie", flags)
    else:
        reason = "the judge prefers another answer when their order is swapped"
        preferred = Score(PREFERENCE.name, None, "", ScoreState.UNPARSEABLE, reason, flags)
    same = Score(CONSISTENT, 1.0 if first == second else 0.0, None, ScoreState.SCORED)
    return [preferred, _labelled(POSITION, position), same]


def _position(straight: str, swapped: str) -> str:
    if straight == swapped:
        return f"both_{straight}"
    if "tie" in (straight, swapped):
        return f"{straight if swapped == 'tie' else swapped}_or_tie"
    return "same_answer"


def _labelled(score: RubricScore, label: str, flags: tuple[str, ...] = ()) -> Score:
    return Score(score.name, _VALUES[score.name][label], label, ScoreState.SCORED, flags=flags)


def _unscored(state: ScoreState, reason: str | None, flags: tuple[str, ...] = ()) -> list[Score]:
    rubrics = [Score(score.name, None, "", state, reason, flags) for score in (PREFERENCE, POSITION)]
    return [*rubrics, Score(CONSISTENT, None, None, state, reason)]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of so many, with its 95 % interval (Wilson's). None where there is nothing to take a share of."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, part: float, n: int) -> "Share":
        if n == 0:
            return cls(None, None, None, 0)
        share = part / n
        middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
        low = 0.0 if part <= 0 else max(0.0, min(middle - half, share))
        return cls(share, low, 1.0 if part >= n else min(1.0, max(middle + half, share)), n)


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How far the places of the answers decided, rather than the answers.

    A judge without bias names the answer shown first in half of the verdicts that name one. The interval takes the two
    verdicts of a row as one observation, so it is rather too wide than too narrow.
    """

    decided_by_position: Share
    """Of the rows: both verdicts are for the same place, and so for different answers."""
    first_position_wins: Share
    """Of the verdicts that name an answer, row by row: for the one shown first."""
    consistent: Share
    """Of the rows: both orders gave the same verdict."""

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "PositionBias":
        """From how many rows had each label of the output `position`: an aggregate's `distribution` has them."""
        n = sum(counts.get(item.label, 0) for item in POSITION.rubric)
        count = {item.label: counts.get(item.label, 0) for item in POSITION.rubric}
        named = n - count["both_tie"]
        first = count["both_first"] + count["first_or_tie"] + count["same_answer"] / 2
        return cls(
            decided_by_position=Share.of(count["both_first"] + count["both_second"], n),
            first_position_wins=Share.of(first, named),
            consistent=Share.of(count["same_answer"] + count["both_tie"], n),
        )

    def __str__(self) -> str:
        return (
            f"decided by position: {_shown(self.decided_by_position)}; "
            f"first position wins: {_shown(self.first_position_wins)}; consistent: {_shown(self.consistent)}"
        )


def _shown(share: Share) -> str:
    if share.value is None or share.low is None or share.high is None:
        return "undefined"
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%}, n = {share.n})"
