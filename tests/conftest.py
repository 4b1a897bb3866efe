"""Fixtures that tests of every app share, and which files share a worker of ``make test``."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from assay.workspaces.models import Workspace
from tests.once import folder, made_once
from tests.platform_process import PlatformProcess
from tests.services import drop_template

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

IN_MEMORY = "file:memorydb_default?mode=memory&cache=shared"
"""What Django calls its database for tests."""


@pytest.fixture
def client() -> APIClient:
    return APIClient(HTTP_HOST="localhost", raise_request_exception=False)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="w-one")


@pytest.fixture(scope="session")
def platform_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., PlatformProcess]]:
    """Give a running platform with these settings (``ASSAY_AUTH="on"``): one for all who ask for the same.

    Whoever uses it gives what it makes names that nobody else has, and kills nothing of it.
    """
    running: dict[frozenset[tuple[str, str]], PlatformProcess] = {}
    with ExitStack() as until_the_end:

        def get(**env: str) -> PlatformProcess:
            kind = frozenset(env.items())
            if kind not in running:
                platform = PlatformProcess(tmp_path_factory.mktemp("platform") / "data", **env)
                running[kind] = until_the_end.enter_context(platform)
            return running[kind]

        yield get


@pytest.fixture(scope="session")
def shared_platform(platform_with: Callable[..., PlatformProcess]) -> PlatformProcess:
    """A running platform with the settings that it has by default, for all files of a worker."""
    return platform_with()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database of tests within this process; on SQLite one worker migrates, and the others take a copy."""
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            migrated = made_once("tests.sqlite3", _keep_migrated)
            if connection.settings_dict["NAME"] != IN_MEMORY:
                connection.settings_dict["NAME"] = IN_MEMORY
                connection.ensure_connection()
                with closing(sqlite3.connect(migrated)) as kept:
                    kept.backup(connection.connection)
            yield
        else:
            made = setup_databases(verbosity=0, interactive=False)
            yield
            teardown_databases(made, verbosity=0)


def _keep_migrated(place: Path) -> None:
    setup_databases(verbosity=0, interactive=False)
    with closing(sqlite3.connect(place)) as kept:
        connection.connection.backup(kept)


# Which files run in one worker, and when

TOGETHER = {
    "seen": ("ui/test_compare.py", "ui/test_frame.py", "ui/test_journey.py", "ui/test_new.py"),
    "seen too": ("ui/test_data.py", "ui/test_home.py", "ui/test_job.py", "ui/test_people.py", "ui/test_results.py"),
    "killed": ("chaos/test_any_kill.py", "chaos/test_kill_storm.py", "chaos/test_takeover.py"),
    "asked": ("e2e/", "chaos/test_judge_outage.py"),
    "asked too": ("sdk/test_platform.py", "filesets/hub/test_hub_over_http.py", "filesets/hub/test_hub_client.py",
                  "filesets/test_files_over_http.py"),
}  # fmt: skip
"""Files that share a running platform; those that take longest come first, so that none is waited for at the end."""
LONG = (
    *("chaos/", "e2e/", "upgrade/", "operations/", "secrets/", "accounts/", "ui/", "platform/"),
    *("workspaces/", "filesets/", "sdk/", "jobs/"),
)
"""After them these, and then all others."""


def pytest_configure(config: pytest.Config) -> None:
    folder()  # before any worker is started, so that they have it in common


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        drop_template()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = [*TOGETHER.values(), *((begins,) for begins in LONG)]

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(item.config.rootpath / "tests").as_posix()
        return next((number for number, begins in enumerate(groups) if file.startswith(begins)), len(groups))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "LoadFileScheduling":
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        """Gives a worker a file at once, or files that share something."""

        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.removeprefix("tests/")
            return next((name for name, files in TOGETHER.items() if file.startswith(files)), file.split("::")[0])

    return Together(config, log)
