"""The transports with a guard: they connect to what it let pass, and to nothing else, whatever a name says next."""

import asyncio
import datetime
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.result import Row
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig, parse_metric
from assay_sdk.engine.transport import HTTPReply, OpenTransport
from assay_sdk.engine.transport_asyncio import AsyncioTransport
from assay_sdk.engine.transport_guard import connected
from assay_sdk.engine.transport_httpx import HttpxTransport
from assay_sdk.engine.transport_pyreqwest import PyreqwestTransport
from tests.names import Names

HERE, ELSEWHERE, NOBODY = "127.0.0.5", "127.0.0.2", "127.0.0.3"
"""Loopback addresses of these tests alone: at 127.0.0.1 others look for servers that had the port before."""
TRANSPORTS = [HttpxTransport, PyreqwestTransport, AsyncioTransport]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CLOSING = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")


@pytest.fixture(params=TRANSPORTS, ids=["httpx", "pyreqwest", "asyncio"])
def make(request: pytest.FixtureRequest) -> Callable[..., OpenTransport]:
    kind: Callable[..., OpenTransport] = request.param
    return kind


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


class Forbidden(Exception):
    """What this guard raises."""


class Watch:
    """A guard that forbids some addresses, and keeps what it was asked."""

    def __init__(self, *forbidden: str) -> None:
        self.forbidden = forbidden
        self.asked: list[tuple[str, int, list[str]]] = []

    def __call__(self, host: str, port: int, addresses: Sequence[str]) -> None:
        self.asked.append((host, port, list(addresses)))
        if {plain(address) for address in addresses} & set(self.forbidden):
            raise Forbidden(host)


def plain(text: str) -> str:
    address = ip_address(text)
    return str((address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address)


class Server:
    """Listens at two addresses; keeps where each connection came in, the name in its TLS hello, and each request."""

    def __init__(self, reply: bytes) -> None:
        self.port = 0
        self.taken: list[str] = []
        self.hellos: list[str | None] = []
        self.heads: list[bytes] = []
        self.reply = reply

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken.append(writer.get_extra_info("sockname")[0])
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(5)
                writer.write(self.reply)
                if b"Connection: close" in self.reply:
                    break
        writer.close()

    def named(self, _: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        self.hellos.append(name)


@asynccontextmanager
async def serving(reply: bytes = OK, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(reply)
    if tls is not None:
        tls.sni_callback = server.named
    async with await asyncio.start_server(server.handle, HERE, 0, ssl=tls) as here:
        server.port = here.sockets[0].getsockname()[1]
        async with await asyncio.start_server(server.handle, ELSEWHERE, server.port, ssl=tls):
            yield server


async def post(transport: OpenTransport, url: str, timeout: float = 5.0) -> HTTPReply:
    return await transport.post(url, headers={"authorization": "Bearer sk-1"}, body=b"hello", timeout=timeout)


def test_the_connection_goes_to_the_address_that_the_guard_saw(
    make: Callable[..., OpenTransport], names: Names
) -> None:
    names.lead("judge.test", ELSEWHERE)
    guard = Watch()

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=guard)) as transport:
            for _ in range(20):
                assert (await post(transport, f"http://judge.test:{server.port}/v1")).body == b"{}"
        assert server.taken == [ELSEWHERE]
        assert guard.asked == [("judge.test", server.port, [ELSEWHERE])], "asked for a connection, not for a call"
        assert f"host: judge.test:{server.port}".encode() in server.heads[0].lower()

    asyncio.run(test())


def test_many_calls_at_once_keep_to_it_too(make: Callable[..., OpenTransport], names: Names) -> None:
    names.lead("judge.test", ELSEWHERE)
    guard = Watch()

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=guard)) as transport:
            await asyncio.gather(*(post(transport, f"http://judge.test:{server.port}/v1") for _ in range(40)))
        assert set(server.taken) == {ELSEWHERE}
        assert len(guard.asked) <= len(server.taken)

    asyncio.run(test())


