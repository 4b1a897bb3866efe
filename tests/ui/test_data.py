"""Filesets, secrets and workspaces in a browser: what people do with them, and what no page may show."""

import gzip
import io
import json
import re

import httpx
import pytest
from arro3.core import Array, DataType, Table
from arro3.io import write_parquet
from playwright.sync_api import Page, expect

from assay_sdk import Assay
from tests.ui.seeds import Site, answers

CSV = "question,score\nWhat is rain?,3\nWhat is snow?,\n"
INERT = "<img src=x onerror=\"document.title='broken'\"><b>bold</b>"


@pytest.fixture(scope="module")
def assay(site: Site) -> Assay:
    """A workspace of this file's own."""
    Assay(site.url).workspaces.create("data-team", description="Tests of the pages about data")
    return Assay(site.url, workspace="data-team")


def dropped(tab: Page, name: str, content: str) -> None:
    """Let a file fall onto the upload box."""
    script = "([name, text]) => { const d = new DataTransfer(); d.items.add(new File([text], name)); return d; }"
    transfer = tab.evaluate_handle(script, [name, content])
    tab.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def chosen(tab: Page, *files: tuple[str, str]) -> None:
    """Choose files by the button."""
    given = [{"name": name, "mimeType": "text/csv", "buffer": content.encode()} for name, content in files]
    tab.get_by_label("choose them").set_input_files(given)


def row(tab: Page, text: str) -> str:
    return re.sub(r"\s+", " ", tab.get_by_role("row").filter(has_text=text).first.inner_text()).strip()


