"""Judges that fail now and then, or are away for a while: no row is lost, and the run says why it waits."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.forms import FormState
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row, RowScore, ScoreState
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig
from tests.engine.wire import Asked, Said, completion, refusal, serving

THREE = '{"clarity": 3}'
# Everything a fiftieth as long as in earnest: `Retry-After: 1` is 20 ms, the gap between probes at most 100 ms.
SCALED = Retry(base=0.005, longest=0.3, longest_asked=0.02, probe=0.1, away=12.0)


def rows(number: int) -> list[Row]:
    return [Row(index, {"q": f"question {index}"}) for index in range(number)]


def scored(found: list[RowScore]) -> int:
    return sum(row_score.scored for row_score in found)


@pytest.mark.parametrize("seed", range(6))
def test_a_fifth_refused_and_a_tenth_broken_loses_no_row(seed: int) -> None:
    rng = random.Random(seed)

    async def answer(asked: Asked) -> Said:
        drawn = rng.random()
        if drawn < 0.2:
            return refusal(429, retry_after="1")
        return refusal(500) if drawn < 0.3 else completion(THREE)

    async def test() -> list[RowScore]:
        async with serving(answer) as server:
            config = RunConfig(parallelism=32)
            return [r async for r in evaluate(rows(300), [server.judge()], config=config, retry=SCALED)]

    assert scored(asyncio.run(test())) == 300


SEEDS, ROWS = range(8), 300
REPLIES = 3  # the first, and what `retries_unscored` is unless set


def without_score(seed: int, question: str, nth: int) -> str | None:
    """What the judge of this seed says instead of a score when asked for the nth time; None in 95 % of the cases."""
    rng = random.Random(f"{seed} {question} {nth}")
    return rng.choice(["", "Hm.", "{"]) if rng.random() < 0.05 else None


def replies_needed(seed: int, question: str) -> int:
    return next(nth for nth in count(1) if without_score(seed, question, nth) is None)


def test_of_a_judge_with_five_percent_unscored_replies_nearly_every_row_is_scored() -> None:
    async def test(seed: int) -> list[RowScore]:
        times: Counter[str] = Counter()

        async def answer(asked: Asked) -> Said:
            times[asked.text] += 1
            bad = without_score(seed, asked.text, times[asked.text])
            return completion(THREE if bad is None else bad)

        async with serving(answer) as server:
            found = [
                r async for r in evaluate(rows(ROWS), [server.judge()], config=RunConfig(parallelism=32), retry=SCALED)
            ]
        assert len(server.asked) == sum(len(row_score.calls) for row_score in found)
        return found

    lost = once_more = 0
    for seed in SEEDS:
        for row_score in asyncio.run(test(seed)):
            needed = replies_needed(seed, f"question {row_score.index}")
            assert row_score.scored == (needed <= REPLIES)
            assert [call.asking for call in row_score.calls] == list(range(1, min(needed, REPLIES) + 1)), "all are kept"
            lost, once_more = lost + (not row_score.scored), once_more + (needed > 2)
    assert lost <= 0.003 * ROWS * len(SEEDS)
    assert lost < once_more / 3, "the judge was not bad enough to tell two askings from three"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507, 520, 522, 529])
def test_what_another_attempt_may_cure_is_repeated(status: int) -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(status) if asked.number <= 2 else completion(THREE)

    async def test() -> tuple[list[RowScore], int]:
        async with serving(answer) as server:
            return [r async for r in evaluate(rows(1), [server.judge()], retry=SCALED)], len(server.asked)

    (row_score,), calls = asyncio.run(test())
    assert (row_score.scored, calls) == (True, 3)


def test_a_conflict_is_repeated_where_the_server_says_when() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(409, **{"Retry-After": "0"}) if asked.number == 1 else completion(THREE)

    async def test() -> tuple[list[RowScore], int]:
        async with serving(answer) as server:
            return [r async for r in evaluate(rows(1), [server.judge()], retry=SCALED)], len(server.asked)

    (row_score,), calls = asyncio.run(test())
    assert (row_score.scored, calls) == (True, 2)


@pytest.mark.parametrize("status", [400, 409, 422, 501, 505])
def test_what_no_attempt_will_cure_is_not_repeated(status: int) -> None:
    async def test() -> tuple[list[RowScore], int]:
        async with serving(lambda asked: asyncio.sleep(0, refusal(status))) as server:
            judge = server.judge(ignore_request_failure=True)
            return [r async for r in evaluate(rows(1), [judge], retry=SCALED)], len(server.asked)

    (row_score,), calls = asyncio.run(test())
    assert calls == 1
    assert row_score.failure is not None and row_score.failure.kind is ScoreState.REFUSED


@pytest.mark.parametrize("status", [502, 503, 504, 521, 522, 523, 524, 529])
def test_server_that_is_overloaded_or_not_reached_is_waited_for_however_it_says_so(status: int) -> None:
    heard: list[str | None] = []

    async def answer(asked: Asked) -> Said:
        return refusal(status) if 5 < asked.number <= 45 else completion(THREE)

    async def test() -> list[RowScore]:
        quick = Retry(base=0.001, longest=0.005, probe=0.005, away=20.0)
        async with serving(answer) as server:
            judging = evaluate(
                rows(15), [server.judge()], config=RunConfig(parallelism=4), retry=quick, on_waiting=heard.append
            )
            return [r async for r in judging]

    assert scored(asyncio.run(test())) == 15
    assert f"it answers {status}" in str(heard[0])


@pytest.mark.parametrize("how", ["refuses connections", "answers 503", "answers 503 from the start"])
@pytest.mark.parametrize("parallelism", [1, 16])
def test_judge_that_is_down_for_a_while_is_waited_for(how: str, parallelism: int) -> None:
    heard: list[str | None] = []
    probes: list[float] = []

    async def test() -> list[RowScore]:
        down, back = asyncio.Event(), asyncio.Event()
        busy = most_busy = 0

        async def answer(asked: Asked) -> Said:
            nonlocal busy, most_busy
            if asked.number == 1 and "start" in how:
                down.set()
            if down.is_set() and not back.is_set():
                busy += 1
                probes.append(time.monotonic())
                await asyncio.sleep(0.001)
                most_busy = max(most_busy, busy) if len(probes) > 3 * parallelism + 16 else 0
                busy -= 1
                return refusal(503)
            if asked.number == 50:
                down.set()
            await asyncio.sleep(0.001)
            return completion(THREE)

        async def collect() -> list[RowScore]:
            judging = evaluate(
                rows(150), [server.judge()], config=RunConfig(parallelism=parallelism), retry=SCALED,
                on_waiting=heard.append,
            )  # fmt: skip
            return [r async for r in judging]

        async with serving(answer) as server:
            task = asyncio.create_task(collect())
            await down.wait()
            if how != "refuses connections":
                await asyncio.sleep(1.5)
                back.set()
                assert most_busy <= 1, "one call at a time"
                return await task
        await asyncio.sleep(1.5)  # 75 s in earnest
        back.set()
        async with serving(answer, port=server.port):
            return await task

    assert scored(asyncio.run(test())) == 150
    assert heard[-1] is None
    assert str(heard[0]).startswith("Waiting for the judge at http://127.0.0.1:")
    # Of a server that goes away the calls in flight see the break first.
    reasons = ("refuses connections", "broke the connection off") if how == "refuses connections" else ("answers 503",)
    assert any(reason in str(heard[0]) for reason in reasons)
    if probes:
        assert len(probes) < 16 * 10 + 60, "it is probed, not stormed"


def test_judge_that_stays_away_ends_the_run_when_patience_does() -> None:
    async def test() -> None:
        async def answer(asked: Asked) -> Said:
            return completion(THREE) if asked.number <= 20 else refusal(503, "gone")

        retry = Retry(base=0.005, longest=0.05, probe=0.02, away=0.5)
        found = []
        began = time.monotonic()
        async with serving(answer) as server:
            with pytest.raises(RunAborted, match="kept answering 503"):
                async for row_score in evaluate(
                    rows(5000), [server.judge()], config=RunConfig(parallelism=4), retry=retry
                ):
                    found += [row_score]
        assert scored(found) == 20
        assert 0.5 <= time.monotonic() - began < 3
        assert len(server.asked) < 150

    asyncio.run(test())


def test_judge_that_was_never_there_ends_the_run_at_once() -> None:
    async def test() -> None:
        async with serving(lambda asked: asyncio.sleep(0, completion(THREE))) as server:
            judge = server.judge()
        began = time.monotonic()
        with pytest.raises(RunAborted, match="refuses connections"):
            async for _ in evaluate(rows(500), [judge], config=RunConfig(parallelism=2)):
                pass
        assert time.monotonic() - began < 10

    asyncio.run(test())


def test_judge_that_answered_an_earlier_part_of_the_job_is_waited_for() -> None:
    async def test() -> None:
        forms = FormState()
        async with serving(lambda asked: asyncio.sleep(0, completion(THREE))) as server:
            judge = server.judge()
            assert [r.scored async for r in evaluate(rows(1), [judge], forms=forms)] == [True]

        async def collect() -> list[RowScore]:
            later = FormState.from_wire(forms.to_wire())
            return [r async for r in evaluate(rows(20), [judge], forms=later, retry=SCALED)]

        task = asyncio.create_task(collect())
        await asyncio.sleep(1.0)
        async with serving(lambda asked: asyncio.sleep(0, completion(THREE)), port=server.port):
            assert scored(await task) == 20

    asyncio.run(test())


def test_stop_is_heard_while_waiting_for_a_judge() -> None:
    async def test() -> None:
        stop = asyncio.Event()

        async def answer(asked: Asked) -> Said:
            return refusal(503)

        async with serving(answer) as server:
            judging = evaluate(
                rows(50), [server.judge()], stop=stop, retry=Retry(base=0.01, probe=60.0),
                on_waiting=lambda why: asyncio.get_running_loop().call_later(0.1, stop.set),
            )  # fmt: skip
            found = await asyncio.wait_for(asyncio.create_task(_all(judging)), 10)
        assert found == []

    asyncio.run(test())


async def _all(judging: object) -> list[RowScore]:
    return [r async for r in judging]  # type: ignore[attr-defined]


def test_row_that_breaks_the_server_does_not_hold_up_the_others() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(502) if asked.text == "question 3" else completion(THREE)

    async def test() -> list[RowScore]:
        retry = replace(SCALED, away=1.0)  # how long the row is waited for in the end, when there is no other
        async with serving(answer) as server:
            return [
                r async for r in evaluate(rows(200), [server.judge()], config=RunConfig(parallelism=2), retry=retry)
            ]

    found = asyncio.run(test())
    assert scored(found) == 199
