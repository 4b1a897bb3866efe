"""The transports against real sockets: what goes over the wire, and what each way of failing is called."""

import asyncio
import contextlib
import gzip
import shutil
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.transport import HTTPReply, OpenTransport, library_transport, open_transport
from assay_sdk.engine.transport_asyncio import AsyncioTransport
from assay_sdk.engine.transport_httpx import HttpxTransport
from assay_sdk.engine.transport_pyreqwest import PyreqwestTransport
from tests.engine.wire import Asked, Said, completion, serving

TRANSPORTS = [HttpxTransport, PyreqwestTransport, AsyncioTransport]
HELLO = b'{"messages": [{"role": "user", "content": "hello"}]}'


@pytest.fixture(params=TRANSPORTS, ids=["httpx", "pyreqwest", "asyncio"])
def make(request: pytest.FixtureRequest) -> Callable[..., OpenTransport]:
    kind: Callable[..., OpenTransport] = request.param
    return kind


async def post(transport: OpenTransport, url: str, timeout: float = 5.0, **headers: str) -> HTTPReply:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await transport.post(url, headers=sent, body=HELLO, timeout=timeout)


async def failure(
    make: Callable[..., OpenTransport], url: str, timeout: float = 5.0, **headers: str
) -> TransportFailure:
    async with aclosing(make()) as transport:
        with pytest.raises(TransportFailure) as caught:
            await post(transport, url, timeout, **headers)
    assert caught.value.__cause__ is None
    return caught.value


def raw(head: str, body: bytes = b"") -> Callable[[Asked], Awaitable[Said]]:
    async def answer(_: Asked) -> Said:
        return Said(raw=head.replace("\n", "\r\n").encode() + body)

    return answer


async def hello(_: Asked) -> Said:
    return completion("hi")


def test_headers_body_and_address_arrive_and_connections_are_used_again(make: Callable[..., OpenTransport]) -> None:
    async def test() -> None:
        async with serving(hello) as server, aclosing(make()) as transport:
            url = server.url + "?version=2&q=a b"
            replies = [await post(transport, url, x_team="blue") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 200]
        assert replies[0].headers["content-type"] == "application/json"
        assert server.connections == 1
        asked = server.asked[0]
        assert asked.path in ("/v1/chat/completions?version=2&q=a%20b", "/v1/chat/completions?version=2&q=a+b")
        assert asked.text == "hello"
        assert asked.headers["x-team"] == "blue"
        assert asked.headers["host"] == f"127.0.0.1:{server.port}"

    asyncio.run(test())


def test_as_many_connections_as_calls_in_flight(make: Callable[..., OpenTransport]) -> None:
    gate = asyncio.Event()

    async def answer(asked: Asked) -> Said:
        if asked.number == 40:
            gate.set()
        await gate.wait()
        return completion("hi")

    async def test() -> None:
        async with serving(answer) as server, aclosing(make()) as transport:
            await asyncio.gather(*(post(transport, server.url) for _ in range(40)))
            await asyncio.gather(*(post(transport, server.url) for _ in range(40)))
        assert server.connections == 40

    asyncio.run(test())


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\n", b"{}", b"{}"),
        (
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n",
            b'3;x=y\r\n{"a\r\n4\r\n": 1\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n',
            b'{"a": 1}',
        ),
        ("HTTP/1.1 200 OK\n\n", b"until the end", b"until the end"),
        ("HTTP/1.0 200 OK\nContent-Length: 2\n\n", b"{}", b"{}"),
        ("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\n", b"{}", b"{}"),
        ("HTTP/1.1 200\nContent-Length: 2\n\n", b"{}", b"{}"),
        ("HTTP/1.1 200 OK\nContent-Encoding: gzip\nConnection: close\n\n", gzip.compress(b"{}", mtime=0), b"{}"),
    ],
    ids=["length", "chunks", "until close", "old", "interim", "no reason", "gzip unasked"],
)
def test_ways_to_send_a_body(make: Callable[..., OpenTransport], head: str, body: bytes, expected: bytes) -> None:
    async def test() -> None:
        async with serving(raw(head, body)) as server, aclosing(make()) as transport:
            reply = await post(transport, server.url)
        assert (reply.status, reply.body) == (200, expected)

    asyncio.run(test())


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("", b""),
        ("HTTP/1.1 200 OK\nContent-Length: 20\n\n", b"half"),
        ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", b"zz\r\n"),
        ("SSH-2.0-OpenSSH_9.6\n\n", b""),
    ],
    ids=["closed at once", "cut off", "bad chunk", "not HTTP"],
)
def test_broken_replies_are_worth_another_attempt(make: Callable[..., OpenTransport], head: str, body: bytes) -> None:
    async def test() -> None:
        async with serving(raw(head, body)) as server:
            error = await failure(make, server.url)
        assert (error.kind, error.temporary) == ("protocol", True)
        assert f"127.0.0.1:{server.port}" in str(error)

    asyncio.run(test())


