"""The LLM judge: a row becomes a prompt, the prompt a reply, the reply scores."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import jinja2

from assay_sdk.engine.asking import settled
from assay_sdk.engine.caller import FIRST, Answer, Asking, Caller
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.fence import CONTEXT_KEY, Fence, texts_in
from assay_sdk.engine.injection import Watch
from assay_sdk.engine.llm_judge import LLMJudgeMetric
from assay_sdk.engine.parse import never_readable, reader_of
from assay_sdk.engine.prompt import default_prompt
from assay_sdk.engine.reply import arguments_of, message_of, verdict_in
from assay_sdk.engine.request import RequestSettings
from assay_sdk.engine.result import Calls, Failure, Row, Score, ScoreState
from assay_sdk.engine.scores import RubricScore
from assay_sdk.engine.template import Context, compile_template

MAX_TOKENS = 1024
RETRIES_UNSCORED = 2


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
        self._watch = Watch(metric, [reader_of(score) for score in metric.scores])
        self._silent = frozenset(score.name for score in metric.scores if never_readable(score))
        self._scores = {score.name: score.model_dump(exclude={"parser"}) for score in metric.scores}
        if metric.prompt_template is None:
            chat = "/v1/completions" not in metric.model.url
            self._render = default_prompt(metric.scores, online=online, chat=chat)
        else:
            self._render = compile_template(metric.prompt_template)

    async def score(self, row: Row, sample: Mapping[str, Any], calls: Calls) -> tuple[list[Score], Failure | None]:
        """The row's scores, and what kept the judge from giving them, if anything did. Its call is added to `calls`."""
        prompt = self.prompt(row, sample)
        if isinstance(prompt, Failure):
            return self.unscored(prompt), prompt
        return await self.settled(row, sample, lambda asking: self.ask(prompt, calls, asking))

    async def settled(
        self, row: Row, sample: Mapping[str, Any], ask: Callable[[Asking], Awaitable[Answer | Failure]]
    ) -> tuple[list[Score], Failure | None]:
        """What comes of asking, and of asking again as often as the metric allows where a reply gives no score."""

        def read(outcome: Answer | Failure) -> tuple[list[Score], Failure | None]:
            if isinstance(outcome, Failure):
                return self.unscored(outcome), outcome
            return self.read(row, sample, outcome)

        retries = self.metric.retries_unscored
        retries = RETRIES_UNSCORED if retries is None else retries
        return await settled(ask, read, self._caller.dialect, retries, self._silent)

    def prompt(self, row: Row, sample: Mapping[str, Any]) -> Any | Failure:
        """The rendered template of a row."""
        try:
            context = self._context(row, sample)
            if not self.metric.guard:
                return self._render(context)
            fence = Fence(row.index, self.metric.guard_seed, [*texts_in(row.item), *texts_in(sample)])
            fenced = fence.within({key: value for key, value in context.items() if key != "scores"})
            return fence.told(self._render({"scores": self._scores, **fenced, CONTEXT_KEY: fence}))
        except TemplateFailure as error:
            return Failure.of_template(row, error)

    async def ask(self, rendered: Any, calls: Calls, asking: Asking = FIRST) -> Answer | Failure:
        """Put a rendered template to the judge."""
        return await self._caller.ask(rendered, calls, asking)

    def verdict(self, answer: Answer) -> str | None:
        """What the judge says in the end, without its thinking; None if it never got that far."""
        text = answer.text if answer.text and answer.text.strip() else arguments_of(answer.response)
        return verdict_in(text, self.metric.reasoning) if text else None

    def read(self, row: Row, sample: Mapping[str, Any], answer: Answer) -> tuple[list[Score], Failure | None]:
        """The scores in an answer about a row, and why there are none, if it holds no verdict at all."""
        text = self.verdict(answer)
        if text is None or not text.strip():
            failure = _no_verdict(answer)
            return self.unscored(failure), failure
        scores = self._watch.read(text, row, sample, lambda: self.prompt(row, sample))
        return [_cut_off(score) for score in scores] if answer.finish_reason == "length" else scores, None

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
