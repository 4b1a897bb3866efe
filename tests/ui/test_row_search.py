"""Finding rows: what a page of the explorer holds is what a plain look at every row gives, whatever is asked for."""

import html
import math
import random
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from assay.jobs.models import Job, RowBatch, RowScore, Shard, ShardState
from assay.jobs.packing import pack
from assay.jobs.stored import to_batch, to_stored
from assay.ui import row_asked
from assay.ui.histograms import bars_of
from assay.ui.job_scores import JobScore, scores_of
from assay.ui.row_road import Place, Wanted
from assay.ui.row_search import Page, beside, find
from assay.workspaces.models import Workspace
from assay_sdk.engine.result import Call, Score, ScoreState
from assay_sdk.engine.result import RowScore as Judged
from tests.jobs.made import job_in
from tests.jobs.sharded import finished
from tests.jobs.test_v1_doors import made

pytestmark = pytest.mark.django_db
ROWS, SHARD_ROWS, BATCH_ROWS = 600, 100, 16
GRADES = {"poor": 0.0, "fair": 1.0, "good": 2.0}
LOST = (ScoreState.UNPARSEABLE, ScoreState.REFUSED, ScoreState.TRUNCATED)
WORDS = ("river", "bread", "chess", "Größe", 'a "quoted" word', "back\\slash")


