"""Rows judged by the reference SDK."""

from nemo_evaluator_sdk import Evaluator, JSONScoreParser, LLMJudgeMetric, Model, RangeScore, RunConfig
from timed import Item, Task, timed


async def judge(task: Task, rows: list[Item]) -> int:
    parser = JSONScoreParser(json_path="helpfulness")
    metric = LLMJudgeMetric(
        model=Model(url=f"{task.url}/chat/completions", name="bench"),
        scores=[RangeScore(name="helpfulness", minimum=0, maximum=4, parser=parser)],
        prompt_template={"messages": [{"role": "user", "content": task.prompt}]},
    )
    result = await Evaluator().run([metric], rows, config=RunConfig(parallelism=task.in_flight))
    return sum(row.metrics["llm-judge"][0].value == 3 for row in result.row_scores)


timed(judge)
