"""Asking one model: a rendered template in, an answer or a failure out, with retries and dialect in between."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson

from assay_sdk.engine.errors import RunAborted, TransportFailure
from assay_sdk.engine.forms import Dialect, Form
from assay_sdk.engine.pace import RETRIED, TOO_MANY, Pace, Retry, Waiting, asked_wait
from assay_sdk.engine.request import Request, RequestSettings, assemble, spoken
from assay_sdk.engine.result import Call, Failure, ScoreState
from assay_sdk.engine.spec import InferenceParams, Model
from assay_sdk.engine.transport import HTTPReply, Transport

SHOWN_REFUSAL = 300
QUOTA_SPENT = b"insufficient_quota"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. `text` is None if the reply holds none."""

    text: str | None
    finish_reason: str | None
    call: Call


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is and how to get in."""

    role: str  # "judge" or "target": how messages speak of it
    model: str
    url: str  # without the path of the API call, query kept
    headers: Mapping[str, str]
    secret: str | None
    key: str | None
    timeout: float

    @classmethod
    def of(
        cls, role: str, model: Model, inference: InferenceParams | None, api_keys: Mapping[str, str], timeout: float
    ) -> "Endpoint":
        """Raises RunAborted when the model's key is not at hand: better before the first row than at each."""
        extras: dict[str, Any] = {}
        for params in (model.inference, inference):
            extras |= (params.model_extra or {}) if params else {}
        key = _key_of(model, api_keys)
        headers = {"content-type": "application/json", "accept": "application/json"}
        headers |= {name.lower(): str(value) for name, value in (model.default_headers or {}).items()}
        headers |= {name.lower(): str(value) for name, value in (extras.get("extra_headers") or {}).items()}
        if key:
            headers["authorization"] = f"Bearer {key}"
        parts = urlsplit(model.url)
        path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat")
        query = "&".join(filter(None, [parts.query, urlencode(extras.get("extra_query") or {})]))
        return cls(
            role=role,
            model=model.served_model_name or model.name,
            url=urlunsplit((parts.scheme, parts.netloc, path, query, "")),
            headers=headers,
            secret=model.api_key_secret,
            key=key,
            timeout=float(extras.get("timeout") or timeout),
        )

    def __repr__(self) -> str:
        return f"Endpoint({self.role} {self.model!r} at {self.url})"  # never the key

    def address(self, request: Request) -> str:
        """The call's address: the body decides which of the two APIs it is for."""
        parts = urlsplit(self.url)
        path = parts.path + ("/chat/completions" if "messages" in request else "/completions")
        return urlunsplit(parts._replace(path=path))


def _key_of(model: Model, api_keys: Mapping[str, str]) -> str | None:
    if not model.api_key_secret:
        return None
    key = (api_keys.get(model.api_key_secret) or "").strip()
    if not key:
        raise RunAborted(f"Model '{model.name}' needs secret '{model.api_key_secret}', which is missing or empty.")
    if not (key.isascii() and key.isprintable()):
        raise RunAborted(f"Secret '{model.api_key_secret}' holds characters that no API key has. Store it again.")
    return key


