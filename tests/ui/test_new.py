"""A new evaluation, made in the browser: data, judge, prompt, scores; tried, submitted, copied, and as code."""

import io
import json
import re
import shutil
import subprocess
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from assay.filesets import local
from assay.jobs.models import Job, Usage
from assay.workspaces.models import Workspace
from assay_sdk import Assay, HuggingfaceStorage
from tests.accounts.signing_in import person
from tests.things import make_fileset, make_job
from tests.ui.seated import pages_of
from tests.ui.seeds import MODEL, STRICT, Site
from tests.ui.seeing import axe

NEW = "/admin/evaluations/new/"
JOBS = "/apis/evaluator/v2/workspaces/demo/evaluate/jobs"
HOSTILE = '<script>document.title = "taken"</script><img src=x>'


def open_on(tab: Page, site: Site) -> None:
    tab.goto(f"{NEW}?fileset={site.workspace}/{site.fileset}&file={site.file}")
    expect(tab.get_by_role("cell", name="What should I know about rivers? (0)")).to_be_visible()


def fill_judge(tab: Page, site: Site) -> None:
    tab.get_by_label("Address").fill(site.judge_url)
    tab.get_by_label("Model", exact=True).fill(MODEL)
    tab.get_by_label("Secret with its API key").select_option("judge-key")


def fill_score(tab: Page) -> None:
    tab.get_by_role("group", name="Score").get_by_label("Name").fill("helpfulness")
    tab.get_by_label("Lowest").fill("0")
    tab.get_by_label("Highest").fill("4")


def test_an_evaluation_is_made_by_hand(tab: Page, site: Site) -> None:
    tab.goto(f"{NEW}?workspace={site.workspace}")
    tab.get_by_label("Fileset").select_option(f"{site.workspace}/{site.fileset}")
    tab.get_by_label("File", exact=True).select_option(site.file)
    expect(tab.get_by_role("cell", name="a-4", exact=True)).to_be_visible()
    fill_judge(tab, site)
    tab.get_by_label("System prompt").fill("Rate it strictly. Reply with JSON only.")
    user = tab.get_by_label("User prompt")
    user.click()
    user.press_sequentially("Question: {{")
    listed = tab.get_by_role("listbox", name="Columns").get_by_role("option")
    expect(listed).to_have_text(["id", "prompt", "response", "helpfulness"])
    assert axe(tab) == []
    user.press("ArrowUp")
    expect(listed.last).to_have_attribute("aria-selected", "true")
    user.press("Escape")
    expect(tab.get_by_role("listbox", name="Columns")).to_be_hidden()
    user.press_sequentially("pro")
    user.press("Enter")
    expect(user).to_have_value("Question: {{item.prompt}}")
    user.press_sequentially("\n\nAnswer: ")
    tab.get_by_role("button", name="response", exact=True).click()
    expect(user).to_have_value("Question: {{item.prompt}}\n\nAnswer: {{item.response}}")
    tab.get_by_label("Row", exact=True).fill("2")
    expect(tab.get_by_text("Answer: Point 0 about bicycles")).to_be_visible()

    fill_score(tab)
    tab.get_by_role("button", name="Add a score").click()
    tone = tab.get_by_role("group", name="Score").nth(1)
    tone.get_by_label("Name").fill("tone")
    tone.get_by_label("Scale").select_option("A rubric of labels")
    tone.get_by_role("button", name="Add a label").click()
    for row, (label, value) in enumerate([("rude", "0"), ("plain", "0.5"), ("kind", "1")]):
        tone.get_by_label("Label", exact=True).nth(row).fill(label)
        tone.get_by_label("Value").nth(row).fill(value)
    tone.get_by_role("button", name="Remove this label").nth(1).click()
    tab.get_by_role("button", name="Add a score").click()
    tab.get_by_role("button", name="Remove this score").nth(2).click()
    expect(tab.locator("#outlook")).to_contain_text("Its name will be helpfulness-answers.")
    expect(tab.locator("#outlook")).to_contain_text(re.compile(r"Rows\s*40\s*Calls of the judge\s*40"))

    tab.get_by_role("button", name="Try on 3 rows").click()
    tried = tab.get_by_role("article", name="Row 2")
    expect(tried.get_by_text('{"helpfulness":')).to_be_visible()
    expect(tried).to_contain_text(re.compile(r"helpfulness: \d.*tone: \d"))
    tried.get_by_text("The request as it was sent").click()
    expect(tried).to_contain_text(f"POST {site.judge_url}/chat/completions")
    expect(tried).to_contain_text("Rate it strictly. Reply with JSON only.")
    assert "not-needed-by-the-stand-in" not in tab.content()
    assert axe(tab) == []

    tab.get_by_role("button", name="Submit the evaluation").click()
    tab.wait_for_url(f"**/admin/evaluations/{site.workspace}/helpfulness-answers/")
    job = site.assay().jobs.retrieve("helpfulness-answers").wait(timeout=60)
    rows = list(job.rows())
    assert len(rows) == 40 and all(row.scored for row in rows)
    assert {score.label for row in rows for score in row.metrics["llm-judge"] if score.name == "tone"} <= {
        "rude",
        "kind",
    }


