"""Retries and pace, by themselves."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from assay_sdk.engine.failfast import FailFast
from assay_sdk.engine.pace import Pace, Retry, Stopped, Waiting, asked_wait
from assay_sdk.engine.result import Failure, ScoreState


def test_waits_grow_are_drawn_at_random_and_end() -> None:
    retry = Retry()
    for attempt, most in ((1, 0.25), (2, 0.5), (3, 1.0)):
        waits = [retry.wait(attempt) for _ in range(200)]
        assert all(wait is not None and 0 <= wait <= most for wait in waits)
        assert len(set(waits)) > 100
    assert retry.wait(4) is None
    assert retry.wait(4, patient=True) is not None
    assert retry.wait(10, patient=True) is None


def test_what_a_server_asks_for_is_given_within_reason() -> None:
    retry = Retry()
    assert retry.wait(1, asked=7.0) == 7.0
    assert retry.wait(1, asked=86_400.0) == 120.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after-ms": "250"}, 0.25),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float) -> None:
    assert asked_wait(headers) == seconds


def test_retry_after_as_a_date() -> None:
    now = datetime.now(UTC)
    later, earlier = (format_datetime(now + timedelta(seconds=s), usegmt=True) for s in (60, -60))
    assert 30 < asked_wait({"retry-after": later}) <= 60
    assert asked_wait({"retry-after": earlier}) == 0


def test_pace_halves_in_a_round_of_refusals_and_climbs_back() -> None:
    pace = Pace(32)
    for _ in range(32):
        pace.refused()
    assert pace.limit == 16
    for _ in range(1000):
        pace.refused()
    assert pace.limit == 1
    for _ in range(1000):
        pace.succeeded()
    assert pace.limit == 32


def test_slots_are_handed_on_even_if_who_waits_gives_up() -> None:
    async def test() -> None:
        pace = Pace(1)
        entered: list[str] = []

        async def hold(name: str) -> None:
            async with pace.slot():
                entered.append(name)
                await asyncio.sleep(0)

        async with pace.slot():
            quitter = asyncio.create_task(hold("quitter"))
            patient = asyncio.create_task(hold("patient"))
            await asyncio.sleep(0)
        quitter.cancel()  # just when its turn has come
        await asyncio.wait_for(patient, 5)
        assert entered == ["patient"]
        assert pace.in_flight == 0

    asyncio.run(test())


def test_rows_that_wait_are_counted_until_they_go_on() -> None:
    async def test() -> None:
        waiting = Waiting()
        short, long = asyncio.create_task(waiting.sleep(0.01)), asyncio.create_task(waiting.sleep(60))
        await asyncio.sleep(0)
        assert waiting.rows == 2
        await short
        assert waiting.rows == 1
        waiting.stopping.set()
        with pytest.raises(Stopped):
            await long
        assert waiting.rows == 0

    asyncio.run(test())


def hopeless(cause: str) -> Failure:
    return Failure(ScoreState.REFUSED, f"refused: {cause}", hopeless=True, cause=cause)


def test_only_the_same_hopeless_failure_in_a_row_is_enough() -> None:
    passing = Failure(ScoreState.TRANSPORT, "busy")
    unread = Failure(ScoreState.EMPTY, "no text")
    watch = FailFast(limit=3)
    outcomes = [hopeless("a"), hopeless("a"), None, hopeless("a"), hopeless("b"), hopeless("b"), unread, hopeless("b")]
    assert not any(watch.enough(outcome) for outcome in outcomes)
    assert not watch.enough(passing)
    assert not watch.enough(hopeless("b"))
    assert watch.enough(hopeless("b"))
