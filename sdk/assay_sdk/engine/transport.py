"""The one place where bytes leave the engine: a port with a single method, and its httpx implementation."""

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
    """A pool of small httpx clients, one for each call in flight.

    One shared client would walk all its connections at every request: 50 times the CPU at 256 calls in flight. The
    client that came back last goes out first, so that a quiet run keeps few connections warm.
    """

    def __init__(self, *, max_reply_bytes: int = MAX_REPLY_BYTES) -> None:
        self.max_reply_bytes = max_reply_bytes
        self._idle: list[httpx.AsyncClient] = []
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            async with asyncio.timeout(timeout):
                reply = await self._exchange(client, url, headers, body)
        except BaseException as error:
            # Its connection may be half-way through a reply. The original error stays out of the chain: it can quote
            # the request, and with it the key.
            await asyncio.shield(client.aclose())
            if isinstance(error, Exception) and not isinstance(error, TransportFailure):
                raise _failure(error, url, timeout) from None
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
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS)
        return httpx.AsyncClient(verify=self._tls, timeout=None, limits=limits, headers={"accept-encoding": "identity"})

    async def _exchange(
        self, client: "httpx.AsyncClient", url: str, headers: Mapping[str, str], body: bytes
    ) -> HTTPReply:
        async with client.stream("POST", url, headers=dict(headers), content=body) as response:
            received = bytearray()
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > self.max_reply_bytes:
                    size = self.max_reply_bytes // 2**20
                    raise TransportFailure("protocol", f"{_host(url)} sent more than {size} MiB", temporary=False)
            return HTTPReply(response.status_code, dict(response.headers), bytes(received))


def _failure(error: Exception, url: str, timeout: float) -> TransportFailure:
    import httpx

    host = _host(url)
    causes = list(_causes(error))
    unresolved = next((cause for cause in causes if isinstance(cause, socket.gaierror)), None)
    if unresolved:
        name = urlsplit(url).hostname
        again = unresolved.errno == socket.EAI_AGAIN
        return TransportFailure("dns", f"Cannot resolve host '{name}'. Check the model's url.", temporary=again)
    if any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes):
        return TransportFailure("timeout", f"{host} did not answer within {timeout:g} s.")
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls:
        untrusted = isinstance(tls, ssl.SSLCertVerificationError)
        why = "its certificate is not trusted" if untrusted else "the TLS handshake failed"
        return TransportFailure("tls", f"No secure connection to {host}: {why}.", temporary=not untrusted)
    if isinstance(error, httpx.ConnectError):
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        why = "refuses connections" if refused else "cannot be reached"
        return TransportFailure("connect", f"{host} {why}. Is the server running, and the model's url right?")
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return TransportFailure("protocol", f"{host} broke the connection off before it had answered.")
    return TransportFailure("protocol", f"The call to {host} cannot be made ({type(error).__name__}).", temporary=False)


def _causes(error: BaseException) -> Iterator[BaseException]:
    pending: list[BaseException | None] = [error]
    while pending:
        cause = pending.pop()
        if cause is not None:
            yield cause
            pending += [cause.__cause__, cause.__context__]
            pending += cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
