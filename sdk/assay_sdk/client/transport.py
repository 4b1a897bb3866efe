"""Sending calls over HTTP: two thin senders, sync and async, that share all that is decided."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import httpx
import orjson
from pydantic import ValidationError

from assay_sdk.client.attempts import Attempts, Download
from assay_sdk.client.call import Call
from assay_sdk.client.errors import AssayError, where
from assay_sdk.client.settings import Settings

T = TypeVar("T")


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
