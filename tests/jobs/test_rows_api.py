"""A job's rows at their address: pages in both directions at any depth, one row, and nothing shifted by what lands."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from assay.jobs import row_pages
from assay.jobs.models import Job
from assay.jobs.packing import pack
from assay.workspaces.models import Workspace
from tests.jobs.sharded import ROWS, land, sharded_job

pytestmark = pytest.mark.django_db
ADDRESS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/j-one/rows"
FAILED = [index for index in range(ROWS) if index % 7 == 3]


def ask(client: APIClient, **query: Any) -> Any:
    reply = client.get(ADDRESS, query)
    assert reply.status_code == 200, reply.content
    return reply.json()


def indexes(page: Any) -> list[int]:
    return [row["row_index"] for row in page["data"]]


def walk(client: APIClient, direction: str, **query: Any) -> list[list[int]]:
    """Return the rows of each page from the first one on, in that direction."""
    pages, cursor = [], query.pop("page_cursor", None)
    while True:
        page = ask(client, **query, **({"page_cursor": cursor} if cursor else {}))
        pages.append(indexes(page))
        cursor = page[direction]
        if cursor is None:
            return pages


def pack_some(job: Job) -> None:
    for shard in job.shards.filter(index__in=(0, 2)).select_related("job__workspace"):
        pack(shard)


@pytest.mark.parametrize("packed", [False, True], ids=["in batches", "packed but for a shard"])
@pytest.mark.parametrize("limit", [1, 7, 10, 200])
def test_pages_forwards_and_back_hold_every_row_once(
    client: APIClient, workspace: Workspace, limit: int, packed: bool
) -> None:
    job = sharded_job(workspace)
    if packed:
        pack_some(job)
    forwards = walk(client, "next_page", limit=limit)
    assert [index for page in forwards for index in page] == list(range(ROWS))
    assert {len(page) for page in forwards[:-1]} <= {limit}
    beyond = ask(client, limit=1, page_cursor=row_pages._cursor(True, ROWS - 2))
    assert indexes(beyond) == [ROWS - 1] and beyond["next_page"] is None
    back = walk(client, "prev_page", limit=limit, page_cursor=beyond["prev_page"])
    assert [index for page in reversed(back) for index in page] == list(range(ROWS - 1))


def test_a_row_is_whole(client: APIClient, workspace: Workspace) -> None:
    pack_some(sharded_job(workspace))
    for index in (2, 12):
        [row] = ask(client, limit=1, page_cursor=row_pages._cursor(True, index - 1))["data"]
        assert row == client.get(f"{ADDRESS}/{index}").json()
        assert row["item"]["prompt"] == f"the {index} cats sat on a mat"
        assert row["requests"][0]["response"]["id"] == f"r{index}"
        assert row["metrics"]["llm-judge"][0] == {"name": "helpfulness", "value": pytest.approx(index * 0.1)}


def test_rows_that_land_meanwhile_shift_nothing(client: APIClient, workspace: Workspace) -> None:
    job = sharded_job(workspace, landed=range(0, ROWS, 2))
    first = ask(client, limit=5)
    assert indexes(first) == [0, 2, 4, 6, 8]
    land(job, [1, 3, 11, 13])
    second = ask(client, limit=5, page_cursor=first["next_page"])
    assert indexes(second) == [10, 11, 12, 13, 14]
    assert indexes(ask(client, limit=5, page_cursor=second["prev_page"])) == [2, 3, 4, 6, 8]


@pytest.mark.parametrize("limit", [1, 2, 200])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"scored": "false"}, FAILED),
        ({"scored": "true"}, [index for index in range(ROWS) if index not in FAILED]),
        ({"state": "transport"}, FAILED),
        ({"state": "scored"}, list(range(ROWS))),
        ({"state": "scored", "scored": "false"}, FAILED),
        ({"state": "empty"}, []),
        ({"state": "transport", "scored": "true"}, []),
    ],
    ids=str,
)
def test_rows_by_what_became_of_them(
    client: APIClient,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, str],
    expected: list[int],
    limit: int,
) -> None:
    monkeypatch.setattr(row_pages, "LOOK_AT_ONCE", 3)
    monkeypatch.setattr(row_pages, "MOST_LOOKED_AT", 6)  # so that pages are short, and still lead on
    pack_some(sharded_job(workspace))
    assert [index for page in walk(client, "next_page", limit=limit, **query) for index in page] == expected
    end = row_pages._cursor(False, ROWS)
    back = walk(client, "prev_page", limit=limit, page_cursor=end, **query)
    assert [index for page in reversed(back) for index in page] == expected


def test_a_page_costs_the_same_at_any_depth(client: APIClient, workspace: Workspace) -> None:
    pack_some(sharded_job(workspace))
    counts = []
    for index in (0, 3, 23):
        with CaptureQueriesContext(connection) as queries:
            ask(client, limit=4, page_cursor=row_pages._cursor(True, index))
        counts.append(len(queries))
        assert all(" OFFSET " not in query["sql"] for query in queries)
    assert max(counts) <= 4, "the job, the rows, their shard and its pack"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": 0}, 422),
        ({"limit": 201}, 422),
        ({"limit": "many"}, 422),
        ({"scored": "perhaps"}, 422),
        ({"state": "lost"}, 422),
        ({"page_cursor": "x"}, 400),
        ({"page_cursor": "YWZ0ZXIgLTU"}, 400),
        ({"page_cursor": "💥"}, 400),
    ],
    ids=str,
)
def test_a_wrong_question_is_refused(
    client: APIClient, workspace: Workspace, query: dict[str, Any], status: int
) -> None:
    sharded_job(workspace)
    assert client.get(ADDRESS, query).status_code == status


def test_what_is_not_there(client: APIClient, workspace: Workspace) -> None:
    assert client.get(ADDRESS).status_code == 404
    sharded_job(workspace, landed=[0])
    assert ask(client)["next_page"] is None
    for index in ("1", "30", str(2**53), str(2**70)):
        assert client.get(f"{ADDRESS}/{index}").status_code == 404
    assert client.get(ADDRESS.replace("w-one", "w-two")).status_code == 404


def test_a_job_without_rows_has_an_empty_page(client: APIClient, workspace: Workspace) -> None:
    sharded_job(workspace, landed=[])
    assert ask(client) == {"data": [], "next_page": None, "prev_page": None}
