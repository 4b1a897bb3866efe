"""Bringing a backup back: into an empty data folder and an empty database of either kind, all of it or nothing."""

import fcntl
import gzip
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import Error, OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from assay.filesets import blobs
from assay.jobs.models import Job, Shard, ShardState, State
from assay.jobs.states import TERMINAL
from assay.operations.archive import CHUNK, BrokenBackup, Digesting, KeptTable, Manifest
from assay.operations.archive_reading import Reading
from assay.operations.backup import known_migrations, verify
from assay.operations.snapshot import Migration
from assay.operations.tables import Row
from assay.platform.errors import Unavailable
from assay.secrets.models import Secret
from assay.secrets.vault import open_secret

AT_ONCE = 100
"""Rows in one exchange: few, for one of them may be megabytes."""


class CannotRestore(Exception):
    """The backup cannot be restored here; nothing was changed. The message says why."""


@dataclass(frozen=True)
class Restored:
    manifest: Manifest
    resumed: int
    """Jobs that go on when a worker comes."""
    sealed: int
    """Secrets that cannot be opened with the keys that are here."""


def restore(path: Path) -> Restored:
    """Bring back what is in the backup at ``path``, every digest checked, and migrate it to this version's schema.

    The platform may begin at once; shards that ran wait for a worker. Raises ``CannotRestore`` and ``BrokenBackup``.
    """
    with _alone():
        _refuse_what_is_there()
        manifest = verify(path)
        _refuse_newer(manifest)
        _refuse_other_keys(manifest)
        brought: list[Path] = []
        with _all_or_nothing(brought):
            _migrate_to(manifest.migrations)
            with transaction.atomic():
                _load(path, manifest, brought)
        call_command("migrate", interactive=False, verbosity=0)
        return Restored(manifest, resumed=_resume(), sealed=_sealed())


# Whether it may begin