def test_hanging_server_times_out_and_the_next_call_is_not_harmed(make: Callable[..., OpenTransport]) -> None:
    async def answer(asked: Asked) -> Said:
        if asked.number == 1:
            await asyncio.sleep(60)
        return completion(f"answer {asked.number}")

    async def test() -> None:
        async with serving(answer) as server, aclosing(make()) as transport:
            with pytest.raises(TransportFailure, match=r"did not answer within 0\.1 s") as caught:
                await post(transport, server.url, timeout=0.1)
            assert (caught.value.kind, caught.value.temporary) == ("timeout", True)
            assert b"answer 2" in (await post(transport, server.url)).body

    asyncio.run(test())


def test_reply_that_trickles_in_has_no_more_time_than_any_other(make: Callable[..., OpenTransport]) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not await asyncio.sleep(0.02, writer.is_closing()):
                writer.write(b" " * 1000)

    async def test() -> None:
        async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            error = await asyncio.wait_for(failure(make, url, timeout=0.2), 10)
        assert (error.kind, error.temporary) == ("timeout", True)

    asyncio.run(test())


def test_connection_of_a_failed_call_is_closed(make: Callable[..., OpenTransport]) -> None:
    closed = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        closed.set()
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server, aclosing(make()) as transport:
            with pytest.raises(TransportFailure):
                await post(transport, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", timeout=0.05)
            await asyncio.wait_for(closed.wait(), 5)

    asyncio.run(test())


def test_cancelled_calls_leave_no_connection_behind(make: Callable[..., OpenTransport]) -> None:
    """At once with httpx and asyncio; with pyreqwest when the time of the calls is over, and not before."""
    arrived, gone = asyncio.Event(), asyncio.Event()
    open_connections = 0

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_connections
        open_connections += 1
        if open_connections == 20:
            arrived.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        open_connections -= 1
        if not open_connections:
            gone.set()
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server, aclosing(make()) as transport:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            calls = [asyncio.create_task(post(transport, url, timeout=1.0)) for _ in range(20)]
            await asyncio.wait_for(arrived.wait(), 5)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls, timeout=0.5)
            assert all(call.cancelled() for call in calls)
            await asyncio.wait_for(gone.wait(), 5)

    asyncio.run(test())


def test_refused_connection_and_unknown_host_say_what_to_check(make: Callable[..., OpenTransport]) -> None:
    async def test() -> None:
        async with serving(hello) as server:
            url = server.url
        error = await failure(make, url)
        assert error.kind == "connect"
        assert "refuses connections. Is the server running" in str(error)
        error = await failure(make, "http://no-such-host.invalid/v1/chat/completions")
        assert error.kind == "dns"
        assert str(error) == "Cannot resolve host 'no-such-host.invalid'. Check the model's url."

    asyncio.run(test())


def test_redirects_are_answers_and_not_followed(make: Callable[..., OpenTransport]) -> None:
    async def test() -> None:
        async with serving(hello) as secret:
            head = f"HTTP/1.1 307 Temporary Redirect\nLocation: {secret.url}\nContent-Length: 0\n\n"
            async with serving(raw(head)) as server, aclosing(make()) as transport:
                reply = await post(transport, server.url)
            assert (reply.status, secret.asked) == (307, [])

    asyncio.run(test())


