"""What the programs of this folder share: the task from standard input, and the CPU that judging its rows takes.

Each program judges the same rows with one library. Those of other libraries run where nothing of ours is installed.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Item = dict[str, str]  # question and answer


@dataclass(frozen=True)
class Task:
    url: str  # the judge's OpenAI base URL
    prompt: str  # with {{item.question}} and {{item.answer}} in it
    rows: list[Item]
    in_flight: int
    warm_up: int


def timed(judge: Callable[[Task, list[Item]], Awaitable[int]]) -> None:
    """Tell what `judge` takes for the task's rows, after a few rows to warm up. It returns how many have a score."""
    task = Task(**json.load(sys.stdin))

    async def measured() -> dict[str, float]:
        await judge(task, task.rows[: task.warm_up])
        started = time.process_time()
        scored = await judge(task, task.rows)
        return {"scored": scored, "seconds": time.process_time() - started}

    print(json.dumps(asyncio.run(measured())))


async def at_once(limit: int, rows: list[Item], one: Callable[[Item], Awaitable[bool]]) -> int:
    """Judge rows, at most `limit` at once, with a library that knows only single rows."""
    slots = asyncio.Semaphore(limit)

    async def held(row: Item) -> bool:
        async with slots:
            return await one(row)

    return sum(await asyncio.gather(*map(held, rows)))
