"""Rows written in bulk are the rows that Django would have written."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import Error, transaction
from django.forms.models import model_to_dict

from assay.jobs.bulk import insert
from assay.jobs.models import Reply, RowScore
from assay.workspaces.models import Workspace
from tests.jobs.made import active, job_in

pytestmark = pytest.mark.django_db
ODD = "tab\t, line\nend, \\N, \\, \"quoted\", 'single', {a,b}, NULL, ünï 💥"
AT = datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)


def fields(row: Any) -> dict[str, Any]:
    found = model_to_dict(row)
    found.pop("id")
    found |= {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key
    }
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in found.items()}


def test_row_scores(workspace: Workspace) -> None:
    job = active(job_in(workspace))
    scores = {ODD: [["s", 1e-300, None, "scored", ODD], ["t", None, "", "empty", None]], "": []}
    rows = [
        RowScore(
            job=job, row_index=2**62, scored=True, scores=scores, error=ODD, doubtful=bytes(range(256)), created_at=AT
        ),
        RowScore(job=job, row_index=0, scored=False, scores={}, batch_id=7),
    ]
    insert(rows)
    stored = list(RowScore.objects.order_by("-row_index"))
    assert [fields(row) for row in stored] == [fields(row) for row in rows]


def test_a_row_that_is_there_already(workspace: Workspace) -> None:
    kept = {"workspace": workspace, "key": b"\x00" * 32, "model": ODD, "address": "", "created_at": AT}
    first = Reply(**kept, body=b"\x00\xff\\")
    insert([first], or_leave=True)
    insert([Reply(**kept, body=b"again"), Reply(**{**kept, "key": b"\x01" * 32}, body=b"")], or_leave=True)
    stored = list(Reply.objects.order_by("key"))
    assert fields(stored[0]) == fields(first)
    assert [bytes(reply.body) for reply in stored] == [b"\x00\xff\\", b""]
    with pytest.raises(Error), transaction.atomic():
        insert([Reply(**kept, body=b"again")])


def test_nothing_to_write() -> None:
    insert([])
