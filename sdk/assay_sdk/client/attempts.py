"""What is tried again and when it is given up: one policy for both senders."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from assay_sdk.client.call import Call
from assay_sdk.client.errors import APIConnectionError, APITimeoutError, refusal
from assay_sdk.client.settings import Settings

TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_WAIT = 60.0
"""Seconds; a server that wants to be left alone for longer gets its way: the error goes to the caller."""


class Attempts:
    """The tries of one call: says after each failure how long to wait, or raises when it is final.

    A request that may have been carried out is repeated only if that is harmless. One that surely was not (no
    connection, 429, or 503 with Retry-After) is repeated in any case. A 409 never is.
    """

    def __init__(self, call: Call[Any], settings: Settings) -> None:
        self.call = call
        self.settings = settings
        self.failed = 0

    def progressed(self) -> None:
        """Start counting anew: the failure to come is not the one before."""
        self.failed = 0

    def accept(self, response: httpx.Response, body: bytes) -> float | None:
        """Return None if the reply is good, else the seconds to wait; raises ``APIStatusError``."""
        if response.is_success:
            return None
        asked = retry_after(response.headers.get("Retry-After"))
        status = response.status_code
        undone = status == 429 or (status == 503 and asked is not None)
        if status in TEMPORARY and (self.call.repeatable or undone) and (asked or 0) <= LONGEST_WAIT and self._again():
            return asked if asked is not None else self._pause()
        if response.has_redirect_location:
            body = orjson.dumps(f"the server sends callers to {response.headers['Location']}; use that as base_url")
        raise refusal(status, f"{self.call.method} {self.call.path}", body)

    def survive(self, error: httpx.TransportError) -> float:
        """Return the seconds to wait after a lost connection; raises ``APIConnectionError``."""
        undone = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        hopeless = isinstance(error, httpx.UnsupportedProtocol | httpx.ProxyError | httpx.LocalProtocolError)
        if (self.call.repeatable or undone) and not hopeless and self._again():
            return self._pause()
        what = f"{self.call.method} {self.call.path}"
        if isinstance(error, httpx.TimeoutException):
            seconds = self.settings.timeout
            raise APITimeoutError(f"{what}: nothing from {self.settings.base_url} in {seconds:g} s") from error
        reason = str(error) or type(error).__name__
        raise APIConnectionError(f"{what}: no reply from {self.settings.base_url} ({reason})") from error

    def _again(self) -> bool:
        self.failed += 1
        return self.failed <= self.settings.retries

    def _pause(self) -> float:
        longest: float = min(8.0, 0.25 * 2 ** (self.failed - 1))
        return longest * random.uniform(0.5, 1.0)


def retry_after(text: str | None) -> float | None:
    """Return a Retry-After header, seconds or a date, as seconds from now; None if absent or unreadable."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


class Download:
    """A download that goes on where it broke off: how much has come, and of which version of the file."""

    def __init__(self, call: Call[Any]) -> None:
        self.call = call
        self.received = 0
        self._version: tuple[str | None, str | None] = (None, None)
        self._resumes = False

    def headers(self) -> dict[str, str]:
        """Return the headers of the next try."""
        # Compressed on the way, the bytes could not be counted.
        headers = {"Accept": "application/octet-stream", "Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
        return headers

    def start(self, response: httpx.Response) -> None:
        """Note the reply's head; raises ``APIConnectionError`` if the rest is not of the file that was begun."""
        ranged = response.status_code == 206
        size = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get("Content-Length")
        version = (response.headers.get("ETag"), size)
        if self.received and (not ranged or version != self._version):
            raise APIConnectionError(f"{self.call.path}: the connection broke off, and the file changed meanwhile")
        self._version = version
        self._resumes = ranged or response.headers.get("Accept-Ranges") == "bytes"

    def survive(self, error: httpx.TransportError, attempts: Attempts) -> float:
        """Return the seconds to wait before going on; raises ``APIConnectionError``."""
        if self.received and not self._resumes:
            text = f"{self.call.path}: the connection broke off after {self.received} bytes"
            raise APIConnectionError(text) from error
        return attempts.survive(error)
