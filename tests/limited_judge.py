"""A judge on a real socket that keeps to a rate limit, and remembers each call: when, for whom, whether refused."""

import asyncio
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.engine.wire import Asked, Said, completion, refusal, serving
from tests.jobs.simulated_line import Server

SCORE = '{"helpfulness": 3}'


@dataclass(frozen=True)
class Taken:
    """One call. ``at`` is in seconds since the first one."""

    at: float
    label: str
    ok: bool


class LimitedJudge:
    """Runs in a thread of the test; ``url`` is the OpenAI base URL. A call's label is what its prompt begins with."""

    def __init__(self, limit: Server, *, latency: float = 0.1, label_after: str = "Rate 0-4.\n") -> None:
        self.calls: list[Taken] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._limit, self._latency, self._label_after = limit, latency, label_after
        self._began = 0.0
        self._up, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="limited judge")

    async def _answer(self, asked: Asked) -> Said:
        now = time.monotonic()
        self._began = self._began or now
        answer = self._limit(now)
        self.calls.append(
            Taken(now - self._began, asked.text.partition(self._label_after)[2].partition(":")[0], answer.ok)
        )
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        await asyncio.sleep(self._latency)
        self._in_flight -= 1
        if answer.ok:
            return completion(SCORE)
        return refusal(429, "too many requests", **({"Retry-After": f"{answer.wait:.1f}"} if answer.wait else {}))

    async def _serve(self) -> None:
        async with serving(self._answer) as server:
            self.url = server.url.removesuffix("/chat/completions")
            self._up.set()
            await asyncio.to_thread(self._over.wait)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