@pytest.mark.thorough
def test_a_copy_keeps_prompt_and_scores_and_says_what_it_cannot(tab: Page, site: Site) -> None:
    tab.goto(f"{NEW}?from={site.workspace}/{site.strict}")
    expect(tab.get_by_label("System prompt")).to_have_value(STRICT)
    expect(tab.get_by_label("User prompt")).to_have_value(re.compile(r"\{\{item\.response\}\}"))
    expect(tab.get_by_role("group", name="Score").get_by_label("Name")).to_have_value("helpfulness")
    expect(tab.get_by_label("Highest")).to_have_value("4")
    expect(tab.get_by_label("Address")).to_have_value(f"{site.judge_url}/chat/completions")
    expect(tab.get_by_label("Secret with its API key")).to_have_value("judge-key")
    expect(tab.get_by_label("File", exact=True)).to_have_value(site.file)
    assert axe(tab) == []
    inline = site.assay().evaluator.submit(site.judge(), [{"prompt": "a", "response": "b"}], name="with-its-rows")
    tab.goto(f"{NEW}?from={site.workspace}/{inline.name}")
    expect(tab.get_by_text("Its rows came with the request.")).to_be_visible()
    expect(tab.get_by_label("System prompt")).to_have_value(STRICT)
    tab.get_by_text("Its spec as it was submitted").click()
    expect(tab.locator("#cloned-spec")).to_contain_text('"bundle_kind": "metric-bundle"')


def test_mistakes_are_told_where_they_are(tab: Page, site: Site) -> None:
    open_on(tab, site)
    fill_judge(tab, site)
    tab.get_by_label("User prompt").fill("Look at this:\n{{item.respons}}")
    expect(tab.get_by_text("User prompt, line 2:")).to_be_visible()
    expect(tab.get_by_text("Did you mean 'response'?")).to_be_visible()
    tab.get_by_label("User prompt").fill("{{item.response")
    expect(tab.get_by_text("The template does not compile")).to_be_visible()
    tab.get_by_label("Lowest").fill("none")
    tab.get_by_role("group", name="Score").get_by_label("Name").fill("Not A Name")
    tab.get_by_role("button", name="Submit the evaluation").click()
    expect(tab.get_by_text("It was not submitted:")).to_be_visible()
    expect(tab.get_by_label("Lowest")).to_have_accessible_description("Give a number.")
    expect(tab.get_by_label("User prompt")).to_have_value("{{item.response")
    assert axe(tab) == []
    tab.get_by_role("alert").get_by_role("link", name="Score 1, name").click()
    expect(tab.get_by_role("group", name="Score").get_by_label("Name")).to_be_focused()

    fill_score(tab)
    tab.get_by_label("User prompt").fill("{{item.response}}")
    tab.get_by_label("Address").fill("http://127.0.0.1:9/v1")
    tab.get_by_role("button", name="Try on 3 rows").click()
    expect(tab.get_by_text("refuses connections").first).to_be_visible()
    # A name that is taken is found out by the verb that makes the job.
    tab.get_by_label("Name (optional)").fill(site.strict)
    tab.get_by_role("button", name="Submit the evaluation").click()
    expect(tab.get_by_label("Name (optional)")).to_have_accessible_description(re.compile("already exists"))


