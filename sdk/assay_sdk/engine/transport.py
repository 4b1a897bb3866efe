"""The one place where bytes leave the engine: a port with a single method, and its implementation with httpx.

`streams.StreamTransport` is the other implementation: a tenth of the CPU, for runs of many calls, but without proxies.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from assay_sdk.engine.errors import TransportFailure

if TYPE_CHECKING:
    import httpx

MAX_REPLY_BYTES = 32 * 1024 * 1024
CONNECT_SECONDS = 15.0
IDLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """An HTTP answer, whatever its status. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Posts bytes. Raises TransportFailure when no HTTP reply comes back within `timeout` seconds."""

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply: ...


class HttpxTransport:
    """A pool of small httpx clients, one for each call in flight. Goes through the proxies that the environment names.

    One shared client would walk all its connections at every request: 50 times the CPU at 256 calls in flight. The
    client that came back last goes out first, so that a quiet run keeps few connections warm.
    """

    def __init__(self, *, max_reply_bytes: int = MAX_REPLY_BYTES) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._idle: list[httpx.AsyncClient] = []
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            async with asyncio.timeout(timeout):
                reply = await self._exchange(client, url, headers, body)
        except BaseException as error:
            await asyncio.shield(client.aclose())  # its connection may be half-way through a reply
            if isinstance(error, Exception) and not isinstance(error, TransportFailure):
                # Without the original in the chain: it can quote the request, and with it the key.
                raise _httpx_failure(error, url, timeout) from None
            raise
        self._idle.append(client)
        return reply

    async def aclose(self) -> None:
        """Close every idle connection. Calls still in flight close theirs when they end."""
        while self._idle:
            await self._idle.pop().aclose()

    async def __aenter__(self) -> "HttpxTransport":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _new_client(self) -> "httpx.AsyncClient":
        import httpx  # here, because it takes longer to import than all the rest of the engine

        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return httpx.AsyncClient(
            verify=self._tls,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS),
            headers={"accept-encoding": "identity"},
        )

    async def _exchange(
        self, client: "httpx.AsyncClient", url: str, headers: Mapping[str, str], body: bytes
    ) -> HTTPReply:
        async with client.stream("POST", url, headers=dict(headers), content=body) as response:
            received = bytearray()
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > self._max_reply_bytes:
                    raise too_long(url, self._max_reply_bytes)
            return HTTPReply(response.status_code, dict(response.headers), bytes(received))


def _httpx_failure(error: Exception, url: str, timeout: float) -> TransportFailure:
    import httpx

    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError | ValueError):
        return unsendable(url)
    return failure_of(error, url, timeout, connecting=isinstance(error, httpx.ConnectError | httpx.ConnectTimeout))


def failure_of(error: Exception, url: str, timeout: float, *, connecting: bool) -> TransportFailure:
    """What an exception of a call means to people. Says nothing that the request holds."""
    host = host_of(url)
    causes = list(_causes(error))
    for cause in causes:
        match cause:
            case socket.gaierror():
                again = cause.errno == socket.EAI_AGAIN
                name = urlsplit(url).hostname
                return TransportFailure("dns", f"Cannot resolve host '{name}'. Check the model's url.", temporary=again)
            case ssl.SSLCertVerificationError():
                message = f"No secure connection to {host}: its certificate is not trusted."
                return TransportFailure("tls", message, temporary=False)
            case ssl.SSLError():
                return TransportFailure("tls", f"No secure connection to {host}. Does it speak https?")
    if connecting:
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        why = "refuses connections" if refused else "cannot be reached"
        return TransportFailure("connect", f"{host} {why}. Is the server running, and the model's url right?")
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return TransportFailure("timeout", f"{host} did not answer within {timeout:g} s.")
    return TransportFailure("protocol", f"{host} broke the connection off, or does not speak HTTP.")


def unsendable(url: str) -> TransportFailure:
    """The request cannot be put on the wire."""
    message = f"The call to {host_of(url)} cannot be made: the address or a header is not valid."
    return TransportFailure("protocol", message, temporary=False)


def too_long(url: str, limit: int) -> TransportFailure:
    """The reply is too long to be one of a judge."""
    return TransportFailure("protocol", f"{host_of(url)} sent more than {limit / 2**20:g} MiB.", temporary=False)


def host_of(url: str) -> str:
    """Host and port, as messages name them."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _causes(error: BaseException) -> Iterator[BaseException]:
    pending: list[BaseException | None] = [error]
    while pending:
        cause = pending.pop(0)
        if cause is not None:
            yield cause
            pending += [cause.__cause__, cause.__context__]
            pending += cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
