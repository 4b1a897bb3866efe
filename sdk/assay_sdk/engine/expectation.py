"""The judge whose score is an expectation: the mean of the legal scores, weighted by how probable it found each."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay_sdk.engine.caller import FIRST, Answer, Asking, Caller
from assay_sdk.engine.judge import Judge, judge_settings
from assay_sdk.engine.llm_judge import LLMJudgeMetric
from assay_sdk.engine.logprobs import Token, distribution, place_of, tokens_of
from assay_sdk.engine.request import RequestSettings, merged
from assay_sdk.engine.result import Calls, Failure, Row, Score, ScoreState
from assay_sdk.engine.scores import EXPECTATION_PARTS, JudgeScore, legal_values

NO_LOGPROBS = "The judge's server gives no log probabilities, which an expectation in mode 'require' needs."
FALLEN_BACK = "expectation: no log probabilities were given, so this is the score as written"


def expecting_settings(metric: LLMJudgeMetric) -> RequestSettings:
    """The settings of the judge's requests, log probabilities asked for."""
    settings = judge_settings(metric)
    assert metric.expectation is not None
    template, wanted = metric.prompt_template, metric.expectation.top_logprobs
    if template is None:
        chat = "/v1/completions" not in metric.model.url
    else:
        chat = "messages" in template if isinstance(template, dict) else settings.wants_chat
    asked = {"logprobs": True, "top_logprobs": wanted} if chat else {"logprobs": wanted}
    return replace(settings, params=merged(settings.params, asked))


class ExpectingJudge(Judge):
    """A judge whose metric has an `expectation`."""

    def __init__(self, metric: LLMJudgeMetric, caller: Caller, *, online: bool) -> None:
        assert metric.expectation is not None
        super().__init__(metric, caller, online=online)
        self._wanted = metric.expectation
        self._legal = {score.name: legal_values(score) for score in metric.scores}
        self._without = _without_logprobs(caller)
        self._refused = False

    async def ask(self, rendered: Any, calls: Calls, asking: Asking = FIRST) -> Answer | Failure:
        """As any judge is asked; in mode `prefer` a server that refuses to give log probabilities is spared them."""
        prefers = self._wanted.mode == "prefer"
        if not (prefers and self._refused):
            outcome = await super().ask(rendered, calls, asking)
            said_so = isinstance(outcome, Failure) and outcome.kind is ScoreState.REFUSED
            if not (prefers and said_so and "logprob" in outcome.text.lower()):  # type: ignore[union-attr]
                return outcome
            self._refused = True
        return await self._without.ask(rendered, calls, asking)

    def read(self, row: Row, sample: Mapping[str, Any], answer: Answer) -> tuple[list[Score], Failure | None]:
        """The expected scores, each with its mass and the score as written."""
        scores, failure = super().read(row, sample, answer)
        if failure:
            return scores, failure
        tokens = tokens_of(answer.response)
        if not tokens and self._wanted.mode == "require":
            failure = Failure(ScoreState.REFUSED, NO_LOGPROBS, hopeless=True, cause="no log probabilities")
            return self.unscored(failure), failure
        text = self.verdict(answer) or ""
        pairs = zip(self.metric.scores, scores, strict=True)
        return [part for wanted, score in pairs for part in self._expected(wanted, score, tokens, text)], None

    def unscored(self, failure: Failure) -> list[Score]:
        return [part for score in super().unscored(failure) for part in _without_value(score)]

    def _expected(self, wanted: JudgeScore, score: Score, tokens: list[Token], text: str) -> list[Score]:
        if score.value is None:
            return _without_value(score)
        if not tokens:
            return _parts(replace(score, flags=(*score.flags, FALLEN_BACK)), 0.0, score.value)
        legal = self._legal[score.name]
        found = _found(wanted, score, tokens, text, legal)
        if found is None:
            return _without_value(_unread(score, "the tokens that hold the score could not be found in the reply"))
        mass = math.fsum(found.values())
        if mass <= 0 or mass < self._wanted.least_mass:
            least = f"{mass:.3g} of the probability is on legal scores; {self._wanted.least_mass:g} is needed"
            return _without_value(_unread(score, least))
        value = math.fsum(legal[text] * probability for text, probability in found.items()) / mass
        value = min(max(value, min(legal.values())), max(legal.values()))
        label = score.label if score.label is None else max(found, key=lambda text: found[text])
        return _parts(replace(score, value=value, label=label), min(mass, 1.0), score.value)


def _found(
    wanted: JudgeScore, score: Score, tokens: list[Token], text: str, legal: Mapping[str, float]
) -> dict[str, float] | None:
    place = place_of(wanted, text)
    joined = b"".join(token.text for token in tokens)
    begins = joined.rfind(text.encode("utf-8", "surrogatepass"))
    if place is None or begins < 0:
        return None
    literal = text[slice(*place)]
    if score.label is None and _number(literal) != score.value:
        return None  # what was found is not what was read as the score
    if score.label is not None and literal.strip().casefold() != score.label.casefold():
        return None
    return distribution(tokens, begins + len(text[: place[0]].encode("utf-8", "surrogatepass")), list(legal))


def _number(literal: str) -> float | None:
    try:
        return float(literal)
    except ValueError:
        return None


def _unread(score: Score, reason: str) -> Score:
    label = score.label if score.label is None else ""
    return Score(score.name, None, label, ScoreState.UNPARSEABLE, reason, score.flags)


def _parts(score: Score, mass: float, written: float) -> list[Score]:
    values = zip(EXPECTATION_PARTS, (mass, written), strict=True)
    return [score, *(Score(f"{score.name}.{part}", value, None, ScoreState.SCORED) for part, value in values)]


def _without_value(score: Score) -> list[Score]:
    return [
        score,
        *(Score(f"{score.name}.{part}", None, None, score.state, score.reason) for part in EXPECTATION_PARTS),
    ]


def _without_logprobs(caller: Caller) -> Caller:
    kept = {key: value for key, value in caller.settings.params.items() if key not in ("logprobs", "top_logprobs")}
    return replace(caller, settings=replace(caller.settings, params=kept))
