"""The one place where bytes leave the engine: a port with a single method. `streams` and `clients` implement it."""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import urlsplit
from urllib.request import getproxies

from assay_sdk.engine.errors import TransportFailure

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
