"""The platform to be hurt: of one machine, and of a team."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform_process import PlatformProcess
from tests.process_tree import kill_all
from tests.services import fresh_database
from tests.team_process import TeamProcess


@pytest.fixture(params=["embedded", "team"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlatformProcess | TeamProcess]:
    if request.param == "team":
        with fresh_database() as database, TeamProcess(tmp_path / "data", database=database) as team:
            yield team
        return
    with PlatformProcess(tmp_path / "data") as embedded:
        yield embedded
        kill_all(embedded.everything())  # nobody waits for it to drain