def test_files_are_uploaded_replaced_looked_at_and_deleted(tab: Page, assay: Assay) -> None:
    tab.goto("/admin/filesets/?workspace=data-team")
    tab.get_by_role("link", name="New fileset").click()
    tab.get_by_label("Name").fill("Not A Name")
    tab.get_by_role("button", name="Make the fileset").click()
    expect(tab.get_by_text("2 to 63 lowercase letters")).to_be_visible()
    tab.get_by_label("Name").fill("rain")
    tab.get_by_role("button", name="Make the fileset").click()
    expect(tab.get_by_role("heading", name="No files yet")).to_be_visible()

    with tab.expect_file_chooser() as chooser:  # by keyboard, too
        tab.get_by_label("choose them").focus()
        tab.keyboard.press("Enter")
    assert chooser.value.is_multiple()
    chosen(tab, ("rain.csv", CSV), ("more.csv", CSV))
    expect(tab.get_by_role("link", name="rain.csv", exact=True)).to_be_visible()
    expect(tab.get_by_role("link", name="more.csv", exact=True)).to_be_visible()
    assert tab.get_by_role("progressbar", name="Upload of rain.csv").evaluate("bar => bar.value / bar.max") == 1
    tab.get_by_label("into the folder").fill("train/")
    dropped(tab, "dropped.csv", CSV)
    expect(tab.get_by_role("link", name="train/dropped.csv", exact=True)).to_be_visible()

    tab.get_by_label("into the folder").fill("rain.csv")
    dropped(tab, "below.csv", CSV)
    uploads = tab.get_by_role("list", name="Uploads")
    expect(uploads.get_by_text("leads through 'rain.csv', which is a file")).to_be_visible()
    tab.get_by_label("into the folder").fill("")

    dropped(tab, "rain.csv", CSV + "What is hail?,1\n")
    uploads.get_by_role("button", name="Replace rain.csv").click()
    expect(tab.get_by_role("status").filter(has_text="rain.csv is uploaded.")).to_be_attached()
    assert assay.files.read("rain", "rain.csv").decode().endswith("hail?,1\n")

    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("table").get_by_role("button", name="Replace rain.csv").click()
    assert not chooser.value.is_multiple()
    chooser.value.set_files({"name": "other.csv", "mimeType": "text/csv", "buffer": (CSV + "Fog?,2\n").encode()})
    expect(uploads.get_by_text("uploaded", exact=True)).to_have_count(5)
    assert assay.files.read("rain", "rain.csv").decode().endswith("Fog?,2\n")

    tab.on("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("row").filter(has_text="more.csv").get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("link", name="more.csv", exact=True)).to_have_count(0)
    assert [file.path for file in assay.files.list("rain")] == ["rain.csv", "train/dropped.csv"]

    evaluate = tab.get_by_role("link", name="Evaluate rain.csv", exact=True)
    expect(evaluate).to_have_attribute("href", "/admin/evaluations/new/?fileset=data-team/rain&file=rain.csv")
    tab.get_by_role("link", name="rain.csv", exact=True).click()
    assert row(tab, "Fog?") == "Row 2 Fog? 2"
    assert row(tab, "whole number") == "score whole number 1 3"

    tab.goto("/admin/filesets/data-team/rain/history/")
    tab.get_by_role("table").get_by_role("link").last.click()
    expect(tab.get_by_role("heading", name="No files at this revision")).to_be_visible()


def test_rows_of_every_format_are_shown_and_nothing_in_them_runs(tab: Page, assay: Assay) -> None:
    assay.files.filesets.create("formats")
    table, out = Table.from_pydict({"n": Array(list(range(600)), DataType.int64())}), io.BytesIO()
    write_parquet(table, out)
    lines = b"".join(json.dumps({"html": INERT, "deep": {"n": n}}).encode() + b"\n" for n in range(30))
    for path, content in {
        "n.parquet": out.getvalue(),
        "lines.jsonl.gz": gzip.compress(lines),
        "broken.jsonl": b'{"a": 1}\n{"a": oops}\n',
        "damaged.parquet": b"PAR1 not really",
        "README.md": INERT.encode(),
    }.items():
        assay.files.upload("formats", content, path=path)

    def shown(path: str, more: str = "") -> None:
        tab.goto(f"/admin/filesets/data-team/formats/preview/?file={path}{more}")

    shown("n.parquet", "&from=575")
    assert row(tab, "Row 599") == "Row 599 599"
    expect(tab.get_by_role("link", name="Next")).to_have_count(0)
    tab.get_by_role("link", name="Previous").click()
    assert row(tab, "Row 574") == "Row 574 574"
    shown("lines.jsonl.gz")
    expect(tab.get_by_role("cell", name=INERT).first).to_be_visible()
    assert tab.locator("#content :is(b, img)").count() == 0
    tab.get_by_role("link", name="Row 24").click()
    tab.get_by_role("link", name="Next row").click()
    expect(tab.get_by_role("heading", name="Row 25")).to_be_visible()
    expect(tab.get_by_text('{"n": 25}')).to_be_visible()
    shown("broken.jsonl")
    assert row(tab, "Row 0") == "Row 0 1"
    expect(tab.get_by_role("alert")).to_contain_text("line 2: the line is not JSON")
    shown("damaged.parquet")
    expect(tab.get_by_role("alert")).to_contain_text("This file cannot be read as rows.")
    shown("README.md")
    expect(tab.get_by_text(INERT)).to_be_visible()
    assert tab.title().startswith("README.md") and tab.locator("#content img").count() == 0


@pytest.mark.thorough
def test_a_fileset_is_registered_from_a_hub_and_refreshed(tab: Page, site: Site, assay: Assay) -> None:
    tab.goto("/admin/filesets/new/?from=hub&workspace=data-team")
    tab.get_by_label("Name").fill("from-hub")
    tab.get_by_label("Id", exact=True).fill("demo/no-such")
    tab.get_by_label("Endpoint").fill(f"{site.url}/v1/hf")
    tab.get_by_role("button", name="Register").click()
    expect(tab.get_by_role("alert")).to_contain_text("Invalid storage configuration: Not found for")
    expect(tab.get_by_label("Name")).to_have_value("from-hub")
    tab.get_by_label("Id", exact=True).fill(f"{site.workspace}/{site.fileset}")
    tab.get_by_role("button", name="Register").click()
    tab.get_by_role("link", name=site.file, exact=True).click()
    assert row(tab, "Row 0").startswith("Row 0 a-0 What should I know about rivers?")
    tab.goto("/admin/filesets/data-team/from-hub/")
    tab.get_by_role("button", name="Refresh").click()
    expect(tab.get_by_role("status").first).to_contain_text("Nothing new: still at")
    expect(tab.get_by_label("choose them")).to_have_count(0)


@pytest.mark.thorough
def test_what_is_used_is_not_deleted_and_its_users_are_named(tab: Page, site: Site, assay: Assay) -> None:
    assay.secrets.create("used-key", "not-needed")
    assay.files.filesets.create("used")
    assay.files.upload("used", answers(2).encode(), path="a.csv")
    metric = site.judge().model_copy(
        update={"model": site.judge().model.model_copy(update={"api_key_secret": "used-key"})}
    )
    assay.evaluator.submit(metric, "data-team/used#a.csv", name="user-of-it").wait(timeout=60)
    tab.goto("/admin/filesets/data-team/used/")
    tab.get_by_role("link", name="Delete", exact=True).click()
    users = tab.get_by_role("listitem").filter(has=tab.get_by_role("heading", name="evaluation"))
    expect(users.get_by_role("link", name="data-team/user-of-it")).to_be_visible()
    tab.get_by_role("link", name="Show everything that would go").click()
    expect(tab.get_by_text("1 evaluation would go")).to_be_visible()
    tab.get_by_label("to confirm").fill("something else")
    tab.get_by_role("button", name="Delete all of it").click()
    expect(tab.get_by_role("alert")).to_contain_text("Nothing was deleted")
    tab.goto("/admin/secrets/data-team/used-key/delete/")
    expect(tab.get_by_role("link", name="data-team/user-of-it")).to_be_visible()

    assay.files.filesets.create("unused")
    tab.goto("/admin/filesets/data-team/unused/delete/")
    tab.get_by_role("button", name="Delete fileset data-team/unused").click()
    expect(tab.get_by_role("status")).to_contain_text("Deleted fileset data-team/unused.")
    assert "unused" not in [each.name for each in assay.files.filesets.list()]


def test_the_value_of_a_secret_goes_in_and_never_out(tab: Page, site: Site, assay: Assay) -> None:
    first, second, pages = "sk-first-value-7f3a", "sk-second-value-91bc", []

    def said(text: str) -> None:
        expect(tab.get_by_role("status").first).to_contain_text(text)
        pages.append(tab.content())

    tab.goto("/admin/secrets/new/?workspace=data-team")
    tab.get_by_label("Name").fill("Bad Name")
    tab.get_by_label("Value").fill(first)
    expect(tab.get_by_label("Value")).to_have_attribute("type", "password")
    tab.get_by_role("button", name="Store the secret").click()
    expect(tab.get_by_text("type it again")).to_be_visible()
    expect(tab.get_by_label("Value")).to_have_value("")
    pages.append(tab.content())
    tab.get_by_label("Name").fill("provider-key")
    tab.get_by_label("Value").fill(first)
    tab.get_by_role("button", name="Store the secret").click()
    said("Stored secret data-team/provider-key, sealed.")
    tab.get_by_label("New value", exact=True).fill(f"{second} ")
    tab.get_by_role("button", name="Replace the value").click()
    said("It begins or ends with a space")
    tab.get_by_label("Description").fill("For the judge")
    tab.get_by_role("button", name="Save the description").click()
    said("Saved.")
    for page in ("secrets/?q=provider", "secrets/data-team/provider-key/delete/", "workspaces/data-team/delete/"):
        tab.goto(f"/admin/{page}")
        assert "provider-key" in tab.content()
        pages.append(tab.content())
    assert not [page for page in pages if first in page or second in page]
    kept = httpx.get(f"{site.url}/apis/secrets/v2/workspaces/data-team/secrets/provider-key/access").json()
    assert kept["value"] == f"{second} "


@pytest.mark.thorough
def test_a_workspace_tells_what_goes_before_it(tab: Page, site: Site, assay: Assay) -> None:
    tab.goto("/admin/workspaces/")
    tab.get_by_label("Name").fill(site.workspace)
    tab.get_by_role("button", name="Make the workspace").click()
    expect(tab.get_by_role("alert")).to_contain_text(f"Workspace '{site.workspace}' already exists")
    tab.get_by_label("Name").fill("short-lived")
    tab.get_by_role("button", name="Make the workspace").click()
    expect(tab.get_by_text("whoever reaches it may do everything here")).to_be_visible()
    tab.get_by_role("link", name="Delete").click()
    tab.get_by_role("button", name="Delete workspace short-lived").click()
    expect(tab.get_by_role("status").first).to_contain_text("Deleted workspace short-lived.")

    tab.goto(f"/admin/workspaces/{site.workspace}/delete/")
    steps = tab.locator("ol.steps h2").all_inner_texts()
    assert [re.sub(r"[\d,]+ |s$", "", step) for step in steps] == [
        "evaluation", "fileset", "secret", f"Then the workspace {site.workspace} itself",
    ]  # fmt: skip
    tab.goto("/admin/workspaces/default/delete/")
    expect(tab.get_by_text("belongs to the platform and cannot be deleted")).to_be_visible()
