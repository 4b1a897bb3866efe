"""One HTTP/1.1 connection over asyncio's sockets and llhttp's parser: a request goes out, a reply comes back."""

import asyncio
import zlib
from enum import Enum

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from assay_sdk.engine.transport import HTTPReply

MAX_HEAD_BYTES = 256 * 1024
MAX_WIRE_RATIO = 8  # bytes on the wire for a byte of the reply, however small the chunks
STALE_SECONDS = 1.0  # a kept connection that ends sooner after a request was closed before that arrived
PACKED = ("gzip", "x-gzip", "deflate")


class NoReply(Enum):
    """What came of a request instead of a reply."""

    STALE = "closed before any byte came back, and soon: a kept connection was closed before the request arrived"
    BROKEN = "broken off, or not HTTP"
    TOO_LONG = "too long"


class Connection(asyncio.Protocol):
    """One connection, one request at a time. The parser calls the methods named `on_…`."""

    def __init__(self, max_reply_bytes: int) -> None:
        self.reusable = False
        self.since = 0.0  # the last request, or the end of the last reply
        self._max_reply_bytes = max_reply_bytes
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[HTTPReply | NoReply] | None = None

    def ask(self, request: bytes) -> asyncio.Future[HTTPReply | NoReply]:
        """Send a request; the reply, or what became of it instead."""
        waiter = self._waiter = self._loop.create_future()
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._wire = 0
        self._in_body = self._complete = self.reusable = False
        self.since = self._loop.time()
        if self._transport.is_closing():  # closed by the server before it was asked anything
            self._end(NoReply.STALE)
        else:
            self._transport.write(request)
        return waiter

    def close(self) -> None:
        self.reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.close()  # nobody asked
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        self._wire += len(data)
        sound = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            sound = False
        if self._complete:  # even if more came after it than was asked for
            self.reusable = sound and self._keep_alive and not self._transport.get_write_buffer_size()
            self._end(self._reply())
        elif max(len(self._body), self._wire / MAX_WIRE_RATIO) > self._max_reply_bytes:
            self._end(NoReply.TOO_LONG)
        elif not sound or (not self._in_body and self._wire > MAX_HEAD_BYTES):
            self._end(NoReply.BROKEN)

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.reusable = False
        if self._waiter is None:
            return
        if self._in_body and error is None and not {"content-length", "transfer-encoding"} & self._headers.keys():
            self._end(self._reply())
        elif not self._wire and self._loop.time() - self.since < STALE_SECONDS:
            self._end(NoReply.STALE)
        else:
            self._end(NoReply.BROKEN)

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("a second reply to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # and not in a trailer
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status >= 200:
            self._in_body = True
        else:
            self._headers.clear()

    def on_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > self._max_reply_bytes:
            raise OverflowError("too long a reply")

    def on_message_complete(self) -> None:
        self._complete = self._in_body
        self._keep_alive = self._parser.should_keep_alive()  # the parser forgets it after this

    def _reply(self) -> HTTPReply | NoReply:
        body = bytes(self._body)
        if self._headers.get("content-encoding", "identity").lower() in PACKED:
            unpacker = zlib.decompressobj(wbits=47)  # nobody asked for it, but some send it
            try:
                body = unpacker.decompress(body, self._max_reply_bytes + 1)
            except zlib.error:
                return NoReply.BROKEN
            if len(body) > self._max_reply_bytes:
                return NoReply.TOO_LONG
            if not unpacker.eof:
                return NoReply.BROKEN
        return HTTPReply(self._status, self._headers, body)

    def _end(self, outcome: HTTPReply | NoReply) -> None:
        waiter, self._waiter = self._waiter, None
        self.since = self._loop.time()
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)
