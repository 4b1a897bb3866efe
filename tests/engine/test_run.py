"""Whole runs against a judge on a real socket: how many calls, which rows, in what order of events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from assay_sdk.engine.errors import DatasetError, RunAborted
from assay_sdk.engine.forms import Form, FormState
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row, RowScore, ScoreState
from assay_sdk.engine.run import evaluate, run
from assay_sdk.engine.spec import Metric, RunConfig
from tests.engine.wire import Asked, JudgeServer, Said, completion, refusal, serving

QUICK = Retry(base=0.01)
THREE = '{"clarity": 3}'


def rows(count: int) -> list[Row]:
    return [Row(index, {"q": f"question {index}"}) for index in range(count)]


async def collect(metric: Metric, count: int, parallelism: int = 8, **options: Any) -> list[RowScore]:
    config = RunConfig(parallelism=parallelism)
    found = [r async for r in evaluate(rows(count), [metric], config=config, **{"retry": QUICK, **options})]
    return sorted(found, key=lambda row_score: row_score.index)


def states(row_scores: list[RowScore]) -> list[str]:
    return [score.state.value for row_score in row_scores for score in row_score.metrics["llm-judge"]]


def played(test: Callable[..., Awaitable[None]]) -> Callable[[], None]:
    """The test function, run in an event loop of its own that shows up tasks left behind."""

    def runs() -> None:
        async def alone() -> None:
            await asyncio.wait_for(test(), 30)
            assert asyncio.all_tasks() == {asyncio.current_task()}, "tasks were left running"

        asyncio.run(alone())

    runs.__name__, runs.__doc__ = test.__name__, test.__doc__
    return runs


async def three(_: Asked) -> Said:
    return completion(THREE)


@played
async def test_healthy_judge_gets_one_call_per_row_and_no_more_at_once_than_asked_for() -> None:
    async def answer(asked: Asked) -> Said:
        await asyncio.sleep(0.01)
        return completion(THREE)

    async with serving(answer) as server:
        row_scores = await collect(server.judge(), 200, parallelism=16)
    assert [row_score.index for row_score in row_scores] == list(range(200))
    assert all(row_score.scored for row_score in row_scores)
    assert len(server.asked) == 200
    assert server.most_in_flight == 16
    assert server.connections <= 16


@played
async def test_request_and_reply_are_logged_without_the_key() -> None:
    async with serving(three) as server:
        metric = server.judge(model={"api_key_secret": "judge-key"})
        (row_score,) = await collect(metric, 1, api_keys={"judge-key": "sk-very-secret\n"})
    assert server.asked[0].headers["authorization"] == "Bearer sk-very-secret"
    wire = row_score.to_wire()
    assert wire["requests"][0]["request"] == server.asked[0].body
    assert wire["requests"][0]["request"]["model"] == "m"
    assert "sk-very-secret" not in repr(row_score)


@played
async def test_key_that_a_server_echoes_is_not_kept() -> None:
    async def answer(asked: Asked) -> Said:
        echo = asked.headers["authorization"]
        return completion(f'{{"clarity": 3, "why": "{echo}"}}') if asked.number == 1 else refusal(418, f"bad {echo}")

    async with serving(answer) as server:
        metric = server.judge(model={"api_key_secret": "k"})
        row_scores = await collect(metric, 2, parallelism=1, api_keys={"k": "sk-very-secret"})
    assert states(row_scores) == ["scored", "refused"]
    assert "sk-very-secret" not in repr(row_scores)


@pytest.mark.parametrize("keys", [{}, {"judge-key": " "}, {"judge-key": "two\nlines"}])
def test_missing_or_unusable_key_ends_the_run_before_it_begins(keys: dict[str, str]) -> None:
    async def test() -> None:
        async with serving(three) as server:
            with pytest.raises(RunAborted, match="judge-key"):
                await collect(server.judge(model={"api_key_secret": "judge-key"}), 3, api_keys=keys)
        assert not server.asked

    asyncio.run(test())


@played
async def test_retry_after_is_obeyed_and_other_rows_go_on_meanwhile() -> None:
    moments: dict[str, list[float]] = {}

    async def answer(asked: Asked) -> Said:
        seen = moments.setdefault(asked.text, [])
        seen.append(asyncio.get_running_loop().time())
        limited = asked.text == "question 0" and len(seen) == 1
        return refusal(429, retry_after="0.4") if limited else completion(THREE)

    async with serving(answer) as server:
        row_scores = await collect(server.judge(), 20, parallelism=1)
    assert states(row_scores) == ["scored"] * 20
    first, second = moments["question 0"]
    assert second - first >= 0.4
    assert moments["question 1"][0] < second, "a waiting row must not hold up the others"
    assert row_scores[0].calls[0].attempts == 2


@played
async def test_burst_of_errors_loses_no_row() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(500) if asked.number <= 24 else completion(THREE)

    async with serving(answer) as server:
        row_scores = await collect(server.judge(), 60, parallelism=30)
    assert states(row_scores) == ["scored"] * 60
    assert len(server.asked) == 84


@played
async def test_judge_that_is_away_for_a_moment_costs_no_row() -> None:
    working = asyncio.Event()

    async def answer(asked: Asked) -> Said:
        if asked.number == 20:
            working.set()
        await asyncio.sleep(0.002)
        return completion(THREE)

    async with serving(answer) as server:
        task = asyncio.create_task(collect(server.judge(), 100, parallelism=4, retry=Retry(base=0.05, longest=0.2)))
        await working.wait()
    await asyncio.sleep(0.5)  # longer than the retries of a judge that was never there
    async with serving(answer, port=server.port):
        row_scores = await task
    assert states(row_scores) == ["scored"] * 100


@played
async def test_server_with_few_places_is_not_overrun() -> None:
    busy = 0

    async def answer(asked: Asked) -> Said:
        nonlocal busy
        if busy >= 4:
            return refusal(429)
        busy += 1
        await asyncio.sleep(0.01)
        busy -= 1
        return completion(THREE)

    async with serving(answer) as server:
        row_scores = await collect(server.judge(), 200, parallelism=32)
    assert states(row_scores) == ["scored"] * 200
    assert len(server.asked) < 400


@played
async def test_every_fifth_call_refused_loses_no_row() -> None:
    async def answer(asked: Asked) -> Said:
        await asyncio.sleep(0.001)
        return refusal(429) if asked.number % 5 == 0 else completion(THREE)

    async with serving(answer) as server:
        row_scores = await collect(server.judge(), 200, parallelism=32)
    assert states(row_scores) == ["scored"] * 200


@played
async def test_refused_key_ends_the_run_and_keeps_what_was_done() -> None:
    async def answer(asked: Asked) -> Said:
        return completion(THREE) if asked.number <= 3 else refusal(401, "Incorrect API key provided: sk-1")

    finished: list[RowScore] = []
    async with serving(answer) as server:
        metric = server.judge(model={"api_key_secret": "nvidia-api-key"})
        options: dict[str, Any] = {"config": RunConfig(parallelism=2), "api_keys": {"nvidia-api-key": "sk-1"}}
        with pytest.raises(
            RunAborted, match=r"refused the API key \(401\)\. Check secret 'nvidia-api-key'\."
        ) as caught:
            async with aclosing(evaluate(rows(100), [metric], **options)) as run_:
                async for row_score in run_:
                    finished += [row_score]
    assert "sk-1" not in str(caught.value)
    assert states(finished)[:3] == ["scored"] * 3
    assert 5 <= states(finished).count("refused") <= 7
    assert len(server.asked) < 12


@played
async def test_spent_quota_is_not_waited_for() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(429, "You exceeded your current quota. (insufficient_quota)")

    async with serving(answer) as server:
        with pytest.raises(RunAborted, match="current quota"):
            await collect(server.judge(), 50, parallelism=1)
    assert len(server.asked) == 5


@played
async def test_failed_call_is_kept_but_logged_only_as_an_error() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(422, "no")

    async with serving(answer) as server:
        (row_score,) = await collect(server.judge(), 1)
    (call,) = row_score.calls
    assert (call.request, call.response, call.attempts) == (server.asked[0].body, None, 1)
    assert row_score.to_wire()["requests"] == []
    assert "(422): " in row_score.to_wire()["metric_errors"]["llm-judge"]


@played
async def test_tolerant_metric_never_ends_the_run() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(404, "no such model")

    async with serving(answer) as server:
        row_scores = await collect(server.judge(ignore_request_failure=True), 12)
    assert states(row_scores) == ["refused"] * 12
    failure = row_scores[0].failure
    assert failure is not None
    assert "has no model 'm'" in failure.text
    assert row_scores[0].to_wire()["metrics"] == {"llm-judge": [{"name": "clarity", "value": "NaN"}]}


@played
async def test_a_success_between_keeps_the_run_going() -> None:
    async def answer(asked: Asked) -> Said:
        return completion(THREE) if asked.number % 5 == 0 else refusal(400, "too long")

    async with serving(answer) as server:
        row_scores = await collect(server.judge(), 40, parallelism=1)
    assert states(row_scores).count("scored") == 8


@played
async def test_missing_column_ends_the_run_with_its_name() -> None:
    async with serving(three) as server:
        metric = server.judge(prompt_template={"messages": [{"role": "user", "content": "{{item.foo}}"}]})
        with pytest.raises(RunAborted, match=r"Row \d+: Template needs column 'foo'.* columns: q"):
            await collect(metric, 20)
    assert not server.asked


@played
async def test_form_of_structured_output_is_learnt_once_and_kept() -> None:
    async def answer(asked: Asked) -> Said:
        await asyncio.sleep(0.005)
        for form in ("response_format", "guided_json"):
            if form in asked.body:
                return refusal(400, f"Unknown argument: {form}")
        assert "guided_json" in asked.body["nvext"]
        return completion(THREE)

    forms = FormState()
    async with serving(answer) as server:
        metric = server.judge()
        row_scores = await collect(metric, 40, parallelism=8, forms=forms)
        assert states(row_scores) == ["scored"] * 40
        assert len(server.asked) <= 40 + 2 * 8, "only the calls already on their way may be refused"
        assert [dialect.form for dialect in forms.dialects.values()] == [Form.NVEXT]
        server.asked.clear()
        await collect(metric, 10, forms=FormState.from_wire(forms.to_wire()))
        assert len(server.asked) == 10


@played
async def test_refusal_that_is_not_about_the_form_is_no_step_down() -> None:
    async def answer(asked: Asked) -> Said:
        return refusal(400, "prompt too long")

    forms = FormState()
    async with serving(answer) as server:
        row_scores = await collect(server.judge(ignore_request_failure=True), 3, parallelism=1, forms=forms)
    assert states(row_scores) == ["refused"] * 3
    assert len(server.asked) == 3
    assert [dialect.form for dialect in forms.dialects.values()] == [Form.JSON_SCHEMA]


@played
async def test_stop_begins_no_further_row_and_finishes_those_in_flight() -> None:
    stop, open_gate, arrived = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked) -> Said:
        if asked.number == 4:
            arrived.set()
        await open_gate.wait()
        return completion(THREE)

    async with serving(answer) as server:
        task = asyncio.create_task(collect(server.judge(), 100, parallelism=4, stop=stop))
        await arrived.wait()
        stop.set()
        open_gate.set()
        row_scores = await task
    assert states(row_scores) == ["scored"] * 4
    assert len(server.asked) == 4


@played
async def test_stop_does_not_wait_for_rows_that_wait_for_a_retry() -> None:
    refused = False

    async def answer(asked: Asked) -> Said:
        nonlocal refused
        refused = True
        return refusal(429, retry_after="60")

    async with serving(answer) as server:
        row_scores = await collect(server.judge(), 10, parallelism=2, stop=lambda: refused)
    assert row_scores == []


@played
async def test_leaving_the_loop_early_cancels_what_is_in_flight() -> None:
    async def answer(asked: Asked) -> Said:
        if asked.number > 1:
            await asyncio.sleep(60)
        return completion(THREE)

    async with serving(answer) as server, aclosing(evaluate(rows(50), [server.judge()])) as run_:
        async for row_score in run_:
            assert row_score.scored
            break


class Source:
    """Rows that count how many of them were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Row]:
        for row in rows(10_000):
            self.taken += 1
            yield row


