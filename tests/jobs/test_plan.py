"""What planning refuses before a call is paid."""

from typing import Any

import pytest

from assay.jobs.models import State
from assay.jobs.plan import Unplannable, plan
from assay.workspaces.models import Workspace
from tests.jobs.made import job_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"output": "respnse"}, r"no row has: 'respnse' \(for 'output'\). Columns there are: prompt, response."),
        ({"output": 5}, "field_mapping.output: "),
        ({"unheard-of": "response"}, "field_mapping.unheard-of: "),
    ],
)
def test_a_mapping_to_nowhere_says_what_to_fix(mapping: dict[str, Any], said: str, workspace: Workspace) -> None:
    with pytest.raises(Unplannable, match=said):
        plan(job_in(workspace, dialect="bundles", state=State.CREATED, spec={"field_mapping": mapping}))


def test_a_mapping_that_leads_somewhere_is_planned(workspace: Workspace) -> None:
    job = job_in(workspace, dialect="bundles", state=State.CREATED, spec={"field_mapping": {"output": "response"}})
    assert plan(job)
    assert job.shards.count() == 1
