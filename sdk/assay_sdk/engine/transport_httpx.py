"""The transport over httpx, which every installation has. Costs about eight times the CPU of the one over pyreqwest."""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpcore
import httpx

from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.transport import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    MAX_REPLY_BYTES,
    HTTPReply,
    broken,
    insecure,
    late,
    too_long,
    unconnected,
    unresolved,
    unsendable,
    untrusted,
)
from assay_sdk.engine.transport_guard import Guard, Refused, permitted

LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS)


class HttpxTransport:
    """A pool of small httpx clients, one for each call in flight.

    One shared client would walk all its connections at every request: 50 times the CPU at 256 calls in flight. The
    client that came back last goes out first, so that a quiet run keeps few connections warm.
    """

    def __init__(self, *, max_reply_bytes: int = MAX_REPLY_BYTES, guard: Guard | None = None) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._guard = guard
        self._idle: list[httpx.AsyncClient] = []
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            async with asyncio.timeout(timeout):
                reply = await self._exchange(client, url, headers, body)
        except BaseException as error:
            await asyncio.shield(client.aclose())  # its connection may be half-way through a reply
            if isinstance(error, Refused):
                raise error.reason from None
            if isinstance(error, Exception) and not isinstance(error, TransportFailure):
                # Without the original in the chain: it can quote the request, and with it the key.
                raise _failure(error, url, timeout) from None
            raise
        self._idle.append(client)
        return reply

    async def aclose(self) -> None:
        """Close every idle connection. Calls still in flight close theirs when they end."""
        while self._idle:
            await self._idle.pop().aclose()

    def _new_client(self) -> httpx.AsyncClient:
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        client = httpx.AsyncClient(
            verify=self._tls,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=LIMITS,
            headers={"accept-encoding": "identity"},
        )
        if self._guard is not None:
            client._transport = _guarded(self._tls, self._guard)
        return client

    async def _exchange(
        self, client: httpx.AsyncClient, url: str, headers: Mapping[str, str], body: bytes
    ) -> HTTPReply:
        async with client.stream("POST", url, headers=dict(headers), content=body) as response:
            received = bytearray()
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > self._max_reply_bytes:
                    raise too_long(url, self._max_reply_bytes)
            return HTTPReply(response.status_code, dict(response.headers), bytes(received))


def _guarded(tls: ssl.SSLContext, guard: Guard) -> httpx.AsyncHTTPTransport:
    """What httpx connects with where no proxy of the environment does. It has no public way to hand a backend down."""
    transport = httpx.AsyncHTTPTransport(verify=tls, limits=LIMITS)
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=tls,
        max_connections=LIMITS.max_connections,
        max_keepalive_connections=LIMITS.max_keepalive_connections,
        keepalive_expiry=LIMITS.keepalive_expiry,
        network_backend=_GuardedBackend(guard),
    )
    return transport


class _GuardedBackend(httpcore.AnyIOBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *rest: Any, **options: Any
    ) -> httpcore.AsyncNetworkStream:
        """A connection to an address of the host that the guard let pass, the first that takes one."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await permitted(host, port, self._guard)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None
        except OSError:
            raise
        except Exception as reason:
            raise Refused(reason) from None
        *others, last = addresses
        for address in others:
            try:
                return await super().connect_tcp(address, port, timeout, *rest, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await super().connect_tcp(last, port, timeout, *rest, **options)


def _failure(error: Exception, url: str, timeout: float) -> TransportFailure:
    """What an exception of httpx means to people. Says nothing that the request holds."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError | ValueError):
        return unsendable(url)
    causes = list(_causes(error))
    for cause in causes:
        match cause:
            case socket.gaierror():
                return unresolved(url, again=cause.errno == socket.EAI_AGAIN)
            case ssl.SSLCertVerificationError():
                return untrusted(url, cause.verify_message)
            case ssl.SSLError():
                return insecure(url)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return unconnected(url, refused=any(isinstance(cause, ConnectionRefusedError) for cause in causes))
    return late(url, timeout) if any(isinstance(cause, TimeoutError) for cause in causes) else broken(url)


def _causes(error: BaseException) -> Iterator[BaseException]:
    pending: list[BaseException | None] = [error]
    while pending:
        cause = pending.pop(0)
        if cause is not None:
            yield cause
            pending += [cause.__cause__, cause.__context__]
            pending += cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
