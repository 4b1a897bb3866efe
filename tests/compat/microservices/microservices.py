"""Every method of one ``nemo-microservices`` version that is in scope, against a running platform.

Exit status 0 only if no step failed; ``steps.py`` says what it prints.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import steps_entities as entities
import steps_jobs as jobs
from session import KEY, Session
from steps import Step, arguments, take


def plan() -> Iterator[tuple[Step, tuple[Step, ...]]]:
    """Every step in order, each with the steps it cannot do without."""
    home = entities.keep_namespaces
    yield home, ()
    for keep in (entities.keep_projects, entities.keep_datasets, entities.keep_models, entities.keep_targets):
        yield keep, (home,)
    yield entities.keep_configs, (entities.keep_datasets,)
    yield entities.list_in_pages, (home,)
    yield entities.get_typed_errors, (entities.keep_configs,)
    yield jobs.run_by_reference, (entities.keep_configs, entities.keep_targets)
    for look in (jobs.read_results, jobs.download_everything, jobs.list_jobs, jobs.use_async_client):
        yield look, (jobs.run_by_reference,)
    for run in (jobs.run_inline_rows, jobs.evaluate_live, jobs.cancel_job, jobs.delete_running_job):
        yield run, ()
    yield jobs.use_v2_routes, (home,)
    yield jobs.delete_jobs, (jobs.run_by_reference,)
    yield entities.tidy, (jobs.delete_jobs,)


def main() -> int:
    asked = arguments(__doc__)
    rows = [json.loads(line) for line in asked.dataset.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        session = Session(asked.base_url, asked.workspace, asked.judge_url, rows, Path(folder))
        return take(plan(), session, secret=KEY)


if __name__ == "__main__":
    sys.exit(main())
