"""The platform that the files here share, and a client of it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.platform_process import PlatformProcess


@pytest.fixture(scope="session")
def platform(shared_platform: PlatformProcess) -> PlatformProcess:
    return shared_platform


@pytest.fixture
def api(platform: PlatformProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=platform.url, timeout=30) as client:
        yield client
