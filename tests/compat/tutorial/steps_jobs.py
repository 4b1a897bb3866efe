"""The tutorial's steps on judging: a local run, submitted jobs, their results and every helper around them."""

import asyncio
import json
import math
from typing import Any

from lesson import FILESET, RESPONSE_ROWS, SECRET, SECRET_VALUE, Lesson
from nemo_evaluator_sdk import (
    InferenceParams,
    JSONScoreParser,
    LLMJudgeMetric,
    Model,
    RangeScore,
    RubricScore,
    RunConfig,
)
from nemo_evaluator_sdk.values.scores import Rubric
from nemo_platform import AsyncNeMoPlatform, NotFoundError
from steps import expect, expect_equal, expect_refused

FIRST_PROMPT = (
    'You are an evaluator. Rate the response\'s helpfulness from 0-4.\nRespond with JSON only: {"helpfulness": <0-4>}'
)
SECOND_PROMPT = (
    "You are a strict evaluator of answers by an assistant. Use the whole scale:\n"
    "0 = useless, 1 = mostly unhelpful, 2 = partly helpful, 3 = helpful, 4 = fully helpful.\n"
    'Respond with JSON only: {"helpfulness": <0-4>}'
)
USER_PROMPT = "User prompt: {{item.prompt}}\n\nAssistant response: {{item.response}}\n\nRate this response."
RESULTS = {"aggregate-scores", "row-scores", "artifacts"}
STORED = "helpfulness-judge"
FEW = 5


def judge(lesson: Lesson, instructions: str, score: Any, schema: dict[str, Any]) -> LLMJudgeMetric:
    messages = [{"role": "system", "content": instructions}, {"role": "user", "content": USER_PROMPT}]
    model = Model(
        url=f"{lesson.judge_url}/chat/completions", name="nvidia/nemotron-3-nano-30b-a3b", api_key_secret=SECRET
    )
    return LLMJudgeMetric(
        model=model,
        scores=[score],
        prompt_template={"messages": messages},
        structured_output={"schema": {"type": "object", "properties": schema, "required": list(schema)}},
        inference=InferenceParams(temperature=0.0, max_tokens=1024),
        ignore_request_failure=True,
    )


def range_judge(lesson: Lesson, instructions: str) -> LLMJudgeMetric:
    """The tutorial's judge: helpfulness from 0 to 4."""
    parser = JSONScoreParser(json_path="helpfulness")
    score = RangeScore(name="helpfulness", description="Does it help the user?", minimum=0, maximum=4, parser=parser)
    return judge(lesson, instructions, score, {"helpfulness": {"type": "integer", "minimum": 0, "maximum": 4}})


def rubric_judge(lesson: Lesson) -> LLMJudgeMetric:
    labels = {"poor": 0, "fair": 1, "good": 2}
    rubric = [Rubric(label=label, description=f"{label} answer", value=value) for label, value in labels.items()]
    score = RubricScore(
        name="quality", description="How good?", rubric=rubric, parser=JSONScoreParser(json_path="quality")
    )
    instructions = 'Judge the response as poor, fair or good. Respond with JSON only: {"quality": "<label>"}'
    return judge(lesson, instructions, score, {"quality": {"type": "string", "enum": list(labels)}})


def check_result(result: Any, rows: list[dict[str, Any]], summary_name: str, score: str, top: float) -> dict[str, Any]:
    """A finished evaluation holds every row, in order, scored in its range, and a summary of just these scores."""
    expect_equal([row.row_index for row in result.row_scores], list(range(len(rows))), "row indexes")
    for got, row in zip(result.row_scores, rows, strict=True):
        expect({key: got.item.get(key) for key in row} == row, f"row {got.row_index} does not carry its own item")
        expect(not got.error, f"row {got.row_index} has an error: {got.error}")
    outputs = [{output.name: output.value for output in row.metrics["llm-judge"]} for row in result.row_scores]
    values = [output[score] for output in outputs]
    for value in values:
        usable = isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= top
        expect(usable, f"a row score is no number from 0 to {top}: {values}")
    expect_equal([one.name for one in result.aggregate_scores.scores], [summary_name], "scores in the summary")
    summary = result.aggregate_scores.scores[0]
    expect_equal((summary.count, summary.nan_count), (len(rows), 0), "summary count, nan_count")
    expect(math.isclose(summary.mean, sum(values) / len(values)), f"mean {summary.mean} is not that of {values}")
    expect_equal((summary.min, summary.max), (min(values), max(values)), "summary min, max")
    expect(summary.std_dev >= 0 and math.isclose(summary.variance, summary.std_dev**2, abs_tol=1e-9), "deviation")
    return {"rows": len(rows), "mean": summary.mean}