def test_a_name_that_leads_elsewhere_after_it_was_checked_is_refused(
    make: Callable[..., OpenTransport], names: Names
) -> None:
    """The guard speaks of what is connected to, not of what the name said before; what it raises comes out as it is."""
    names.lead("judge.test", HERE, ELSEWHERE)
    guard = Watch(ELSEWHERE)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with serving() as server, aclosing(make(guard=guard)) as transport:
            checked = await loop.getaddrinfo("judge.test", server.port)
            assert checked[0][4][0] == HERE
            for _ in range(2):
                with pytest.raises(Forbidden, match="judge.test"):
                    await post(transport, f"http://judge.test:{server.port}/v1")
        assert server.taken == []

    asyncio.run(test())


def test_a_name_that_leads_elsewhere_between_two_connections_is_not_followed(
    make: Callable[..., OpenTransport], names: Names
) -> None:
    names.lead("judge.test", HERE, ELSEWHERE)

    async def test() -> None:
        async with serving(CLOSING) as server, aclosing(make(guard=Watch(ELSEWHERE))) as transport:
            for _ in range(3):
                with suppress(Forbidden):  # or it stays with the address that it had
                    await post(transport, f"http://judge.test:{server.port}/v1")
        assert set(server.taken) == {HERE}

    asyncio.run(test())


@pytest.mark.parametrize("name", ["127.0.0.2", "2130706434", "0x7f000002", "0177.0.0.2", "127.2", "[::ffff:7f00:2]"])
def test_an_address_in_any_spelling_is_shown_to_the_guard(make: Callable[..., OpenTransport], name: str) -> None:
    # httpx takes no octal numbers.
    refusal = TransportFailure if (make, name) == (HttpxTransport, "0177.0.0.2") else Forbidden

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=Watch(ELSEWHERE))) as transport:
            with pytest.raises(refusal):
                await post(transport, f"http://{name}:{server.port}/v1")
        assert server.taken == []

    asyncio.run(test())


@pytest.mark.parametrize(
    "place",
    [
        "judge.test\\@127.0.0.1",
        "127.0.0.1\\@judge.test",
        "localhost",
        "user:127.0.0.1@judge.test",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "judge。test",
    ],
)
def test_nothing_is_connected_to_that_the_guard_was_not_shown(
    make: Callable[..., OpenTransport], names: Names, place: str
) -> None:
    """However a library reads an odd address."""
    names.lead("judge.test", ELSEWHERE)
    names.lead("localhost", ELSEWHERE)
    guard = Watch()

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=guard)) as transport:
            with suppress(TransportFailure):
                await post(transport, f"http://{place}:{server.port}/v1")
        assert set(server.taken) <= {address for _, _, addresses in guard.asked for address in addresses}

    asyncio.run(test())


def test_a_name_leads_to_its_address_however_it_is_written(make: Callable[..., OpenTransport], names: Names) -> None:
    for name in ("judge.test", "judge.test."):
        names.lead(name, ELSEWHERE)

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=Watch())) as transport:
            for place in ("JUDGE.test", "Judge.Test.", "user:password@judge.test"):
                assert (await post(transport, f"http://{place}:{server.port}/v1")).status == 200
        assert set(server.taken) == {ELSEWHERE}

    asyncio.run(test())


def test_a_redirect_to_a_forbidden_address_is_an_answer(make: Callable[..., OpenTransport], names: Names) -> None:
    names.lead("judge.test", HERE)

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=Watch(ELSEWHERE))) as transport:
            moved = f"HTTP/1.1 307 X\r\nLocation: http://{ELSEWHERE}:{server.port}/\r\nContent-Length: 0\r\n\r\n"
            server.reply = moved.encode()
            assert (await post(transport, f"http://judge.test:{server.port}/v1")).status == 307
        assert server.taken == [HERE]

    asyncio.run(test())


