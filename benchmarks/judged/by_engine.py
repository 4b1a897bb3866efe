"""Rows judged by our engine."""

from timed import Item, Task, timed

from assay_sdk.engine.result import Row
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig
from benchmarks.engine import judge_metric


async def judge(task: Task, rows: list[Item]) -> int:
    source = (Row(index, row) for index, row in enumerate(rows))
    config = RunConfig(parallelism=task.in_flight)
    return sum([row_score.scored async for row_score in evaluate(source, [judge_metric(task.url)], config=config)])


timed(judge)
