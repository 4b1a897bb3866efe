"""Asking one model: a rendered template in, an answer or a failure out, with retries and dialect in between."""

import json
import time
from dataclasses import dataclass
from typing import Any

import orjson

from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.forms import Dialect, Form
from assay_sdk.engine.pace import RETRIED, TOO_MANY, Pace, Retry, Waiting, asked_wait
from assay_sdk.engine.reply import decoded, finish_reason_of, text_of
from assay_sdk.engine.request import Request, RequestSettings, assemble, spoken
from assay_sdk.engine.result import Call, Failure, ScoreState
from assay_sdk.engine.transport import HTTPReply, Transport

SHOWN_CHARACTERS = 300
QUOTA_SPENT = b"insufficient_quota"  # a 429 that no waiting will cure


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. `text` is None if the reply holds none."""

    text: str | None
    finish_reason: str | None
    response: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks one model, for all rows of a run."""

    endpoint: Endpoint
    settings: RequestSettings
    dialect: Dialect
    transport: Transport
    pace: Pace
    retry: Retry
    waiting: Waiting

    async def ask(self, rendered: Any, calls: list[Call]) -> Answer | Failure:
        """Put a rendered template to the model, and add the call to `calls`, answered or not."""
        try:
            request = assemble(rendered, self.settings)
        except TypeError as error:
            return Failure(ScoreState.TEMPLATE, f"The prompt is no request: {error}.", hopeless=True, cause="request")
        attempts = 0
        began = time.monotonic()
        while True:
            form = self.dialect.form if self.settings.schema is not None else None
            body = spoken(request, self.settings, self.dialect, self.endpoint.model)
            outcome, tries = await self._deliver(self.endpoint.url_for(body), _encoded(body))
            attempts += tries
            if not self._learns(outcome, body, form):
                break
        result = self._result(outcome)
        response = result.response if isinstance(result, Answer) else None
        calls.append(Call(body, response, attempts, time.monotonic() - began))
        return result

    async def _deliver(self, url: str, body: bytes) -> tuple[HTTPReply | TransportFailure, int]:
        """Post until there is a reply to go by, or no use in going on. The attempts made are counted."""
        headers, timeout = self.endpoint.headers, self.endpoint.timeout
        attempt = 0
        while True:
            attempt += 1
            outcome: HTTPReply | TransportFailure
            async with self.pace.slot():
                try:
                    outcome = await self.transport.post(url, headers=headers, body=body, timeout=timeout)
                except TransportFailure as failure:
                    outcome = failure
            wait = self._wait_after(outcome, attempt)
            if wait is None:
                return outcome, attempt
            await self.waiting.sleep(wait)

    def _wait_after(self, outcome: HTTPReply | TransportFailure, attempt: int) -> float | None:
        if isinstance(outcome, TransportFailure):
            away = self.pace.proven and outcome.kind == "connect"
            return self.retry.wait(attempt, patient=away) if outcome.temporary else None
        if outcome.status < 300:
            self.pace.succeeded()
        if outcome.status not in RETRIED or QUOTA_SPENT in outcome.body:
            return None
        too_many = outcome.status == TOO_MANY
        if too_many:
            self.pace.refused()
        return self.retry.wait(attempt, patient=too_many, asked=asked_wait(outcome.headers))

    def _learns(self, outcome: HTTPReply | TransportFailure, body: Request, form: Form | None) -> bool:
        """Whether this was a refusal of how, not of what was asked."""
        if isinstance(outcome, TransportFailure) or not 400 <= outcome.status < 500:
            return False
        return self.dialect.learn(outcome.body.decode("utf-8", "replace"), body, form)

    def _result(self, outcome: HTTPReply | TransportFailure) -> Answer | Failure:
        if isinstance(outcome, TransportFailure):
            return self._unreachable(outcome)
        reply = self.endpoint.without_key(outcome.body)
        if outcome.status >= 300:
            return self._refused(outcome.status, reply)
        response = decoded(reply)
        if response is None:
            text = f"The {self.endpoint.name} answered with something that is no completion: {_excerpt(reply)}"
            return Failure(ScoreState.UNPARSEABLE, text, hopeless=True, cause="no completion")
        return Answer(text_of(response), finish_reason_of(response), response)

    def _refused(self, status: int, reply: bytes) -> Failure:
        name, secret, why = self.endpoint.name, self.endpoint.secret, _excerpt(reply)
        kind, hopeless, cause = ScoreState.REFUSED, True, f"HTTP {status}"
        if status in (401, 403) and secret:
            text = f"The {name} refused the API key ({status}). Check secret '{secret}'."
        elif status == 401:
            text = f"The {name} asks for an API key (401). Name a secret in the model's api_key_secret."
        elif status == 404:
            text = f"The {name} has no model '{self.endpoint.model}', or nothing at that path (404): {why}"
        elif status in RETRIED and QUOTA_SPENT not in reply:
            text, kind, hopeless = f"The {name} kept answering {status}: {why}", ScoreState.TRANSPORT, False
        else:
            text, cause = f"The {name} rejected the request ({status}): {why}", f"HTTP {status} {why}"
        return Failure(kind, text, hopeless, cause)

    def _unreachable(self, failure: TransportFailure) -> Failure:
        hopeless = failure.kind in ("dns", "connect", "tls") or not failure.temporary
        text = f"The {self.endpoint.role} cannot be asked: {failure}"
        return Failure(ScoreState.TRANSPORT, text, hopeless, f"{failure.kind} {failure}")


def _encoded(body: Request) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(body, default=str).encode()


def _excerpt(reply: bytes) -> str:
    text = " ".join(reply[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace").split())
    text = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return text or "no explanation"
