"""The rows between their source and whoever takes the results: never more than the parallelism at work."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable

from assay_sdk.engine.pace import Parallelism, Stopped, Waiting
from assay_sdk.engine.result import Row, RowScore

Stop = Callable[[], bool] | asyncio.Event
Rows = Iterable[Row] | AsyncIterable[Row]

STOP_POLL_SECONDS = 0.1


class Flight:
    """Starts rows as there is room, and hands out row scores as they come.

    The source is read no further than there is room; results that nobody takes hold up the start of further rows. So
    memory stays flat, however long the source is.
    """

    def __init__(
        self,
        rows: Rows,
        score: Callable[[Row], Awaitable[RowScore]],
        *,
        waiting: Waiting,
        parallelism: Parallelism,
        limit: int | None,
        stop: Stop | None,
    ) -> None:
        waiting.changed = self._make_room
        parallelism.on_change(self._make_room)
        self.waiting = waiting
        self._rows = _read(rows)
        self._score = score
        self._parallelism = parallelism
        self._limit = limit
        self._stop = stop
        self._started = 0
        self._reading = False
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._landed: deque[RowScore] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._error: BaseException | None = None
        self._broken: Exception | None = None

    async def landed(self) -> AsyncGenerator[RowScore, None]:
        """Row scores in the order in which they are done. Ends after the last row, or once stopped.

        An error of the source is raised after the rows that were read before it. Leaving early cancels what is in
        flight.
        """
        feeder = asyncio.create_task(self._feed())
        watcher = asyncio.create_task(self._watch()) if self._stop is not None else None
        try:
            while True:
                while self._landed:
                    yield self._landed.popleft()
                    self._make_room()
                if self._error or (feeder.done() and not self._tasks):
                    break
                self._news.clear()
                await self._news.wait()
            if self._error:
                raise self._error
        finally:
            await _cancel({feeder, *self._tasks} | ({watcher} if watcher else set()))
            await self._rows.aclose()

    def take_landed(self) -> list[RowScore]:
        """What is done but not yet handed out."""
        rest = list(self._landed)
        self._landed.clear()
        return rest

    async def _feed(self) -> None:
        while not self._ended:
            row = await self._next() if self._has_room() or self._stopping() else None
            if row is not None:
                self._tasks.add(asyncio.create_task(self._fly(row)))
            elif not self._ended:
                self._room.clear()
                await self._room.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)  # what was read before the source broke is not lost
        self._error = self._error or self._broken
        self._news.set()

    async def _next(self) -> Row | None:
        """The next row; None if there is none, or somebody else is just reading it."""
        if self._reading or self._ended:
            return None
        row = None
        self._reading = True
        try:
            if (self._limit is None or self._started < self._limit) and not self._stopping():
                row = await anext(self._rows, None)
        except Exception as error:
            self._broken = error
        finally:
            self._reading = False
            if row is None or self._stopping():
                self._ended, row = True, None
            self._make_room()
        self._started += row is not None
        return row

    async def _fly(self, row: Row | None) -> None:
        """Score a row, and right after it the next, as long as there is room.

        To leave the next to the feeder would cost two rounds of the event loop, which are long when many rows land.
        """
        task = asyncio.current_task()
        assert task is not None
        try:
            while row is not None:
                self._landed.append(await self._score(row))
                self._news.set()
                row = await self._next() if self._has_room(beside=1) else None
        except Stopped:
            pass  # it was waiting to be tried again; a later run will do it
        except Exception as error:
            self._error = error
        finally:
            self._tasks.discard(task)
            self._news.set()
            self._make_room()

    async def _watch(self) -> None:
        if isinstance(self._stop, asyncio.Event):
            await self._stop.wait()
        while not self._stopping():
            await asyncio.sleep(STOP_POLL_SECONDS)
        self.waiting.stopping.set()
        self._make_room()

    def _stopping(self) -> bool:
        if isinstance(self._stop, asyncio.Event):
            return self._stop.is_set()
        return self._stop is not None and self._stop()

    def _has_room(self, beside: int = 0) -> bool:
        """Whether another row may begin; `beside`: in the place of one that has just landed."""
        tasks = len(self._tasks) - beside
        return (
            tasks - self.waiting.rows < self._parallelism.value
            and tasks < 2 * self._parallelism.value
            and len(self._landed) < self._parallelism.value
        )

    def _make_room(self) -> None:
        self._room.set()


async def _read(rows: Rows) -> AsyncGenerator[Row, None]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
