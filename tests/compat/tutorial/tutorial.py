"""The LLM-as-a-judge tutorial as a user of one ``nemo-platform`` client would run it, against a running platform.

Exit status 0 only if no step failed; ``steps.py`` says what it prints.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import steps_data as data
import steps_jobs as jobs
from dialect import Dialect
from lesson import SECRET_VALUE, Lesson
from nemo_platform import NeMoPlatform
from steps import Step, arguments, take


def plan(dialect: Dialect) -> Iterator[tuple[Step, tuple[Step, ...]]]:
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


def main() -> int:
    asked = arguments(__doc__)
    # Strict: the generated half of the client otherwise accepts any reply, however malformed.
    client = NeMoPlatform(base_url=asked.base_url, workspace=asked.workspace, _strict_response_validation=True)
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
        return take(plan(lesson.dialect), lesson, secret=SECRET_VALUE)


if __name__ == "__main__":
    sys.exit(main())
