"""Migrations work with the code before them (docs/upgrading.md): that code goes on while they run, and after."""

from collections.abc import Iterator

import pytest
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

LANDED = {
    "workspaces": 2, "secrets": 2, "filesets": 3, "evaluator": 3, "jobs": 4, "platform": 1,
}  # fmt: skip
"""How many migrations of each app are older than this rule."""
ADDS = {
    "CreateModel",
    "AddIndex",
    "AddIndexConcurrently",
    "RenameIndex",
    "AddConstraint",
    "AlterModelOptions",
    "RunPython",
}
"""What code of before never notices. A constraint may refuse what it writes: say in the migration why not."""


def ours() -> Iterator[tuple[str, Migration]]:
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if type(migration).__module__.startswith("assay.") and int(name[:4]) > LANDED.get(app, 0):
            yield f"{app}.{name}", migration


MIGRATIONS = dict(ours())


@pytest.mark.parametrize("name", MIGRATIONS)
def test_code_of_before_goes_on(name: str) -> None:
    for operation in MIGRATIONS[name].operations:
        assert harmless(operation), (
            f"{name}: {operation.describe()}. Do it in two releases: first code that does without, then this."
        )


def harmless(operation: Operation) -> bool:
    kind = type(operation).__name__
    if kind == "AddField":
        field = operation.field  # type: ignore[attr-defined]
        return field.null or field.many_to_many or field.db_default is not NOT_PROVIDED
    return kind in ADDS


def test_there_are_some() -> None:
    assert {"accounts.0001_initial", "platform.0002_audit", "workspaces.0003_quota"} <= MIGRATIONS.keys()
