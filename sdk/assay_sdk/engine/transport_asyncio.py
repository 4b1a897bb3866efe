"""The transport for http:// addresses: asyncio's own sockets and llhttp's parser, in the thread that makes the calls.

A library with a thread of its own fights that thread for Python's lock, and loses time with many calls in flight. What
this one does not speak (https, proxies, credentials in the address) another transport does.
"""

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit
from urllib.request import getproxies

from assay_sdk.engine.http1 import Connection, NoReply
from assay_sdk.engine.transport import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    MAX_REPLY_BYTES,
    HTTPReply,
    OpenTransport,
    broken,
    late,
    library_transport,
    not_connected,
    too_long,
    unsendable,
)
from assay_sdk.engine.transport_guard import EYEBALLS_SECONDS, Guard, connected, permitted

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\t -~]*")
SAFE = "/%:=&~+!$,;'@()*[]"
OURS = ("host", "content-length", "transfer-encoding")


class Address(NamedTuple):
    """Where a request goes, and how its first lines read."""

    host: str
    port: int
    head: str


class AsyncioTransport:
    """Keeps connections open between calls. The one that came back last goes out first; a quiet run keeps few."""

    def __init__(
        self,
        *,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        guard: Guard | None = None,
        beside: Callable[..., OpenTransport] = library_transport,
    ) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._guard = guard
        self._beside = beside
        self._other: OpenTransport | None = None
        self._proxied = bool({"http", "all"} & getproxies().keys())
        self._idle: defaultdict[tuple[str, int], deque[Connection]] = defaultdict(deque)
        self._sweeping: asyncio.TimerHandle | None = None

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        address = None if self._proxied else _address(url)
        if address is None:
            if self._other is None:
                self._other = self._beside(max_reply_bytes=self._max_reply_bytes, guard=self._guard)
            return await self._other.post(url, headers=headers, body=body, timeout=timeout)
        request = _request(url, address, headers, body)
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(url, address, request)
        except TimeoutError:
            raise late(url, timeout) from None

    async def aclose(self) -> None:
        """Close what is idle. Nobody posts any more after this."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for kept in self._idle.values():
            while kept:
                kept.pop().close()
        if self._other is not None:
            await self._other.aclose()

    async def _exchange(self, url: str, address: Address, request: bytes) -> HTTPReply:
        kept = self._kept(address)
        outcome = await self._ask(kept, address, request) if kept else NoReply.STALE
        if outcome is NoReply.STALE:
            outcome = await self._ask(await self._connect(url, address), address, request)
        if isinstance(outcome, HTTPReply):
            return outcome
        raise too_long(url, self._max_reply_bytes) if outcome is NoReply.TOO_LONG else broken(url)

    async def _ask(self, connection: Connection, address: Address, request: bytes) -> HTTPReply | NoReply:
        try:
            return await connection.ask(request)
        finally:
            if connection.reusable:
                self._keep(connection, address)
            else:
                connection.close()

    async def _connect(self, url: str, address: Address) -> Connection:
        opening = asyncio.create_task(self._open(address))
        try:
            return await asyncio.shield(opening)
        except (OSError, UnicodeError) as error:
            raise not_connected(url, error) from None
        except asyncio.CancelledError:
            # asyncio loses a socket when it is cancelled between two addresses: let it end, and close what it brings.
            opening.add_done_callback(_close_unwanted)
            raise

    async def _open(self, address: Address) -> Connection:
        host, port, _ = address
        loop = asyncio.get_running_loop()

        def made() -> Connection:
            return Connection(self._max_reply_bytes)

        async with asyncio.timeout(CONNECT_SECONDS):
            if self._guard is None:
                _, connection = await loop.create_connection(made, host, port, happy_eyeballs_delay=EYEBALLS_SECONDS)
            else:
                addresses = await permitted(host, port, self._guard)
                _, connection = await loop.create_connection(made, sock=await connected(addresses, port))
        return connection

    def _kept(self, address: Address) -> Connection | None:
        kept = self._idle[address.host, address.port]
        while kept:
            if (connection := kept.pop()).reusable:
                return connection
        return None

    def _keep(self, connection: Connection, address: Address) -> None:
        self._idle[address.host, address.port].append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what was idle for too long; look again when the next may have been."""
        loop = asyncio.get_running_loop()
        for kept in self._idle.values():
            while kept and kept[0].since <= loop.time() - IDLE_SECONDS:
                kept.popleft().close()
        oldest = min((kept[0].since for kept in self._idle.values() if kept), default=None)
        self._sweeping = None if oldest is None else loop.call_at(oldest + IDLE_SECONDS, self._sweep)


def _close_unwanted(opening: asyncio.Task[Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


@lru_cache(maxsize=64)
def _address(url: str) -> Address | None:
    """Where a URL leads; None where it is another transport's."""
    try:
        parts = urlsplit(url)
        port = parts.port
        if parts.scheme != "http" or parts.username is not None or not parts.hostname:
            return None
        name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.encode("idna").decode()
    except ValueError:
        raise unsendable(url) from None
    target = quote(parts.path or "/", safe=SAFE) + ("?" + quote(parts.query, safe=SAFE + "?") if parts.query else "")
    host = name if port in (None, 80) else f"{name}:{port}"
    return Address(parts.hostname, 80 if port is None else port, f"POST {target} HTTP/1.1\r\nhost: {host}\r\n")


def _request(url: str, address: Address, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {"user-agent": "assay", "accept": "*/*", "accept-encoding": "identity"}
    for name, value in headers.items():
        if not NAME.fullmatch(name) or not VALUE.fullmatch(value):
            raise unsendable(url)
        lines[name.lower()] = value
    for name in OURS:
        lines.pop(name, None)
    text = "".join([f"{name}: {value}\r\n" for name, value in lines.items()])
    return f"{address.head}content-length: {len(body)}\r\n{text}\r\n".encode("ascii") + body