def test_of_several_addresses_one_that_answers_is_taken(make: Callable[..., OpenTransport], names: Names) -> None:
    names.lead("judge.test", [NOBODY, ELSEWHERE])
    names.lead("nobody.test", [NOBODY, "127.0.0.4"])
    names.lead("unknown.test", [])

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=Watch())) as transport:
            assert (await post(transport, f"http://judge.test:{server.port}/v1")).status == 200
            for name, kind, message in (
                ("nobody.test", "connect", "refuses connections"),
                ("unknown.test", "dns", "Cannot resolve host 'unknown.test'"),
            ):
                with pytest.raises(TransportFailure, match=message) as caught:
                    await post(transport, f"http://{name}:{server.port}/v1")
                assert caught.value.kind == kind
            assert ELSEWHERE in server.taken

    asyncio.run(test())


def test_an_address_that_is_silent_does_not_hold_up_the_next() -> None:
    async def test() -> None:
        async with serving() as server:
            with socket(AF_INET, SOCK_STREAM) as full:
                full.bind((NOBODY, server.port))
                full.listen(0)
                with socket() as first, socket() as second:  # Linux drops what comes beyond the queue
                    first.connect((NOBODY, server.port))
                    second.setblocking(False)
                    with suppress(BlockingIOError):
                        second.connect((NOBODY, server.port))
                    async with asyncio.timeout(5):
                        with await connected([NOBODY, ELSEWHERE], server.port) as taken:
                            assert taken.getpeername()[0] == ELSEWHERE

    asyncio.run(test())


def test_a_server_that_moved_is_found_at_its_new_address(make: Callable[..., OpenTransport], names: Names) -> None:
    names.lead("judge.test", [], NOBODY, [NOBODY, NOBODY], ELSEWHERE)

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=Watch())) as transport:
            url = f"http://judge.test:{server.port}/v1"
            for kind in ("dns", "connect", "connect"):
                with pytest.raises(TransportFailure) as caught:
                    await post(transport, url)
                assert caught.value.kind == kind
            assert (await post(transport, url)).status == 200

    asyncio.run(test())


def test_a_name_server_that_is_silent_has_no_more_time_than_the_call(
    make: Callable[..., OpenTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def look_up(*given: object, **options: object) -> object:
        answers.wait(10)
        raise OSError

    async def test() -> None:
        transport = make(guard=Watch())
        async with aclosing(transport):
            monkeypatch.setattr("socket.getaddrinfo", look_up)
            monkeypatch.setattr("assay_sdk.engine.transport_guard.spelled", lambda host: [])
            with pytest.raises(TransportFailure) as caught:
                await post(transport, "http://judge.test/v1", timeout=0.1)
            assert caught.value.kind == "timeout"
        answers.set()

    asyncio.run(test())


# https://


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `judge.test` that its own key signed, with that key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "judge.test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("judge.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "judge.pem"
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*formats))
    return file


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_secure_connection_is_about_the_name_and_goes_to_the_address(
    make: Callable[..., OpenTransport], names: Names, tls: ssl.SSLContext
) -> None:
    names.lead("judge.test", ELSEWHERE)
    names.lead("other.test", ELSEWHERE)
    guard = Watch()

    async def test() -> None:
        async with serving(tls=tls) as server, aclosing(make(guard=guard)) as transport:
            for _ in range(5):
                assert (await post(transport, f"https://judge.test:{server.port}/v1")).status == 200
            assert (server.taken, server.hellos) == ([ELSEWHERE], ["judge.test"])
            assert guard.asked == [("judge.test", server.port, [ELSEWHERE])]
            with pytest.raises(TransportFailure, match="certificate is not trusted"):
                await post(transport, f"https://other.test:{server.port}/v1")
            assert server.hellos[1] == "other.test"

    asyncio.run(test())


