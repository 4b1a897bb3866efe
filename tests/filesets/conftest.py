"""A data folder for each test, a hub, and filesets on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from assay.filesets.models import Fileset, Storage
from assay.workspaces.models import Workspace
from tests.hub.server import Hub

FILESETS = "/apis/files/v2/workspaces/w-one/filesets"


@pytest.fixture(autouse=True)
def data_folder(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


@pytest.fixture
def fileset(workspace: Workspace) -> Fileset:
    return Fileset.objects.create(workspace=workspace, name="data")


@pytest.fixture
def hub_fileset(workspace: Workspace, hub: Hub) -> Fileset:
    sha = hub.add_commit(
        "ns/data",
        {
            "README.md": b"# Data\n",
            "train/a.jsonl": b'{"n":0}\n{"n":1}\n',
            "train/b.jsonl": b'{"n":2}\n',
            "weights.bin": b"\0" * 1000,
        },
    )
    return on_hub(workspace, hub, sha)


def on_hub(workspace: Workspace, hub: Hub, sha: str, name: str = "hub-data", **more: object) -> Fileset:
    where = {"repo_id": "ns/data", "repo_type": "dataset", "endpoint": hub.url, "token_secret": None}
    return Fileset.objects.create(
        workspace=workspace,
        name=name,
        storage_type=Storage.HUGGINGFACE,
        storage={"read_chunk_size": 1048576, **where},
        revision=sha,
        original_revision="main",
        **more,
    )
