"""Transports of judge calls: CPU seconds and wall for 1,000 calls, by calls in flight.

The judge is another process, answers after 10 ms and is 1.5 kB away in both directions. Every reply is compared with
its request. aiohttp is no dependency; it is measured where it is installed.
"""

import asyncio
import importlib.util
import time
from collections.abc import Callable, Mapping

from assay_sdk.engine.transport import HTTPReply, OpenTransport
from assay_sdk.engine.transport_asyncio import AsyncioTransport
from assay_sdk.engine.transport_httpx import HttpxTransport
from assay_sdk.engine.transport_pyreqwest import PyreqwestTransport
from benchmarks.floor import FloorTransport
from benchmarks.judge_server import BenchJudge
from benchmarks.report import Report

IN_FLIGHT = (16, 64, 256, 1024)
CALLS = 2500
GOAL = 0.35
HEADERS = {"content-type": "application/json", "accept": "application/json", "authorization": "Bearer not-a-key"}
PAD = "x" * 1460


class AiohttpTransport:
    """As a transport over aiohttp would be, failures aside. Its own reading of the proxies costs 0.5 s more."""

    def __init__(self) -> None:
        import aiohttp

        limits = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=limits, cookie_jar=aiohttp.DummyCookieJar())

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        async with (
            asyncio.timeout(timeout),
            self._session.post(url, headers=headers, data=body, allow_redirects=False) as response,
        ):
            received = bytearray()
            async for chunk in response.content.iter_any():
                received += chunk
            found = {name.lower(): value for name, value in response.headers.items()}
            return HTTPReply(response.status, found, bytes(received))

    async def aclose(self) -> None:
        await self._session.close()


async def spend(make: Callable[[], OpenTransport], url: str, in_flight: int, calls: int) -> tuple[float, float]:
    """CPU and wall seconds for 1,000 calls, once all connections are open."""
    transport = make()
    numbers = iter(range(in_flight + calls))

    async def call(number: int) -> None:
        mark = f"{number:08d}"
        body = f'{{"number": "{mark}", "pad": "{PAD}"}}'.encode()
        reply = await transport.post(url, headers=HEADERS, body=body, timeout=60)
        assert reply.status == 200 and mark.encode() in reply.body[:40], "a reply to another call"

    async def work() -> None:
        for number in numbers:
            await call(number)

    try:
        await asyncio.gather(*(call(next(numbers)) for _ in range(in_flight)))
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return (time.process_time() - cpu) / calls * 1000, (time.perf_counter() - wall) / calls * 1000
    finally:
        await transport.aclose()


def measure() -> Report:
    transports: dict[str, tuple[Callable[[], OpenTransport], int]] = {
        "floor (hand-written, no checks)": (FloorTransport, CALLS),
        "asyncio (http:// only)": (AsyncioTransport, CALLS),
        "pyreqwest": (PyreqwestTransport, CALLS),
        "httpx": (HttpxTransport, CALLS // 3),
    }
    if importlib.util.find_spec("aiohttp"):
        transports["aiohttp"] = (AiohttpTransport, CALLS)
    rows = []
    with BenchJudge(wait_ms=10) as judge:
        url = f"{judge.url}/chat/completions"
        for name, (make, calls) in transports.items():
            spent = [asyncio.run(spend(make, url, in_flight, calls)) for in_flight in IN_FLIGHT]
            rows.append([name, *(f"{cpu:.2f} s CPU, {wall:.1f} s" for cpu, wall in spent)])
    return Report(
        "Transports of judge calls, per 1,000 calls",
        "python -m benchmarks transports",
        ["transport", *(f"{in_flight:,} in flight" for in_flight in IN_FLIGHT)],
        rows,
        [f"Goal: at most {GOAL} s of CPU, flat from 16 to 1,024. Each reply was compared with its call."],
    )
