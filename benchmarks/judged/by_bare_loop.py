"""Rows judged by a loop that only formats, posts and decodes."""

from timed import Item, Task, timed

from assay_sdk.engine.result import Row
from assay_sdk.engine.transport import open_transport
from benchmarks.engine import bare


async def judge(task: Task, rows: list[Item]) -> int:
    transport = open_transport()
    await bare(task.url, (Row(index, row) for index, row in enumerate(rows)), task.in_flight, transport)
    await transport.aclose()
    return len(rows)


timed(judge)