class Caller:
    """Asks one model, for all rows of a run."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: RequestSettings,
        dialect: Dialect,
        *,
        transport: Transport,
        pace: Pace,
        retry: Retry,
        waiting: Waiting,
    ) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.dialect = dialect
        self._transport = transport
        self._pace = pace
        self._retry = retry
        self._waiting = waiting

    async def ask(self, rendered: Any) -> Answer | Failure:
        """Put a rendered template to the model."""
        try:
            request = assemble(rendered, self.settings)
        except TypeError as error:
            return Failure(ScoreState.TEMPLATE, f"The prompt is no request: {error}.", cause="request")
        attempts = 0
        began = time.monotonic()
        while True:
            form = self.dialect.form if self.settings.schema is not None else None
            body = spoken(request, self.settings, self.dialect, self.endpoint.model)
            reply, tries = await self._deliver(self.endpoint.address(body), _encoded(body))
            attempts += tries
            if isinstance(reply, TransportFailure):
                return self._unreachable(reply)
            if reply.status < 300:
                return self._answer(reply, body, attempts, time.monotonic() - began)
            if not (400 <= reply.status < 500 and self._learns(reply, body, form)):
                return self._refused(reply)

    async def _deliver(self, url: str, body: bytes) -> tuple[HTTPReply | TransportFailure, int]:
        """Post until there is a reply worth having, or no use in going on."""
        attempt = 0
        while True:
            attempt += 1
            outcome: HTTPReply | TransportFailure
            async with self._pace.slot() as token:
                try:
                    outcome = await self._transport.post(
                        url, headers=self.endpoint.headers, body=body, timeout=self.endpoint.timeout
                    )
                except TransportFailure as failure:
                    outcome = failure
            wait = self._wait(outcome, attempt, token)
            if wait is None:
                return outcome, attempt
            await self._waiting.sleep(wait)

    def _wait(self, outcome: HTTPReply | TransportFailure, attempt: int, token: int) -> float | None:
        if isinstance(outcome, TransportFailure):
            away = outcome.kind == "connect" and self._pace.proven
            return self._retry.wait(attempt, patient=away) if outcome.temporary else None
        if outcome.status == TOO_MANY and QUOTA_SPENT not in outcome.body:
            self._pace.slow_down(token)
            return self._retry.wait(attempt, patient=True, asked=asked_wait(outcome.headers))
        if outcome.status in RETRIED and outcome.status != TOO_MANY:
            return self._retry.wait(attempt, asked=asked_wait(outcome.headers))
        if outcome.status < 300:
            self._pace.speed_up()
        return None

    def _learns(self, reply: HTTPReply, body: Request, form: Form | None) -> bool:
        return self.dialect.learn(reply.body.decode("utf-8", "replace"), body, form)

    def _answer(self, reply: HTTPReply, body: Request, attempts: int, seconds: float) -> Answer | Failure:
        try:
            response = _decoded(self._without_key(reply.body))
        except ValueError:
            response = None
        if not isinstance(response, dict):
            text = f"The {self._name} answered with something that is not a completion: {self._excerpt(reply)}"
            return Failure(ScoreState.UNPARSEABLE, text, hopeless=True, cause="not a completion")
        text, finish_reason = text_of(response)
        return Answer(text, finish_reason, Call(body, response, attempts, seconds))

    def _refused(self, reply: HTTPReply) -> Failure:
        status, secret, model = reply.status, self.endpoint.secret, self.endpoint.model
        cause = f"HTTP {status}"
        if status == 401 or (status == 403 and secret):
            fix = f"Check secret '{secret}'." if secret else "Name a secret in the model's api_key_secret."
            what = "refused the API key" if secret else "asks for an API key"
            return Failure(ScoreState.REFUSED, f"The {self._name} {what} ({status}). {fix}", True, cause)
        if status == 404:
            text = f"The {self._name} has no model '{model}', or nothing at that path (404): {self._excerpt(reply)}"
            return Failure(ScoreState.REFUSED, text, True, cause)
        if status in RETRIED:
            text = f"The {self._name} kept answering {status}: {self._excerpt(reply)}"
            spent = QUOTA_SPENT in reply.body
            return Failure(ScoreState.REFUSED if spent else ScoreState.TRANSPORT, text, spent, cause)
        excerpt = self._excerpt(reply)
        text = f"The {self._name} rejected the request ({status}): {excerpt}"
        return Failure(ScoreState.REFUSED, text, True, f"{cause} {excerpt}")

    def _unreachable(self, failure: TransportFailure) -> Failure:
        hopeless = failure.kind in ("dns", "connect", "tls") or not failure.temporary
        text = f"The {self.endpoint.role} cannot be asked: {failure}"
        return Failure(ScoreState.TRANSPORT, text, hopeless, f"{failure.kind} {failure}")

    @property
    def _name(self) -> str:
        return f"{self.endpoint.role} at {self.endpoint.url.partition('?')[0]}"

    def _excerpt(self, reply: HTTPReply) -> str:
        text = " ".join(self._without_key(reply.body)[: 4 * SHOWN_REFUSAL].decode("utf-8", "replace").split())
        return (text if len(text) <= SHOWN_REFUSAL else text[: SHOWN_REFUSAL - 1] + "…") or "no explanation"

    def _without_key(self, body: bytes) -> bytes:
        key = (self.endpoint.key or "").encode()
        return body.replace(key, b"***") if key else body  # servers have been seen to echo it


def text_of(response: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The text of a chat or plain completion, and why it ended there."""
    choices = response.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return None, None
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else choice.get("text")
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    finish_reason = choice.get("finish_reason")
    return content if isinstance(content, str) else None, str(finish_reason) if finish_reason else None


def _encoded(body: Request) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(body, default=str).encode()


def _decoded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:  # NaN among log probabilities, for one
        return json.loads(body)
