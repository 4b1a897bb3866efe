"""The platform as the benchmarks use it: a workspace's dataset, a judge, a job, through the SDK."""

from pathlib import Path

from assay_sdk import Assay, FilesetRef, LLMJudgeMetric, Model, RangeScore, RunConfig
from assay_sdk.client.job import Job
from benchmarks.engine import PROMPT


def client(url: str, folder: Path, rows: int) -> Assay:
    """A client of the default workspace, which has a secret and a fileset with so many rows."""
    assay = Assay(url, workspace="default")
    assay.secrets.create("bench-key", "not-a-key")
    assay.files.filesets.create("bench")
    data = folder / "rows.jsonl"
    data.write_text("".join(f'{{"question": "Number {number}?", "answer": "No."}}\n' for number in range(rows)))
    assay.files.upload("bench", data)
    return assay


def submit(assay: Assay, judge_url: str, name: str, parallelism: int, rows: int | None = None) -> Job:
    """A submitted job over the fileset's first rows; its prompt is its own, so that no reply is there already."""
    judge = LLMJudgeMetric(
        model=Model(url=f"{judge_url}/chat/completions", name="bench", api_key_secret="bench-key"),
        scores=[RangeScore(name="helpfulness", minimum=0, maximum=4)],
        prompt_template={"messages": [{"role": "user", "content": f"{name}. {PROMPT}"}]},
    )
    dataset = FilesetRef(root="default/bench").with_fragment("rows.jsonl")
    return assay.evaluator.submit(
        judge, dataset, name=name, config=RunConfig(parallelism=parallelism, limit_samples=rows)
    )