def finish(lesson: Lesson, key: str, metric: LLMJudgeMetric, dataset: Any, rows: int) -> tuple[Any, dict[str, Any]]:
    """Submit, wait and fetch the result; the judge must have been asked once a row and not once more."""
    before = lesson.judge_calls()
    config = RunConfig(parallelism=4, limit_samples=rows)
    job = lesson.jobs[key] = lesson.client.evaluator.submit(metric=metric, dataset=dataset, config=config)
    job.wait_until_done(poll_interval_seconds=0.3, job_timeout_seconds=90, pending_timeout_seconds=60)
    calls = lesson.judge_calls() - before
    expect_equal(calls, rows, "judge calls for the rows judged")
    return job.get_result(), {"job": job.name, "judge_calls": calls}


def fragment(lesson: Lesson) -> Any:
    return lesson.dialect.fileset_ref(f"{lesson.workspace}/{FILESET}").with_fragment(RESPONSE_ROWS)


def plugin_status(lesson: Lesson) -> dict[str, Any]:
    status = lesson.client.evaluator.plugin_status()
    expect_equal(status.get("status"), "ok", "plugin status")
    return {"plugin": status}


def run_locally(lesson: Lesson) -> dict[str, Any]:
    """This client judges in its own process; it needs the platform only to read the fileset."""
    before = lesson.judge_calls()
    result = lesson.client.evaluator.run(
        metric=range_judge(lesson, FIRST_PROMPT),
        dataset=fragment(lesson),
        config=RunConfig(parallelism=2, limit_samples=FEW),
    )
    calls = lesson.judge_calls() - before
    facts = check_result(result, lesson.rows[:FEW], "llm-judge.helpfulness", "helpfulness", 4)
    return facts | {"judge_calls": calls}


def submit_first_prompt(lesson: Lesson) -> dict[str, Any]:
    rows = lesson.rows
    result, facts = finish(lesson, "first", range_judge(lesson, FIRST_PROMPT), fragment(lesson), len(rows))
    name = lesson.dialect.score_name("llm-judge", "helpfulness")
    facts |= check_result(result, rows, name, "helpfulness", 4)
    summary = result.aggregate_scores.scores[0]
    expect_equal(summary.score_type, "range", "score type")
    expect_equal(sum(one.count for one in summary.histogram.bins), len(rows), "rows in the histogram")
    expect_equal((summary.percentiles.p100, summary.percentiles.p10 >= summary.min), (summary.max, True), "percentiles")
    if lesson.dialect.reads_sample_statistics:
        expect_equal(summary.median, summary.percentiles.p50, "median")
        wanted = summary.variance * len(rows) / (len(rows) - 1)
        expect(
            math.isclose(summary.sample_variance, wanted), f"sample variance {summary.sample_variance}, not {wanted}"
        )
    return facts


def submit_second_prompt(lesson: Lesson) -> dict[str, Any]:
    result, facts = finish(lesson, "second", range_judge(lesson, SECOND_PROMPT), fragment(lesson), FEW)
    name = lesson.dialect.score_name("llm-judge", "helpfulness")
    return facts | check_result(result, lesson.rows[:FEW], name, "helpfulness", 4)


def submit_rubric_on_inline_rows(lesson: Lesson) -> dict[str, Any]:
    rows = lesson.rows[:FEW]
    result, facts = finish(lesson, "rubric", rubric_judge(lesson), rows, len(rows))
    facts |= check_result(result, rows, lesson.dialect.score_name("llm-judge", "quality"), "quality", 2)
    summary = result.aggregate_scores.scores[0]
    expect_equal(summary.score_type, "rubric", "score type")
    counts = {one.label: one.count for one in summary.rubric_distribution}
    expect_equal((set(counts), sum(counts.values())), ({"poor", "fair", "good"}, len(rows)), "rubric distribution")
    expect(summary.mode_category in counts, f"mode category {summary.mode_category!r}")
    return facts


def use_job_handle(lesson: Lesson) -> dict[str, Any]:
    job = lesson.jobs["first"]
    status = job.get_job_status()
    expect_equal((status.name, status.status == "completed"), (job.name, True), "job status")
    expect(job.check_if_complete(raise_if_not_complete=True), "check_if_complete")
    again = lesson.client.evaluator.get_job_resource(job.name)
    expect_equal((again.name, again.job.id), (job.name, job.job.id), "job handle read back")
    sent, kept = job.job.spec.model_dump(mode="json"), again.job.spec.model_dump(mode="json")
    expect_equal(kept, sent, "spec read back")
    expect_refused(404, lambda: lesson.client.evaluator.get_job_resource("no-such-job"))
    files = {path.name for path in job.download_artifacts(lesson.folder / "artifacts").rglob("*") if path.is_file()}
    expect(files >= {"aggregate-scores.json", "row-scores.jsonl"}, f"artifacts: {sorted(files)}")
    return {"artifacts": sorted(files)}


