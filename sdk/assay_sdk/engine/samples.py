"""One judge asked several times about each row (self-consistency, Wang et al. 2023): how steady is its score?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay_sdk.engine.caller import Answer, Caller
from assay_sdk.engine.judge import Judge
from assay_sdk.engine.methods import SelfConsistencyMetric
from assay_sdk.engine.reply import finish_reason_of, text_of
from assay_sdk.engine.result import Calls, Failure, Row, Score, ScoreState
from assay_sdk.engine.votes import Verdict, combined, together, unscored


class Samples:
    """A self-consistency metric, ready to score rows.

    With `one_call` the first request of a row asks for all samples at once (`n`). A server that gives fewer is asked
    for the rest one by one, and no longer for several at once; one that refuses `n` has cost one call more.
    """

    def __init__(self, metric: SelfConsistencyMetric, judge: Judge, caller: Caller) -> None:
        self.metric = metric
        self._judge = judge
        self._caller = caller
        self._at_once = metric.one_call

    async def score(self, row: Row, sample: Mapping[str, Any], calls: Calls) -> Verdict:
        """The scores that the samples come to, and why there are none, if every sample failed for a reason."""
        prompt = self._judge.prompt(row, sample)
        if isinstance(prompt, Failure):
            return self.unscored(prompt), prompt
        verdicts = await self._several(row, sample, prompt, calls) if self._at_once else []
        asks = [
            self._one(row, sample, prompt, calls.branch(), number)
            for number in range(len(verdicts), self.metric.samples)
        ]
        for verdict, made in await together(asks):
            verdicts.append(verdict)
            calls += made
        failures = [failure for _, failure in verdicts if failure]
        scores = []
        for index, wanted in enumerate(self._judge.metric.scores):
            votes = [given[index] for given, _ in verdicts]
            scores += combined(wanted.name, votes, self.metric.combine, self.metric.needed, "samples")
        lost = failures and not any(score.state is ScoreState.SCORED for score in scores)
        return scores, failures[0] if lost else None

    def unscored(self, failure: Failure) -> list[Score]:
        """All scores of a row that could not be sampled."""
        return [
            score
            for lost in self._judge.unscored(failure)
            for score in unscored(lost.name, lost.label, lost.state, lost.reason)
        ]

    async def _several(self, row: Row, sample: Mapping[str, Any], prompt: Any, calls: Calls) -> list[Verdict]:
        """As many samples as the server gives for one call; none if it refused to."""
        outcome = await self._with({"n": self.metric.samples}).ask(prompt, calls)
        if isinstance(outcome, Failure):
            if outcome.kind is ScoreState.REFUSED and "HTTP 4" in outcome.cause:
                self._at_once = False
                return []  # perhaps for the number alone: a request without it tells
            return [(self._judge.unscored(outcome), outcome)] * self.metric.samples
        choices = outcome.response.get("choices")
        choices = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
        if len(choices) < self.metric.samples:
            self._at_once = False
        answers = [_answer(outcome.response, choice) for choice in choices[: self.metric.samples]] or [outcome]
        return [self._judge.read(row, sample, answer) for answer in answers]

    async def _one(
        self, row: Row, sample: Mapping[str, Any], prompt: Any, calls: Calls, number: int
    ) -> tuple[Verdict, Calls]:
        seed = self._caller.settings.params.get("seed")
        # The same seed would only bring the same sample again.
        caller = self._with({"seed": seed + number}) if isinstance(seed, int) else self._caller
        caller = replace(caller, draw=number)
        verdict = await self._judge.settled(row, sample, lambda asking: caller.ask(prompt, calls, asking))
        return verdict, calls

    def _with(self, params: Mapping[str, Any]) -> Caller:
        settings = self._caller.settings
        return replace(self._caller, settings=replace(settings, params={**settings.params, **params}))


def _answer(response: dict[str, Any], choice: dict[str, Any]) -> Answer:
    alone = {**response, "choices": [choice]}
    return Answer(text_of(alone), finish_reason_of(alone), alone)
