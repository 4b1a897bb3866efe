"""The store between processes that know nothing of each other, on a database file as the platform has it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platform_process import prepared_data

ROOT = Path(__file__).resolve().parents[2]
START = """
import os, sys, io, time
os.environ["DJANGO_SETTINGS_MODULE"] = "assay.platform.settings"
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from assay.filesets import blobs
from assay.filesets.models import Blob
"""
PUT = """
for round in range(40):
    blob = blobs.put(io.BytesIO(b"contested"))
    assert blobs.path(blob).read_bytes() == b"contested", round
    assert Blob.objects.filter(pk=blob.pk).exists(), round
    Blob.objects.filter(pk=blob.pk).update(created_at=timezone.now() - timedelta(days=2))
print("done")
"""
SWEEP = """
swept = 0
while os.getppid() == int(sys.argv[1]) and not os.path.exists(sys.argv[2]):
    swept += blobs.sweep()
print(swept)
"""
SLOWLY = """
class Slow:
    def read(self, size):
        print("reading", flush=True)
        return sys.stdin.buffer.read(size)
blobs.put(Slow())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared_data(), tmp_path / "data"))


def _run(folder: Path, code: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", START + code, *arguments],
        cwd=ROOT,
        env={**os.environ, "ASSAY_DATA_DIR": str(folder), "ASSAY_DATABASE_URL": "", "PYTHONPATH": "sdk"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_content_survives_a_sweep_at_the_same_instant(folder: Path) -> None:
    """One process stores content that is just old enough to go, another sweeps without a pause."""
    end = folder / "end"
    sweeper = _run(folder, SWEEP, str(os.getpid()), str(end))
    said, _ = _run(folder, PUT).communicate(timeout=120)
    end.touch()
    swept, _ = sweeper.communicate(timeout=60)
    assert said.strip() == b"done"
    assert int(swept) > 0, "the two never met"


def test_a_killed_upload_leaves_nothing_that_can_be_seen(folder: Path) -> None:
    upload = _run(folder, SLOWLY)
    assert upload.stdin
    assert upload.stdout
    upload.stdout.readline()
    upload.stdin.write(b"x" * 3_000_000)
    upload.stdin.flush()
    upload.stdout.readline()
    upload.kill()
    upload.communicate()
    (left,) = [path for path in (folder / "blobs").rglob("*") if path.is_file()]
    assert left.parent.name == "drafts"
    rows, _ = _run(folder, "print(Blob.objects.count())").communicate(timeout=60)
    assert int(rows) == 0
