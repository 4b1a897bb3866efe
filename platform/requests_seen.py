"""Every request as an operator sees it: its id, a count, how long it took, a line of the access log, a span.

The first middleware: what others refuse is seen too.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from assay.platform import journal, metrics, traces

if TYPE_CHECKING:
    from opentelemetry.trace import Span

access = logging.getLogger("assay.access")

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
NO_ROUTE = "none"
"""The route of what no view answered."""
PROBES = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Routes that machines ask all day long: the access log leaves them out while they answer well."""


class RequestsSeenMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        sent = request.headers.get(HEADER, "")
        identifier = sent if SANE.fullmatch(sent) else secrets.token_hex(16)
        with journal.about(request_id=identifier):
            seen = Seen.begun(request)
            response: HttpResponse | StreamingHttpResponse
            with traces.within(seen.span):
                response = self.get_response(request)
                response.headers[HEADER] = identifier
                seen.status = response.status_code
                if isinstance(response, StreamingHttpResponse):
                    pieces: Any = response.streaming_content
                    response.streaming_content = Stream(iter(pieces), journal.facts(), seen)
                else:
                    seen.ended(len(response.content))
        return response


@dataclass
class Seen:
    """A request from its beginning to the last byte of its reply."""

    request: HttpRequest
    method: str
    span: "Span | None"
    began: float
    status: int = 0

    @classmethod
    def begun(cls, request: HttpRequest) -> Self:
        metrics.requests_in_flight.inc()
        method = request.method if request.method in METHODS else "other"
        span = traces.begin(method, {"http.request.method": method}, kind="SERVER", carried=request.headers)
        return cls(request, method, span, time.perf_counter())

    def ended(self, size: int) -> None:
        """Take down how it ended, after so many bytes."""
        seconds = time.perf_counter() - self.began
        match = self.request.resolver_match
        route = f"/{match.route}" if match is not None else NO_ROUTE
        labels = (self.method, route, f"{self.status // 100}xx")
        metrics.requests_in_flight.dec()
        metrics.requests.labels(*labels).inc()
        metrics.request_seconds.labels(*labels).observe(seconds)
        if settings.ACCESS_LOG and not (route in PROBES and self.status < 400):
            self._log(route, seconds, size)
        if self.span is not None:
            self.span.update_name(f"{self.method} {route}")
            self.span.set_attributes({"http.route": route, "http.response.status_code": self.status})
            self.span.end()

    def _log(self, route: str, seconds: float, size: int) -> None:
        milliseconds = round(seconds * 1000, 1)
        fields = {
            "method": self.method,
            "route": route,
            "status": self.status,
            "ms": milliseconds,
            "bytes": size,
            "caller": getattr(self.request, "caller_name", ""),
        }
        said = (self.method, route, self.status, milliseconds, size)
        access.info("%s %s %s %s ms %s bytes", *said, extra={"fields": fields})


class Stream:
    """The pieces of a reply that is sent as it is made. The server closes it, also when the caller has gone."""

    def __init__(self, pieces: Iterator[bytes], facts: Mapping[str, str], seen: Seen) -> None:
        self.pieces = pieces
        self.facts = facts
        self.seen = seen
        self.size = 0
        self._open = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        journal.adopt(self.facts)  # the middleware has returned long ago
        piece = next(self.pieces)
        self.size += len(piece)
        return piece

    def close(self) -> None:
        if self._open:
            self._open = False
            journal.adopt(self.facts)
            self.seen.ended(self.size)
            journal.adopt({})
