"""How many rows a large table has, without counting them: every page of a list says the exact total.

The database keeps the count itself. An app names its large tables in ``counted`` (`apps.py`); triggers on them write
down what each statement added and removed (`RowCount`), and the sum of that is the count, in each transaction as it
sees it. On Postgres rows are only ever added, so that nobody waits for anybody; `fold` makes one of many, now and then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Count, Model

from assay.platform.caller import caller
from assay.platform.models import RowCount

FOLDED_AT_ONCE = 500


def rows_of(model: type[Model], *, workspace: Model | None = None, kind: str | None = None) -> int:
    """Return how many rows a counted table has that the caller sees, in one workspace or in all, of any kind or one."""
    values: list[Any]
    sql, values = 'SELECT COALESCE(SUM("rows"), 0) FROM platform_rowcount WHERE "table" = %s', [model._meta.db_table]
    if workspace is not None:
        sql, values = sql + " AND workspace = %s", [*values, workspace.pk]
    if kind is not None:
        sql, values = sql + " AND kind = %s", [*values, kind]
    seen = caller().sees()
    if seen is not None:
        sql, values = sql + f" AND workspace IN ({', '.join(['%s'] * len(seen)) or 'NULL'})", [*values, *seen]
    with connection.cursor() as cursor:  # the ORM would take longer to write this down than the database to answer
        cursor.execute(sql, values)
        return int(cursor.fetchone()[0])


def fold() -> None:
    """Make one row of all that say something of the same place; those that another process is at are left alone."""
    places = RowCount.objects.values_list("table", "workspace", "kind").annotate(terms=Count("pk")).order_by()
    for table, workspace, kind, terms in list(places.filter(terms__gt=1)):
        while terms > 1:
            terms -= _fold({"table": table, "workspace": workspace, "kind": kind}) or terms


def _fold(place: dict[str, Any]) -> int:
    """Put one row in the place of some; returns how many there are fewer now."""
    with transaction.atomic():
        rows = RowCount.objects.select_for_update(skip_locked=True).filter(**place).order_by("pk")
        found = list(rows[:FOLDED_AT_ONCE])
        if len(found) < 2:
            return 0
        RowCount.objects.filter(pk__in=[each.pk for each in found]).delete()
        RowCount.objects.create(**place, rows=sum(each.rows for each in found))
        return len(found) - 1


# The triggers


@dataclass(frozen=True)
class Counted:
    model: type[Model]
    kind: str
    """The column that tells kinds apart; empty where there are none."""

    @property
    def table(self) -> str:
        return self.model._meta.db_table


def counted() -> Iterator[Counted]:
    for config in apps.get_app_configs():
        for name, kind in getattr(config, "counted", {}).items():
            yield Counted(config.get_model(name), kind)


def keep_counting(**_: Any) -> None:
    """Put the triggers where they are missing, and count what is there (Django's ``post_migrate``).

    A migration of SQLite makes a table anew, and its triggers go with the old one.
    """
    tables = set(connection.introspection.table_names())
    for each in counted():
        if {each.table, RowCount._meta.db_table} <= tables and not _settled(each):
            begin(each)


def _settled(each: Counted) -> bool:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sql = "SELECT COUNT(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgname LIKE %s"
        else:
            sql = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s AND name LIKE %s"
        cursor.execute(sql, [each.table, "count\\_%" if connection.vendor == "postgresql" else "count_%"])
        there = cursor.fetchone()[0] == len(TRIGGERS)
    # After a flush of tests the rows are gone, and on SQLite the triggers have written that down.
    return there and (each.model._base_manager.exists() or not RowCount.objects.filter(table=each.table).exists())


def begin(each: Counted) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # The triggers come first: on Postgres they wait for writers, who from then on write down what they do.
        (_make_on_postgres if connection.vendor == "postgresql" else _make_on_sqlite)(cursor, each)
        RowCount.objects.filter(table=each.table).delete()
        places = each.model._base_manager.values_list("workspace_id", *([each.kind] if each.kind else []))
        RowCount.objects.bulk_create(
            RowCount(table=each.table, workspace=workspace, kind=kind[0] if kind else "", rows=rows)
            for workspace, *kind, rows in places.annotate(rows=Count("pk")).order_by()
        )


TRIGGERS = ("insert", "delete", "update")
_WRITE = 'INSERT INTO platform_rowcount ("table", workspace, kind, "rows")'


def _make_on_sqlite(cursor: CursorWrapper, each: Counted) -> None:
    # There is one writer at a time, whom one row a place keeps from nothing.
    def term(row: str, rows: int) -> str:
        kind = _kind(each, row)
        place = f"\"table\" = '{each.table}' AND workspace = {row}.workspace_id AND kind = {kind}"
        return (
            f"{_WRITE} SELECT '{each.table}', {row}.workspace_id, {kind}, 0 "
            f"WHERE NOT EXISTS (SELECT 1 FROM platform_rowcount WHERE {place}); "
            f'UPDATE platform_rowcount SET "rows" = "rows" + {rows} WHERE {place}; '
        )

    bodies = {
        "insert": ("INSERT", term("NEW", 1)),
        "delete": ("DELETE", term("OLD", -1)),
        "update": (f"UPDATE OF {', '.join(_columns(each))}", term("OLD", -1) + term("NEW", 1)),
    }
    for name, (event, body) in bodies.items():
        when = f"WHEN {_moved(each)} " if name == "update" else ""
        cursor.execute(f"DROP TRIGGER IF EXISTS count_{each.table}_{name}")
        cursor.execute(f"CREATE TRIGGER count_{each.table}_{name} AFTER {event} ON {each.table} {when}BEGIN {body} END")


def _make_on_postgres(cursor: CursorWrapper, each: Counted) -> None:
    def sums(rows: str, sign: str) -> str:
        kind = _kind(each, rows)
        return f"{_WRITE} SELECT '{each.table}', workspace_id, {kind}, {sign}count(*) FROM {rows} GROUP BY 2, 3;"

    def term(row: str, rows: int) -> str:
        return f"{_WRITE} VALUES ('{each.table}', {row}.workspace_id, {_kind(each, row)}, {rows});"

    columns = ", ".join(_columns(each))
    bodies = {
        "insert": ("INSERT", "REFERENCING NEW TABLE AS came FOR EACH STATEMENT", sums("came", "")),
        "delete": ("DELETE", "REFERENCING OLD TABLE AS went FOR EACH STATEMENT", sums("went", "-")),
        "update": (f"UPDATE OF {columns}", f"FOR EACH ROW WHEN ({_moved(each)})", term("OLD", -1) + term("NEW", 1)),
    }
    for name, (event, scope, body) in bodies.items():
        trigger = f"count_{each.table}_{name}"
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {body} RETURN NULL; END $$"
        )
        cursor.execute(f"DROP TRIGGER IF EXISTS {trigger} ON {each.table}")
        cursor.execute(f"CREATE TRIGGER {trigger} AFTER {event} ON {each.table} {scope} EXECUTE FUNCTION {trigger}()")


def _columns(each: Counted) -> list[str]:
    return ["workspace_id", each.kind] if each.kind else ["workspace_id"]


def _kind(each: Counted, row: str) -> str:
    return f"{row}.{each.kind}" if each.kind else "''"


def _moved(each: Counted) -> str:
    differs = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    return " OR ".join(f"OLD.{column} {differs} NEW.{column}" for column in _columns(each))
