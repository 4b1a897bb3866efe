"""The platform to be hurt: of one machine, and of a team. Whoever comes next finds it recovered."""

from collections.abc import Iterator

import pytest

from tests.platform_process import PlatformProcess
from tests.process_tree import kill_all
from tests.services import fresh_database
from tests.team_process import TeamProcess


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with PlatformProcess(tmp_path_factory.mktemp("embedded") / "data") as running:
        yield running
        kill_all(running.everything())  # nobody waits for it to drain


@pytest.fixture(scope="session")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamProcess]:
    folder = tmp_path_factory.mktemp("team") / "data"
    with fresh_database(migrated=True) as database, TeamProcess(folder, database=database, prepared=True) as running:
        yield running


@pytest.fixture(params=["embedded", "team"])
def platform(request: pytest.FixtureRequest) -> PlatformProcess | TeamProcess:
    hurt: PlatformProcess | TeamProcess = request.getfixturevalue(request.param)
    hurt.revive()
    hurt.wait_ready()
    return hurt
