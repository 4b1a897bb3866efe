"""The least that an HTTP call can cost in Python: the anchor for the transports, and no more than that.

No TLS, no redirects, no chunks, no checks, one origin: nothing to use in earnest.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from assay_sdk.engine.transport import HTTPReply


class FloorTransport:
    """Posts over kept connections and reads replies that have a Content-Length."""

    def __init__(self) -> None:
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        parts = urlsplit(url)
        async with asyncio.timeout(timeout):
            reader, writer = (
                self._idle.pop() if self._idle else await asyncio.open_connection(parts.hostname, parts.port)
            )
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *rest = answer.rstrip().split("\r\n")
            found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            reply = HTTPReply(int(first.split()[1]), found, await reader.readexactly(int(found["content-length"])))
        self._idle.append((reader, writer))
        return reply

    async def aclose(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
