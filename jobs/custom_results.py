"""What a v1 job came to: the tree of its scores, and the files that hold everything (microservices-v1 section 8)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from django.db.models import Max, Min

from assay.evaluator.custom_metrics import score_name
from assay.jobs.folded import merge_into
from assay.jobs.models import Job, JobPart, LogLine
from assay.jobs.packs import sections, stored_rows, whole_rows
from assay.jobs.parts import metrics_of
from assay.jobs.stored import TARGET, from_stored
from assay.platform.api import wire_time
from assay_sdk.engine.aggregate import ScoreSummary, Summary
from assay_sdk.engine.reply import text_of

LOG_LINES = 20_000
"""Of a job's log, the last so many are shown."""

Scores = dict[str, dict[str, Any]]


def results_tree(job: Job, summary: Summary, *, done: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the scores by task and metric; with ``done`` those of these tasks only."""
    parts = job.parts.order_by("index").values_list("name", "metrics")
    keys = {name: metrics for name, metrics in parts if done is None or name in done}
    return tree_of(job.submitted["config"], keys, summary)


def tree_of(config: Mapping[str, Any], keys: Mapping[str, list[str]], summary: Summary) -> dict[str, Any]:
    """Return the scores by task and metric; ``keys`` are the result keys of each task's metrics."""
    tasks = {}
    for task, listed in keys.items():
        types = config["tasks"][task]["metrics"]
        named = {key: metric_name(task, key) for key in listed}
        scores = {name: {"scores": _scores(summary, key, types[name]["type"])} for key, name in named.items()}
        tasks[task] = {"metrics": scores}
    return {"tasks": tasks, "groups": _groups(config.get("groups") or {}, tasks)}


def metric_name(task: str, key: str) -> str:
    """Return what the config calls the metric with that result key."""
    return key.removeprefix(f"{task}.")


def _scores(summary: Summary, key: str, kind: str) -> Scores:
    scores = {score_name(kind, name): _score(found) for name, found in summary.scores[key].items()}
    corpus = summary.corpora.get(key)
    if corpus is not None:
        scores[corpus.name] = {"value": corpus.value()}
    return scores


def _score(found: ScoreSummary) -> dict[str, Any]:
    wire = found.to_wire("")
    total = 0.0 if wire["sum"] is None and not wire["count"] else wire["sum"]
    stats = {"count": wire["count"], "sum": total, "mean": wire["mean"]}
    if wire["nan_count"]:
        stats["nan_count"] = wire["nan_count"]
    return {"value": wire["mean"], "stats": stats}


def _groups(asked: dict[str, Any], tasks: dict[str, Any]) -> dict[str, Any]:
    """Return for each group the mean of what its tasks have under the same names."""
    groups = {}
    for name, group in asked.items():
        listed = group.get("tasks")
        members = [found for task, found in tasks.items() if isinstance(listed, list) and task in listed]
        values: dict[str, dict[str, list[float]]] = {}
        for member in members:
            for metric, found in member["metrics"].items():
                for score, entry in found["scores"].items():
                    if entry["value"] is not None:
                        values.setdefault(metric, {}).setdefault(score, []).append(entry["value"])
        groups[name] = {
            "metrics": {
                metric: {"scores": {score: {"value": sum(each) / len(each)} for score, each in scores.items()}}
                for metric, scores in values.items()
            }
        }
    return groups


def fold(job: Job, parts: Iterable[JobPart] | None = None) -> Summary:
    """Return the summary of the rows stored so far; with ``parts`` of these only.

    What is packed was folded then; the rest is folded row by row, which gives the same.
    """
    summary = Summary(metrics_of(job))
    spans = None if parts is None else [rows_of(job, part) for part in parts]
    for section in sections(job, folded=True):
        if spans is not None and not any(start <= section.start < stop for start, stop in spans):
            continue
        if section.pack is not None:
            merge_into(summary, section.pack.folded)
            continue
        for index, scores in stored_rows(job, "scores", start=section.start, stop=section.stop):
            summary.add(from_stored(index, scores))
    return summary


def rows_of(job: Job, part: JobPart) -> tuple[int, int]:
    """Return the task's first row and the one after its last; the same one as long as nothing is planned."""
    span = job.shards.filter(part=part.index).aggregate(start=Min("start"), stop=Max("stop"))
    return span["start"] or 0, span["stop"] or 0


# Rows


def sample_lines(job: Job, part: JobPart) -> Iterator[bytes]:
    """Yield the task's rows that are stored so far as lines of JSON, in row order."""
    start, stop = rows_of(job, part)
    types = job.submitted["config"]["tasks"][part.name]["metrics"]
    for index, scores, line in whole_rows(job, "scores", start=start, stop=stop):
        row = orjson.loads(line)
        yield orjson.dumps(sample_json(part, types, index - start, scores, row)) + b"\n"


def sample_json(
    part: JobPart, types: dict[str, Any], index: int, scores: dict[str, Any], row: dict[str, Any]
) -> dict[str, Any]:
    errors = row.get("metric_errors") or {}
    metrics = {}
    for key in part.metrics:
        metric = metric_name(part.name, key)
        kind = types[metric]["type"]
        judge = _call(row, key)
        metrics[metric] = {
            "scores": {score_name(kind, name): value for name, value, *_ in scores.get(key, [])},
            "judge_request": judge.get("request"),
            "judge_output": text_of(judge.get("response") or {}),
            "error": errors.get(key) or _why_unscored(scores.get(key, [])),
        }
    sample = row["sample"]
    return {
        "index": index,
        "item": row["item"],
        "request": _call(row, TARGET).get("request"),
        "output_text": sample.get("output_text"),
        "response": sample.get("response") or None,
        "error": sample.get("inference_error"),
        "metrics": metrics,
    }


def _call(row: dict[str, Any], asker: str) -> dict[str, Any]:
    call = (row.get("calls") or {}).get(asker, {})
    found: dict[str, Any] = row["requests"][call] if isinstance(call, int) else call
    return found


def _why_unscored(scores: list[list[Any]]) -> str | None:
    return next((f"{name}: {reason}" for name, value, _, _, reason, *_ in scores if value is None and reason), None)


# Files


def log_text(job: Job) -> tuple[str, bool]:
    """Return the end of the job's log, a line each, and whether there is more before it."""
    lines = list(LogLine.objects.filter(job=job).order_by("-pk")[: LOG_LINES + 1])
    shown = reversed(lines[:LOG_LINES])
    text = "".join(f"{wire_time(line.at)} {_level(line.message)} {_one_line(line.message)}\n" for line in shown)
    return text, len(lines) > LOG_LINES


def _level(message: str) -> str:
    return "ERROR" if message.startswith("Failed") else "WARNING" if message.startswith("Row ") else "INFO"


def _one_line(message: str) -> str:
    return " ".join(message.splitlines())


def folders(job: Job) -> dict[int, str]:
    """Return the folder of each task's rows, by the task's index: its name, as far as a path can hold it."""
    found: dict[int, str] = {}
    for index, name in job.parts.order_by("index").values_list("index", "name"):
        plain = folder = re.sub(r"[^\w .@+-]", "_", name).strip(" .")[:100] or f"task-{index}"
        again = 1
        while folder in found.values():
            again += 1
            folder = f"{plain}-{again}"
        found[index] = folder
    return found


def members(job: Job, shown: dict[str, Any]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the path and content of every file; ``shown`` are the JSON files by name, as the API shows them."""
    for name, content in shown.items():
        yield f"{name}.json", [orjson.dumps(content, option=orjson.OPT_INDENT_2)]
    yield "logs.txt", [log_text(job)[0].encode()]
    named = folders(job)
    for part in job.parts.order_by("index").only("job", "index", "name", "metrics"):
        yield f"{named[part.index]}/samples.jsonl", sample_lines(job, part)