def test_too_long_a_reply_is_given_up(make: Callable[..., OpenTransport]) -> None:
    async def test() -> None:
        long = b"x" * 3_000_000
        for head, body in (("HTTP/1.1 200 OK\n\n", long), ("HTTP/1.1 200 OK\nContent-Length: 3000000\n\n", long)):
            async with serving(raw(head, body)) as server:
                error = await failure(lambda: make(max_reply_bytes=2**20), server.url)
            assert str(error) == f"127.0.0.1:{server.port} sent more than 1 MiB."
            assert not error.temporary

    asyncio.run(test())


@pytest.mark.parametrize("key", ["sk-secret\r\nx-evil: 1", "sk-secret-ключ"])
def test_key_that_fits_no_header_is_not_quoted(make: Callable[..., OpenTransport], key: str) -> None:
    async def test() -> None:
        async with serving(hello) as server:
            error = await failure(make, server.url, authorization=f"Bearer {key}")
        assert not server.asked
        assert "sk-secret" not in repr(error)
        assert not error.temporary

    asyncio.run(test())


def certificate(folder: Path, *, authority: bool = False) -> Path:
    """A self-signed certificate for this machine, with its key, in one file."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    pem, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    kind = ["-addext", f"basicConstraints=critical,CA:{str(authority).upper()}"]
    files = ["-keyout", str(key), "-out", str(pem)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *kind, *files]
    subprocess.run(command, check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + key.read_bytes())
    return pem


def test_secure_connections_are_checked(
    make: Callable[..., OpenTransport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def test() -> None:
        async with serving(hello, tls=context) as server:
            url = server.url.replace("http:", "https:")
            error = await failure(make, url)
            assert (error.kind, error.temporary) == ("tls", False)
            assert "certificate is not trusted" in str(error)
            monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            async with aclosing(make()) as transport:
                assert (await post(transport, url)).status == 200

    asyncio.run(test())


def test_certificate_of_an_authority_is_no_server_certificate_and_that_is_said(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, authority=True))

    async def test() -> None:
        async with serving(hello, tls=context) as server:
            error = await failure(PyreqwestTransport, server.url.replace("http:", "https:"))
        assert "(it is that of an authority, not of a server)" in str(error)

    asyncio.run(test())


def test_http2_is_spoken_where_it_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2", "http/1.1"])
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(24))
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context) as server:
            await failure(PyreqwestTransport, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")

    asyncio.run(test())
    assert heard[0] == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def test_secure_address_of_a_plain_server_is_told_from_a_bad_certificate(make: Callable[..., OpenTransport]) -> None:
    def answer_in_plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(answer_in_plain, "127.0.0.1", 0)
        async with server:
            error = await failure(make, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        assert (error.kind, error.temporary) == ("tls", True)
        assert "certificate" not in str(error)

    asyncio.run(test())


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_calls_go_through_the_proxy_of_the_environment_unless_it_is_excepted(
    make: Callable[..., OpenTransport], no_proxies: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heard.append(head.split(b"\r\n")[0])
        plain = head.startswith(b"POST")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" if plain else b"HTTP/1.1 403 No\r\n\r\n")
        writer.close()

    async def test() -> None:
        async with serving(hello) as excepted, await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
            address = f"http://user:hidden@127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                no_proxies.setenv(name, address)
            no_proxies.setenv("NO_PROXY", "127.0.0.1")
            async with aclosing(make()) as transport:
                assert (await post(transport, "http://judge.invalid/v1")).body == b"{}"
                assert (await post(transport, excepted.url)).status == 200
            error = await failure(make, "https://judge.invalid/v1")
        assert heard == [b"POST http://judge.invalid/v1 HTTP/1.1", b"CONNECT judge.invalid:443 HTTP/1.1"]
        assert error.kind == "connect"
        assert "The environment names a proxy: check it too." in str(error)
        assert "hidden" not in str(error)

    asyncio.run(test())


def test_best_transport_that_can_be_used_is_taken(no_proxies: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (type(open_transport()), type(library_transport())) == (AsyncioTransport, PyreqwestTransport)
    with no_proxies.context() as patch:  # a machine without a certificate store, such as a bare container
        patch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        patch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
        assert isinstance(library_transport(), HttpxTransport)
    for missing in ("http1", "transport_asyncio", "transport_pyreqwest"):  # as where their libraries are not installed
        no_proxies.setitem(sys.modules, f"assay_sdk.engine.{missing}", None)
    assert isinstance(open_transport(), HttpxTransport)