@played
async def test_source_is_read_only_as_far_as_needed() -> None:
    source = Source()
    async with serving(three) as server:
        metric, config = server.judge(), RunConfig(parallelism=4)
        async with aclosing(evaluate(source, [metric], config=config)) as run_:
            async for _ in run_:
                await asyncio.sleep(0.05)  # a slow consumer: results pile up to a bound, and no further
                break
    assert source.taken <= 1 + 3 * 4


@played
async def test_broken_source_is_reported_after_the_rows_before_it() -> None:
    async def source() -> AsyncIterator[Row]:
        for row in rows(3):
            yield row
        raise DatasetError("not JSON", name="a.jsonl", line=4)

    finished: list[RowScore] = []
    async with serving(three) as server:
        with pytest.raises(DatasetError, match=r"a\.jsonl, line 4"):
            async for row_score in evaluate(source(), [server.judge()]):
                finished += [row_score]
    assert states(finished) == ["scored"] * 3


@played
async def test_limit_samples_takes_the_first_rows() -> None:
    async with serving(three) as server:
        config = RunConfig(parallelism=4, limit_samples=5)
        indexes = sorted([r.index async for r in evaluate(rows(50), [server.judge()], config=config)])
    assert indexes == [0, 1, 2, 3, 4]
    assert len(server.asked) == 5


