"""Asking one model: a rendered template in, an answer or a failure out, with retries and dialect in between."""

import re
import time
from dataclasses import dataclass
from typing import Any

from assay_sdk.engine.delivery import Delivery, encoded, excerpt, retried
from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.forms import Dialect, Form
from assay_sdk.engine.reply import arguments_of, decoded, finish_reason_of, text_of
from assay_sdk.engine.request import Request, RequestSettings, assemble, spoken
from assay_sdk.engine.result import Call, Calls, Failure, ScoreState
from assay_sdk.engine.transport import HTTPReply

LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. `text` is None if the reply holds none."""

    text: str | None
    finish_reason: str | None
    response: dict[str, Any]
    form: Form | None = None
    """The form in which a schema was asked for."""
    limit: int | None = None
    """The most tokens it was allowed."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is special about asking a question once more."""

    number: int = 1
    form: Form | None = None
    limit: int | None = None


FIRST = Asking()


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks one model, for all rows of a run."""

    delivery: Delivery
    settings: RequestSettings
    dialect: Dialect
    draw: int = 0
    """Which of several samples of the same question this asks for."""

    @property
    def endpoint(self) -> Endpoint:
        return self.delivery.endpoint

    async def ask(self, rendered: Any, calls: Calls, asking: Asking = FIRST) -> Answer | Failure:
        """Put a rendered template to the model, and add the call to `calls`, answered or not."""
        try:
            request = assemble(rendered, self.settings)
        except TypeError as error:
            return Failure(ScoreState.TEMPLATE, f"The prompt is no request: {error}.", hopeless=True, cause="request")
        if asking.limit:
            request |= {key: asking.limit for key in LIMITS if key in request}
        attempts = 0
        began = time.monotonic()
        wanted = asking.form
        while True:
            form = self.dialect.form_for(request, wanted) if self.settings.schema is not None else None
            body = spoken(request, self.settings, self.dialect, self.endpoint.model, form)
            url, asked = self.endpoint.url_for(body), encoded(body)
            question = self.delivery.question(url, asked, calls, self.draw, asking.number)
            outcome, tries = await self.delivery.answer(question, url, asked)
            attempts += tries
            if not self._learns(outcome, body, form):
                break
            if tries:
                self.delivery.keep(question, outcome)  # whoever asks again has learned it already
            wanted = wanted and wanted.next
        result = self._result(outcome, body, form)
        response = None
        if isinstance(result, Answer):
            response = result.response
            self.dialect.answered = True
            if tries:
                self.delivery.keep(question, outcome)
        spent = time.monotonic() - began
        calls.append(Call(body, response, attempts, spent, asking.number, question.key, kept=not tries))
        return result

    def _learns(self, outcome: HTTPReply | TransportFailure, body: Request, form: Form | None) -> bool:
        """Whether this was a refusal of how, not of what was asked."""
        if isinstance(outcome, TransportFailure) or not 400 <= outcome.status < 500:
            return False
        name = rf"(?<![\w-]){re.escape(self.endpoint.model)}(?![\w-])"  # may well be called "tool-7b"
        refusal = re.sub(name, "", outcome.body.decode("utf-8", "replace"))
        return self.dialect.learn(refusal, body, form)

    def _result(self, outcome: HTTPReply | TransportFailure, body: Request, form: Form | None) -> Answer | Failure:
        if isinstance(outcome, TransportFailure):
            return self.delivery.unreachable(outcome)
        reply = self.endpoint.without_key(outcome.body)
        if outcome.status >= 300:
            return self._refused(outcome, reply)
        response = decoded(reply)
        if response is None:
            text = f"The {self.endpoint.name} answered with something that is no completion: {excerpt(reply)}"
            return Failure(ScoreState.UNPARSEABLE, text, hopeless=True, cause="no completion")
        said = (arguments_of(response) if form is Form.TOOL else None) or text_of(response)
        limit = next((body[key] for key in LIMITS if isinstance(body.get(key), int)), None)
        return Answer(said, finish_reason_of(response), response, form, limit)

    def _refused(self, outcome: HTTPReply, reply: bytes) -> Failure:
        status = outcome.status
        name, secret, why = self.endpoint.name, self.endpoint.secret, excerpt(reply)
        kind, hopeless, cause = ScoreState.REFUSED, True, f"HTTP {status}"
        if status in (401, 403) and secret:
            text = f"The {name} refused the API key ({status}). Check secret '{secret}'."
        elif status == 401:
            text = f"The {name} asks for an API key (401). Name a secret in the model's api_key_secret."
        elif status == 404:
            text = f"The {name} has no model '{self.endpoint.model}', or nothing at that path (404): {why}"
        elif retried(outcome):
            text, kind = f"The {name} kept answering {status}: {why}", ScoreState.TRANSPORT
            hopeless = self.delivery.hopeless
        else:
            text, cause = f"The {name} rejected the request ({status}): {why}", f"HTTP {status} {why}"
        return Failure(kind, text, hopeless, cause)
