"""Several judges on each row, each asked in its own way, and what they come to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from assay_sdk.engine.judge import Judge
from assay_sdk.engine.methods import PanelMetric
from assay_sdk.engine.result import Calls, Failure, Row, Score, ScoreState
from assay_sdk.engine.votes import Verdict, combined, together, unscored


class Panel:
    """A panel metric, ready to score rows."""

    def __init__(self, metric: PanelMetric, judges: Sequence[Judge]) -> None:
        self.metric = metric
        self._judges = judges

    async def score(self, row: Row, sample: Mapping[str, Any], calls: Calls) -> Verdict:
        """The scores that the judges come to, then each judge's own; the first failure where none could be given."""
        made = [calls.branch() for _ in self._judges]
        verdicts = await together(
            [judge.score(row, sample, own) for judge, own in zip(self._judges, made, strict=True)]
        )
        calls += [call for own in made for call in own]  # in the order of the judges, not of their answers
        scores: list[Score] = []
        for index, wanted in enumerate(self.metric.scores):
            votes = [given[index] for given, _ in verdicts]
            scores += combined(wanted.name, votes, self.metric.combine, self.metric.needed, "judges")
            scores += self._own(wanted.name, votes)
        failures = [failure for _, failure in verdicts if failure]
        missed = failures and not any(score.state is ScoreState.SCORED for score in _results(scores))
        return scores, failures[0] if missed else None

    def unscored(self, failure: Failure) -> list[Score]:
        """All scores of a row that could not be judged."""
        found: list[Score] = []
        for lost in self._judges[0].unscored(failure):
            found += unscored(lost.name, lost.label, lost.state, lost.reason)
            found += self._own(lost.name, [lost] * len(self._judges))
        return found

    def _own(self, name: str, votes: Sequence[Score]) -> list[Score]:
        members = zip(self.metric.members(), votes, strict=True)
        return [replace(vote, name=f"{name}.{who}", label=None) for (who, _), vote in members]


def _results(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if "." not in score.name]
