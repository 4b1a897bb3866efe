"""A run's way to an endpoint through the governor: real sockets, the engine, and a store in files."""

import asyncio
import time
from pathlib import Path

import pytest

from assay.jobs import gate
from assay.jobs.gate import ShardGates
from assay.jobs.governor_stores import FileStore, Step, T
from assay.jobs.leases import Hold
from assay.jobs.ledger import Ledger, Line
from assay.jobs.models import Job, Terms
from assay_sdk.engine.gate import Gates, open_gates
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig
from tests.engine.wire import Asked, JudgeServer, Said, completion, refusal, serving
from tests.jobs.simulated_line import Server, bucket, sliding

THREE = '{"clarity": 3}'
KEY = "sk-not-to-be-seen"
IMPATIENT = Retry(attempts=2, patience=3, base=0.005, longest=0.01, probe=0.02, away=0.3)
"""Without a governor it gives a refused row up within a second."""


class CountedFiles(FileStore):
    changes = 0

    def change(self, name: str, step: Step[T]) -> T:
        self.changes += 1
        return super().change(name, step)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CountedFiles:
    store = CountedFiles(tmp_path)
    monkeypatch.setattr(gate, "store", lambda: store)
    return store


def ledger(judge: JudgeServer | None = None, **said: int) -> Ledger:
    if judge is None:
        return Ledger({})
    address = judge.url.removesuffix("/chat/completions")
    return Ledger({Line("", address): Terms(address=address, **said)})


def limited(limit: Server, latency: float = 0.01):  # type: ignore[no-untyped-def]
    async def answer(asked: Asked) -> Said:
        allowed = limit(asyncio.get_running_loop().time())
        await asyncio.sleep(latency)
        return completion(THREE) if allowed.ok else refusal(429, "slow down")

    return answer


async def judged(judge: JudgeServer, gates: Gates, count: int, label: str = "") -> list[RowScore]:
    rows = [Row(index, {"q": f"{label} question {index}"}) for index in range(count)]
    config = RunConfig(parallelism=8)
    judging = evaluate(
        rows, [judge.judge(ignore_request_failure=True)], config=config, retry=IMPATIENT, gates=gates, timeout=5.0
    )
    return [row async for row in judging]


async def run(gates: Gates, judge: JudgeServer, count: int, label: str = "") -> int:
    """Return how many rows were scored."""
    async with asyncio.timeout(40):
        scored = sum(row.scored for row in await judged(judge, gates, count, label))
    if isinstance(gates, ShardGates):
        await gates.close()
    return scored


@pytest.mark.thorough
def test_no_row_is_lost_to_refusals_however_many_there_are() -> None:
    async def test() -> tuple[int, int]:
        async with serving(limited(bucket(900, 5))) as judge:
            governed = await run(ShardGates(Job(), ledger(), {}), judge, 90)
        async with serving(limited(bucket(900, 5))) as judge:
            return governed, await run(open_gates, judge, 90)

    governed, free = asyncio.run(test())
    assert governed == 90
    assert free < 90, "the server was not strict enough to tell the two apart"


def test_two_jobs_keep_together_to_what_people_say() -> None:
    async def test() -> tuple[int, int, list[int]]:
        async with serving(limited(sliding(60, 2.0))) as judge:
            both = [ShardGates(Job(), ledger(judge, requests_per_minute=1500), {}) for _ in range(2)]
            scored = await asyncio.gather(*(run(gates, judge, 50, f"job {n}") for n, gates in enumerate(both)))
            first = [asked.text for asked in judge.asked[:60]]
            return sum(scored), len(judge.asked), [sum(f"job {n} " in text for text in first) for n in range(2)]

    scored, calls, shares = asyncio.run(test())
    assert scored == 100
    assert calls <= 110, "hardly anybody is refused"
    assert min(shares) >= 20


def test_calls_in_flight_are_bounded_over_two_jobs() -> None:
    async def test() -> tuple[int, int]:
        async with serving(limited(sliding(1000), latency=0.03)) as judge:
            both = [ShardGates(Job(), ledger(judge, calls_in_flight=3), {}) for _ in range(2)]
            scored = await asyncio.gather(*(run(gates, judge, 20, f"job {n}") for n, gates in enumerate(both)))
            return sum(scored), judge.most_in_flight

    assert asyncio.run(test()) == (40, 3)


def test_a_run_that_stood_still_calls_nobody_before_it_knows_that_its_rows_are_still_its_own() -> None:
    hold = Hold()

    async def test() -> tuple[int, int]:
        async with serving(answer) as judge:
            judging = asyncio.create_task(run(ShardGates(Job(), ledger(judge), {}, hold), judge, 30))
            while len(judge.asked) < 12 or judge.in_flight:
                await asyncio.sleep(0.01)
            assert not judging.done()
            while_lapsed = len(judge.asked)
            hold.renewed(time.monotonic())
            return while_lapsed, await judging

    async def answer(asked: Asked) -> Said:
        if "question 11" in asked.text:
            hold.until = 0.0  # so it is when the process wakes up
        await asyncio.sleep(0.01)
        return completion(THREE)

    while_lapsed, scored = asyncio.run(test())
    assert 12 <= while_lapsed <= 12 + 8, "those in flight, and no others"
    assert scored == 30


def test_a_job_says_what_it_waits_for() -> None:
    async def test() -> tuple[str | None, str | None]:
        async with serving(limited(sliding(1000))) as judge:
            gates = ShardGates(Job(), ledger(judge, requests_per_minute=120), {})
            judging = asyncio.create_task(judged(judge, gates, 9))
            before = gates.waits_for
            while not (why := gates.waits_for):
                await asyncio.sleep(0.05)
            judging.cancel()
            await asyncio.gather(judging, return_exceptions=True)
            return before, why

    before, why = asyncio.run(test())
    assert before is None
    assert str(why).startswith("Waiting for the judge at http://127.0.0.1:")
    assert "120 requests a minute are used up by this job; next call in 1 s" in str(why)


def test_where_nothing_is_limited_the_store_is_hardly_asked(files: CountedFiles) -> None:
    async def test() -> int:
        async with serving(limited(sliding(100_000), latency=0.0)) as judge:
            return await run(ShardGates(Job(), ledger(), {}), judge, 300)

    began = asyncio.run(_timed(test))
    scored, seconds = began
    assert scored == 300
    assert files.changes <= 2 + seconds / 0.4


async def _timed(test) -> tuple[int, float]:  # type: ignore[no-untyped-def]
    loop = asyncio.get_running_loop()
    start = loop.time()
    return await test(), loop.time() - start


def test_each_key_has_a_line_of_its_own(files: CountedFiles) -> None:
    async def test() -> None:
        async with serving(limited(sliding(1000))) as judge:
            metric = judge.judge(model={"api_key_secret": "key"})
            for secret in ("secret-1", "secret-2", "secret-1"):
                gates = ShardGates(Job(), ledger(judge, requests_per_minute=6000), {"key": secret})
                rows = [Row(0, {"q": "a question"})]
                assert [row.scored async for row in evaluate(rows, [metric], gates=gates, api_keys={"key": KEY})]

    asyncio.run(test())
    documents = [path.read_bytes() for path in files.folder.iterdir()]
    assert len(documents) == 2
    assert not any(KEY.encode() in document for document in documents)


def test_a_broken_governor_stops_nobody(files: CountedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, step: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(files, "change", broken)

    async def test() -> int:
        async with serving(limited(sliding(1000))) as judge:
            return await run(ShardGates(Job(), ledger(judge, requests_per_minute=60), {}), judge, 20)

    assert asyncio.run(test()) == 20
