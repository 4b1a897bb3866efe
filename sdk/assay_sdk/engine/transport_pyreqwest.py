"""The transport over pyreqwest (reqwest and hyper, in Rust): HTTP/2 where offered, at an eighth of the CPU of httpx.

One thing it does worse: a call that is cancelled is let go of at once, but its connection stays until the server has
answered or the call's time is over, for pyreqwest does not pass a cancellation on to its Rust side.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PyreqwestError

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

LONGEST_SECONDS = 86_400.0

# How reqwest and what it builds on name what went wrong. Exact texts: tests/engine/test_transport.py guards them.
CONNECTING = "client error (Connect)"
RESOLVING = "dns error"
REFUSED = "Connection refused"
BAD_CERTIFICATE = "invalid peer certificate: "
AUTHORITY_AS_SERVER = "CaUsedAsEndEntity"
BEFORE_TLS = ("tcp connect error", "tunnel error", "deadline has elapsed", "operation timed out", "proxy")


class PyreqwestTransport:
    """Keeps connections open between calls, and a thread of pyreqwest's own moves the bytes.

    Trusts the system's authorities, or those in the file that SSL_CERT_FILE names. Raises OSError where there are none.
    """

    def __init__(self, *, max_reply_bytes: int = MAX_REPLY_BYTES) -> None:
        self._max_reply_bytes = max_reply_bytes
        try:
            self._client = _client()
        except BuilderError as error:
            raise OSError(f"pyreqwest cannot be used here: {_causes(error)}") from None

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        if not all(value.isascii() for value in headers.values()):
            raise unsendable(url)
        try:
            return await self._exchange(url, headers, body, timeout)
        except (PyreqwestError, ValueError, TimeoutError) as error:
            # Without the original in the chain: it can quote the request, and with it the key.
            raise _failure(error, url, timeout) from None

    async def aclose(self) -> None:
        """Close what is idle. Nobody posts any more after this."""
        await self._client.close()

    async def _exchange(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        limit = timedelta(seconds=min(timeout, LONGEST_SECONDS))
        request = self._client.post(url).headers(headers).body_bytes(body).timeout(limit).build_streamed()
        async with request as response:
            received = bytearray()
            while (chunk := await response.body_reader.read_chunk()) is not None:
                received += chunk
                if len(received) > self._max_reply_bytes:
                    raise too_long(url, self._max_reply_bytes)
            return HTTPReply(response.status, dict(response.headers), bytes(received))


def _client() -> Client:
    return (
        ClientBuilder()
        .http2(True)
        .follow_redirects(False)  # they would lead past the check of addresses, and take the key along
        .connect_timeout(timedelta(seconds=CONNECT_SECONDS))
        .pool_idle_timeout(timedelta(seconds=IDLE_SECONDS))
        .default_headers({"accept-encoding": "identity"})
        .user_agent("assay")
        .build()
    )


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
