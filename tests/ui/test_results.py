"""Results, rows and one row in the browser: the numbers are the SDK's, and what rows hold stays text."""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from assay.ui.templatetags.figures import number
from assay_sdk import FilesetRef, LLMJudgeMetric, Model, RangeScore, RegexScoreParser, RubricScore, RunConfig
from assay_sdk.client.job import Job
from tests.judge import JudgeProcess
from tests.ui.seeds import FILE, ROWS, Site
from tests.ui.seeing import Watch, axe

EVIL = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title='taken over'\">"
EVIL_ROWS = 60
WORDS = ("river", "bread", "chess", "moon", "for", "example", "because", "check", "3", "4")
PROMPT = 'You rate answers. Reply with JSON only: {"helpfulness": <0-4>}'


def judge_of(url: str) -> LLMJudgeMetric:
    """Return a judge of two scores that reads some of its replies only: a 2 has no grade, a 1 no score at all."""
    rubric = [{"label": label, "value": int(label)} for label in ("4", "3")]
    return LLMJudgeMetric(
        model=Model(url=f"{url}/chat/completions", name="assay-stand-in-judge", api_key_secret="judge-key"),
        scores=[
            RangeScore(name="helpfulness", minimum=0, maximum=4, parser=regex('helpfulness": ([2-4])')),
            RubricScore(name="grade", rubric=rubric, parser=regex('helpfulness": ([34])')),
        ],
        retries_unscored=0,
        injection="off",
        prompt_template={
            "messages": [
                {"role": "system", "content": PROMPT},
                {"role": "user", "content": "Question: {{item.prompt}}\n\nAnswer: {{item.response}}"},
            ]
        },
    )


def regex(pattern: str) -> RegexScoreParser:
    return RegexScoreParser(pattern=pattern, method="search")


@pytest.fixture(scope="module")
def evil(site: Site) -> Job:
    """An evaluation of rows that hold markup, some of which get no score."""
    assay = site.assay()
    chosen = random.Random(2)
    rows = [
        {
            "prompt": f"{EVIL} {row}",
            "response": " ".join(chosen.choice(WORDS) for _ in range(chosen.randrange(60))),
            "<b>column</b>": {"<i>": [EVIL]},
        }
        for row in range(EVIL_ROWS)
    ]
    assay.files.upload(site.fileset, "\n".join(map(json.dumps, rows)).encode(), path="evil.jsonl")
    dataset = FilesetRef(root=f"{site.workspace}/{site.fileset}").with_fragment("evil.jsonl")
    return assay.evaluator.submit(judge_of(site.judge_url), dataset, name="evil", config=RunConfig(parallelism=8)).wait(
        60
    )


@pytest.fixture
def slow(site: Site) -> Iterator[Job]:
    """An evaluation that is under way."""
    with JudgeProcess(latency_ms=400) as judge:
        dataset = FilesetRef(root=f"{site.workspace}/{site.fileset}").with_fragment(FILE)
        job = site.assay().evaluator.submit(
            site.judge(address=judge.url), dataset, name="slow", config=RunConfig(parallelism=1, limit_samples=ROWS)
        )
        yield job
        job.cancel()


def page_of(site: Site, name: str, part: str) -> str:
    return f"/admin/evaluations/{site.workspace}/{name}/{part}"


def shows(tab: Page, rows: Iterable[int]) -> None:
    """Check that the list comes to hold these rows, in this order."""
    links = tab.get_by_role("region", name="Table of rows").locator("tbody th a")
    expect(links).to_have_text([number(row) for row in rows])


def values(job: Job, score: str = "llm-judge.helpfulness") -> dict[int, float | None]:
    return dict(enumerate(job.result().values(score)))


def tile(panel: Locator, what: str) -> Locator:
    return panel.locator(".tile").filter(has_text=what)


