"""Rows judged by openevals, over the client of the `openai` package."""

from openai import AsyncOpenAI
from openevals.llm import create_async_llm_as_judge
from timed import Item, Task, at_once, timed

SCHEMA = {"type": "object", "properties": {"helpfulness": {"type": "integer"}}, "required": ["helpfulness"]}


async def judge(task: Task, rows: list[Item]) -> int:
    async with AsyncOpenAI(base_url=task.url, api_key="none") as client:
        prompt = task.prompt.replace("{{item.question}}", "{inputs}").replace("{{item.answer}}", "{outputs}")
        ask = create_async_llm_as_judge(
            prompt=prompt,
            judge=client,
            model="bench",
            output_schema={"name": "score", "strict": True, "schema": SCHEMA},
        )

        async def one(row: Item) -> bool:
            verdict = await ask(inputs=row["question"], outputs=row["answer"])
            return verdict["helpfulness"] == 3

        return await at_once(task.in_flight, rows, one)


timed(judge)