@cache
def judged(number: int) -> Judged:
    """Return a made-up row: some lack all scores, some one, and values repeat."""
    chosen = random.Random(number)
    lost = LOST[number % 3] if number % 11 == 3 else None
    label = None if lost else chosen.choice(list(GRADES))
    value = None if lost or number % 17 == 5 else chosen.choice((0, 1, 2.5, 3, 4))
    reply = {
        "choices": [{"message": {"content": f'{{"helpfulness": {value}}} for {WORDS[number % 6]}'}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7},
    }
    state = lost or ScoreState.SCORED
    scores = [
        Score("helpfulness", value, None, ScoreState.SCORED if value is not None else lost or ScoreState.OUT_OF_RANGE),
        Score("tone", None if label is None else GRADES[label], label or "", state, "why" if lost else None),
    ]
    item = {"prompt": f"prompt {number}", "n": number, "nested": {"in": [f"deep-{number}"]}}
    return Judged(number, item, {}, {"llm-judge": scores}, [Call({"model": "m"}, reply, 1, 0.1)])


def store(job: Job, numbers: Iterable[int]) -> None:
    for shard in job.shards.order_by("start"):
        mine = [number for number in numbers if shard.start <= number < shard.stop]
        random.Random(7).shuffle(mine)
        for first in range(0, len(mine), BATCH_ROWS):
            rows = [judged(number) for number in mine[first : first + BATCH_ROWS]]
            batch = to_batch(shard, rows)
            batch.save()
            RowScore.objects.bulk_create(to_stored(job, row, batch) for row in rows)
    job.rows_done = RowScore.objects.filter(job=job).count()
    job.rows_failed = RowScore.objects.filter(job=job, scored=False).count()
    job.save()


def large_job(workspace: Workspace, *, rows: int = ROWS, landed: Iterable[int] | None = None) -> Job:
    """Return a job of shards of a hundred rows; the first half of them is packed, and the last but one."""
    job = job_in(workspace, "j-large")
    [judge] = job.metrics
    rubric = [{"label": label, "value": GRADES[label]} for label in ("good", "poor", "fair")]
    judge["structured_output"] = None
    judge["scores"] = [{"name": "helpfulness", "minimum": 0, "maximum": 4}, {"name": "tone", "rubric": rubric}]
    job.rows_total = rows
    job.save()
    starts = range(0, rows, SHARD_ROWS)
    for index, start in enumerate(starts):
        Shard.objects.create(job=job, index=index, start=start, stop=start + SHARD_ROWS, state=ShardState.DONE)
    store(job, list(range(rows) if landed is None else landed))
    for shard in job.shards.select_related("job__workspace").order_by("index"):
        if shard.index < len(starts) / 2 or shard.index == len(starts) - 2:
            pack(shard)
    return job


@pytest.fixture
def job(workspace: Workspace) -> Job:
    return large_job(workspace)


@pytest.fixture
def helpfulness(job: Job) -> JobScore:
    return scores_of(job)[0]


@pytest.fixture
def tone(job: Job) -> JobScore:
    return scores_of(job)[1]


def numbers(page: Page) -> list[int]:
    return [row.number for row in page.rows]


def walk(job: Job, wanted: Wanted, *, limit: int = 97, back: bool = False, seconds: float = 60.0) -> list[int]:
    """Return the rows of all pages from the first one on, or from the last one back; none may come twice."""
    place: Place | None = Place(not back)
    found: list[int] = []
    for _ in range(2 * ROWS):
        if place is None:
            break
        page = find(job, wanted, place, limit=limit, seconds=seconds)
        assert len(page.rows) <= limit and set(page.lines) == set(numbers(page))
        place = page.previous if back else page.next
        rows = numbers(page)
        if back and place is None:  # the beginning is a whole page again
            rows = [number for number in rows if number not in found]
        found = rows + found if back else found + rows
    assert place is None, "the pages have no end"
    assert len(found) == len(set(found))
    return found


def value_of(row: Judged, name: str) -> float | None:
    return next(score.value for score in row.metrics["llm-judge"] if score.name == name)


def expected(like: Callable[[Judged], bool], *, by: str = "", falling: bool = False) -> list[int]:
    rows = [judged(number) for number in range(ROWS)]
    rows = [row for row in rows if like(row)]
    if not by:
        return [row.index for row in (reversed(rows) if falling else rows)]
    valued = [(value, row.index) for row in rows if (value := value_of(row, by)) is not None]
    rest = [row.index for row in rows if value_of(row, by) is None]
    return [number for _, number in sorted(valued, reverse=falling)] + rest


ASKED: dict[str, tuple[dict[str, str], Callable[[Judged], bool]]] = {
    "all": ({}, lambda row: True),
    "scored": ({"state": "scored"}, lambda row: row.scored),
    "unscored": ({"state": "unscored"}, lambda row: not row.scored),
    "refused": ({"state": "refused"}, lambda row: row.metrics["llm-judge"][1].state is ScoreState.REFUSED),
    "range": ({"from": "1", "to": "2.5"}, lambda row: (value_of(row, "helpfulness") or 0) in {1, 2.5}),
    "from": ({"from": "3"}, lambda row: (value_of(row, "helpfulness") or 0) >= 3),
    "nothing": ({"from": "3.1", "to": "3.9"}, lambda row: False),
    "of another score": (
        {"score": "llm-judge.tone", "to": "0"}, lambda row: value_of(row, "tone") == 0),
    "label": ({"label": "llm-judge.tone=fair"}, lambda row: row.metrics["llm-judge"][1].label == "fair"),
    "label and state": (
        {"label": "llm-judge.tone=good", "state": "unscored"},
        lambda row: row.metrics["llm-judge"][1].label == "good" and not row.scored,
    ),
    "label and range": (
        {"label": "llm-judge.tone=good", "from": "4"},
        lambda row: row.metrics["llm-judge"][1].label == "good" and value_of(row, "helpfulness") == 4,
    ),
    "text of an item": ({"text": "PROMPT 12"}, lambda row: str(row.item["prompt"]).startswith("prompt 12")),
    "nested text": ({"text": "deep-77"}, lambda row: row.index == 77),
    "text of a reply": ({"text": "größe"}, lambda row: row.index % 6 == 3),
    "quoted text": ({"text": 'a "Quoted'}, lambda row: row.index % 6 == 4),
    "text and range": (
        {"text": "back\\slash", "to": "0"}, lambda row: row.index % 6 == 5 and value_of(row, "helpfulness") == 0),
}  # fmt: skip


SORTS = (
    ("", "", False),
    ("-row", "", True),
    ("llm-judge.helpfulness", "helpfulness", False),
    ("-llm-judge.helpfulness", "helpfulness", True),
    ("-llm-judge.tone", "tone", True),
)
IN_EVERY_ORDER = {"all", "range", "unscored"}
"""The others are asked in row order and in one more, each in another."""


@pytest.mark.thorough
def test_pages_hold_the_rows_that_are_like_that_in_every_order(job: Job) -> None:
    scores = scores_of(job)
    for number, (name, (query, like)) in enumerate(ASKED.items()):
        for sort, by, falling in SORTS if name in IN_EVERY_ORDER else (SORTS[0], SORTS[1 + number % 4]):
            asked = row_asked.read({**query, "sort": sort}, scores)
            assert not asked.wrong
            rows = expected(like, by=by, falling=falling)
            assert walk(job, asked.wanted) == rows, (name, sort)
            assert walk(job, asked.wanted, back=True) == rows, (name, sort)
            matching = find(job, asked.wanted, Place()).matching
            told = name in {"all", "unscored", "range", "of another score", "label"}
            assert matching == len(rows) if told else matching in {None, len(rows)}, (name, sort)


def test_a_page_that_runs_out_of_time_says_where_to_go_on_and_nothing_is_left_out(
    job: Job, helpfulness: JobScore, tone: JobScore
) -> None:
    for wanted in (
        Wanted(text="größe"),
        Wanted(text="größe", sort=helpfulness, falling=True),
        Wanted(state="truncated"),
        Wanted(label=(tone, "good"), state="unscored", sort=helpfulness),
    ):
        for back in (False, True):
            whole = walk(job, wanted, back=back)
            assert walk(job, wanted, limit=20, back=back, seconds=0.0) == whole and whole
    page = find(job, Wanted(text="no such text"), Place(), seconds=0.0)
    assert page.reached is not None and page.next is not None and 0 < page.looked < ROWS


def test_rows_that_land_meanwhile_shift_nothing(workspace: Workspace) -> None:
    job = large_job(workspace, landed=range(0, ROWS, 2))
    [helpfulness, _] = scores_of(job)
    for wanted in (Wanted(), Wanted(sort=helpfulness, falling=True)):
        first = find(job, wanted, Place(), limit=20)
        assert first.next is not None
        fresh = [
            number for number in range(1, 99, 2) if not RowScore.objects.filter(job=job, row_index=number).exists()
        ]
        store(job, fresh[:20])
        second = find(job, wanted, first.next, limit=20)
        seen = numbers(first) + numbers(second)
        assert len(set(seen)) == 40
        keys = [(-(value_of(judged(each), "helpfulness") or 0), -each) if wanted.sort else (each, 0) for each in seen]
        assert keys == sorted(keys)


def test_a_page_at_any_depth_takes_few_queries(workspace: Workspace) -> None:
    def asked(job: Job, wanted: Wanted, place: Place) -> int:
        with CaptureQueriesContext(connection) as queries:
            find(job, wanted, place)
        return len(queries)

    job = finished(large_job(workspace, rows=2 * ROWS))
    for shard in job.shards.select_related("job__workspace"):
        pack(shard)
    [helpfulness, tone] = scores_of(job)
    for wanted, place in (
        (Wanted(), Place()),
        (Wanted(), Place(True, 1000)),
        (Wanted(sort=helpfulness), Place()),
        (Wanted(sort=helpfulness, falling=True), Place(True, 700, 2.5)),
        (Wanted(label=(tone, "good")), Place(True, 900)),
        (Wanted(score=helpfulness, low=1.0, high=1.0, sort=tone), Place()),
    ):
        assert asked(job, wanted, place) <= 12, "the first time, the values of twelve shards are read together"
        assert asked(job, wanted, place) <= 5, wanted


def test_neighbours_are_those_of_the_list(job: Job, helpfulness: JobScore) -> None:
    for wanted in (Wanted(), Wanted(state="unscored"), Wanted(sort=helpfulness, falling=True)):
        rows = walk(job, wanted)
        for place in (0, 1, 30, len(rows) - 1):
            scores = RowScore.objects.get(job=job, row_index=rows[place]).scores
            before, after = beside(job, wanted, rows[place], scores)
            assert before == (rows[place - 1] if place else None)
            assert after == (rows[place + 1] if place + 1 < len(rows) else None)


def test_a_row_judged_again_is_found_by_its_new_value(workspace: Workspace) -> None:
    job = finished(large_job(workspace))
    [helpfulness, _] = scores_of(job)
    wanted = Wanted(score=helpfulness, low=4.5)
    assert walk(job, wanted) == []
    shard = job.shards.get(index=0)
    RowScore.objects.filter(job=job, row_index=3).delete()
    row = judged(2)
    again = Judged(3, row.item, {}, {"llm-judge": [Score("helpfulness", 5.0, None, ScoreState.SCORED)]})
    batch = to_batch(shard, [again])
    batch.save()
    to_stored(job, again, batch).save()
    job.reruns += 1
    job.save()
    assert walk(job, wanted) == [3]
    pack(Shard.objects.select_related("job__workspace").get(pk=shard.pk))
    assert walk(job, wanted) == [3]


def test_what_an_address_says_amiss_is_told_and_left_out_of_account(job: Job) -> None:
    for query in (
        "from=abc", "to=nan", "from=3&to=1", "state=odd", "sort=-no.score", "score=no.score",
        "label=llm-judge.tone=odd", "label=x", "after=x", "after=1:nan", "before=-7", "start=1.5", f"after={2**70}",
    ):  # fmt: skip
        asked = row_asked.read(QueryDict(query).dict(), scores_of(job))
        assert len(asked.wrong) == 1, query
        assert find(job, asked.wanted, asked.place).rows or "to" in asked.wrong, query


def test_an_address_says_again_what_it_was_read_from(job: Job) -> None:
    told: dict[str, Any] = {
        "state": "unscored", "score": "llm-judge.tone", "from": "0.5", "to": "2", "label": "llm-judge.tone=good",
        "text": "a & b=c", "sort": "-llm-judge.helpfulness",
    }  # fmt: skip
    asked = row_asked.read(told, scores_of(job))
    again = row_asked.read(QueryDict(asked.address()).dict(), scores_of(job))
    assert again == asked and not asked.wrong
    there = row_asked.read(QueryDict(asked.at(Place(False, 12, 0.1 + 0.2)) or "").dict(), scores_of(job))
    assert there.place == Place(False, 12, 0.1 + 0.2) and there.wanted == asked.wanted


@pytest.mark.parametrize(
    "values",
    [
        [0.1 * step for step in range(11)],
        [random.Random(3).gauss(0.5, 0.2) for _ in range(5000)],
        [0.3, 0.30000000000000004, 0.6, 0.1],
        [1e-9, 2e-9, 5.5e-9],
        [-1e308, 1e308, 0.5],
        [1e17, 1e17 + 64],
        [2.5],
        [0.5, 0.5],
        [-3, 4, 4, 12345],
        [5e-324, 1e-323],
        [7, 9, 7],
    ],
    ids=str,
)
def test_every_value_is_in_one_bar(values: list[float]) -> None:
    score = JobScore("m", "s", "s")
    ordered = sorted(map(float, values))
    found = bars_of(score, ordered, {})
    assert sum(bar.rows for bar in found) == len(values)
    assert len(found) <= 42
    for bar in found:
        if bar.low is not None and bar.high is not None:
            assert bar.rows == sum(bar.low <= value <= bar.high for value in ordered), bar
        assert not math.isnan(bar.low or 0.0)


def shown(client: APIClient, job: Job, part: str) -> str:
    reply = client.get(f"/admin/evaluations/{job.workspace.name}/{job.name}/{part}", follow=True)
    assert reply.status_code == 200, reply.content
    return html.unescape(reply.content.decode())


def test_a_job_of_tasks_is_shown_with_whoever_was_asked(client: APIClient) -> None:
    job = made(client)
    shard = Shard.objects.create(job=job, index=0, start=0, stop=2, state=ShardState.DONE)
    said = {"choices": [{"message": {"content": "forty-two"}}], "usage": {"total_tokens": 3}}
    rated = {"choices": [{"message": {"content": "RATING: 4"}}]}
    asked = {"model": "t", "messages": [{"role": "user", "content": [{"type": "text", "text": "why?"}, {"a": 1}]}]}
    judging = {"model": "j", "prompt": "Rate it"}
    calls = [Call(asked, said, 1, 0.1), Call(judging, rated, 1, 0.1)]
    good = Score("good", 4.0, None, ScoreState.SCORED)
    none = Score("good", None, None, ScoreState.TRANSPORT, "no reply")
    rows = [
        Judged(0, {"q": "why?"}, {"output_text": "forty-two"}, {"qa.good": [good]}, calls),
        Judged(1, {"q": ["a", None]}, {}, {"qa.good": [none]}, [calls[0], Call(judging, None, 3, 9.0)]),
    ]
    batch = to_batch(shard, rows, ["", "qa.good"])
    batch.save()
    RowScore.objects.bulk_create(to_stored(job, row, batch) for row in rows)
    Job.objects.filter(pk=job.pk).update(rows_done=2, rows_failed=1, rows_total=2)
    assert "2 rows so far" in shown(client, job, "results/")
    assert "1 row of 2 so far" in shown(client, job, "rows/?state=transport")
    first, second = shown(client, job, "rows/0/"), shown(client, job, "rows/1/")
    for text in (
        "Task qa",
        "the model that answers",
        "why?",
        '{"a": 1}',
        "qa.good",
        "Rate it",
        "RATING: 4",
        "forty-two",
    ):
        assert text in first, text
    assert "No reply came of it." in second and "no reply" in second


def test_scores_of_metrics_that_are_unknown_by_now_can_still_be_read(client: APIClient, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(metrics=[{"type": "of-old"}])
    assert "of another version" in shown(client, job, "results/")
    assert "prompt 49" in shown(client, job, "rows/")
    page = shown(client, job, "rows/4/")
    assert "llm-judge.helpfulness" in page and "prompt 4" in page


def test_a_row_that_is_lost_is_told_of_beside_its_scores(client: APIClient, job: Job) -> None:
    RowBatch.objects.all().delete()
    last = ROWS - 1
    assert "The whole row cannot be found" in shown(client, job, f"rows/?start={last}")
    page = shown(client, job, f"rows/{last}/")
    assert "The whole row cannot be found; its scores are below." in page and "helpfulness" in page
