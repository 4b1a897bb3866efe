"""The one place where bytes leave the engine: a port with a single method, and what its failures are called.

http:// goes over asyncio's own sockets, all else through a library: pyreqwest where it is installed, httpx otherwise.
`benchmarks/results.md` says why.

A transport may be given a guard, which says of each address whether it may be connected to (`transport_guard.py`).
"""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies

from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.transport_guard import Guard

MAX_REPLY_BYTES = 32 * 1024 * 1024
CONNECT_SECONDS = 15.0
IDLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """An HTTP answer, whatever its status; redirects are not followed. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Posts bytes. Raises TransportFailure when no HTTP reply comes back within `timeout` seconds.

    One that has a guard raises what the guard raises against a host.
    """

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply: ...


class OpenTransport(Transport, Protocol):
    """A transport that holds connections."""

    async def aclose(self) -> None:
        """Close what is idle. Nobody posts any more after this."""


def open_transport(*, guard: Guard | None = None) -> OpenTransport:
    """The best transport that this machine has, for one run. All go through the proxies that the environment names."""
    try:
        from assay_sdk.engine.transport_asyncio import AsyncioTransport

        return AsyncioTransport(guard=guard)
    except ImportError:
        return library_transport(guard=guard)


def library_transport(*, max_reply_bytes: int = MAX_REPLY_BYTES, guard: Guard | None = None) -> OpenTransport:
    """A transport that speaks all there is to speak, https and proxies among it."""
    try:
        from assay_sdk.engine.transport_pyreqwest import PyreqwestTransport

        return PyreqwestTransport(max_reply_bytes=max_reply_bytes, guard=guard)
    except (ImportError, OSError):  # not installed, or no certificates on this machine: httpx brings some
        from assay_sdk.engine.transport_httpx import HttpxTransport

        return HttpxTransport(max_reply_bytes=max_reply_bytes, guard=guard)


def not_connected(url: str, error: OSError | UnicodeError) -> TransportFailure:
    """What an error of this machine's sockets or of its name server means to people."""
    if isinstance(error, socket.gaierror):
        return unresolved(url, again=error.errno == socket.EAI_AGAIN)
    if isinstance(error, UnicodeError):
        return unsendable(url)
    # TimeoutError is an OSError too. Of several addresses only the text says what each had.
    return unconnected(url, refused=f"[Errno {errno.ECONNREFUSED}]" in str(error))


def unresolved(url: str, *, again: bool) -> TransportFailure:
    """The name of the host is not known; `again` says that the name server may know it later."""
    name = urlsplit(url).hostname
    message = f"Cannot resolve host '{name}'. " + _advice("Check the model's url.")
    return TransportFailure("dns", message, temporary=again)


def untrusted(url: str, reason: str) -> TransportFailure:
    """The server's certificate does not convince."""
    message = f"No secure connection to {host_of(url)}: its certificate is not trusted ({reason})."
    return TransportFailure("tls", message, temporary=False)


def insecure(url: str) -> TransportFailure:
    """No secure connection came about, whatever the certificate."""
    return TransportFailure("tls", f"No secure connection to {host_of(url)}. Does it speak https?")


def unconnected(url: str, *, refused: bool) -> TransportFailure:
    """There is no connection to the host."""
    why = "refuses connections" if refused else "cannot be reached"
    advice = _advice("Is the server running, and the model's url right?")
    return TransportFailure("connect", f"{host_of(url)} {why}. {advice}")


def late(url: str, timeout: float) -> TransportFailure:
    """The time for the call is over."""
    return TransportFailure("timeout", f"{host_of(url)} did not answer within {timeout:g} s.")


def broken(url: str) -> TransportFailure:
    """The conversation broke down."""
    return TransportFailure("protocol", f"{host_of(url)} broke the connection off, or does not speak HTTP.")


def unsendable(url: str) -> TransportFailure:
    """The request cannot be put on the wire."""
    message = f"The call to {host_of(url)} cannot be made: the address or a header is not valid."
    return TransportFailure("protocol", message, temporary=False)


def too_long(url: str, limit: int) -> TransportFailure:
    """The reply is too long to be one of a judge."""
    return TransportFailure("protocol", f"{host_of(url)} sent more than {limit / 2**20:g} MiB.", temporary=False)


def host_of(url: str) -> str:
    """Host and port, as messages name them."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:  # a port that is none
        return "the model's url"


def _advice(text: str) -> str:
    """What to check: a proxy too, where one is named."""
    proxied = {"http", "https", "all"} & getproxies().keys()
    return f"{text} The environment names a proxy: check it too." if proxied else text