@contextmanager
def _alone() -> Iterator[None]:
    """Keep `manage.py serve` out of the data folder; raises ``CannotRestore`` where it runs."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.DATA_DIR / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotRestore(f"`manage.py serve` runs over {settings.DATA_DIR}: name another folder.") from None
        yield


def _refuse_what_is_there() -> None:
    if found := connection.introspection.table_names():
        where = "Make an empty database and name it in ASSAY_DATABASE_URL"
        if connection.vendor == "sqlite":
            where = "Name an empty folder with --data-dir"
        raise CannotRestore(f"The database is not empty: it has {len(found)} tables. {where}; nothing is overwritten.")
    if any(blobs.root().glob("*")):
        raise CannotRestore(f"{blobs.root()} is not empty. Name an empty folder with --data-dir.")


def _refuse_newer(manifest: Manifest) -> None:
    unknown = sorted(f"{app}.{name}" for app, name in set(manifest.migrations) - known_migrations())
    if unknown:
        raise CannotRestore(
            f"It was made by Assay {manifest.assay}, whose schema this version ({settings.VERSION}) does not know: "
            f"{', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}. Restore it with that version or a later one."
        )


def _refuse_other_keys(manifest: Manifest) -> None:
    place = _key("encryption.key")
    if place.name in manifest.keys and (settings.ENCRYPTION_KEYS or place.exists()):
        here = "ASSAY_ENCRYPTION_KEYS is set" if settings.ENCRYPTION_KEYS else f"{place} is there"
        raise CannotRestore(f"The backup brings its encryption key, and {here}: leave one of the two out.")


def _key(name: str) -> Path:
    return Path(settings.DATA_DIR) / "keys" / name


# Bringing it back


@contextmanager
def _all_or_nothing(brought: list[Path]) -> Iterator[None]:
    """Take back the schema, the rows and the files of the block where it fails, and the keys that it ``brought``.

    Raises ``CannotRestore`` where there is no room, or no right to write.
    """
    try:
        if connection.vendor == "postgresql":
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                yield
        else:
            yield
    except BaseException as failure:
        if connection.vendor == "sqlite":
            connection.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{connection.settings_dict['NAME']}{suffix}").unlink(missing_ok=True)
        shutil.rmtree(blobs.root(), ignore_errors=True)
        for key in brought:
            key.unlink(missing_ok=True)
        if isinstance(failure, OSError | OperationalError):
            raise CannotRestore(f"It cannot be written here: {failure}. Nothing of it stayed.") from failure
        raise


def _migrate_to(migrations: list[Migration]) -> None:
    """Make the schema that the backup is of."""
    executor = MigrationExecutor(connection)
    wanted = set(migrations)
    nodes = executor.loader.graph.node_map
    last = [
        each
        for each in sorted(wanted)
        if not any(child.key in wanted and child.key[0] == each[0] for child in nodes[each].children)
    ]
    executor.migrate(last)


def _load(path: Path, manifest: Manifest, brought: list[Path]) -> None:
    """Load every row, and put every file in its place; raises ``BrokenBackup`` where they are not what was verified."""
    kept = {table.member: table for table in manifest.tables}
    missing = set(manifest.missing)
    with connection.cursor() as cursor:
        for table in manifest.tables:  # a migration may have made rows of its own
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table.name)}")
    for name, content in Reading(path).members():
        kind, _, rest = name.partition("/")
        if kind == "tables":
            _load_table(kept[name], content)
        elif kind == "keys":
            brought.append(_key(rest))
            _key(rest).unlink(missing_ok=True)
            _write(_key(rest), content)
        elif rest[3:] not in missing:
            _write(blobs.place(rest[3:]), content)
            if content.sha256 != rest[3:]:
                raise BrokenBackup(f"Its file {name} is not what its name says.")
    os.sync()
    if connection.vendor == "postgresql":
        _count_on({table.name for table in manifest.tables})


def _load_table(table: KeptTable, content: Digesting) -> None:
    read = table.from_line()
    with gzip.open(content) as lines:  # type: ignore[call-overload]  # it reads, which is all that is needed
        try:
            with connection.wrap_database_errors:  # the driver's own, of a COPY
                loaded = _insert(table, map(read, lines))
        except (ValueError, Error) as error:
            raise BrokenBackup(f"Table {table.name} cannot be loaded: {error}") from error
    if loaded != table.rows:
        raise BrokenBackup(f"Table {table.name} has {loaded} rows and not {table.rows}, as the manifest says.")


def _insert(table: KeptTable, rows: Iterator[Row]) -> int:
    name = connection.ops.quote_name(table.name)
    count = 0
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {name} ({table.named()}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
                    count += 1
            return count
        marks = ", ".join(["%s"] * len(table.columns))
        while page := list(islice(rows, AT_ONCE)):
            cursor.executemany(f"INSERT INTO {name} ({table.named()}) VALUES ({marks})", page)
            count += len(page)
    return count


def _write(place: Path, content: Digesting) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        shutil.copyfileobj(content, file, CHUNK)


def _count_on(tables: set[str]) -> None:
    """Let Postgres number new rows from after the last one that came."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.db_table in tables]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def _resume() -> int:
    """Give back what ran when the backup was made: nobody holds it here. Returns how many jobs go on."""
    with transaction.atomic():
        Shard.objects.filter(state=ShardState.RUNNING).update(state=ShardState.WAITING, lease_until=None, worker="")
        Job.objects.update(lease_until=None, rung_at=None)
        return Job.objects.exclude(state__in=(*TERMINAL, State.PAUSED)).count()


def _sealed() -> int:
    """Return how many secrets do not open; without a key at hand none does, and none is made."""
    if not settings.ENCRYPTION_KEYS and not _key("encryption.key").exists():
        return Secret.objects.count()
    return sum(not _opens(secret) for secret in Secret.objects.select_related("workspace").iterator(AT_ONCE))


def _opens(secret: Secret) -> bool:
    try:
        open_secret(secret)
    except Unavailable:
        return False
    return True
