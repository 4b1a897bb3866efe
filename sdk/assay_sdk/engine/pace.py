"""How fast to call, and how often to try again.

A `Pace` bounds the calls in flight to one model: it starts at the run's parallelism, halves when a server refuses a
whole round of calls as too many, and climbs back as calls succeed. `Retry` decides whether an attempt is worth
repeating, and when.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Each refusal takes half a place away and each success gives a sixth of one. So a server that refuses everything has
# half the calls to deal with in each further round, and one that refuses less than a fourth, at random or because some
# other client is served first, is called at full speed.
PLACES_PER_REFUSAL = 1 / 2
PLACES_PER_SUCCESS = 1 / 6

TOO_MANY = 429
OVERLOADED = frozenset({TOO_MANY, 503, 529})
# The server, or the one behind it, takes no calls at the moment. What has no standard meaning is said by some providers
# (529: overloaded) and proxies (521 to 524: no way to the server).
AWAY = OVERLOADED | {502, 504, 521, 522, 523, 524}
RETRIED = AWAY | {408} | set(range(500, 600)) - {501, 505}  # those two no repetition cures


class Stopped(Exception):
    """Internal: the run is stopping, so nothing is waited for any more."""


class Waiting:
    """The rows that wait for a retry. They hold no slot, and the run may begin others in their place."""

    def __init__(self) -> None:
        self.rows = 0
        self.stopping = asyncio.Event()
        self.changed: Callable[[], None] = lambda: None

    async def sleep(self, seconds: float, until: asyncio.Event | None = None) -> None:
        """Wait, or until the event happens; raises Stopped as soon as the run is told to stop."""
        self.rows += 1
        self.changed()
        try:
            async with asyncio.timeout(seconds):
                await (self.stopping.wait() if until is None else self._either(until))
        except TimeoutError:
            return
        finally:
            self.rows -= 1
        if self.stopping.is_set():
            raise Stopped

    async def _either(self, event: asyncio.Event) -> None:
        tasks = [asyncio.create_task(wait) for wait in (event.wait(), self.stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Parallelism:
    """How many rows a run has in hand at once. It may be changed while the run goes on."""

    def __init__(self, value: int) -> None:
        self.value = value
        self._listeners: list[Callable[[], None]] = []

    def change(self, value: int) -> None:
        """From now on as many; rows beyond it that have begun are finished."""
        if value != self.value:
            self.value = value
            for listener in self._listeners:
                listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called after each change."""
        self._listeners.append(listener)


class Pace:
    """The calls in flight to one model, at most `limit` of them."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = float(ceiling)
        self.in_flight = 0
        self.proven = False  # the model has answered at least once: a failure now is a spell, not a wrong address
        self._queue: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one place among the calls in flight."""
        while self.in_flight >= int(self.limit):
            turn = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()  # the turn may have come just now; it must not be lost with this row
                raise
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def refused(self) -> None:
        """The server had too many calls."""
        self.limit = max(1.0, self.limit - PLACES_PER_REFUSAL)

    def succeeded(self) -> None:
        """The server answered."""
        self.proven = True
        self.limit = min(float(self.ceiling), self.limit + PLACES_PER_SUCCESS)
        self._wake()

    def resize(self, ceiling: int) -> None:
        """Allow as many calls from now on; a server that wanted fewer is asked to take more, step by step."""
        if self.limit >= self.ceiling:
            self.limit = float(ceiling)
        self.ceiling = ceiling
        self.limit = min(self.limit, float(ceiling))
        self._wake()

    def _wake(self) -> None:
        free = int(self.limit) - self.in_flight
        while self._queue and free > 0:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again. Waits grow from `base` seconds, doubling up to `longest`, each drawn at random below that.

    `patience` is the number of attempts for a server that worked before, or that asks to be spared. One that answers
    nobody is probed every `probe` seconds at most, for `away` seconds in all (see `spell`).
    """

    attempts: int = 4
    patience: int = 10
    base: float = 0.25
    longest: float = 15.0
    longest_asked: float = 120.0
    probe: float = 5.0
    away: float = 600.0
    after_silence: bool = False
    """Whether to ask again after a call that was silent for all its time; another may cost as much once more."""

    def wait(self, attempt: int, *, patient: bool = False, asked: float = 0.0) -> float | None:
        """Seconds to wait after the given attempt (counted from 1), or None to give up."""
        if attempt >= (max(self.attempts, self.patience) if patient else self.attempts):
            return None
        drawn = random.uniform(0.0, min(self.longest, self.base * 2 ** (attempt - 1)))
        return max(drawn, min(asked, self.longest_asked))


def asked_wait(headers: Mapping[str, str]) -> float:
    """The seconds a server asks to wait by its Retry-After header (seconds or a date); 0 if it does not."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "0")
        try:
            return max(0.0, float(value))
        except ValueError:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
