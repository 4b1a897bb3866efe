"""The store keeps each content once, whole or not at all, and sweeps what nothing refers to."""

import hashlib
import io
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from assay.filesets import blobs
from assay.filesets.models import Blob, File, Fileset
from assay.platform.errors import TooLarge

pytestmark = pytest.mark.django_db


def on_disk(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "blobs").rglob("*") if path.is_file())


def age(blob: Blob, hours: float = 25) -> None:
    Blob.objects.filter(pk=blob.pk).update(created_at=timezone.now() - timedelta(hours=hours))


class Breaks:
    def __init__(self, pieces: int, error: BaseException) -> None:
        self.pieces, self.error = pieces, error

    def read(self, size: int) -> bytes:
        if not self.pieces:
            raise self.error
        self.pieces -= 1
        return b"x" * size


def test_what_is_put_can_be_opened() -> None:
    content = os.urandom(3 * blobs.CHUNK + 17)
    blob = blobs.put(io.BytesIO(content))
    assert (blob.sha256, blob.size) == (hashlib.sha256(content).hexdigest(), len(content))
    with blobs.open(blob) as file:
        assert file.read() == content
    assert blobs.path(blob).parts[-2:] == (blob.sha256[:2], blob.sha256)
    assert Blob.objects.get() == blob


def test_the_same_content_is_stored_once_and_is_young_again(data_folder: Path) -> None:
    first = blobs.put(io.BytesIO(b"same"))
    age(first)
    second = blobs.put(io.BytesIO(b"same"))
    assert first == second
    assert len(on_disk(data_folder)) == 1
    assert Blob.objects.get().created_at > timezone.now() - timedelta(minutes=1)


@pytest.mark.parametrize("error", [OSError("gone"), KeyboardInterrupt()])
def test_a_stream_that_breaks_leaves_nothing(error: BaseException, data_folder: Path) -> None:
    with pytest.raises(type(error)):
        blobs.put(Breaks(2, error))
    assert not on_disk(data_folder)
    assert not Blob.objects.exists()


def test_the_limit_counts_what_comes_in(data_folder: Path) -> None:
    assert blobs.put(io.BytesIO(b"x" * 10), limit=10).size == 10
    with pytest.raises(TooLarge):
        blobs.put(io.BytesIO(b"x" * 11), limit=10)
    assert len(on_disk(data_folder)) == 1


def test_a_crash_before_the_rename_shows_no_half_file(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content comes to its place by one rename, after it is whole; what a dead process leaves is swept."""
    seen: list[bool] = []

    def crash(draft: Path, place: Path) -> None:
        seen.append(draft.read_bytes() == b"whole" and not place.exists())
        raise SystemError("the power went")

    monkeypatch.setattr(Path, "replace", crash)
    monkeypatch.setattr(Path, "unlink", lambda *a, **k: None)
    with pytest.raises(SystemError):
        blobs.put(io.BytesIO(b"whole"))
    assert seen == [True]
    monkeypatch.undo()
    (left,) = on_disk(data_folder)
    assert left.parent.name == "drafts"
    blobs.sweep()
    assert left.exists(), "an upload may still be writing it"
    os.utime(left, (0, 0))
    age(Blob.objects.get())
    assert blobs.sweep() == 1
    assert not left.exists()
    assert not Blob.objects.exists()


def test_the_sweep_takes_the_old_and_unreferenced_only(fileset: Fileset, data_folder: Path) -> None:
    young, used, old = (blobs.put(io.BytesIO(content)) for content in (b"young", b"used", b"old"))
    File.objects.create(fileset=fileset, path="a", blob=used)
    age(used)
    age(old)
    age(young, hours=23)
    assert blobs.sweep() == 1
    assert set(Blob.objects.all()) == {young, used}
    assert {path.name for path in on_disk(data_folder)} == {young.sha256, used.sha256}


def test_the_sweep_asks_every_app_that_refers_to_blobs() -> None:
    """A job's inputs keep a blob that its fileset let go of; apps above this one count without being imported here."""
    assert {relation.related_model._meta.label for relation in Blob._meta.related_objects} >= {
        "filesets.File",
        "jobs.JobInput",
    }
    assert "jobs_jobinput" in str(blobs._unreferenced(timezone.now()).query)


def test_many_at_once_agree(data_folder: Path) -> None:
    """Threads of one process that store the same content do not disturb each other's temporary files."""
    streams = [io.BytesIO(b"same" * 100_000) for _ in range(4)]
    results: list[str] = []

    def write(stream: io.BytesIO) -> None:
        with blobs._draft() as draft:
            results.append(blobs._write(stream, draft, None)[0])

    threads = [threading.Thread(target=write, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert not on_disk(data_folder)