@pytest.mark.thorough
def test_the_same_as_code_makes_the_same_job(tab: Page, site: Site) -> None:
    open_on(tab, site)
    fill_judge(tab, site)
    fill_score(tab)
    tab.get_by_label("User prompt").fill('Is it "good"?\n\n{{item.response}}\n')
    tab.get_by_text("Limits, cache and further settings").click()
    tab.get_by_label("Most rows").fill("3")
    tab.get_by_label("Pause after so many tokens").fill("100000")
    sdk, rest = tab.locator("#sdk-code"), tab.locator("#rest-code")
    tab.get_by_label("Name (optional)").fill("by-rest")
    tab.get_by_label("Rows at once").fill("2")
    tab.get_by_label("Rows at once").blur()
    expect(rest).to_contain_text('"name": "by-rest"')
    expect(sdk).to_contain_text("parallelism=2")
    assert axe(tab) == []
    body = json.loads(rest.inner_text().partition("<<'JSON'\n")[2].rpartition("\nJSON")[0])
    if shutil.which("curl"):
        made = subprocess.run(["bash", "-c", rest.inner_text()], capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stdout + made.stderr
        assert json.loads(made.stdout)["spec"] == body["spec"]
    else:
        assert httpx.post(site.url + JOBS, json=body).status_code == 201
    exec(sdk.inner_text().replace("by-rest", "by-sdk"), {})
    assay = site.assay()
    for name in ("by-rest", "by-sdk"):
        rows = list(assay.jobs.retrieve(name).wait(timeout=60).rows())
        assert len(rows) == 3 and all(row.scored for row in rows), name
    read = [httpx.get(f"{site.url}{JOBS}/{name}").json() for name in ("by-rest", "by-sdk")]
    assert read[0]["spec"] == read[1]["spec"]
    assert read[0]["custom_fields"] == read[1]["custom_fields"] == {"assay": {"budget": {"tokens": 100000}}}


@pytest.mark.thorough
def test_data_of_every_kind_is_shown_inert_and_counted_no_further_than_is_quick(tab: Page, site: Site) -> None:
    site.assay().workspaces.create("data-room")
    files = Assay(site.url, workspace="data-room").files
    files.filesets.create("odd")
    line = json.dumps({"a b": HOSTILE, "meta": {"lang": "en"}, "long": "x" * 900})
    files.upload("odd", line.encode(), path="odd.jsonl")
    files.upload("odd", b'{"a": 1}\n{"a": \n', path="broken.jsonl")
    files.upload("odd", ("n\n" + "1\n" * 600_000).encode(), path="many.csv")
    hub = HuggingfaceStorage(repo_id=f"{site.workspace}/{site.fileset}", endpoint=f"{site.url}/v1/hf")
    files.filesets.create("from-hub", storage=hub)

    tab.goto(f"{NEW}?fileset=data-room/odd&file={quote('odd.jsonl')}")
    expect(tab.get_by_role("cell", name=HOSTILE)).to_be_visible()
    expect(tab.get_by_text("(400 more characters)")).to_be_attached()
    assert tab.title() == "New evaluation · Assay"
    for column, inserted in (("a b", '{{item["a b"]}}'), ("meta.lang", "{{item.meta.lang}}")):
        tab.get_by_label("User prompt").fill("")
        tab.get_by_role("button", name=column, exact=True).click()
        expect(tab.get_by_label("User prompt")).to_have_value(inserted)
    expect(tab.locator("#rendered")).to_contain_text("en")
    tab.get_by_label("File", exact=True).select_option("broken.jsonl")
    expect(tab.get_by_text(re.compile(r"broken\.jsonl, line 2"))).to_be_visible()
    tab.get_by_label("File", exact=True).select_option("many.csv")
    expect(tab.locator("#outlook")).to_contain_text("at least")
    tab.get_by_role("button", name="Count them all").click()
    expect(tab.locator("#outlook")).to_contain_text("600,000")
    expect(tab.locator("#outlook")).not_to_contain_text("at least")
    tab.get_by_label("Fileset").select_option("from-hub (from a hub)")
    expect(tab.get_by_role("cell", name="a-3", exact=True)).to_be_visible()
    tab.get_by_label("Workspace").select_option("default")
    expect(tab.get_by_text("There is no data in this workspace yet")).to_be_visible()
    expect(tab.get_by_text("Choose data above, and its columns can be inserted here.")).to_be_visible()


@pytest.mark.django_db
def test_only_who_may_write_makes_one(settings: Any) -> None:
    settings.AUTH = True
    reader = pages_of("reader", "demo", "Viewer")
    addresses = [NEW, *(f"/admin/new-evaluation/{part}/" for part in ("prompt", "forecast", "code", "trial"))]
    assert {reader.post(address, {"workspace": "demo"}).status_code for address in addresses} == {403}
    assert reader.get(NEW).status_code == reader.get("/admin/new-evaluation/data/").status_code == 403
    assert Client(HTTP_HOST="localhost").get(NEW).status_code == 302


@pytest.mark.django_db
def test_one_is_made_and_tried_where_one_may_write(settings: Any, tmp_path: object) -> None:
    settings.AUTH, settings.DATA_DIR = True, tmp_path
    person("mixed", "mine", "Editor")
    browser = pages_of("mixed", "theirs", "Viewer")
    theirs = Workspace.objects.get(name="theirs")
    local.put(make_fileset(theirs), "a.csv", io.BytesIO(b"a\n1\n"))
    form = {
        "workspace": "theirs", "fileset": "theirs/data", "file": "a.csv", "url": "http://127.0.0.1:9/v1", "model": "m",
        "user": "Rate {{item.a}}", "score-0-name": "s", "score-0-kind": "range", "score-0-min": "0",
        "score-0-max": "4",
    }  # fmt: skip
    offered = browser.get(f"{NEW}?workspace=theirs&fileset=theirs/data").content.decode()
    assert ">mine</option>" in offered and ">theirs</option>" not in offered
    refused = browser.post("/admin/new-evaluation/trial/", form)
    assert refused.status_code == 403 and "Your role does not allow" in refused.content.decode()
    assert browser.post(NEW, form).status_code == 403 and not Job.objects.exists()
    made = browser.post(NEW, {**form, "workspace": "mine"})
    assert made.status_code == 302 and Job.objects.get().created_by == "mixed"


@pytest.mark.django_db
def test_judges_that_others_asked_are_not_offered(settings: Any) -> None:
    settings.AUTH = True
    job = make_job(Workspace.objects.create(name="hidden"))
    Usage.objects.create(job=job, model="their-model", address="http://their.example/v1")
    browser = pages_of("ann", "mine", "Editor")
    for address in (NEW, "/admin/new-evaluation/data/"):
        assert "their" not in browser.get(f"{address}?workspace=hidden").content.decode()
    again = browser.post(NEW, {"workspace": "hidden"})
    assert again.status_code == 422 and "their" not in again.content.decode()