def test_a_secure_connection_is_refused_like_any_other(
    make: Callable[..., OpenTransport], names: Names, tls: ssl.SSLContext
) -> None:
    names.lead("judge.test", HERE, ELSEWHERE)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with serving(tls=tls) as server, aclosing(make(guard=Watch(ELSEWHERE))) as transport:
            assert (await loop.getaddrinfo("judge.test", server.port))[0][4][0] == HERE
            for name in ("judge.test", "2130706434", "[::ffff:7f00:2]"):
                with pytest.raises(Forbidden):
                    await post(transport, f"https://{name}:{server.port}/v1")
        assert server.taken == []

    asyncio.run(test())


# Proxies


def test_a_proxy_may_be_anywhere_and_who_is_excepted_from_it_is_checked(
    make: Callable[..., OpenTransport], names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.lead("judge.test", HERE)
    guard = Watch(HERE, ELSEWHERE)
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(CLOSING)
        writer.close()

    async def test() -> None:
        async with serving() as server, await asyncio.start_server(proxy, HERE, 0) as proxying:
            monkeypatch.setenv("HTTP_PROXY", f"http://{HERE}:{proxying.sockets[0].getsockname()[1]}")
            monkeypatch.setenv("NO_PROXY", f"judge.test,{ELSEWHERE}")
            async with aclosing(make(guard=guard)) as transport:
                assert (await post(transport, "http://unknown.test/v1")).body == b"{}"
                for name in ("judge.test", ELSEWHERE):
                    with pytest.raises(Forbidden, match=name):
                        await post(transport, f"http://{name}:{server.port}/v1")
        assert heard == [b"POST http://unknown.test/v1 HTTP/1.1"]
        assert server.taken == []

    asyncio.run(test())


def test_behind_a_proxy_an_address_in_the_place_of_a_name_is_shown_to_the_guard(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.lead("judge.test", HERE)

    async def test() -> None:
        async with serving() as server:
            monkeypatch.setenv("HTTP_PROXY", f"{HERE}:{server.port}")
            monkeypatch.setenv("NO_PROXY", f"127.0.0.4/30, judge.test:{server.port}")
            async with aclosing(AsyncioTransport(guard=Watch("127.0.0.8"))) as transport:
                for name in ("127.0.0.8", "2130706440"):
                    with pytest.raises(Forbidden):
                        await post(transport, f"http://{name}/v1")
                for name in ("127.0.0.9", f"{HERE}:{server.port}", f"judge.test:{server.port}"):
                    assert (await post(transport, f"http://{name}/v1")).status == 200
        asked = [head.split(b" HTTP/")[0] for head in server.heads]
        assert asked == [b"POST http://127.0.0.9/v1", b"POST /v1", b"POST /v1"]

    asyncio.run(test())


# A whole run


def test_a_run_ends_with_what_the_guard_raised_and_does_not_ask_again(
    make: Callable[..., OpenTransport], names: Names
) -> None:
    names.lead("judge.test", ELSEWHERE)
    guard = Watch(ELSEWHERE)
    waits: list[str | None] = []

    async def test() -> None:
        async with serving() as server, aclosing(make(guard=guard)) as transport:
            metric = parse_metric(
                {
                    "type": "remote",
                    "url": f"http://judge.test:{server.port}/?key=sk-1",
                    "body": {"q": "{{item.q}}"},
                    "scores": [{"name": "s", "parser": {"type": "json", "json_path": "$.s"}}],
                }
            )
            running = evaluate(
                [Row(index, {"q": "?"}) for index in range(3)],
                [metric],
                config=RunConfig(parallelism=1),
                transport=transport,
                on_waiting=waits.append,
            )
            with pytest.raises(Forbidden) as raised:
                async for _ in running:
                    pass
            assert "sk-1" not in str(raised.value)
        assert (server.taken, len(guard.asked), waits) == ([], 1, [])

    asyncio.run(test())
