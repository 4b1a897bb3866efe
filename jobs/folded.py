"""A shard's scores folded, as they are kept beside its rows: so a summary of any size is a merge of a few."""

import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from assay.jobs.columns import Columns
from assay.jobs.stored import from_stored
from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.spec import Metric

Stored = dict[str, list[list[Any]]]
"""The scores of a row by metric, as ``RowScore.scores`` has them."""
Buffer = bytes | memoryview


class Folding:
    """Folds rows one by one, and notes what their items hold."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.summary = Summary(metrics)
        self.columns = Columns()
        self.corpora: dict[str, list[list[list[Any]]]] = {key: [] for key in self.summary.corpora}
        """The scores of each row for a metric that scores all rows together: only it knows how these go together."""

    def add(self, index: int, scores: Stored, item: Mapping[str, Any]) -> None:
        """Take in one row."""
        self.summary.add(from_stored(index, scores))
        self.columns.see(item)
        for key, rows in self.corpora.items():
            if key in scores:
                rows.append(scores[key])

    def to_bytes(self) -> bytes:
        """Return everything as it is kept; floats come back as they were, to the last digit."""
        scores = {
            key: {
                name: {"values": list(score.values), "labels": score.labels, "states": score.states}
                for name, score in named.items()
            }
            for key, named in self.summary.scores.items()
        }
        kept = {
            "rows": self.summary.rows,
            "columns": self.columns.to_json(),
            "scores": scores,
            "corpora": self.corpora,
        }
        return zlib.compress(orjson.dumps(kept), 1)


def columns_in(folded: Buffer) -> Columns:
    """Return what the items hold whose scores these are."""
    return Columns(_read(folded)["columns"])


def merge_into(summary: Summary, folded: Buffer) -> None:
    """Fold in all rows that were folded into it, as if one by one."""
    kept = _read(folded)
    summary.rows += kept["rows"]
    for key, named in kept["scores"].items():
        for name, columns in named.items():
            score = summary.scores[key][name]
            score.values.extend(columns["values"])
            score.labels.update(columns["labels"])
            score.states.update(columns["states"])
    for key, rows in kept["corpora"].items():
        for entries in rows:
            summary.corpora[key].add(from_stored(0, {key: entries}).metrics[key])


def _read(folded: Buffer) -> dict[str, Any]:
    kept: dict[str, Any] = orjson.loads(zlib.decompress(folded))
    return kept
