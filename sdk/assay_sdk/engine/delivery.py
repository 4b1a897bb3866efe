"""Getting one request to a server: posted until there is a reply to go by, or no use in going on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.gate import Gate
from assay_sdk.engine.pace import AWAY, OVERLOADED, RETRIED, Pace, Retry, Waiting, asked_wait
from assay_sdk.engine.replies import Kept, Question, Replies, key_of
from assay_sdk.engine.result import Calls, Failure, ScoreState
from assay_sdk.engine.spell import Spell
from assay_sdk.engine.transport import HTTPReply, Transport

SHOWN_CHARACTERS = 300
CONFLICT = 409
QUOTA_SPENT = b"insufficient_quota"  # a 429 that no waiting will cure


@dataclass(frozen=True, slots=True)
class Delivery:
    """The way to one endpoint, for all rows of a run: its pace, and how often to try."""

    endpoint: Endpoint
    transport: Transport
    pace: Pace
    retry: Retry
    waiting: Waiting
    spell: Spell
    gate: Gate
    replies: Replies

    def question(self, url: str, body: bytes, calls: Calls, *draw: int) -> Question:
        """What is about to be asked about a row; `draw` tells apart what is asked several times."""
        key = key_of(url, self.endpoint.headers, body, draw)
        if again := calls.asks(key):
            key = key_of(url, self.endpoint.headers, body, (*draw, again))
        return Question(key, calls.row, self.endpoint.model, self.endpoint.address)

    async def answer(self, question: Question, url: str, body: bytes) -> tuple[HTTPReply | TransportFailure, int]:
        """The reply that is kept, after no attempt; otherwise what comes of posting."""
        kept = await self.replies.find(question)
        return await self.post(url, body) if kept is None else (HTTPReply(kept.status, {}, kept.body), 0)

    def keep(self, question: Question, outcome: HTTPReply | TransportFailure) -> None:
        """Have a reply kept."""
        if isinstance(outcome, HTTPReply):
            self.replies.keep(question, Kept(outcome.status, self.endpoint.without_key(outcome.body)))

    async def post(self, url: str, body: bytes) -> tuple[HTTPReply | TransportFailure, int]:
        """Post until there is a reply to go by, or no use in going on. The attempts made are counted."""
        attempt = let_off = 0
        while True:
            probe = self.spell.on and await self.spell.passed(self.waiting)
            try:
                async with self.pace.slot():
                    if self.spell.on and not probe and not self.spell.lost:
                        continue  # it went away while this row stood in the queue
                    await self.gate.admit(self.waiting, len(body))
                    attempt += 1
                    outcome = await self._once(url, body)
                wait = again = self.gate.saw(outcome)
                if again is None:
                    wait = self._wait_after(outcome, attempt - let_off)
                else:
                    let_off += 1
                    self._let_off(again)
            finally:
                if probe:
                    self.spell.hand_on()
            if wait is None:
                return outcome, attempt
            if wait:
                await self.waiting.sleep(wait)

    def _let_off(self, wait: float) -> None:
        """The gate knows when to ask the server again, which is there."""
        self.spell.answered()
        if wait:
            self.pace.refused()

    @property
    def hopeless(self) -> bool:
        """Whether further rows would fare no better: it never worked, or has been away for too long."""
        return not self.pace.proven or self.spell.lost

    async def _once(self, url: str, body: bytes) -> HTTPReply | TransportFailure:
        headers, timeout = self.endpoint.headers, self.endpoint.timeout
        outcome: HTTPReply | TransportFailure
        try:
            outcome = await self.transport.post(url, headers=headers, body=body, timeout=timeout)
        except TransportFailure as failure:
            outcome = failure
        return outcome

    def unreachable(self, failure: TransportFailure) -> Failure:
        """What a call without a reply means for the row."""
        silent = failure.kind == "timeout" and not self.pace.proven
        hopeless = failure.kind in ("dns", "connect", "tls") or silent or not failure.temporary
        text = f"The {self.endpoint.role} cannot be asked: {failure}"
        return Failure(ScoreState.TRANSPORT, text, hopeless, f"{failure.kind} {failure}")

    def _wait_after(self, outcome: HTTPReply | TransportFailure, attempt: int) -> float | None:
        """Seconds until the next attempt, None if this was the last. 0 within a spell: its end is waited for."""
        if isinstance(outcome, TransportFailure):
            if not outcome.temporary or (outcome.kind == "timeout" and not self.retry.after_silence):
                return None
            away, shaky = self.pace.proven and outcome.kind in ("connect", "dns"), outcome.kind == "protocol"
            asked, why = 0.0, str(outcome)
        else:
            self._note(outcome)
            if not retried(outcome):
                return None
            away, shaky = outcome.status in AWAY, outcome.status == 500
            asked, why = asked_wait(outcome.headers), f"it answers {outcome.status}"
        patient = away or (shaky and self.pace.proven)
        if self.retry.patience <= self.retry.attempts and not self.pace.proven:
            patient = False  # whoever limits the attempts means them, until there is a server worth waiting for
        asked = min(asked, self.retry.longest_asked)
        wait = self.retry.wait(attempt, patient=patient and self.retry.attempts > 1, asked=asked)
        if not patient or self.retry.attempts == 1:
            return wait
        self.spell.failed(f"Waiting for the {self.endpoint.name}: {why}", asked)
        if wait is None and away and self.spell.failures >= attempt and not self.spell.on:
            self.spell.begin(f"Waiting for the {self.endpoint.name}: {why}")
        if self.spell.lost:
            return None
        return 0.0 if self.spell.on and (away or wait is not None) else wait

    def _note(self, reply: HTTPReply) -> None:
        if reply.status < 300:
            self.pace.succeeded()
        elif reply.status in OVERLOADED:
            self.pace.refused()
        if reply.status not in RETRIED:
            self.spell.answered()


def retried(reply: HTTPReply) -> bool:
    """Whether the same request may well succeed a moment later. A conflict only does where the server says when."""
    passing = reply.status in RETRIED or (reply.status == CONFLICT and "retry-after" in reply.headers)
    return passing and QUOTA_SPENT not in reply.body


def encoded(body: Mapping[str, Any]) -> bytes:
    """A request's body as JSON."""
    try:
        return orjson.dumps(body)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(body, default=str).encode()


def excerpt(reply: bytes) -> str:
    """What a reply says, as messages quote it."""
    text = " ".join(reply[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace").replace("\0", "\ufffd").split())
    text = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return text or "no explanation"
