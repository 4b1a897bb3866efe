"""What definitions of computed metrics come to: outputs, secrets, addresses; and the page about them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import METRICS, parse_metric

PAGE = (Path(__file__).parent.parent.parent / "docs" / "metrics.md").read_text("utf-8")
NUMBER = {"description": "Continuous numeric metric value.", "title": "ContinuousScore", "type": "number"}
SENT_BY_CLIENTS = {"description": None, "labels": {"team": "a"}, "supported_job_types": ["online", "offline"]}
SERVICE = {"url": "https://grader.example/x", "timeout_seconds": 30.0, "max_retries": 3, "metric_threshold_score": None}

DEFINITIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "exact-match", "reference": "a", "candidate": None}, ["exact-match"]),
    ({"type": "f1", "reference": "a", "candidate": "b"}, ["f1"]),
    ({"type": "bleu", "references": ["a"], "candidate": None}, ["sentence"]),
    (
        {"type": "rouge", "reference": "a", "candidate": None},
        ["rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score"],
    ),
    ({"type": "string-check", "operation": "==", "left_template": "a", "right_template": "b"}, ["string-check"]),
    (
        {"type": "number-check", "operation": "<", "left_template": "1", "right_template": "2", "epsilon": None},
        ["number-check"],
    ),
    (
        {"type": "tool-calling", "reference": "{{item.want}}"},
        ["function_name_accuracy", "function_name_and_args_accuracy"],
    ),
    (
        {
            **SERVICE,
            "type": "remote",
            "api_key_secret": "my-key",
            "body": {"a": "{{item.b}}"},
            "scores": [{"name": "q", "description": "Why?", "minimum": 0, "maximum": None}, {"name": "z"}],
        },
        ["q", "z"],
    ),
    ({**SERVICE, "type": "nemo-agent-toolkit-remote", "api_key_secret": None, "evaluator_name": "Tone"}, ["Tone"]),
]


@pytest.mark.parametrize(("definition", "names"), DEFINITIONS, ids=[each["type"] for each, _ in DEFINITIONS])
def test_outputs_are_those_that_clients_derive(definition: dict[str, Any], names: list[str]) -> None:
    metric = parse_metric(SENT_BY_CLIENTS | definition)
    expected = [{"name": name, "description": None, "value_json_schema": NUMBER} for name in names]
    assert [output.model_dump() for output in metric.outputs()] == expected
    assert metric.addresses() == ([definition["url"]] if "url" in definition else [])
    assert metric.secret_refs() == ([definition["api_key_secret"]] if definition.get("api_key_secret") else [])
    assert parse_metric(json.loads(metric.model_dump_json())) == metric


def test_the_page_shows_each_metric_by_an_example_that_works() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    examples = [json.loads(each) for block in blocks for each in re.split(r"\n(?=\{)", block.strip())]
    shown = {parse_metric(example).type for example in examples}
    assert shown >= {definition["type"] for definition, _ in DEFINITIONS} | {"llm-judge"}
    assert shown <= METRICS.keys()


def test_the_page_reads_numbers_as_the_engine_does() -> None:
    from assay_sdk.engine.numerals import number_in

    table = PAGE.partition("| Text | Number |")[2].partition("\n\n")[0].splitlines()[2:]
    for line in table:
        texts, numbers = (cell.strip() for cell in line.strip("|").split("|"))
        read = [number_in(re.search(r"`(.*?)`", text)[1]) for text in texts.split(" · ")]  # type: ignore[index]
        if numbers.startswith("none"):
            assert read == [None] * len(read)
        else:
            assert [float(number) for number in read if number is not None] == [float(n) for n in numbers.split(" · ")]


def test_rows_without_the_column_do_not_cost_the_others() -> None:
    async def go() -> list[RowScore]:
        rows = [Row(index, {"gold": "x", "output": "x"} if index == 19 else {"output": "x"}) for index in range(20)]
        return [row async for row in evaluate(rows, [parse_metric({"type": "f1", "reference": "{{item.gold}}"})])]

    rows = sorted(asyncio.run(go()), key=lambda row: row.index)
    assert [row.scored for row in rows] == [False] * 19 + [True]
    assert "needs column 'gold'" in rows[0].errors["f1"]
