"""Rows in flight: a free place is taken at once, and a slow source holds up nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from assay_sdk.engine.flight import Flight, Rows
from assay_sdk.engine.pace import Parallelism, Waiting
from assay_sdk.engine.result import Row, RowScore


def row(number: int) -> Row:
    return Row(number, {})


def done(row: Row) -> RowScore:
    return RowScore(row.index, row.item, {}, {})


class Scorer:
    """Scores rows in one round of the event loop, and writes down what happens in which order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.at_work = self.most = 0

    async def score(self, row: Row) -> RowScore:
        self.seen.append(f"begins {row.index}")
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await asyncio.sleep(0)
        self.at_work -= 1
        asyncio.get_running_loop().call_soon(self.seen.append, f"one round after {row.index}")
        return done(row)


def flight(rows: Rows, scorer: Scorer, parallelism: int) -> Flight:
    return Flight(rows, scorer.score, waiting=Waiting(), parallelism=Parallelism(parallelism), limit=None, stop=None)


def test_next_row_begins_in_the_same_round_of_the_loop_in_which_one_lands() -> None:
    scorer = Scorer()

    async def run() -> list[int]:
        return [score.index async for score in flight(map(row, range(8)), scorer, 4).landed()]

    assert sorted(asyncio.run(run())) == list(range(8))
    assert scorer.seen.index("begins 4") < scorer.seen.index("one round after 0")
    assert scorer.most == 4


@pytest.mark.parametrize("parallelism", [1, 2, 7])
def test_source_that_takes_its_time_is_read_by_one_at_a_time(parallelism: int) -> None:
    reading = 0

    async def source() -> AsyncIterator[Row]:
        nonlocal reading
        for number in range(30):
            reading += 1
            assert reading == 1
            for _ in range(number % 4):
                await asyncio.sleep(0)
            reading -= 1
            yield row(number)

    scorer = Scorer()

    async def run() -> list[int]:
        return [score.index async for score in flight(source(), scorer, parallelism).landed()]

    assert sorted(asyncio.run(run())) == list(range(30))
    assert scorer.most <= parallelism


def test_leaving_while_the_source_is_read_ends_it_quietly() -> None:
    async def source() -> AsyncIterator[Row]:
        for number in range(3):
            yield row(number)
        await asyncio.Event().wait()

    async def run() -> set[asyncio.Task[None]]:
        scores = flight(source(), Scorer(), 3).landed()
        assert [(await anext(scores)).index for _ in range(3)] == [0, 1, 2]
        await scores.aclose()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert not asyncio.run(run())
