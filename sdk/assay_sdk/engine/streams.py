"""HTTP/1.1 for many small calls at once, straight on asyncio's streams.

A run makes one kind of request: a POST with a short JSON body and a short JSON reply, hundreds of them in flight. For
that a general client spends ten times the CPU of this one. Whatever needs more (a proxy) goes through httpx.
"""

import asyncio
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, urlsplit
from urllib.request import getproxies

from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.transport import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    MAX_REPLY_BYTES,
    HTTPReply,
    HttpxTransport,
    failure_of,
    too_long,
    unsendable,
)

CHUNK_BYTES = 64 * 1024


def open_transport() -> "StreamTransport | HttpxTransport":
    """The transport for a run on this machine: the lean one, unless the environment asks for a proxy."""
    return HttpxTransport() if {"http", "https", "all"} & getproxies().keys() else StreamTransport()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection goes to; connections to the same origin are interchangeable."""

    host: str
    port: int
    secure: bool


@dataclass(slots=True)
class Connection:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = field(default=0.0)

    @property
    def usable(self) -> bool:
        return not (
            self.reader.at_eof() or self.writer.is_closing() or time.monotonic() - self.idle_since > IDLE_SECONDS
        )

    def drop(self) -> None:
        self.writer.transport.abort()


class StreamTransport:
    """Keeps connections open between calls; the one used last goes first, so that a quiet run keeps few warm."""

    def __init__(self, *, max_reply_bytes: int = MAX_REPLY_BYTES) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._idle: dict[Origin, list[Connection]] = {}
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        try:
            origin = _origin(url)
            request = _head(url, headers, len(body)) + body
        except ValueError:
            raise unsendable(url) from None
        connection = None
        try:
            async with asyncio.timeout(timeout):
                connection = self._taken(origin) or await self._connected(origin)
                connection.writer.write(request)
                await connection.writer.drain()
                reply, reusable = await self._read_reply(connection.reader, url)
        except BaseException as error:
            if connection:
                connection.drop()  # it may be half-way through a reply
            if isinstance(error, Exception) and not isinstance(error, TransportFailure):
                raise failure_of(error, url, timeout, connecting=connection is None) from None
            raise
        if reusable:
            connection.idle_since = time.monotonic()
            self._idle.setdefault(origin, []).append(connection)
        else:
            connection.drop()
        return reply

    async def aclose(self) -> None:
        """Close every idle connection. Calls still in flight close theirs when they end."""
        for connections in self._idle.values():
            for connection in connections:
                connection.drop()
        self._idle.clear()

    async def __aenter__(self) -> "StreamTransport":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _taken(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
            connection.drop()
        return None

    async def _connected(self, origin: Origin) -> Connection:
        if origin.secure and self._tls is None:
            import httpx  # here, because it takes long to import; both transports are to trust the same authorities

            self._tls = httpx.create_ssl_context()
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                origin.host,
                origin.port,
                limit=CHUNK_BYTES,
                ssl=self._tls if origin.secure else None,
                happy_eyeballs_delay=0.25,
            )
        return Connection(reader, writer, time.monotonic())

    async def _read_reply(self, reader: asyncio.StreamReader, url: str) -> tuple[HTTPReply, bool]:
        """The reply, and whether the connection can be used again."""
        status = 100
        while status < 200:  # interim answers come before the real one
            version, status, headers = _parsed(await reader.readuntil(b"\r\n\r\n"))
        reusable = version == b"HTTP/1.1" and "close" not in headers.get("connection", "").lower()
        length = headers.get("content-length")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = await self._read_chunks(reader, url)
        elif status == 204 or length is not None:
            body = await self._read_exactly(reader, int(length or 0), url)
        else:
            body, reusable = await self._read_to_end(reader, url), False
        if headers.get("content-encoding", "identity").lower() in ("gzip", "deflate"):  # it was asked not to
            body = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, self._max_reply_bytes)
        return HTTPReply(status, headers, body), reusable

    async def _read_exactly(self, reader: asyncio.StreamReader, length: int, url: str) -> bytes:
        if length > self._max_reply_bytes:
            raise too_long(url, self._max_reply_bytes)
        return await reader.readexactly(length)

    async def _read_chunks(self, reader: asyncio.StreamReader, url: str) -> bytes:
        received = bytearray()
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            received += await self._read_exactly(reader, size, url)
            await reader.readexactly(2)
            if len(received) > self._max_reply_bytes:
                raise too_long(url, self._max_reply_bytes)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return bytes(received)

    async def _read_to_end(self, reader: asyncio.StreamReader, url: str) -> bytes:
        received = bytearray()
        while chunk := await reader.read(CHUNK_BYTES):
            received += chunk
            if len(received) > self._max_reply_bytes:
                raise too_long(url, self._max_reply_bytes)
        return bytes(received)


@lru_cache(maxsize=64)
def _origin(url: str) -> Origin:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http address")
    secure = parts.scheme == "https"
    name = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    return Origin(name, parts.port or (443 if secure else 80), secure)


@lru_cache(maxsize=64)
def _request_line(url: str) -> str:
    origin, parts = _origin(url), urlsplit(url)
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    port = f":{parts.port}" if parts.port else ""
    return f"POST {target} HTTP/1.1\r\nhost: {host}{port}\r\naccept-encoding: identity"


def _head(url: str, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError("a header holds a line break")
    return "\r\n".join([_request_line(url), f"content-length: {length}", *lines, "", ""]).encode("latin-1")


def _parsed(head: bytes) -> tuple[bytes, int, dict[str, str]]:
    """(version, status, headers) of an answer's head. Raises OSError for what is not HTTP."""
    first, *lines = head[:-4].split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ConnectionError("not HTTP")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return version, int(rest[:3]), headers
