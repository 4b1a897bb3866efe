"""Rows judged by DeepEval's GEval, over a model class as its users write one; a metric for each row."""

import json
from typing import Any

from deepeval.metrics import GEval
from deepeval.models import DeepEvalBaseLLM
from deepeval.test_case import LLMTestCase, SingleTurnParams
from openai import AsyncOpenAI
from timed import Item, Task, at_once, timed


class Bench(DeepEvalBaseLLM):  # type: ignore[misc]
    def __init__(self, client: AsyncOpenAI) -> None:
        self.client = client
        super().__init__("bench")

    def load_model(self) -> Any:
        return self

    def get_model_name(self) -> str:
        return "bench"

    def generate(self, prompt: str, schema: Any = None) -> Any:
        raise NotImplementedError

    async def a_generate(self, prompt: str, schema: Any = None) -> Any:
        messages = [{"role": "user", "content": prompt}]
        reply = await self.client.chat.completions.create(model="bench", messages=messages)
        return schema(score=json.loads(reply.choices[0].message.content)["helpfulness"], reason="")


async def judge(task: Task, rows: list[Item]) -> int:
    async with AsyncOpenAI(base_url=task.url, api_key="none") as client:
        model = Bench(client)

        async def one(row: Item) -> bool:
            metric = GEval(
                name="helpfulness",
                model=model,
                evaluation_steps=["Rate how helpful the answer is."],  # given, for else they cost a call of their own
                evaluation_params=[SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT],
            )
            case = LLMTestCase(input=row["question"], actual_output=row["answer"])
            return await metric.a_measure(case, _show_indicator=False) == 0.3

        return await at_once(task.in_flight, rows, one)


timed(judge)
