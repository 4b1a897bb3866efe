"""The transport over asyncio: what becomes of connections between calls, and when a call is sent twice."""

import asyncio
import contextlib
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from assay_sdk.engine import http1, transport_asyncio
from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.transport import HTTPReply, OpenTransport
from assay_sdk.engine.transport_asyncio import AsyncioTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Answer = Callable[[int, int, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Calls `answer` with the number of the connection and that of the request on it, both from 1."""

    def __init__(self, answer: Answer) -> None:
        self.connections = 0
        self.requests = 0
        self.head = b""  # of the last request
        self.closed = asyncio.Event()  # some connection was closed by the client
        self.url = ""
        self._answer = answer

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for request in range(1, 100):
                self.head = await reader.readuntil(b"\r\n\r\nhello")
                self.requests += 1
                await self._answer(connection, request, writer)
                if writer.is_closing():
                    return
        self.closed.set()
        writer.close()


@asynccontextmanager
async def serving(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    server = Server(answer)
    async with await asyncio.start_server(server.handle, host, 0) as listening:
        name = f"[{host}]" if ":" in host else host
        server.url = f"http://{name}:{listening.sockets[0].getsockname()[1]}/v1"
        yield server


async def post(transport: OpenTransport, url: str, timeout: float = 5.0) -> HTTPReply:
    return await transport.post(url, headers={"x-team": "blue"}, body=b"hello", timeout=timeout)


def saying(*replies: bytes) -> Answer:
    """The first reply to the first request of a connection, and so on."""

    async def answer(_: int, request: int, writer: asyncio.StreamWriter) -> None:
        writer.write(replies[min(request, len(replies)) - 1])

    return answer


def packed(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("replies", "connections"),
    [
        ([OK], 1),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 1),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n"], 1),
        ([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK], 1),
        ([OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")], 3),
        ([OK.replace(b"1.1", b"1.0")], 3),
        ([OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"], 3),
        ([OK + b"HT"], 3),
    ],
    ids=["length", "204", "chunks", "hints", "close", "1.0", "a second reply", "rubbish after it"],
)
def test_connection_is_used_again_only_where_the_reply_allows_it(replies: list[bytes], connections: int) -> None:
    async def test() -> None:
        async with serving(saying(*replies)) as server, aclosing(AsyncioTransport()) as transport:
            got = [await post(transport, server.url) for _ in range(3)]
        assert {(reply.status, reply.body) for reply in got} in ({(200, b"{}")}, {(204, b"")})
        assert "link" not in got[0].headers and "x" not in got[0].headers
        assert (server.requests, server.connections) == (3, connections)

    asyncio.run(test())


def test_kept_connection_closed_by_the_server_costs_a_new_one_and_no_failure() -> None:
    async def answer(connection: int, request: int, writer: asyncio.StreamWriter) -> None:
        if request == 1:
            writer.write(OK)
        else:
            writer.close()

    async def test() -> None:
        async with serving(answer) as server, aclosing(AsyncioTransport()) as transport:
            for _ in range(2):
                assert (await post(transport, server.url)).body == b"{}"
        assert (server.connections, server.requests) == (2, 3)

    asyncio.run(test())


@pytest.mark.parametrize("why", ["first use", "part of a reply", "late"])
def test_call_that_the_server_may_have_worked_on_is_not_sent_twice(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "late":
        monkeypatch.setattr(http1, "STALE_SECONDS", 0.0)

    async def answer(connection: int, request: int, writer: asyncio.StreamWriter) -> None:
        if request == 1 and why != "first use":
            writer.write(OK)
            return
        writer.write(b"HTTP/1.1 2" if why == "part of a reply" else b"")
        writer.close()

    async def test() -> None:
        async with serving(answer) as server, aclosing(AsyncioTransport()) as transport:
            if why != "first use":
                await post(transport, server.url)
            with pytest.raises(TransportFailure) as caught:
                await post(transport, server.url)
            assert (caught.value.kind, caught.value.temporary) == ("protocol", True)
        assert (server.connections, server.requests) == (1, 1 if why == "first use" else 2)

    asyncio.run(test())


@pytest.mark.parametrize("greeting", [b"", b"220 mail.example ESMTP\r\n"], ids=["closes", "talks first"])
def test_server_that_does_not_wait_for_the_request_is_no_judge(greeting: bytes) -> None:
    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            async with aclosing(AsyncioTransport()) as transport:
                for _ in range(20):
                    with pytest.raises(TransportFailure, match="does not speak HTTP"):
                        await post(transport, url)

    asyncio.run(test())


def test_cancelled_call_closes_its_connection_at_once() -> None:
    async def test() -> None:
        arrived = asyncio.Event()

        async def never(connection: int, request: int, writer: asyncio.StreamWriter) -> None:
            arrived.set()

        async with serving(never) as server, aclosing(AsyncioTransport()) as transport:
            call = asyncio.create_task(post(transport, server.url, timeout=60))
            await asyncio.wait_for(arrived.wait(), 5)
            call.cancel()
            await asyncio.wait_for(server.closed.wait(), 5)

    asyncio.run(test())


@pytest.mark.parametrize("turns", range(12))
def test_call_cancelled_while_it_connects_leaves_nothing_behind(turns: int) -> None:
    async def test() -> None:
        async with serving(saying(OK)) as server, aclosing(AsyncioTransport()) as transport:
            call = asyncio.create_task(post(transport, server.url.replace("127.0.0.1", "localhost"), timeout=60))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
            await post(transport, server.url)  # by now the server knows of the first connection, if there was one
            if server.connections == 2:
                await asyncio.wait_for(server.closed.wait(), 5)

    asyncio.run(test())


def test_idle_connections_are_closed_when_their_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_asyncio, "IDLE_SECONDS", 0.05)

    async def test() -> None:
        async with serving(saying(OK)) as server, aclosing(AsyncioTransport()) as transport:
            for expected in (1, 2):
                server.closed.clear()
                await post(transport, server.url)
                await asyncio.wait_for(server.closed.wait(), 5)
                assert server.connections == expected

    asyncio.run(test())


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000, "does not speak HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "does not speak HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "does not speak HTTP"),
        (packed(gzip.compress(b" " * 2**21)), "more than 1 MiB"),
        (packed(gzip.compress(b"{}")[:-4]), "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"x" * 98 + b"\r\n{\r\n") * 99_999, "MiB"),
    ],
    ids=["endless header", "endless interim", "upgrade", "bomb", "half a gzip", "mostly chunk extensions"],
)
def test_replies_beyond_all_measure_are_given_up(reply: bytes, message: str) -> None:
    async def test() -> None:
        async with (
            serving(saying(reply)) as server,
            aclosing(AsyncioTransport(max_reply_bytes=2**20)) as transport,
        ):
            with pytest.raises(TransportFailure, match=message):
                await post(transport, server.url)

    asyncio.run(test())


def test_call_that_finds_no_time_to_connect_is_late() -> None:
    async def test() -> None:
        async with serving(saying(OK)) as server, aclosing(AsyncioTransport()) as transport:
            started = time.monotonic()
            with pytest.raises(TransportFailure, match="did not answer within 0 s"):
                await post(transport, server.url, timeout=0.0)
            assert time.monotonic() - started < 1.0

    asyncio.run(test())


def test_every_address_of_a_name_is_tried() -> None:
    """`localhost` may be ::1 first, where nobody listens; refused is refused, however many addresses there are."""

    async def test() -> None:
        async with aclosing(AsyncioTransport()) as transport:
            async with serving(saying(OK)) as server:
                url = server.url.replace("127.0.0.1", "localhost")
                assert (await post(transport, url)).status == 200
            async with aclosing(AsyncioTransport()) as fresh:
                with pytest.raises(TransportFailure, match=r"localhost:\d+ refuses connections"):
                    await post(fresh, url)

    asyncio.run(test())


def test_ipv6_address_in_brackets() -> None:
    async def test() -> None:
        try:
            async with serving(saying(OK), "::1") as server, aclosing(AsyncioTransport()) as transport:
                assert (await post(transport, server.url)).status == 200
                assert f"\r\nhost: {server.url[7:-3]}\r\n".encode() in server.head
        except OSError:
            pytest.skip("this machine has no IPv6")

    asyncio.run(test())