@played
async def test_two_judges_have_their_own_keys_and_do_not_see_each_other() -> None:
    async def answer(asked: Asked) -> Said:
        return completion(THREE if "first" in asked.body["messages"][0]["content"] else '{"clarity": 1}')

    async with serving(answer) as server:
        template = {"messages": "{{item.messages}}"}
        first = server.judge(prompt_template=template, system_prompt="first")
        second = server.judge(prompt_template=template, system_prompt="second")
        item = {"messages": [{"role": "user", "content": "hi"}]}
        (row_score,) = [r async for r in evaluate([Row(0, item)], [first, second])]
    assert {key: scores[0].value for key, scores in row_score.metrics.items()} == {"llm-judge": 3.0, "llm-judge_2": 1.0}
    assert [len(asked.body["messages"]) for asked in server.asked] == [2, 2]
    assert item == {"messages": [{"role": "user", "content": "hi"}]}


@played
async def test_reply_cut_off_says_so() -> None:
    async def answer(asked: Asked) -> Said:
        return completion('{"why": "because it is', finish_reason="length")

    async with serving(answer) as server:
        (row_score,) = await collect(server.judge(), 1)
    (score,) = row_score.metrics["llm-judge"]
    assert score.state is ScoreState.TRUNCATED
    assert "max_tokens" in str(score.reason)


