"""What operators see of shards' runs: calls as they begin and end, and what came of them, counted and as spans."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from assay.jobs.ledger import Amounts, Line, tokens_of
from assay.platform import metrics, traces
from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.pace import TOO_MANY
from assay_sdk.engine.reply import decoded
from assay_sdk.engine.result import RowScore
from assay_sdk.engine.transport import HTTPReply

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_call: ContextVar["tuple[float, Span | None] | None"] = ContextVar("call", default=None)
"""When the call of this task began, and its span. A task has one at a time."""


@dataclass(eq=False)
class CallWatch:
    """Watches one run's calls to one endpoint. Used from the run's event loop only."""

    endpoint: Endpoint
    _flying: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        role = self.endpoint.role
        self._seconds = metrics.call_seconds.labels(role)
        self._outcomes = {outcome: metrics.calls.labels(role, outcome) for outcome in metrics.OUTCOMES}

    def begins(self) -> None:
        """A call goes out now."""
        self._flying += 1
        metrics.calls_in_flight.inc()
        _call.set((time.perf_counter(), None if traces.tracer is None else self._span()))

    def ended(self, outcome: HTTPReply | TransportFailure) -> None:
        """The call of this task has ended."""
        call = _call.get()
        if call is None:
            return
        _call.set(None)
        self._flying -= 1
        metrics.calls_in_flight.dec()
        began, span = call
        self._seconds.observe(time.perf_counter() - began)
        word = _word(outcome)
        self._outcomes[word].inc()
        if span is not None:
            _end(span, word, outcome)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A call waits for its turn for as long as the block runs."""
        metrics.calls_waiting.inc()
        try:
            yield
        finally:
            metrics.calls_waiting.dec()

    def close(self) -> None:
        """The run is over: what still flies was let go of, and ends unseen."""
        metrics.calls_in_flight.dec(self._flying)
        self._flying = 0

    def _span(self) -> "Span | None":
        host = urlsplit(self.endpoint.address).hostname or ""
        told = {"gen_ai.request.model": self.endpoint.model, "server.address": host}
        return traces.begin(f"call {self.endpoint.role}", told, kind="CLIENT")


def paused(why: str, seconds: float) -> None:
    """Count a call that waited for its turn; ``why`` is the governor's word."""
    if why in metrics.PAUSES:
        metrics.call_pauses.labels(why).inc()
        metrics.call_pause_seconds.labels(why).inc(seconds)


def stored(rows: Sequence[RowScore], used: Mapping[Line, Amounts]) -> None:
    """Count what was written down: rows, and what their calls took."""
    for result, count in Counter(failure.kind if (failure := row.failure) else "scored" for row in rows).items():
        metrics.rows.labels(str(result)).inc(count)
    calls = [call for row in rows for call in row.calls]
    metrics.retries.inc(sum(max(0, call.attempts - 1) for call in calls))
    metrics.replies_reused.inc(sum(call.kept for call in calls))
    metrics.tokens.labels("in").inc(sum(amounts.tokens_in for amounts in used.values()))
    metrics.tokens.labels("out").inc(sum(amounts.tokens_out for amounts in used.values()))


def _word(outcome: HTTPReply | TransportFailure) -> str:
    if isinstance(outcome, TransportFailure):
        return "timeout" if outcome.kind == "timeout" else "error"
    if outcome.status < 300:
        return "ok"
    return "refused" if outcome.status == TOO_MANY else "error"


def _end(span: "Span", word: str, outcome: HTTPReply | TransportFailure) -> None:
    if isinstance(outcome, TransportFailure):
        span.set_attribute("error.type", outcome.kind)
    else:
        span.set_attribute("http.response.status_code", outcome.status)
        if word == "ok" and (counted := tokens_of(decoded(outcome.body) or {})):
            span.set_attribute("gen_ai.usage.input_tokens", counted[0])
            span.set_attribute("gen_ai.usage.output_tokens", counted[1])
    span.end()
