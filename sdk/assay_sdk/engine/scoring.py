"""From a row to its row score: the sample first, then every metric on it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from assay_sdk.engine.failfast import FailFast
from assay_sdk.engine.result import Calls, Failure, Row, RowScore, Score, ScoreState
from assay_sdk.engine.target import Target, stored_sample

TARGET = "target"


class Scorer(Protocol):
    """A metric that is ready to score rows."""

    async def score(self, row: Row, sample: Mapping[str, Any], calls: Calls) -> tuple[list[Score], Failure | None]: ...

    def unscored(self, failure: Failure) -> list[Score]: ...


class Scoring:
    """Scores rows. `hopeless` is set once the run should not go on; metrics in `tolerant` never cause that."""

    def __init__(self, scorers: Mapping[str, Scorer], target: Target | None, tolerant: frozenset[str]) -> None:
        self.hopeless: Failure | None = None
        self._scorers = scorers
        self._target = target
        self._watches = {name: FailFast() for name in {TARGET, *scorers} - tolerant}

    async def score(self, row: Row) -> RowScore:
        """The row score of a row, failed or not."""
        calls = Calls(row.index)
        doubtful: list[bytes] = []
        scores: dict[str, list[Score]] = {}
        failures: dict[str, Failure] = {}
        sample, missing = await self._target.sample(row, calls) if self._target else (stored_sample(row), None)
        self._watch(TARGET, missing)
        if missing:
            doubtful += [call.key for call in calls if call.key]
        for key, scorer in self._scorers.items():
            if missing:
                # A judge asked about an answer that does not exist would be paid for a number that means nothing.
                failure: Failure | None = replace(missing, kind=ScoreState.SKIPPED)
                scores[key] = scorer.unscored(replace(missing, kind=ScoreState.SKIPPED))
            else:
                before = len(calls)
                scores[key], failure = await scorer.score(row, sample, calls)
                self._watch(key, failure)
                if any(score.state is not ScoreState.SCORED for score in scores[key]):
                    doubtful += [call.key for call in calls[before:] if call.key]
            if failure:
                failures[key] = failure
        return RowScore(row.index, row.item, sample, scores, calls, failures, tuple(doubtful))

    def _watch(self, name: str, failure: Failure | None) -> None:
        watch = self._watches.get(name)
        if watch and watch.enough(failure):
            self.hopeless = self.hopeless or failure
