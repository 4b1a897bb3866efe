"""Whether what lists say there is in all is what there is (`platform/counts.py`), and counting anew."""

from typing import NamedTuple

from django.db import connection

from assay.platform import counts
from assay.platform.counts import TRIGGERS, Counted, counted
from assay.platform.models import RowCount


class Wrong(NamedTuple):
    table: str
    noted: int
    there: int
    """Both over the places of which the count is wrong."""


def without_triggers() -> list[str]:
    """Return the tables that changes are no longer counted of."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        sql = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        there = {name for (name,) in cursor.fetchall()}
    return [each.table for each in counted() if {f"count_{each.table}_{name}" for name in TRIGGERS} - there]


def wrong() -> list[Wrong]:
    """Return the tables whose count is not that of their rows, each looked at in one statement, beside all writers."""
    found = []
    for each in counted():
        noted, there = _differing(each)
        if noted is not None:
            found.append(Wrong(each.table, noted, there))
    return found


def _differing(each: Counted) -> tuple[int | None, int]:
    name = connection.ops.quote_name
    kind = name(each.kind) if each.kind else "''"
    sql = f"""
        SELECT SUM(noted), SUM(there) FROM (
            SELECT SUM(noted) AS noted, SUM(there) AS there FROM (
                SELECT workspace, kind, "rows" AS noted, 0 AS there
                FROM {name(RowCount._meta.db_table)} WHERE "table" = %s
                UNION ALL
                SELECT workspace_id, {kind}, 0, 1 FROM {name(each.table)}
            ) AS every GROUP BY workspace, kind HAVING SUM(noted) <> SUM(there)
        ) AS places"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [each.table])
        noted, there = cursor.fetchone()
    return (None, 0) if noted is None else (int(noted), int(there))


def recount() -> list[str]:
    """Put every trigger in its place, and count what is there; returns the tables that were wrong before."""
    mended = {each.table for each in wrong()} | set(without_triggers())
    for each in counted():
        if each.table in mended:
            counts.begin(each)
    return sorted(mended)
