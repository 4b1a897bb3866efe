"""The transport over pyreqwest (reqwest and hyper, in Rust): HTTP/2 where offered, at an eighth of the CPU of httpx.

One thing it does worse: a call that is cancelled is let go of at once, but its connection stays until the server has
answered or the call's time is over, for pyreqwest does not pass a cancellation on to its Rust side.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PyreqwestError
from pyreqwest.http import Url
from pyreqwest.proxy import ProxyBuilder

from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.transport import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    MAX_REPLY_BYTES,
    HTTPReply,
    broken,
    insecure,
    late,
    not_connected,
    too_long,
    unconnected,
    unresolved,
    unsendable,
    untrusted,
)
from assay_sdk.engine.transport_guard import Guard, connected, permitted, spelled

LONGEST_SECONDS = 86_400.0

# How reqwest and what it builds on name what went wrong. Exact texts: tests/engine/test_transport.py guards them.
CONNECTING = "client error (Connect)"
RESOLVING = "dns error"
REFUSED = "Connection refused"
BAD_CERTIFICATE = "invalid peer certificate: "
AUTHORITY_AS_SERVER = "CaUsedAsEndEntity"
BEFORE_TLS = ("tcp connect error", "tunnel error", "deadline has elapsed", "operation timed out", "proxy")


class Origin(NamedTuple):
    """Where a URL leads, as pyreqwest itself reads it: libraries are of several minds about odd ones."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        return self.host.strip("[]")


