"""Datasets on our Hub as one version of ``datasets``, and pandas beside it, read them, against a running platform.

``HF_ENDPOINT`` is in the environment: these libraries take the Hub's address from nowhere else.
Exit status 0 only if no step failed; ``steps.py`` says what it prints.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import fsspec
import pandas
from datasets import load_dataset
from huggingface_hub import HfApi
from steps import Step, arguments, expect, expect_equal, take

PUSH = "import sys; from datasets import Dataset; Dataset.from_json(sys.argv[1]).push_to_hub(sys.argv[2])"


@dataclass
class Shelf:
    """The rows, and the two repositories that hold them in several forms."""

    namespace: str
    rows: list[dict[str, Any]]
    folder: Path
    few: int = 7

    @property
    def lines(self) -> str:
        """A repository of JSON lines with two splits, told from their names."""
        return f"{self.namespace}/lines"

    @property
    def tables(self) -> str:
        return f"{self.namespace}/tables"

    @property
    def pushed(self) -> str:
        return f"{self.namespace}/pushed"


def upload(shelf: Shelf) -> None:
    api, folder = HfApi(), shelf.folder / "up"
    (folder / "lines").mkdir(parents=True)
    (folder / "tables" / "data").mkdir(parents=True)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in shelf.rows]
    (folder / "lines" / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "lines" / "validation.jsonl.gz").write_bytes(gzip.compress("".join(lines[: shelf.few]).encode()))
    (folder / "lines" / "README.md").write_text("---\nlicense: mit\n---\n# Rows\n", encoding="utf-8")
    frame = pandas.DataFrame(shelf.rows)
    frame.to_csv(folder / "tables" / "data" / "rows #1.csv", index=False)
    frame.to_parquet(folder / "tables" / "data" / "rows.parquet")
    for repo in (shelf.lines, shelf.tables):
        api.create_repo(repo, repo_type="dataset")
        api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder / repo.split("/")[1])
    api.create_branch(shelf.lines, repo_type="dataset", branch="dev/x")
    one = {"path_in_repo": "train.jsonl", "path_or_fileobj": lines[0].encode(), "revision": "dev/x"}
    api.upload_file(**one, repo_id=shelf.lines, repo_type="dataset")


def load_plain(shelf: Shelf) -> dict[str, Any]:
    loaded = load_dataset(shelf.lines)
    expect_equal(set(loaded), {"train", "validation"}, "splits")
    expect_equal(loaded["train"].to_list(), shelf.rows, "rows of train")
    expect_equal(loaded["validation"].to_list(), shelf.rows[: shelf.few], "rows of validation")
    expect_equal(load_dataset(shelf.lines, revision="dev/x", split="train").to_list(), shelf.rows[:1], "rows by branch")
    return {"rows": len(loaded["train"])}


def load_data_files(shelf: Shelf) -> None:
    root = f"hf://datasets/{shelf.tables}/data"
    of_lines = f"hf://datasets/{shelf.lines}/validation.jsonl.gz"
    for kind, url, wanted in (
        ("json", of_lines, shelf.rows[: shelf.few]),
        ("parquet", f"{root}/rows.parquet", shelf.rows),
        ("parquet", f"{root}/*.parquet", shelf.rows),
    ):
        expect_equal(load_dataset(kind, data_files=url, split="train").to_list(), wanted, f"rows of {url}")
    by_name = load_dataset(shelf.lines, data_files={"test": "train.jsonl"})
    expect_equal(by_name["test"].to_list(), shelf.rows, "rows of a file named within its repository")
    table = load_dataset("csv", data_files=f"{root}/rows #1.csv", split="train")
    expect_equal([row["prompt"] for row in table], [row["prompt"] for row in shelf.rows], "prompts of the table")


def stream(shelf: Shelf) -> None:
    streamed = load_dataset(shelf.lines, streaming=True)
    expect_equal(list(streamed["train"]), shelf.rows, "rows streamed")
    expect_equal(list(streamed["validation"].skip(2).take(3)), shelf.rows[2:5], "rows streamed in part")
    by_url = f"hf://datasets/{shelf.tables}/data/rows.parquet"
    streamed_table = load_dataset("parquet", data_files=by_url, split="train", streaming=True)
    expect_equal(list(streamed_table), shelf.rows, "rows of Parquet streamed")


def read_with_pandas(shelf: Shelf) -> dict[str, Any]:
    root = f"hf://datasets/{shelf.tables}/data"
    lines = pandas.read_json(f"hf://datasets/{shelf.lines}/train.jsonl", lines=True)
    expect_equal(lines.to_dict("records"), shelf.rows, "rows of read_json")
    packed = pandas.read_json(f"hf://datasets/{shelf.lines}/validation.jsonl.gz", lines=True)
    expect_equal(packed.to_dict("records"), shelf.rows[: shelf.few], "rows of a packed file")
    table = pandas.read_csv(f"{root}/rows #1.csv", keep_default_na=False)
    expect_equal(table.to_dict("records"), shelf.rows, "rows of read_csv")
    expect_equal(pandas.read_parquet(f"{root}/rows.parquet").to_dict("records"), shelf.rows, "rows of read_parquet")
    table.to_csv(f"{root}/written.csv", index=False)
    again = pandas.read_csv(f"{root}/written.csv", keep_default_na=False)
    expect_equal(again.to_dict("records"), shelf.rows, "rows of a table written by pandas")
    return {"pandas": pandas.__version__, "fsspec": fsspec.__version__}


def push_dataset(shelf: Shelf) -> None:
    """In a process of its own: newer versions need ``HF_HUB_DISABLE_XET`` for it, before they are imported."""
    local = shelf.folder / "up" / "lines" / "train.jsonl"
    settings = {**os.environ, "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", PUSH, str(local), shelf.pushed]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=100)
    expect(done.returncode == 0, f"push_to_hub: {done.stderr[-1500:]}")
    expect_equal(load_dataset(shelf.pushed, split="train").to_list(), shelf.rows, "rows pushed")


def tidy(shelf: Shelf) -> None:
    api = HfApi()
    for repo in (shelf.lines, shelf.tables, shelf.pushed):
        api.delete_repo(repo, repo_type="dataset", missing_ok=True)
    expect_equal(list(api.list_datasets(author=shelf.namespace)), [], "datasets left")


def plan() -> Iterator[tuple[Step, tuple[Step, ...]]]:
    yield upload, ()
    for load in (load_plain, load_data_files, stream):
        yield load, (upload,)
    if datasets.__version__ > "4":  # before that, its pin of fsspec is too old for hf:// outside of it
        yield read_with_pandas, (upload,)
    yield push_dataset, (upload,)
    yield tidy, (upload,)


def main() -> int:
    asked = arguments(__doc__)
    rows = [json.loads(line) for line in asked.dataset.read_text(encoding="utf-8").splitlines()]
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        return take(plan(), Shelf(asked.workspace, rows, Path(folder)), secret=os.environ["HF_TOKEN"])


if __name__ == "__main__":
    sys.exit(main())
