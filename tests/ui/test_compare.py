"""Evaluations against each other, in a browser: the difference is the SDK's, and prompts differ word by word."""

import pytest
from playwright.sync_api import Page, expect

from assay_sdk import FilesetRef, InferenceParams, Job
from tests.ui.seeds import STRICT, Site, answers

GENEROUS = STRICT.replace("strictly", "like a generous and encouraging teacher")


@pytest.fixture(scope="module")
def generous(site: Site) -> Job:
    """The same rows with a prompt that makes the judge kinder, and another temperature."""
    metric = site.judge(GENEROUS).model_copy(update={"inference": InferenceParams(temperature=0.5)})
    return site.assay().evaluator.submit(metric, site.dataset(), name="compare-generous").wait(timeout=60)


@pytest.fixture(scope="module")
def elsewhere(site: Site) -> Job:
    """Other rows, with the same score."""
    assay = site.assay()
    assay.files.filesets.create("compare-other")
    assay.files.upload("compare-other", answers(12).replace("should", "must").encode(), path="other.csv")
    data = FilesetRef(root=f"{site.workspace}/compare-other").with_fragment("other.csv")
    return assay.evaluator.submit(site.judge(), data, name="compare-other").wait(timeout=60)


def page_of(site: Site, *jobs: str, more: str = "") -> str:
    return f"/admin/compare/?workspace={site.workspace}" + "".join(f"&job={job}" for job in jobs) + more


def signed(value: float) -> str:
    return f"{value:+.4g}".replace("-", "\N{MINUS SIGN}")


def test_the_difference_is_that_of_the_sdk(tab: Page, site: Site, generous: Job) -> None:
    found = site.assay().evaluator.compare([site.strict, generous], baseline=site.strict)
    difference = found.differences[0]
    value, low, high = difference.difference.value, difference.difference.low, difference.difference.high
    assert value and low is not None and high is not None and difference.p is not None
    tab.goto(page_of(site, site.strict, generous.name))
    cells = tab.locator("#paired tbody tr").locator("td")
    expect(cells).to_have_text(
        [
            str(difference.n),
            signed(value),
            f"{signed(low)} to {signed(high)}",
            str(difference.higher),
            str(difference.equal),
            str(difference.lower),
            str(difference.test),
            "< 0.001" if difference.p < 0.001 else f"{difference.p:.2g}",
        ]
    )
    side = "higher" if value > 0 else "lower"
    words = tab.get_by_text(f"On average {generous.name} scores {abs(value):.2g} {side} than {site.strict}")
    expect(words).to_contain_text("Unlikely to be chance" if difference.p < 0.05 else "That may well be chance")
    for run in found.runs:
        line = tab.locator("#scores tbody tr", has_text=run.run)
        assert run.mean is not None
        expect(line.locator("td").nth(2)).to_have_text(f"{run.mean:.4g}")
    changed = tab.get_by_role("region", name="Rows that changed most").locator("tbody tr")
    assert len(difference.changed) > 1
    expect(changed).to_have_count(min(20, difference.higher + difference.lower))
    first = difference.changed[0]
    expect(changed.first.locator("td").first).to_have_text(str(first.index))
    changed.first.get_by_role("link").nth(1).click()
    expect(tab).to_have_url(f"{site.url}/admin/evaluations/{site.workspace}/{generous.name}/rows/{first.index}/")


def test_what_was_asked_differently_is_marked_word_by_word(tab: Page, site: Site, generous: Job) -> None:
    tab.goto(page_of(site, site.strict, generous.name))
    asked = tab.get_by_role("region", name=f"What {generous.name} asked differently")
    system = asked.get_by_role("region", name="Changes of the system message")
    expect(system.locator("del")).to_have_text(["strictly"])
    expect(system.locator("ins")).to_have_text(["like a generous and encouraging teacher"])
    expect(system).to_contain_text("from 0 (useless) to 4 (could not be better).\nReply with JSON only")
    expect(asked.get_by_role("heading", name="user message")).to_contain_text("unchanged")
    settings = asked.get_by_role("region", name="Settings that differ").locator("tbody tr")
    expect(settings).to_have_count(1)
    expect(settings.first.locator("th, td")).to_have_text(["inference.temperature", "–", "0.5"])
    asked.get_by_text("settings are the same").click()
    expect(asked.get_by_role("row", name="model.name assay-stand-in-judge")).to_be_visible()


@pytest.mark.thorough
def test_evaluations_are_chosen_from_a_list(tab: Page, site: Site, elsewhere: Job) -> None:
    tab.goto("/admin/evaluations/")
    tab.goto(page_of(site, site.strict))
    line = tab.get_by_role("row", name=site.kind)
    expect(line).to_contain_text("same data")
    expect(tab.get_by_role("row", name=elsewhere.name)).not_to_contain_text("same data")
    expect(tab.get_by_role("checkbox", name=site.failed)).to_have_count(0)  # no row of it is judged
    tab.get_by_label("Search by name").fill("kind")
    tab.get_by_role("button", name="Search").click()
    expect(tab.get_by_role("row", name=elsewhere.name)).to_have_count(0)
    tab.get_by_role("checkbox", name=site.kind).check()
    tab.get_by_role("button", name="Compare", exact=True).click()
    expect(tab.locator("#paired tbody th")).to_have_text(f"{site.kind} − {site.strict}")
    tab.get_by_label("Baseline").select_option(site.kind)
    expect(tab.locator("#paired tbody th")).to_have_text(f"{site.strict} − {site.kind}")


@pytest.mark.thorough
def test_what_cannot_be_compared_says_why_within_the_page(tab: Page, site: Site, elsewhere: Job) -> None:
    tab.goto(page_of(site, site.strict, elsewhere.name))
    alert = tab.get_by_role("alert")
    expect(alert).to_contain_text("have no rows in common")
    expect(tab.locator("#scores tbody tr")).to_have_count(2)  # each by itself can still be looked at
    expect(tab.get_by_role("region", name="Settings that differ")).to_contain_text("compare-other")
    tab.goto(page_of(site, site.strict, "no-such-job"))
    expect(alert).to_contain_text("There is no evaluation 'no-such-job'")
    expect(tab.get_by_role("checkbox", name=site.kind)).to_be_visible()


@pytest.mark.thorough
def test_three_are_each_held_against_the_baseline(tab: Page, site: Site, generous: Job) -> None:
    found = site.assay().evaluator.compare([site.strict, site.kind, generous], baseline=generous.name)
    tab.goto(page_of(site, site.strict, site.kind, generous.name, more=f"&baseline={generous.name}"))
    lines = tab.locator("#paired tbody tr")
    expect(lines.locator("th")).to_have_text([f"{each.second} − {each.first}" for each in found.differences])
    holm = [each.p_holm for each in found.differences]
    expected = ["–" if p is None else "< 0.001" if p < 0.001 else f"{p:.2g}" for p in holm]
    assert [line.locator("td").last.inner_text() for line in lines.all()] == expected
