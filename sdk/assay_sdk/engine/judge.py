"""The LLM judge: a row becomes a prompt, the prompt a reply, the reply scores."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jinja2

from assay_sdk.engine.caller import Answer, Caller
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.prompt import default_prompt
from assay_sdk.engine.reply import message_of, verdict_in
from assay_sdk.engine.request import RequestSettings
from assay_sdk.engine.result import Call, Failure, Row, Score, ScoreState
from assay_sdk.engine.spec import LLMJudgeMetric, RubricScore
from assay_sdk.engine.template import Context, compile_template

MAX_TOKENS = 1024


def judge_settings(metric: LLMJudgeMetric) -> RequestSettings:
    """What every request of this judge has in common."""
    return RequestSettings.of(
        metric.model,
        max_tokens=MAX_TOKENS,
        system_prompt=metric.system_prompt,
        inference=metric.inference,
        reasoning=metric.reasoning,
        schema=metric.reply_schema(),
        strict=bool(metric.structured_output and metric.structured_output.strict),
    )


class Judge:
    """One LLM judge metric, ready to score rows."""

    def __init__(self, metric: LLMJudgeMetric, caller: Caller, *, online: bool) -> None:
        self.metric = metric
        self._caller = caller
        self._readers = [reader_of(score) for score in metric.scores]
        self._scores = {score.name: score.model_dump(exclude={"parser"}) for score in metric.scores}
        if metric.prompt_template is None:
            chat = "/v1/completions" not in metric.model.url
            self._render = default_prompt(metric.scores, online=online, chat=chat)
        else:
            self._render = compile_template(metric.prompt_template)

    async def score(self, row: Row, sample: Mapping[str, Any], calls: list[Call]) -> tuple[list[Score], Failure | None]:
        """The row's scores, and what kept the judge from giving them, if anything did. Its call is added to `calls`."""
        try:
            outcome = await self._caller.ask(self._render(self._context(row, sample)), calls)
        except TemplateFailure as error:
            outcome = Failure.of_template(row, error)
        if isinstance(outcome, Failure):
            return self.unscored(outcome), outcome
        text = verdict_in(outcome.text, self.metric.reasoning) if outcome.text else None
        if text is None or not text.strip():
            failure = _no_verdict(outcome)
            return self.unscored(failure), failure
        scores = read_scores(self._readers, text)
        return [_cut_off(score) for score in scores] if outcome.finish_reason == "length" else scores, None

    def unscored(self, failure: Failure) -> list[Score]:
        """All scores of a row that this judge could not score."""
        return [
            Score(score.name, None, "" if isinstance(score, RubricScore) else None, failure.kind, failure.text)
            for score in self.metric.scores
        ]

    def _context(self, row: Row, sample: Mapping[str, Any]) -> Context:
        item = row.item
        absent = [name for name in self.metric.optional_fields if name not in item]
        if absent:
            item = {**item, **{name: jinja2.Undefined(name=name) for name in absent}}  # prints as nothing
        return {**item, **sample, "item": item, "sample": sample, "scores": self._scores}


def _no_verdict(answer: Answer) -> Failure:
    refusal = message_of(answer.response).get("refusal")
    if refusal or answer.finish_reason == "content_filter":
        return Failure(ScoreState.REFUSED, f"The judge declined to answer: {refusal or 'content filter'}")
    if answer.finish_reason == "length" or (answer.text or "").strip():
        return Failure(ScoreState.TRUNCATED, "The judge's reply ends before its verdict. Raise max_tokens.")
    return Failure(ScoreState.EMPTY, "The judge's reply holds no text.")


def _cut_off(score: Score) -> Score:
    if score.state is not ScoreState.UNPARSEABLE:
        return score
    reason = f"the reply was cut off (raise max_tokens): {score.reason}"
    return replace(score, state=ScoreState.TRUNCATED, reason=reason)
