"""Puts what a landed SQLite database holds into an empty Postgres one, in the schema that it has: a process of its own.

``python -m tests.upgrade.replant FILE``, with ASSAY_DATABASE_URL set.
"""

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "sdk")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django  # noqa: E402

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

NOT_COPIED = {"django_migrations", "sqlite_sequence", "platform_rowcount"}
"""The last is counted anew when the platform finds no triggers."""


def landed_schema(source: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the last migration of each app that was applied when the file was made."""
    applied = source.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()
    return list(dict(applied).items())


def copy(source: sqlite3.Connection) -> None:
    tables = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} - NOT_COPIED
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table in sorted(tables):
            kinds = columns_of(cursor, table)
            rows = source.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            marks, listed = ", ".join(["%s"] * len(names)), ", ".join(f'"{name}"' for name in names)
            for row in rows:
                values = [fitting(value, kinds[name]) for name, value in zip(names, row, strict=True)]
                cursor.execute(f'INSERT INTO "{table}" ({listed}) VALUES ({marks})', values)
            if "id" in names:
                cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
                (sequence,) = cursor.fetchone()
                if sequence:
                    cursor.execute(f'SELECT setval(%s, COALESCE((SELECT MAX(id) FROM "{table}"), 1))', [sequence])


def columns_of(cursor: Any, table: str) -> dict[str, str]:
    cursor.execute("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", [table])
    return dict(cursor.fetchall())


def fitting(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "boolean":
        return bool(value)
    return f"{value}+00" if kind == "timestamp with time zone" else value


if __name__ == "__main__":
    database = sqlite3.connect(sys.argv[1])
    MigrationExecutor(connection).migrate(landed_schema(database))
    copy(database)
