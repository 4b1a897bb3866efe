"""The engine alone: CPU for a judged row, the span of a run beside the arithmetic floor, and memory."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path

import orjson

from assay_sdk.engine.result import Row
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import Metric, RunConfig, parse_metric
from assay_sdk.engine.transport import HTTPReply, Transport, open_transport
from benchmarks.floor import FloorTransport
from benchmarks.judge_server import BODY, BenchJudge
from benchmarks.report import Report

PROMPT = "Rate how helpful the answer is, from 0 to 4.\n\nQuestion: {{item.question}}\n\nAnswer: {{item.answer}}"
ANSWER = "It depends on what you need, and on how much time there is. " * 20
CPU_ROWS = 3000
CPU_IN_FLIGHT = 64
WAIT_MS = 100
PARALLELISM = (16, 64, 256)
ROUNDS = 20
FEW, MANY = 10_000, 200_000


Run = Callable[[str, Iterator[Row], int, Transport], Coroutine[None, None, None]]


class NullTransport:
    """Answers at once, from memory."""

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        return HTTPReply(200, {}, BODY)


def judge_metric(url: str) -> Metric:
    return parse_metric(
        {
            "type": "llm-judge",
            "model": {"url": f"{url}/chat/completions", "name": "bench"},
            "scores": [{"name": "helpfulness", "minimum": 0, "maximum": 4}],
            "prompt_template": {"messages": [{"role": "user", "content": PROMPT}]},
        }
    )


def rows(count: int, answer: str = ANSWER) -> Iterator[Row]:
    return (Row(number, {"question": f"What about number {number}?", "answer": answer}) for number in range(count))


async def judged(url: str, source: Iterator[Row], parallelism: int, transport: Transport) -> None:
    """Judge rows and keep none of them."""
    config = RunConfig(parallelism=parallelism)
    async for row_score in evaluate(source, [judge_metric(url)], config=config, transport=transport):
        assert row_score.scored, row_score.failure


async def bare(url: str, source: Iterator[Row], parallelism: int, transport: Transport) -> None:
    """The same calls by a loop that does nothing else: format, post, decode."""
    headers = {"content-type": "application/json"}

    async def work() -> None:
        for row in source:
            text = PROMPT.replace("{{item.question}}", row.item["question"]).replace("{{item.answer}}", ANSWER)
            body = orjson.dumps({"model": "bench", "messages": [{"role": "user", "content": text}]})
            reply = await transport.post(f"{url}/chat/completions", headers=headers, body=body, timeout=60)
            orjson.loads(orjson.loads(reply.body)["choices"][0]["message"]["content"])

    await asyncio.gather(*(work() for _ in range(parallelism)))


def cpu_of_rows(url: str) -> list[list[str]]:
    async def spent(run: Run, transport: Transport) -> float:
        await run(url, rows(CPU_IN_FLIGHT), CPU_IN_FLIGHT, transport)
        started = time.process_time()
        await run(url, rows(CPU_ROWS), CPU_IN_FLIGHT, transport)
        return time.process_time() - started

    floor = asyncio.run(spent(bare, FloorTransport()))
    same = asyncio.run(spent(bare, open_transport()))
    alone = asyncio.run(spent(judged, NullTransport()))
    whole = asyncio.run(spent(judged, open_transport()))
    named = {
        "bare loop over the floor transport": floor,
        "bare loop over our transport": same,
        "engine without HTTP (null transport)": alone,
        "engine, all in": whole,
    }
    return [
        [f"CPU a row, {name}", f"{seconds / CPU_ROWS * 1000:.2f} ms", f"{seconds / same:.2f} × bare loop", goal]
        for (name, seconds), goal in zip(named.items(), ("", "", "", "1.0 ms"), strict=True)
    ]


def spans(url: str) -> list[list[str]]:
    found = []
    for parallelism in PARALLELISM:
        count = parallelism * ROUNDS
        least = math.ceil(count / parallelism) * WAIT_MS / 1000
        runs: dict[str, Run] = {"bare loop": bare, "engine": judged}
        for name, run in runs.items():
            started = time.perf_counter()
            asyncio.run(run(url, rows(count), parallelism, open_transport()))
            span = time.perf_counter() - started
            goal = "1.10 ×" if name == "engine" else ""
            label = f"span of {count:,} rows at {WAIT_MS} ms, parallelism {parallelism}, {name}"
            found.append([label, f"{span:.2f} s", f"{span / least:.2f} × arithmetic floor", goal])
    return found


def memory() -> list[list[str]]:
    peaks = []
    for count in (FEW, MANY):
        asyncio.run(judged("http://127.0.0.1:1/v1", rows(count, "No."), CPU_IN_FLIGHT, NullTransport()))
        peaks.append(peak_megabytes())
    few, many = peaks
    return [
        [f"peak memory of the process, {FEW:,} rows", f"{few:.1f} MB", "", ""],
        [f"peak memory of the process, {MANY:,} rows", f"{many:.1f} MB", f"{many / few:.2f} × of {FEW:,} rows", "flat"],
    ]


def peak_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure() -> Report:
    found = memory()  # first, while the process is small
    with BenchJudge() as judge:
        found += cpu_of_rows(judge.url)
    with BenchJudge(wait_ms=WAIT_MS) as judge:
        found += spans(judge.url)
    return Report(
        "The engine alone",
        "python -m benchmarks engine",
        ["what", "measured", "ratio", "goal"],
        found,
        ["Each row has a prompt of 1.3 kB and a reply of 1.5 kB with one score. The bare loop makes the same calls."],
    )
