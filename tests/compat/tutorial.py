"""The LLM-as-a-judge tutorial as a user of one ``nemo-platform`` client would run it, against a running platform.

Runs inside that client's own environment, which holds nothing of this project. Prints one JSON line a step:
``{"step", "outcome": "passed" | "failed" | "skipped", "seconds", …facts or "error"}``.
Exit status 0 only if no step failed.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import steps_data as data
import steps_jobs as jobs
from dialect import Dialect
from lesson import SECRET_VALUE, Broken, Lesson, Step
from nemo_platform import NeMoPlatform


def steps(dialect: Dialect) -> Iterator[tuple[Step, tuple[Step, ...]]]:
    """Every step in order, each with the steps it cannot do without."""
    yield data.create_workspace, ()
    yield data.duplicate_workspace, (data.create_workspace,)
    yield jobs.plugin_status, ()
    yield data.create_secret, (data.create_workspace,)
    yield data.create_fileset, (data.create_workspace,)
    yield data.read_hub_files, (data.create_fileset,)
    # Before the local run: 0.1.0 shares one connection among its file helpers, and its local run closes it.
    yield data.upload_and_download, (data.create_workspace,)
    yield data.delete_files, (data.upload_and_download,)
    if dialect.runs_locally:
        yield jobs.run_locally, (data.create_fileset,)
    yield jobs.submit_first_prompt, (data.create_fileset, data.create_secret)
    yield jobs.submit_second_prompt, (data.create_fileset, data.create_secret)
    yield jobs.submit_rubric_on_inline_rows, (data.create_secret,)
    for helper in (jobs.use_job_handle, jobs.use_async_client, jobs.use_jobs_api, jobs.use_results_api):
        yield helper, (jobs.submit_first_prompt,)
    if dialect.keeps_eval_results:
        yield jobs.read_eval_results, (jobs.submit_first_prompt,)
    if dialect.stores_metrics:
        yield jobs.store_metric, (data.create_workspace,)
    yield data.refuse_early_deletes, (jobs.submit_first_prompt,)
    yield data.delete_jobs, (data.create_workspace,)
    yield data.delete_fileset, (data.create_fileset, data.delete_jobs)
    yield data.delete_secret, (data.create_secret, data.delete_jobs)
    yield data.delete_workspace, (data.delete_fileset, data.delete_secret)


def attend(lesson: Lesson) -> Iterator[dict[str, Any]]:
    """Run every step whose needs are met; a failed step does not end the lesson, so one run shows every mismatch."""
    done: set[Step] = set()
    for step, needs in steps(lesson.dialect):
        line: dict[str, Any] = {"step": step.__name__, "outcome": "skipped"}
        if missing := [need.__name__ for need in needs if need not in done]:
            yield line | {"error": f"needs {', '.join(missing)}"}
            continue
        began = time.monotonic()
        try:
            line |= {"outcome": "passed"} | (step(lesson) or {})
            done.add(step)
        except Exception as error:
            if isinstance(error, Broken):
                done.add(step)  # it made its thing, though not quite as promised: others can go on from there
            line |= {"outcome": "failed", "error": explain(error), "at": place(error)}
        yield line | {"seconds": round(time.monotonic() - began, 2)}


def explain(error: Exception) -> str:
    """The error with its cause and the platform's reply: some of the client's errors keep both to themselves."""
    told = f"{type(error).__name__}: {error}"
    if error.__cause__:
        told += f" ({error.__cause__})"
    if reply := getattr(getattr(error, "response", None), "text", ""):
        told += f" reply: {reply[:500]}"
    return told


def place(error: Exception) -> str:
    """The line of the step that failed, however deep inside the client the error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    return next(f"{one.name}: {one.line}" for one in reversed(frames) if Path(one.filename).name.startswith("steps_"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--judge-url", required=True, help="the stand-in judge, up to and including /v1")
    parser.add_argument("--hub-url", required=True)
    parser.add_argument("--hub-revision", required=True, help="the commit that main stands for on the hub")
    parser.add_argument("--dataset", required=True, type=Path, help="the rows of validation.jsonl.gz, not compressed")
    parser.add_argument("--workspace", required=True)
    asked = parser.parse_args()
    # Strict: the generated half of the client otherwise accepts any reply, however malformed.
    client = NeMoPlatform(base_url=asked.base_url, workspace=asked.workspace, _strict_response_validation=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        lesson = Lesson(
            client=client,
            dialect=Dialect.installed(),
            workspace=asked.workspace,
            judge_url=asked.judge_url,
            hub_url=asked.hub_url,
            hub_revision=asked.hub_revision,
            dataset=asked.dataset,
            folder=Path(folder),
        )
        for line in attend(lesson):
            failed += line["outcome"] == "failed"
            print(json.dumps(line, default=str).replace(SECRET_VALUE, "***"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
