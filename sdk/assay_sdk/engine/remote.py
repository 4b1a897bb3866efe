"""Metrics that a service of one's own computes: `remote` and `nemo-agent-toolkit-remote`."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from assay_sdk.engine.delivery import Delivery, encoded, excerpt, retried
from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import TemplateFailure, TransportFailure
from assay_sdk.engine.jsonpath import compile_path
from assay_sdk.engine.measured import TemplateFields, context_of, scored, unread
from assay_sdk.engine.metric import Metric
from assay_sdk.engine.model import Address, SecretRef
from assay_sdk.engine.reply import any_json
from assay_sdk.engine.result import Call, Calls, Failure, Row, Score, ScoreState
from assay_sdk.engine.scores import JSONScoreParser, RemoteScore, RubricScore
from assay_sdk.engine.template import Template, compile_template
from assay_sdk.engine.transport import HTTPReply

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer

SHOWN_CHARACTERS = 80


class _Service(Metric):
    """A service that scores rows, and how to reach it."""

    url: Address
    api_key_secret: SecretRef | None = None
    timeout_seconds: float = Field(default=30.0, gt=0)
    max_retries: int = Field(default=3, ge=0)
    metric_threshold_score: str | None = None  # clients send it; it has no meaning in an evaluation

    def secret_refs(self) -> list[str]:
        return [self.api_key_secret] if self.api_key_secret else []

    def addresses(self) -> list[str]:
        return [self.url]

    def scales(self) -> dict[str, RubricScore | None]:
        return dict.fromkeys(score.name for score in self.read_scores())

    def read_scores(self) -> list[RemoteScore]:
        """The scores, and where each is in the reply."""
        raise NotImplementedError

    def body_template(self) -> Template:
        """What is posted for a row."""
        raise NotImplementedError

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        endpoint = Endpoint.plain(
            "remote metric", self.url, self.api_key_secret, api_keys=lines.api_keys, timeout=self.timeout_seconds
        )
        attempts = self.max_retries + 1
        retry = replace(lines.retry, attempts=attempts, patience=attempts)
        return Remote(self.url, self.read_scores(), self.body_template(), lines.delivery(endpoint, retry))


class RemoteMetric(_Service):
    """Scores by a service of one's own: posts the filled body as JSON, and reads each score by its JSONPath."""

    type: Literal["remote"] = "remote"
    body: TemplateFields
    scores: list[RemoteScore] = Field(min_length=1)

    def read_scores(self) -> list[RemoteScore]:
        return self.scores

    def body_template(self) -> Template:
        return compile_template(self.body)

    @field_validator("scores")
    @classmethod
    def _readable(cls, scores: list[RemoteScore]) -> list[RemoteScore]:
        if len({score.name for score in scores}) < len(scores):
            raise ValueError("score names must be unique")
        for score in scores:
            compile_path(score.parser.json_path)
        return scores


class NemoAgentToolkitRemoteMetric(_Service):
    """An evaluator of an agent toolkit's service: posts its name and the row, and reads `result.score`."""

    type: Literal["nemo-agent-toolkit-remote"] = "nemo-agent-toolkit-remote"
    evaluator_name: str = Field(min_length=1)

    def read_scores(self) -> list[RemoteScore]:
        parser = JSONScoreParser(json_path="$.result.score")
        return [RemoteScore.model_construct(name=self.evaluator_name, parser=parser)]

    def body_template(self) -> Template:
        return lambda context: {"evaluator_name": self.evaluator_name, "item": context["item"]}


class Remote:
    """A service's metric, ready to score rows."""

    def __init__(self, url: str, scores: Sequence[RemoteScore], body: Template, delivery: Delivery) -> None:
        self._url = url
        self._scores = scores
        self._body = body
        self._delivery = delivery
        self._readers = [_reader_of(score) for score in scores]

    async def score(self, row: Row, sample: Mapping[str, Any], calls: Calls) -> tuple[list[Score], Failure | None]:
        """The row's scores, and what kept the service from giving them, if anything did. The call goes to `calls`."""
        try:
            body = self._body(context_of(row, sample))
        except TemplateFailure as error:
            failure = Failure.of_template(row, error)
            return self.unscored(failure), failure
        began = time.monotonic()
        asked = encoded(body)
        question = self._delivery.question(self._url, asked, calls)
        outcome, attempts = await self._delivery.answer(question, self._url, asked)
        value = self._value(outcome)
        told = isinstance(value, Failure)
        if attempts and not told:
            self._delivery.keep(question, outcome)
        spent = time.monotonic() - began
        calls.append(Call(body, None if told else value, attempts, spent, key=question.key, kept=not attempts))
        if isinstance(value, Failure):
            return self.unscored(value), value
        return [read(value) for read in self._readers], None

    def unscored(self, failure: Failure) -> list[Score]:
        """All scores of a row that the service could not score."""
        return [Score(score.name, None, None, failure.kind, failure.text) for score in self._scores]

    def _value(self, outcome: HTTPReply | TransportFailure) -> Any:
        """What the service said, or the Failure that kept it from saying anything."""
        if isinstance(outcome, TransportFailure):
            return self._delivery.unreachable(outcome)
        reply = self._delivery.endpoint.without_key(outcome.body)
        if outcome.status >= 300:
            return self._refused(outcome, reply)
        try:
            return any_json(reply)
        except (ValueError, RecursionError):
            text = f"The {self._delivery.endpoint.name} answered with something that is no JSON: {excerpt(reply)}"
            return Failure(ScoreState.UNPARSEABLE, text, hopeless=True, cause="no JSON")

    def _refused(self, outcome: HTTPReply, reply: bytes) -> Failure:
        endpoint, status, why = self._delivery.endpoint, outcome.status, excerpt(reply)
        if status in (401, 403):
            what = f"Check secret '{endpoint.secret}'." if endpoint.secret else "Name a secret in api_key_secret."
            return Failure(
                ScoreState.REFUSED, f"The {endpoint.name} refused the API key ({status}). {what}", True, str(status)
            )
        if retried(outcome):
            text = f"The {endpoint.name} kept answering {status}: {why}"
            return Failure(ScoreState.TRANSPORT, text, self._delivery.hopeless, f"HTTP {status}")
        text = f"The {endpoint.name} rejected the request ({status}): {why}"
        return Failure(ScoreState.REFUSED, text, hopeless=True, cause=f"HTTP {status} {why}")


def _reader_of(score: RemoteScore) -> Callable[[Any], Score]:
    find = compile_path(score.parser.json_path)

    def read(reply: Any) -> Score:
        try:
            found = find(reply)
        except Exception as error:  # a filter may compare what cannot be compared
            return unread(score.name, f"'{score.parser.json_path}' cannot be followed: {error}")
        if not found:
            return unread(score.name, f"the reply has nothing at '{score.parser.json_path}'")
        number = _number(found[0])
        if number is None:
            return unread(score.name, f"{_shown(found[0])} is no number")
        low, high = score.minimum, score.maximum
        if (low is not None and number < low) or (high is not None and number > high):
            bounds = f"{'' if low is None else low}–{'' if high is None else high}"
            reason = f"{_shown(found[0])} is outside the range {bounds}"
            return Score(score.name, None, None, ScoreState.OUT_OF_RANGE, reason)
        return scored(score.name, number)

    return read


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
