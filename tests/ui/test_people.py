"""The judge against people, in a browser: the numbers are those of the SDK, and the worst rows are a click away."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from assay_sdk import Agreement, FilesetRef, Job, JSONScoreParser, LLMJudgeMetric, RubricScore
from assay_sdk.engine.scores import RubricItem
from assay_sdk.engine.statistic import Statistic
from tests.ui.seeds import Site
from tests.ui.seeing import axe

LABELS = ("poor", "fair", "good")
SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "data" / "helpfulness.jsonl"


def page_of(site: Site, job: str, query: str = "") -> str:
    return f"/admin/evaluations/{site.workspace}/{job}/people/{query}"


@pytest.fixture(scope="module")
def graded(site: Site) -> Job:
    """A job that grades with labels, beside people's grades: one missing, one in capitals, one beyond the rubric."""
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()[:30]]
    for place, row in enumerate(rows):
        grade = LABELS[min(2, row.pop("helpfulness") // 2)]
        row["tone"] = {0: grade.upper(), 1: "superb", 2: None}.get(place, grade)
    assay = site.assay()
    assay.files.filesets.create("people-graded")
    assay.files.upload("people-graded", "\n".join(map(json.dumps, rows)).encode(), path="graded.jsonl")
    prompt = 'Grade the answer. Reply with JSON only: {"grade": "poor" | "fair" | "good"}'
    rubric = [RubricItem(label=label, value=value) for value, label in enumerate(LABELS)]
    metric = LLMJudgeMetric(
        model=site.judge().model,
        scores=[RubricScore(name="grade", rubric=rubric, parser=JSONScoreParser(json_path="grade"))],
        prompt_template={
            "messages": [
                {"role": "system", "content": prompt},
                {"role": "user", "content": "Question: {{item.prompt}}\n\nAnswer: {{item.response}}"},
            ]
        },
    )
    data = FilesetRef(root=f"{site.workspace}/people-graded").with_fragment("graded.jsonl")
    return assay.evaluator.submit(metric, data, name="people-graded").wait(timeout=60)


def counts(table: Locator) -> Iterator[list[int]]:
    """The fields of the confusion matrix, line by line, without the sums."""
    for line in table.locator("tbody tr").all():
        yield [int(field.inner_text().split()[0]) for field in line.locator("td").all()[:-1]]


def written(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def check_statistics(tab: Page, found: Agreement) -> None:
    for key, statistic in found.statistics.items():
        cells = tab.locator(f"tr[data-statistic={key}] td")
        check_statistic(cells, key, statistic)


def check_statistic(cells: Locator, key: str, statistic: Statistic) -> None:
    if statistic.value is None:
        expect(cells.nth(0)).to_have_text("undefined")
        expect(cells.nth(2)).to_contain_text(str(statistic.reason))
        return
    sign = "+" if key == "bias" and statistic.value > 0 else ""
    expect(cells.nth(0)).to_have_text(sign + written(statistic.value))
    if statistic.low is not None and statistic.high is not None:
        expect(cells.nth(1)).to_have_text(f"{written(statistic.low)} to {written(statistic.high)}")
    else:
        expect(cells.nth(1)).to_have_text(str(statistic.reason))


def test_the_numbers_are_those_of_the_sdk(tab: Page, site: Site) -> None:
    found = site.assay().jobs.retrieve(site.strict).agreement("helpfulness")
    tab.goto(page_of(site, site.strict))
    expect(tab.get_by_label("People's ratings are in column")).to_have_value("helpfulness")
    check_statistics(tab, found)
    assert sum(map(sum, counts(tab.locator("#confusion")))) == found.n < found.rows
    assert list(counts(tab.locator("#confusion"))) == found.confusion
    for what, number in (("Rows with both", found.n), ("Unscored", found.unscored), ("Unrated", found.unrated)):
        expect(tab.locator(".tile", has_text=what).locator(".value")).to_have_text(str(number))
    expect(tab.get_by_role("img")).to_have_count(4)  # the scatter plot, and the three panels


def test_the_worst_disagreement_stands_first_and_leads_to_its_row(tab: Page, site: Site) -> None:
    result = site.assay().jobs.retrieve(site.strict).result()
    apart = {
        row.index: abs(float(row.item["helpfulness"]) - judge)
        for row, judge in zip(result.row_scores, result.values("helpfulness"), strict=True)
        if judge is not None and row.item["helpfulness"]
    }
    worst = min(index for index, size in apart.items() if size == max(apart.values()))
    tab.goto(page_of(site, site.strict))
    listed = tab.get_by_role("region", name="Rows on which the judge and people differ").locator("tbody tr")
    expect(listed).to_have_count(sum(size > 0 for size in apart.values()))
    expect(listed.first).to_contain_text(str(result.row_scores[worst].item["prompt"]))
    listed.first.get_by_role("link").click()
    expect(tab).to_have_url(f"{site.url}/admin/evaluations/{site.workspace}/{site.strict}/rows/{worst}/")


@pytest.mark.thorough
def test_a_field_of_the_matrix_shows_its_rows_and_can_be_shared(tab: Page, site: Site) -> None:
    tab.goto(page_of(site, site.strict))
    field = tab.locator("#confusion tbody tr").nth(4).get_by_role("link").first  # people say 4
    rows = int(field.inner_text().split()[0])
    field.click()
    heading = tab.get_by_role("heading", name="People say 4, the judge")
    expect(heading).to_be_visible()
    expect(tab.locator("#listed tbody tr")).to_have_count(rows)
    tab.reload()
    expect(heading).to_be_visible()
    expect(tab.locator("#listed tbody tr")).to_have_count(rows)
    tab.get_by_role("link", name="Show the worst disagreements").click()
    expect(tab.get_by_role("heading", name="The worst disagreements")).to_be_visible()


@pytest.mark.thorough
def test_a_column_that_is_no_ratings_explains_itself(tab: Page, site: Site) -> None:
    tab.goto(page_of(site, site.strict))
    tab.get_by_label("People's ratings are in column").select_option("prompt")
    alert = tab.get_by_role("alert")
    expect(alert).to_contain_text("column 'prompt' holds")
    expect(tab).to_have_url(f"{site.url}{page_of(site, site.strict)}?column=prompt&score=llm-judge.helpfulness")
    expect(tab.get_by_role("heading", name="What a column of ratings looks like")).to_be_visible()
    tab.get_by_text("Type the column's name").click()
    tab.get_by_label("Column", exact=True).fill("nothing.there")
    tab.get_by_role("button", name="Show", exact=True).click()
    expect(alert).to_contain_text("no row has a column 'nothing.there'")
    assert axe(tab) == []


@pytest.mark.thorough
def test_labels_are_held_against_labels(tab: Page, site: Site, graded: Job) -> None:
    found = graded.agreement("tone")
    tab.goto(page_of(site, graded.name))
    expect(tab.get_by_label("People's ratings are in column")).to_have_value("tone")
    check_statistics(tab, found)
    assert found["kappa_linear"].value is None and found["kappa"].value is not None
    expect(tab.locator("#confusion thead th[scope=col]")).to_have_text(["People", *LABELS, "superb", "All"])
    assert list(counts(tab.locator("#confusion"))) == found.confusion
    # "good" called "poor" is two steps; how far "superb" is from anything nobody can say.
    listed = tab.locator("#listed tbody tr")
    steps = [line.locator("td").nth(3).inner_text() for line in listed.all()]
    sizes = [int(said.split()[0][1:]) if said != "another label" else 0 for said in steps]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 0 and steps[-1] == "another label"


def test_an_evaluation_without_rows_says_what_to_wait_for(tab: Page, site: Site) -> None:
    tab.goto(page_of(site, site.failed))
    expect(tab.get_by_role("heading", name="No row is judged yet")).to_be_visible()
