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