def use_async_client(lesson: Lesson) -> dict[str, Any]:
    async def fetch() -> Any:
        client = AsyncNeMoPlatform(base_url=str(lesson.client.base_url), workspace=lesson.workspace)
        job = await client.evaluator.get_job_resource(lesson.jobs["first"].name)
        await job.wait_until_done(poll_interval_seconds=0.3, job_timeout_seconds=30)
        return await job.get_result()

    result = asyncio.run(fetch())
    name = lesson.dialect.score_name("llm-judge", "helpfulness")
    return check_result(result, lesson.rows, name, "helpfulness", 4)


def use_jobs_api(lesson: Lesson) -> dict[str, Any]:
    jobs, name = lesson.client.jobs, lesson.jobs["first"].name
    page = jobs.list(page_size=2, sort="-created_at")
    made = [job.name for job in lesson.jobs.values()]
    expect_equal([job.name for job in page.data], made[::-1][:2], "newest two jobs")
    expect_equal(page.pagination.total_results, len(made), "jobs counted")
    expect_equal(sorted(job.name for job in page), sorted(made), "jobs listed over all pages")
    expect_equal([job.name for job in jobs.list(filter={"name": name})], [name], "jobs filtered by name")
    job = jobs.retrieve(name)
    expect_equal((job.name, job.workspace, job.source), (name, lesson.workspace, "nemo-evaluator"), "job")
    expect_equal((job.status, job.fileset), ("completed", f"job-fileset-{name}"), "job status and fileset")
    # The client's schema wants an object in error_details; the platforms it was made for send null there.
    lenient = lesson.client.with_options(_extra_kwargs={"_strict_response_validation": False})
    status = lenient.jobs.get_status(name)
    expect_equal((status.status, [step.status for step in status.steps][-1:]), ("completed", ["completed"]), "status")
    expect_equal(jobs.cancel(name).status, "completed", "a finished job after cancel")
    lines = list(jobs.get_logs(name, limit=2))
    expect(bool(lines) and all(line.job and line.message is not None for line in lines), f"log lines: {lines[:2]}")
    expect(all(SECRET_VALUE not in line.message for line in lines), "the log shows the API key")
    expect_refused(404, lambda: jobs.retrieve("no-such-job"), NotFoundError)
    return {"log_lines": len(lines), "steps": [step.name for step in status.steps]}


def use_results_api(lesson: Lesson) -> dict[str, Any]:
    results, name = lesson.client.jobs.results, lesson.jobs["first"].name
    listed = {result.name for result in results.list(name).data}
    expect(listed >= RESULTS, f"results listed: {sorted(listed)}")
    expect_equal(results.retrieve("row-scores", job=name).name, "row-scores", "result")
    rows = results.download("row-scores", job=name).read()
    expect_equal(len([json.loads(line) for line in rows.splitlines()]), len(lesson.rows), "downloaded row scores")
    expect(SECRET_VALUE.encode() not in rows, "the row scores show the API key")
    expect_equal(results.download("artifacts", job=name).read()[:2], b"\x1f\x8b", "start of a gzip archive")
    expect_refused(404, lambda: results.retrieve("no-such-result", job=name), NotFoundError)
    return {"results": sorted(listed)}


def store_metric(lesson: Lesson) -> dict[str, Any]:
    metrics = lesson.client.evaluator.metrics
    made = metrics.create(STORED, metric=range_judge(lesson, FIRST_PROMPT))
    expect_equal(
        (made.name, made.workspace, made.metric_type), (STORED, lesson.workspace, "llm-judge"), "stored metric"
    )
    expect_equal(metrics.retrieve(STORED).id, made.id, "stored metric read back")
    page = metrics.list()
    expect_equal(
        ([one.name for one in page.data], page.pagination.total_results), ([STORED], 1), "stored metrics listed"
    )
    said = expect_refused(409, lambda: metrics.create(STORED, metric=range_judge(lesson, SECOND_PROMPT)))
    metrics.delete(STORED)
    expect_refused(404, lambda: metrics.retrieve(STORED))
    return {"said": said}


def read_eval_results(lesson: Lesson) -> dict[str, Any]:
    results, job = lesson.client.evaluator.eval_results, lesson.jobs["first"]
    found = results.retrieve(job.name)
    expect_equal((found.name, found.job_id, found.workspace), (job.name, job.name, lesson.workspace), "eval result")
    expect_equal([score.count for score in found.scores.scores], [len(lesson.rows)], "rows in the eval result")
    expect_equal([one.name for one in results.list(job_id=job.name).data], [job.name], "eval results of one job")
    listed = {one.name for one in results.list().data}
    expect_equal(listed, {one.name for one in lesson.jobs.values()}, "eval results listed")
    for name in listed:
        results.delete(name)
    expect_refused(404, lambda: results.retrieve(job.name))
    return {"eval_results": len(listed)}