def test_the_numbers_are_those_of_the_sdk(tab: Page, site: Site, evil: Job) -> None:
    tab.goto(page_of(site, evil.name, "results/"))
    for name in ("helpfulness", "grade"):
        panel = tab.get_by_role("region", name=name, exact=True)
        score = evil.result().score(name)
        expect(tile(panel, "Mean")).to_contain_text(number(score.mean))
        expect(tile(panel, "Rows scored")).to_contain_text(f"{score.count}{score.nan_count} without a score")
        expect(tile(panel, "Standard deviation")).to_contain_text(number(score.std_dev))
        expect(tile(panel, "Lowest")).to_contain_text(f"{number(score.min)} – {number(score.max)}")
        panel.get_by_text("As a table").click()
        table = panel.get_by_role("table", name=f"Rows by {name}")
        bars = {row.locator("th").inner_text(): row.locator("td").first for row in table.locator("tbody tr").all()}
        counts = {label: int(cell.inner_text()) for label, cell in bars.items()}
        assert sum(counts.values()) == score.count and score.count < EVIL_ROWS
        found = Counter(value for value in values(evil, f"llm-judge.{name}").values() if value is not None)
        labels = range(5) if name == "helpfulness" else (3, 4)
        assert counts == {str(label): found[label] for label in labels}
        assert panel.locator("canvas").get_attribute("aria-label") == (
            f"Rows by {name}: " + ", ".join(f"{label}: {count}" for label, count in counts.items())
        )
    percentiles = tab.get_by_role("region", name="helpfulness", exact=True).get_by_role("row")
    shares = evil.result().score("helpfulness").percentiles or {}
    for share in (10, 50, 90):
        expect(percentiles.filter(has_text=f"{share} %")).to_contain_text(number(shares[f"p{share}"]))
    assert axe(tab) == []

    rows = tile(panel, "Rows scored").get_attribute("href") or ""
    bars["3"].get_by_role("link").click()
    shows(tab, [row for row, value in values(evil, "llm-judge.grade").items() if value == 3])
    tab.goto(rows)
    expect(tab.get_by_role("status").filter(has_text="of 60")).to_contain_text(f"{score.count} rows of 60")


def test_missing_scores_are_told_by_reason_and_lead_to_their_rows(tab: Page, site: Site, evil: Job) -> None:
    tab.goto(page_of(site, evil.name, "results/"))
    told = tab.get_by_role("table", name="Missing scores by reason").get_by_role("row", name="unparseable")
    lost = [
        sum(value is None for value in values(evil, f"llm-judge.{name}").values()) for name in ("helpfulness", "grade")
    ]
    assert all(lost) and lost[0] < lost[1]
    assert told.locator("td.right").all_inner_texts() == [str(count) for count in lost]
    told.get_by_role("link", name="unparseable").click()
    expect(tab.get_by_label("Show", exact=True)).to_have_value("unparseable")
    shows(tab, [row.index for row in evil.result().unscored][:50])


def test_rows_are_filtered_sorted_and_searched(tab: Page, site: Site, evil: Job) -> None:
    tab.goto(page_of(site, evil.name, "rows/"))
    shows(tab, range(50))
    tab.get_by_role("link", name="Next").click()
    shows(tab, range(50, EVIL_ROWS))
    assert tab.title().startswith("Rows")

    tab.get_by_label("Score", exact=True).select_option("helpfulness")
    tab.get_by_label("from", exact=True).fill("2")
    tab.get_by_label("to", exact=True).fill("3")
    tab.get_by_label("Sort by").select_option("helpfulness, highest first")
    tab.get_by_role("button", name="Show rows").click()
    wanted = {row: value for row, value in values(evil).items() if value in {2, 3}}
    assert 0 < len(wanted) < 50
    expect(tab.get_by_role("status").filter(has_text="of 60")).to_contain_text(f"{len(wanted)} rows of 60")
    ordered = sorted(wanted, key=lambda row: (wanted[row] or 0, row), reverse=True)
    shows(tab, ordered)
    expect(tab.get_by_role("columnheader", name="helpfulness")).to_have_attribute("aria-sort", "descending")
    shared = tab.url

    tab.get_by_role("link", name="Clear").click()
    tab.get_by_label("Text in item or reply").fill("onerror=\"document.title='TAKEN over'\"> 17")
    tab.keyboard.press("Enter")
    shows(tab, [17])
    tab.goto(shared)
    shows(tab, ordered)

    tab.get_by_label("from", exact=True).fill("high")
    tab.get_by_role("button", name="Show rows").click()
    expect(tab.get_by_text("This is not a number.")).to_be_visible()
    expect(tab.get_by_label("from", exact=True)).to_have_attribute("aria-invalid", "true")
    assert axe(tab) == []


