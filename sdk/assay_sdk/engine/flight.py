"""The rows between their source and whoever takes the results: never more than the parallelism at work."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing

from assay_sdk.engine.pace import Stopped, Waiting
from assay_sdk.engine.result import Row, RowScore

Stop = Callable[[], bool] | asyncio.Event
Rows = Iterable[Row] | AsyncIterable[Row]

STOP_POLL_SECONDS = 0.1


class Flight:
    """Starts rows as there is room, and hands out row scores as they come.

    The source is read one row ahead at most; results that nobody takes hold up the start of further rows. So memory
    stays flat, however long the source is.
    """

    def __init__(
        self,
        rows: Rows,
        score: Callable[[Row], Awaitable[RowScore]],
        *,
        waiting: Waiting,
        parallelism: int,
        limit: int | None,
        stop: Stop | None,
    ) -> None:
        waiting.changed = self._make_room
        self.waiting = waiting
        self._rows = rows
        self._score = score
        self._parallelism = parallelism
        self._limit = limit
        self._stop = stop
        self._tasks: set[asyncio.Task[None]] = set()
        self._landed: deque[RowScore] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._error: BaseException | None = None

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

    def take_landed(self) -> list[RowScore]:
        """What is done but not yet handed out."""
        rest = list(self._landed)
        self._landed.clear()
        return rest

    async def _feed(self) -> None:
        broken: Exception | None = None
        try:
            async with aclosing(_read(self._rows)) as rows:
                await self._start(rows)
        except Exception as error:
            broken = error
        if self._tasks:
            await asyncio.wait(self._tasks)  # what was read before the source broke is not lost
        self._error = self._error or broken
        self._news.set()

    async def _start(self, rows: AsyncIterator[Row]) -> None:
        started = 0
        while (self._limit is None or started < self._limit) and not self._stopping():
            row = await anext(rows, None)
            while row and not self._has_room() and not self._stopping():
                self._room.clear()
                await self._room.wait()
            if row is None or self._stopping():
                return
            self._tasks.add(asyncio.create_task(self._fly(row)))
            started += 1

    async def _fly(self, row: Row) -> None:
        try:
            self._landed.append(await self._score(row))
        except Stopped:
            pass  # it was waiting to be tried again; a later run will do it
        except Exception as error:
            self._error = error
        finally:
            task = asyncio.current_task()
            assert task is not None
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

    def _has_room(self) -> bool:
        at_work = len(self._tasks) - self.waiting.rows
        return (
            at_work < self._parallelism
            and len(self._tasks) < 2 * self._parallelism
            and len(self._landed) < self._parallelism
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
