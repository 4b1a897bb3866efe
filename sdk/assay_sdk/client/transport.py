"""Sending calls over HTTP: one policy of headers, retries and errors, and two thin senders, sync and async."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from importlib import metadata
from typing import Any, TypeVar

import httpx
import orjson
from pydantic import ValidationError

from assay_sdk.client.call import Call
from assay_sdk.client.errors import APIConnectionError, APITimeoutError, AssayError, refusal, where

T = TypeVar("T")

TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_WAIT = 60.0
"""Seconds; a server that wants to be left alone for longer gets its way: the error goes to the caller."""


@dataclass(frozen=True)
class Settings:
    """How a client talks to its server."""

    base_url: str
    token: str | None = field(default=None, repr=False)
    """Sent as a bearer token."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password, sent as HTTP Basic."""
    timeout: float = 60.0
    """Seconds without a byte, in either direction."""
    retries: int = 4
    """How often a request is repeated after failures that may pass."""

    def options(self) -> dict[str, Any]:
        """Return the arguments of an httpx client."""
        headers = {"User-Agent": f"assay-sdk/{metadata.version('assay-sdk')}"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return {
            "base_url": self.base_url,
            "headers": headers,
            "auth": self.login,
            "timeout": httpx.Timeout(self.timeout, connect=min(10.0, self.timeout)),
            "follow_redirects": False,
            "verify": certificates(),
        }


@cache
def certificates() -> ssl.SSLContext:
    """Return whom to trust. Reading it takes far longer than making a client, so it is read once."""
    return httpx.create_ssl_context()


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


def build(client: httpx.Client | httpx.AsyncClient, call: Call[Any], content: Any, **headers: str) -> httpx.Request:
    """Return the HTTP request of a call; ``content`` is its body as the twin streams it."""
    headers = {"Accept": call.accept, **headers}
    if call.json is not None:
        content = orjson.dumps(call.json)
        headers["Content-Type"] = "application/json"
    elif call.body is not None:
        headers["Content-Type"] = "application/octet-stream"
        if call.body.length is not None:
            headers["Content-Length"] = str(call.body.length)
    return client.build_request(call.method, call.path, params=call.parameters(), headers=headers, content=content)


class Transport:
    """Sends calls and waits. Keep in step with ``AsyncTransport``. Threads may share one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def _client(self) -> httpx.Client:
        # Made when it is first needed: a program that starts need not wait for the certificates.
        return httpx.Client(**self.settings.options())

    def send(self, call: Call[T]) -> T:
        """Return what the reply holds; raises ``APIStatusError`` or ``APIConnectionError``."""
        attempts = Attempts(call, self.settings)
        while True:
            try:
                response = self._client.send(build(self._client, call, call.body.chunks() if call.body else None))
                pause = attempts.accept(response, response.content)
            except httpx.TransportError as error:
                pause = attempts.survive(error)
            else:
                if pause is None:
                    return understand(call, response.content)
            time.sleep(pause)

    def stream(self, call: Call[Any]) -> Iterator[bytes]:
        """Yield the reply's body piece by piece; a broken connection is taken up where it broke."""
        attempts, download = Attempts(call, self.settings), Download(call)
        while True:
            request = build(self._client, replace(call, accept="*/*"), None, **download.headers())
            try:
                response = self._client.send(request, stream=True)
                try:
                    pause = attempts.accept(response, b"" if response.is_success else response.read())
                    if pause is None:
                        download.start(response)
                        for chunk in response.iter_raw():
                            download.received += len(chunk)
                            attempts.progressed()
                            yield chunk
                        return
                finally:
                    response.close()
            except httpx.TransportError as error:
                pause = download.survive(error, attempts)
            time.sleep(pause)

    def close(self) -> None:
        """Close the connections."""
        if "_client" in vars(self):
            self._client.close()


class AsyncTransport:
    """Sends calls without blocking. Keep in step with ``Transport``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(**self.settings.options())

    async def send(self, call: Call[T]) -> T:
        """Return what the reply holds; raises ``APIStatusError`` or ``APIConnectionError``."""
        attempts = Attempts(call, self.settings)
        while True:
            try:
                response = await self._client.send(build(self._client, call, beside(call) if call.body else None))
                pause = attempts.accept(response, response.content)
            except httpx.TransportError as error:
                pause = attempts.survive(error)
            else:
                if pause is None:
                    return understand(call, response.content)
            await asyncio.sleep(pause)

    async def stream(self, call: Call[Any]) -> AsyncIterator[bytes]:
        """Yield the reply's body piece by piece; a broken connection is taken up where it broke."""
        attempts, download = Attempts(call, self.settings), Download(call)
        while True:
            request = build(self._client, replace(call, accept="*/*"), None, **download.headers())
            try:
                response = await self._client.send(request, stream=True)
                try:
                    pause = attempts.accept(response, b"" if response.is_success else await response.aread())
                    if pause is None:
                        download.start(response)
                        async for chunk in response.aiter_raw():
                            download.received += len(chunk)
                            attempts.progressed()
                            yield chunk
                        return
                finally:
                    await response.aclose()
            except httpx.TransportError as error:
                pause = download.survive(error, attempts)
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Close the connections."""
        if "_client" in vars(self):
            await self._client.aclose()


async def beside(call: Call[Any]) -> AsyncIterator[bytes]:
    """Yield a body's pieces, each read in a thread, so that a slow disk does not stop the event loop."""
    assert call.body is not None
    chunks = call.body.chunks()
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def understand(call: Call[T], body: bytes) -> T:
    """Read a good reply; raises ``AssayError`` if it is not the platform's (a sign-in page, another server)."""
    try:
        return call.read(body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        wrong = "not JSON"
        if isinstance(error, ValidationError):
            # Not the error's own text: it would repeat the reply.
            wrong = "; ".join(
                f"{where(entry['loc'])}: {entry['msg']}" for entry in error.errors(include_input=False)[:3]
            )
        elif not isinstance(error, ValueError):
            wrong = f"{type(error).__name__}: {error}"
        text = f"{call.method} {call.path}: the reply is not what the platform sends ({wrong}); is the base URL right?"
        raise AssayError(text) from None
