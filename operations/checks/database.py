"""The database: whether it answers, is of this version's schema, sound, counted right, and on time."""

import tempfile
import time
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, Error, connection
from django.db.migrations.recorder import MigrationRecorder

from assay.operations import counters
from assay.operations.backup import known_migrations
from assay.operations.checks.finding import Depth, Found
from assay.operations.snapshot import own_connection
from assay.platform import audit

LARGEST_WAL = 1024**3
MOST_SKEW = 2.0
"""Seconds; a lease lasts six."""


def answers(depth: Depth) -> Found:
    try:
        if connection.vendor == "postgresql":
            # The pool would wait for long, and not say what is wrong.
            with connection.wrap_database_errors, own_connection():
                pass
        connection.ensure_connection()
    except Error as error:
        reason = str(error).strip().partition("\n")[0]
        mend = "Start it, and look whether ASSAY_DATABASE_URL is right."
        if connection.vendor == "sqlite":
            mend = "Look whether ASSAY_DATA_DIR is right and its owner is who you are; then `manage.py prepare`."
        yield f"The database does not answer: {reason}", "Nothing works without it.", mend


def migrations(depth: Depth) -> Found:
    """What is in the database is of the schema that this version expects."""
    known = known_migrations()
    applied = set(MigrationRecorder(connection).applied_migrations())
    if lacking := sorted(known - applied):
        first = ".".join(lacking[0])
        why = "Requests and jobs fail where they need what is new."
        yield f"{len(lacking)} migrations are not applied, the first of them {first}.", why, "manage.py prepare"
    ours = {app for app, _ in known}
    if newer := sorted(each for each in applied - known if each[0] in ours):
        why = "It was migrated by a newer version, which this one may damage."
        yield f"The database has a migration that is not here: {'.'.join(newer[0])}.", why, "Run the newer version."


def integrity(depth: Depth) -> Found:
    """Of SQLite: the file is sound, and its log is written beside it and comes to an end."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = cursor.fetchone()[0]
        try:
            cursor.execute("PRAGMA quick_check(1)")
            fault = cursor.fetchone()[0]
        except DatabaseError as error:
            fault = str(error)
    if fault != "ok":
        mend = "Stop the platform, keep the folder, and bring the last backup back: manage.py restore PATH"
        yield f"The database file is damaged: {fault}", "Rows are lost already, and more will be.", mend
    if mode not in {"wal", "memory"}:
        yield (
            f"SQLite's journal is in mode {mode} and not WAL.",
            "Readers and writers wait for each other; network file systems know no WAL, and lose databases.",
            "Put the data folder on a disk of this machine, or use Postgres.",
        )
    log = Path(f"{connection.settings_dict['NAME']}-wal")
    if log.exists() and log.stat().st_size > LARGEST_WAL:
        size = log.stat().st_size / 1024**2
        why = "A process holds an old state of the database, and what is written since cannot be put away."
        yield f"SQLite's log has {size:.0f} MiB.", why, "Restart `manage.py serve`."


def counts(depth: Depth) -> Found:
    """Lists say how many there are without counting: `platform/counts.py`."""
    why = "Lists say a wrong total, and their last pages are missing or empty."
    for table in counters.without_triggers():
        yield f"Changes of {table} are not counted any more.", why, "manage.py sweep --once --recount"
    for table, noted, there in counters.wrong():
        what = f"{table} is counted wrong: {noted} rows are noted where {there} are."
        yield what, why, "manage.py sweep --once --recount"


def clocks(depth: Depth) -> Found:
    """This machine, the database and the disk agree what time it is."""
    why = "Leases are held against the clock: jobs are taken from workers that live, or not from those that died."
    mend = "Let the machines take their time from one source (NTP): timedatectl set-ntp true"
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            before = time.time()
            cursor.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())")
            there = float(cursor.fetchone()[0])
        skew = _beyond(there, before, time.time())
        if abs(skew) > MOST_SKEW:
            yield f"The database's clock is {skew:+.1f} s from this machine's.", why, mend
    before = time.time()
    with tempfile.NamedTemporaryFile(dir=settings.DATA_DIR) as file:
        there = Path(file.name).stat().st_mtime
    skew = _beyond(there, before, time.time())
    if abs(skew) > MOST_SKEW:
        yield f"The data folder's clock is {skew:+.1f} s from this machine's.", why, mend


def events(depth: Depth) -> Found:
    """With ``deep``: the audit's chain is whole."""
    if depth.deep:
        for fault in audit.verify().faults[:3]:
            why = "Somebody changed the audit, or a part of it was lost."
            yield f"The audit is not what was written: {fault}", why, "manage.py verify_audit; compare with a backup."


def _beyond(there: float, before: float, after: float) -> float:
    """Return by how many seconds a clock is off that was read between two looks at ours."""
    return there - before if there < before else max(0.0, there - after)