def serve_in_thread_and_run(inside: Callable[[JudgeServer], Any]) -> Any:
    """`run` blocks its thread, so the server needs another one."""

    async def test() -> Any:
        async with serving(three) as server:
            return await asyncio.to_thread(inside, server)

    return asyncio.run(test())


def test_run_waits_and_gives_rows_in_order_with_aggregates() -> None:
    seen: list[int] = []

    def inside(server: JudgeServer) -> Any:
        return run(rows(20), [server.judge()], on_progress=lambda row_score: seen.append(row_score.index))

    result = serve_in_thread_and_run(inside)
    assert [row_score.index for row_score in result.rows] == list(range(20))
    assert sorted(seen) == list(range(20))
    (score,) = result.aggregates["scores"]
    assert (score["name"], score["count"], score["mean"]) == ("llm-judge.clarity", 20, 3.0)


def test_run_works_inside_a_running_loop() -> None:
    def inside(server: JudgeServer) -> Any:
        async def notebook_cell() -> Any:
            return run(rows(3), [server.judge()])

        return asyncio.run(notebook_cell())

    assert len(serve_in_thread_and_run(inside).rows) == 3


def test_run_that_is_aborted_carries_the_finished_rows() -> None:
    def inside(server: JudgeServer) -> Any:
        metric = server.judge(prompt_template={"messages": [{"role": "user", "content": "{{item.foo}}"}]})
        with pytest.raises(RunAborted) as caught:
            run(rows(20), [metric])
        return caught.value.result

    assert len(serve_in_thread_and_run(inside).rows) >= 5
