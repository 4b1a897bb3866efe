"""Fixtures that tests of every app share."""

import pytest
from rest_framework.test import APIClient

from assay.workspaces.models import Workspace


@pytest.fixture
def client() -> APIClient:
    return APIClient(HTTP_HOST="localhost", raise_request_exception=False)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="w-one")


LONG = ("chaos", "ui", "e2e", "sdk", "workspaces", "filesets", "platform", "jobs")
"""Folders of files that take long; begun first, none of them is waited for at the end (``make test``)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=place)
