"""A job's rows as a file: all of them, in their order, as they are, and safe to open."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from assay.jobs import exports
from assay.jobs.columns import Columns
from assay.jobs.models import Job, RowScore, Shard
from assay.jobs.packing import pack
from assay.jobs.stored import to_batch, to_stored
from assay.workspaces.models import Workspace
from assay_sdk.engine.result import RowScore as Judged
from tests.jobs.sharded import ROWS, land, sharded_job

pytestmark = pytest.mark.django_db
ADDRESS = "/apis/evaluator/v2/workspaces/w-one/evaluate/jobs/j-one"
COLUMNS = [
    "row_index",
    "item.prompt",
    "item.response",
    "item.n",
    "sample.output_text",
    *(f"llm-judge.helpfulness{part}" for part in ("", ".state", ".reason")),
    *(f"llm-judge.tone{part}" for part in ("", ".label", ".state", ".reason")),
    *(f"bleu.sentence{part}" for part in ("", ".state", ".reason")),
    "tokens_in",
    "tokens_out",
    "error",
]


def download(client: APIClient, form: str) -> bytes:
    reply = client.get(f"{ADDRESS}/export", {"format": form})
    assert reply.status_code == 200, reply.content
    assert reply["Content-Disposition"] == f'attachment; filename="j-one.{form}"'
    return b"".join(reply.streaming_content)


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def parquet_rows(content: bytes) -> list[dict[str, Any]]:
    table = read_parquet(content).read_all()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def packed(job: Job, *indexes: int) -> Job:
    for shard in job.shards.filter(index__in=indexes).select_related("job__workspace"):
        pack(shard)
    return job


def with_items(workspace: Workspace, items: list[dict[str, Any]]) -> Job:
    """Return a job whose rows, packed but for the last one, hold these items."""
    job = sharded_job(workspace, landed=[])
    last = len(items) - 1
    Shard.objects.filter(job=job).delete()
    for index, span in enumerate((range(last), range(last, last + 1))):
        shard = Shard.objects.create(job=job, index=index, start=span.start, stop=span.stop, state="done")
        rows = [Judged(place, items[place], {}, {}) for place in span]
        batch = to_batch(shard, rows)
        batch.save()
        RowScore.objects.bulk_create(to_stored(job, row, batch) for row in rows)
    return packed(job, 0)


@pytest.mark.parametrize("shards", [(), (1,), (0, 1, 2)], ids=["in batches", "packed in part", "packed"])
def test_every_form_holds_every_row_in_order(client: APIClient, workspace: Workspace, shards: tuple[int, ...]) -> None:
    packed(sharded_job(workspace), *shards)
    whole = [json.loads(line) for line in download(client, "jsonl").splitlines()]
    assert [row["row_index"] for row in whole] == list(range(ROWS))
    assert whole[5] == client.get(f"{ADDRESS}/rows/5").json()
    table, typed = csv_rows(download(client, "csv")), parquet_rows(download(client, "parquet"))
    assert list(table[0]) == list(typed[0]) == COLUMNS
    assert [int(row["row_index"]) for row in table] == [row["row_index"] for row in typed] == list(range(ROWS))
    row = typed[5]
    assert (row["llm-judge.helpfulness"], row["llm-judge.tone"], row["llm-judge.tone.label"]) == (0.5, 1.0, "good")
    assert (row["item.n"], row["tokens_in"], row["tokens_out"], row["error"]) == (1.25, 10, 5, None)
    assert row["llm-judge.tone.state"] == "scored" and row["sample.output_text"] is None
    assert table[5] == {name: "" if cell is None else str(cell) for name, cell in row.items()}
    failed = typed[3]
    assert (failed["llm-judge.tone"], failed["llm-judge.tone.label"]) == (None, None)
    assert (failed["llm-judge.tone.state"], failed["llm-judge.tone.reason"]) == ("transport", "no reply")
    assert (failed["tokens_in"], failed["error"]) == (None, "Row 3: no reply")


def test_an_export_of_a_running_job_is_of_the_rows_that_were_there(workspace: Workspace) -> None:
    job = sharded_job(workspace, landed=range(14))
    packed(job, 0)
    pieces = exports.csv_pieces(job)
    head = next(pieces)
    land(job, range(14, ROWS))
    assert len(csv_rows(head + b"".join(pieces))) == 14
    assert len(csv_rows(b"".join(exports.csv_pieces(job)))) == ROWS


def test_a_csv_runs_nothing_in_a_spreadsheet(client: APIClient, workspace: Workspace) -> None:
    evil = ["=1+1", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "＠A"]
    evil += ["－1", "'=1", "''-1"]
    fine = ["plain", "", "-5", "+1.5e3", "a=b", 'with "quotes", commas\nand lines', "ünï"]
    items = [{"=cell": cell, "n": -number} for number, cell in enumerate(evil + fine)]
    with_items(workspace, items)
    rows = csv_rows(download(client, "csv"))
    assert [row["item.=cell"] for row in rows] == [f"'{cell}" for cell in evil] + fine
    assert [row["item.n"] for row in rows] == [str(-number) for number in range(len(items))]
    assert [row["item.=cell"] for row in parquet_rows(download(client, "parquet"))] == evil + fine


def test_columns_have_the_types_of_their_cells(client: APIClient, workspace: Workspace) -> None:
    items: list[dict[str, Any]] = [
        {"int": 1, "big": 2**60, "float": 1, "mixed": 1, "truth": True, "nested": {"a": [1]}, "none": None},
        {"int": None, "big": 1, "float": 0.5, "mixed": "one", "truth": False, "nested": [2], "late": 2**64 - 1},
        {"int": -2, "float": 2.0, "mixed": None, "precise": 2**60},
        {"int": 3, "row_index": "mine", "precise": 0.5, "emoji 💥": "x"},
    ]
    with_items(workspace, items)
    first, second, third, last = parquet_rows(download(client, "parquet"))
    assert (first["item.int"], second["item.int"], first["item.big"], second["item.big"]) == (1, None, 2**60, 1)
    assert (first["item.float"], second["item.float"]) == (1.0, 0.5)
    assert (first["item.mixed"], second["item.mixed"]) == ("1", "one")
    assert (first["item.truth"], second["item.truth"], third["item.truth"]) == (True, False, None)
    assert (first["item.nested"], second["item.nested"]) == ('{"a":[1]}', "[2]")
    assert (first["item.none"], second["item.late"]) == (None, str(2**64 - 1))
    assert (third["item.precise"], last["item.precise"]) == (str(2**60), "0.5")
    assert (last["item.row_index"], last["item.emoji 💥"], last["row_index"]) == ("mine", "x", 3)
    assert csv_rows(download(client, "csv"))[0]["item.truth"] == "true"


def test_columns_of_one_name_are_told_apart(client: APIClient, workspace: Workspace) -> None:
    job = with_items(workspace, [{"score": 1}, {"score": 2}])
    job.metrics = [{**job.metrics[0], "scores": [{"name": "output_text", "minimum": 0, "maximum": 4}]}]
    Job.objects.filter(pk=job.pk).update(metrics=[{**job.metrics[0]}])
    names = list(csv_rows(download(client, "csv"))[0])
    assert len(names) == len(set(names))


def test_a_job_without_rows(client: APIClient, workspace: Workspace) -> None:
    sharded_job(workspace, landed=[])
    assert download(client, "jsonl") == b""
    assert download(client, "csv").decode().count("\n") == 1
    assert parquet_rows(download(client, "parquet")) == []


def test_what_is_not_there(client: APIClient, workspace: Workspace) -> None:
    assert client.get(f"{ADDRESS}/export").status_code == 404
    sharded_job(workspace)
    assert client.get(f"{ADDRESS}/export", {"format": "xlsx"}).status_code == 422


def test_the_command_writes_the_same_file(client: APIClient, workspace: Workspace, tmp_path: Path) -> None:
    packed(sharded_job(workspace), 0)
    for form in exports.Format:
        out = tmp_path / f"rows.{form}"
        call_command("export", "w-one", "j-one", format=str(form), out=out)
        assert out.read_bytes() == download(client, str(form))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.jsonl", "rows.parquet"]
    with pytest.raises(CommandError, match="Job 'j-two' not found"):
        call_command("export", "w-one", "j-two", out=tmp_path / "none")


def test_kinds_survive_being_kept() -> None:
    seen = Columns()
    seen.see({"a": 1, "b": None})
    seen.see({"b": "x", "c": [1]})
    kept = Columns(seen.to_json())
    kept.see({"a": 0.5})
    assert kept.to_json() == {"a": "fi", "b": "s", "c": "j"}