class PyreqwestTransport:
    """Keeps connections open between calls, and a thread of pyreqwest's own moves the bytes.

    Trusts the system's authorities, or those in the file that SSL_CERT_FILE names. Raises OSError where there are none.

    pyreqwest asks nobody before it connects. So where there is a guard each host has a client of its own, to which its
    name has the one address that was let pass; the name is looked up anew when a connection does not come about.
    """

    def __init__(self, *, max_reply_bytes: int = MAX_REPLY_BYTES, guard: Guard | None = None) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._guard = guard
        self._ways: dict[Origin, asyncio.Task[Client]] = {}
        self._clients: dict[tuple[str, str], Client] = {}
        try:
            self._client = _client(ClientBuilder())
        except BuilderError as error:
            raise OSError(f"pyreqwest cannot be used here: {_causes(error)}") from None

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        if not all(value.isascii() for value in headers.values()):
            raise unsendable(url)
        client = self._client if self._guard is None else await self._way(url, timeout, self._guard)
        try:
            return await self._exchange(client, url, headers, body, timeout)
        except (PyreqwestError, ValueError, TimeoutError) as error:
            # Without the original in the chain: it can quote the request, and with it the key.
            failure = _failure(error, url, timeout)
        if self._guard is not None and failure.kind in ("connect", "tls"):
            self._doubt(_origin(url))
        raise failure

    async def aclose(self) -> None:
        """Close what is idle. Nobody posts any more after this."""
        for way in self._ways.values():
            way.cancel()
        for client in (self._client, *self._clients.values()):
            await client.close()

    async def _way(self, url: str, timeout: float, guard: Guard) -> Client:
        """The client that connects to this host where the guard lets it, and nowhere else."""
        origin = _origin(url)
        way = self._ways.get(origin)
        if way is not None and way.done():
            return way.result()
        if way is None:
            way = self._ways[origin] = asyncio.create_task(self._open(url, origin, guard))
            way.add_done_callback(lambda _: self._forget_failed(origin))
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(way)  # others may wait for it too
        except TimeoutError:
            raise late(url, timeout) from None

    def _doubt(self, origin: Origin) -> None:
        """Have the next call to this host look for its address anew."""
        if (way := self._ways.get(origin)) is not None and way.done():
            del self._ways[origin]

    def _forget_failed(self, origin: Origin) -> None:
        way = self._ways.get(origin)
        if way is not None and way.done() and (way.cancelled() or way.exception()):
            del self._ways[origin]

    async def _open(self, url: str, origin: Origin, guard: Guard) -> Client:
        proxy = _proxy_of(origin)
        if proxy is not None:
            guard(origin.name, origin.port, spelled(origin.name))  # what else the name means only the proxy knows
        try:
            place = proxy or await _address(origin, guard)
            if (origin.host, place) not in self._clients:
                builder = ClientBuilder()
                if proxy is None:
                    builder.no_proxy().resolve(origin.host, place, origin.port)
                else:
                    builder.proxy(ProxyBuilder.all(proxy))
                self._clients[origin.host, place] = _client(builder)
        except (OSError, UnicodeError) as error:
            raise not_connected(url, error) from None
        except (PyreqwestError, ValueError):
            raise unconnected(url, refused=False) from None  # of the proxy's address
        return self._clients[origin.host, place]

    async def _exchange(
        self, client: Client, url: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HTTPReply:
        limit = timedelta(seconds=min(timeout, LONGEST_SECONDS))
        request = client.post(url).headers(headers).body_bytes(body).timeout(limit).build_streamed()
        async with request as response:
            received = bytearray()
            while (chunk := await response.body_reader.read_chunk()) is not None:
                received += chunk
                if len(received) > self._max_reply_bytes:
                    raise too_long(url, self._max_reply_bytes)
            return HTTPReply(response.status, dict(response.headers), bytes(received))


def _client(builder: ClientBuilder) -> Client:
    return (
        builder.http2(True)
        .follow_redirects(False)  # they would lead past the check of addresses, and take the key along
        .connect_timeout(timedelta(seconds=CONNECT_SECONDS))
        .pool_idle_timeout(timedelta(seconds=IDLE_SECONDS))
        .default_headers({"accept-encoding": "identity"})
        .user_agent("assay")
        .build()
    )


@lru_cache(maxsize=64)
def _origin(url: str) -> Origin:
    try:
        read = Url(url)
    except ValueError:
        raise unsendable(url) from None
    if read.host_str is None or read.port_or_known_default is None:
        raise unsendable(url)
    return Origin(read.scheme, read.host_str, read.port_or_known_default)


async def _address(origin: Origin, guard: Guard) -> str:
    """The address to connect to: of several that were let pass, one that takes a connection."""
    async with asyncio.timeout(CONNECT_SECONDS):
        addresses = await permitted(origin.name, origin.port, guard)
        if len(addresses) == 1:
            return addresses[0]
        with await connected(addresses, origin.port) as found:
            return str(found.getpeername()[0])


def _proxy_of(origin: Origin) -> str | None:
    """The proxy that the environment names for this host, unless NO_PROXY excepts the host or its network."""
    proxies = getproxies()
    proxy = proxies.get(origin.scheme) or proxies.get("all")
    name = origin.name
    if not proxy or proxy_bypass(name if ":" in name else f"{name}:{origin.port}"):
        return None
    with suppress(ValueError):
        address = ip_address(name)
        for entry in proxies.get("no", "").split(","):
            with suppress(ValueError):
                if address in ip_network(entry.strip(), strict=False):
                    return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _failure(error: Exception, url: str, timeout: float) -> TransportFailure:
    """What an exception of pyreqwest means to people. Says nothing that the request holds."""
    if isinstance(error, ValueError):
        return unsendable(url)
    causes = _causes(error)
    if CONNECTING in causes:
        return _connect_failure(causes, url)
    return late(url, timeout) if isinstance(error, TimeoutError) else broken(url)


def _connect_failure(causes: Sequence[str], url: str) -> TransportFailure:
    if RESOLVING in causes:
        return unresolved(url, again=any("Temporary failure" in cause for cause in causes))
    for cause in causes:
        if cause.startswith(BAD_CERTIFICATE):
            reason = cause.removeprefix(BAD_CERTIFICATE)
            authority = AUTHORITY_AS_SERVER in reason
            return untrusted(url, "it is that of an authority, not of a server" if authority else reason)
    if url.startswith("https:") and not any(cause.startswith(BEFORE_TLS) for cause in causes):
        return insecure(url)
    return unconnected(url, refused=any(cause.startswith(REFUSED) for cause in causes))


def _causes(error: Exception) -> list[str]:
    """What pyreqwest says led to an error, from the outermost to the first."""
    if not isinstance(error, DetailedPyreqwestError):
        return []
    return [cause["message"] for cause in error.details["causes"] or []]