def test_a_row_tells_what_was_asked_and_answered_and_runs_nothing(tab: Page, site: Site, evil: Job) -> None:
    row = next(row for row in evil.result().row_scores if row.scored)
    tab.goto(page_of(site, evil.name, "rows/?state=scored"))
    tab.get_by_role("link", name=f"Row {row.index}", exact=True).click()
    item, call = tab.get_by_role("region", name="Item"), tab.get_by_role("region", name="Call 1")
    expect(item).to_contain_text(f"{EVIL} {row.index}")
    expect(item.locator("dt").last).to_have_text("<b>column</b>")
    expect(call).to_contain_text(PROMPT)
    expect(call).to_contain_text(f"Question: {EVIL} {row.index}")
    value = values(evil)[row.index]
    expect(call).to_contain_text(f'{{"helpfulness": {number(value)}')
    scores = tab.get_by_role("table", name="Scores of row")
    expect(scores.get_by_role("row", name=f"helpfulness 0 to 4 {number(value)} scored")).to_be_visible()
    expect(scores).to_contain_text('pattern helpfulness": ([2-4]), first match')
    call.get_by_text("Request as JSON").click()
    expect(call.locator("pre").first).to_contain_text('"model": "assay-stand-in-judge"')
    expect(call).to_contain_text("tokens in")
    assert tab.title().startswith("Row") and not tab.locator(".assay script, .assay img").count()
    assert axe(tab) == []
    tab.get_by_role("link", name="Next").click()
    following = next(other for other in evil.result().row_scores if other.scored and other.index > row.index)
    expect(tab.get_by_role("heading", name=f"Row {following.index}")).to_be_visible()

    lost = evil.result().unscored[0]
    tab.goto(page_of(site, evil.name, f"rows/{lost.index}/"))
    expect(tab.get_by_role("table", name="Scores of row")).to_contain_text("the pattern finds no score in the reply")
    assert tab.goto(page_of(site, evil.name, "rows/60/")).status == 404  # type: ignore[union-attr]
    expect(tab.get_by_text("has no row 60 that is judged by now")).to_be_visible()


@pytest.mark.thorough
def test_everything_can_be_taken_away(tab: Page, site: Site, evil: Job) -> None:
    from arro3.io import read_parquet

    def taken(button: str) -> bytes:
        with tab.expect_download() as download:
            tab.get_by_role("link", name=button, exact=True).click()
        return Path(download.value.path()).read_bytes()

    tab.goto(page_of(site, evil.name, "results/"))
    assert len(taken("JSONL").splitlines()) == EVIL_ROWS
    rows = list(csv.DictReader(io.StringIO(taken("CSV").decode())))
    assert [row["llm-judge.helpfulness"] for row in rows] == [
        "" if value is None else str(value) for value in values(evil).values()
    ]
    assert read_parquet(io.BytesIO(taken("Parquet"))).read_all().num_rows == EVIL_ROWS
    assert json.loads(taken("aggregate-scores"))["scores"][0]["count"] == evil.result().score("helpfulness").count
    assert len(taken("row-scores").splitlines()) == EVIL_ROWS


@pytest.mark.thorough
def test_an_evaluation_under_way_shows_its_rows_so_far_and_notices_its_end(tab: Page, site: Site, slow: Job) -> None:
    tab.goto(page_of(site, slow.name, "results/"))
    expect(tab.get_by_text("so far of 40")).to_be_visible()
    canvas = tab.get_by_role("img", name="Rows by helpfulness")
    expect(canvas).to_be_visible()
    tab.get_by_text("As a table").first.click()
    before = canvas.get_attribute("aria-label")
    expect(canvas).not_to_have_attribute("aria-label", before or "")
    expect(tab.get_by_role("table", name="Rows by helpfulness")).to_be_visible()  # it stays open
    tab.goto(page_of(site, slow.name, "rows/"))
    expect(tab.get_by_role("link", name="Row 0", exact=True)).to_be_visible()
    tab.goto(page_of(site, slow.name, "results/"))
    slow.cancel()
    expect(tab.get_by_text("The evaluation did not complete: these are")).to_be_visible()
    tab.goto(page_of(site, site.failed, "results/"))
    expect(tab.get_by_role("heading", name="There are no results")).to_be_visible()
    tab.goto(page_of(site, site.failed, "rows/"))
    expect(tab.get_by_role("heading", name="No row was judged")).to_be_visible()


@pytest.mark.thorough
def test_lists_and_figures_fit_a_phone_in_the_dark(browser: Browser, site: Site, evil: Job) -> None:
    context = browser.new_context(base_url=site.url, color_scheme="dark", viewport={"width": 390, "height": 850})
    tab = context.new_page()
    watch = Watch(tab, site.url)
    for part in ("results/", "rows/?state=unscored", "rows/0/"):
        tab.goto(page_of(site, evil.name, part))
        tab.wait_for_load_state("networkidle")
        assert axe(tab) == [], part
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, part
    assert not watch.troubles
    context.close()
