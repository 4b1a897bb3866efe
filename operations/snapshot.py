"""The database as it was at one instant, read beside those who change it: nobody waits for anybody.

On SQLite a read transaction, which its write-ahead log keeps at the instant of its first read. On Postgres one
transaction REPEATABLE READ, READ ONLY. Both are connections of their own: the platform's give up a transaction that
rests for seconds, and on SQLite begin each as a writer.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from assay.filesets.models import Blob
from assay.operations.tables import Row, Table, lines

if TYPE_CHECKING:
    import psycopg  # where the database is SQLite it is not loaded

AT_ONCE = 100
"""Rows that are fetched with one exchange: few, for one of them may be megabytes."""

Migration = tuple[str, str]
"""App and name."""


@dataclass(frozen=True)
class Snapshot:
    query: Callable[[str], Iterator[Row]]
    """Yields what a query finds, some rows at a time."""

    def migrations(self) -> set[Migration]:
        """Return the migrations that are applied."""
        table = connection.ops.quote_name(MigrationRecorder.Migration._meta.db_table)
        return {(app, name) for app, name in self.query(f"SELECT app, name FROM {table}")}

    def lines(self, table: Table) -> Iterator[bytes]:
        """Yield the rows of the table as lines of JSON."""
        return lines(self.query(table.select()), table)

    def contents(self) -> Iterator[tuple[str, int]]:
        """Yield the SHA-256 and size of every content that something refers to, in order."""
        name = connection.ops.quote_name
        referring = " UNION ".join(
            f"SELECT {name(str(relation.field.column))} FROM {name(relation.related_model._meta.db_table)}"
            for relation in Blob._meta.related_objects
        )
        found = self.query(f"SELECT sha256, size FROM filesets_blob WHERE sha256 IN ({referring}) ORDER BY sha256")
        return ((sha256, size) for sha256, size in found)


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """Open the database as it is now, for as long as the block runs."""
    with _postgres() if connection.vendor == "postgresql" else _sqlite() as query:
        yield Snapshot(query)


@contextmanager
def _sqlite() -> Iterator[Callable[[str], Iterator[Row]]]:
    address = f"file:{quote(str(connection.settings_dict['NAME']))}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=20)) as reader:
        reader.execute("PRAGMA query_only = ON")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the instant: `BEGIN` alone waits for a read

        yield reader.execute


@contextmanager
def _postgres() -> Iterator[Callable[[str], Iterator[Row]]]:
    with own_connection() as reader:
        # A large table takes longer to be written down than others may rest within a transaction.
        reader.execute("SET idle_in_transaction_session_timeout = 0")
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        reader.execute("SELECT 1")

        def query(sql: str) -> Iterator[Row]:
            with reader.cursor(name="rows") as cursor:
                cursor.itersize = AT_ONCE
                yield from cursor.execute(sql)

        yield query
        reader.execute("ROLLBACK")


@contextmanager
def own_connection() -> "Iterator[psycopg.Connection[Any]]":
    """Connect to Postgres beside the pool, within five seconds."""
    import psycopg

    asked: dict[str, Any] = connection.get_connection_params()
    for djangos in ("context", "cursor_factory", "prepare_threshold"):
        asked.pop(djangos, None)
    with psycopg.connect(**{"connect_timeout": 5, **asked}, autocommit=True) as made:
        yield made
