"""A backup as a file and as a folder: written whole or not at all, and nothing that is damaged passes for whole."""

import gzip
import io
import json
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from assay.operations import archive
from assay.operations.archive import BrokenBackup, CannotWrite, Manifest
from assay.operations.archive_writing import writing
from assay.operations.backup import verify

MANIFEST = Manifest(
    assay="0", made_at="2030-01-01T00:00:00+00:00", database="sqlite", migrations=[], tables=[], files=2, file_bytes=9
)
CONTENTS = {f"blobs/{digit * 2}/{digit * 64}": content for digit, content in (("a", b"four"), ("b", b"five5"))}


def write(path: Path) -> Path:
    with writing(path) as writer:
        for name, content in CONTENTS.items():
            writer.add(name, io.BytesIO(content), len(content))
        writer.finish(MANIFEST)
    return path


@pytest.fixture(params=["b.tar", "b.tar.gz", "b"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / request.param)


def test_what_was_written_is_whole(path: Path) -> None:
    manifest = verify(path)
    assert manifest == MANIFEST.model_copy(update={"sums": manifest.sums})
    assert [each.name for each in path.parent.iterdir()] == [path.name], "no draft is left"
    assert path.stat().st_mode & 0o077 == 0


def test_sha256sum_reads_the_list(tmp_path: Path) -> None:
    folder = write(tmp_path / "b")
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode == 0


def test_there_is_nothing_where_it_fails_half_way(tmp_path: Path) -> None:
    for name in ("b.tar", "b"):
        with pytest.raises(KeyError), writing(tmp_path / name) as writer:
            writer.add("blobs/aa/" + "a" * 64, io.BytesIO(b"four"), 4)
            raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_none_is_overwritten(path: Path) -> None:
    before = path.stat().st_mtime_ns
    with pytest.raises(CannotWrite, match="is there already"):
        write(path)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["b.tar", "b"])
def test_a_file_that_shrinks_is_noticed(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="unexpected end|ends before"), writing(tmp_path / name) as writer:
        writer.add("blobs/aa/" + "a" * 64, io.BytesIO(b"four"), 5)
    assert list(tmp_path.iterdir()) == []


def repacked(path: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Write the archive again with other members; None: without that one."""
    with tarfile.open(path) as tar:
        members = [(each, tar.extractfile(each).read()) for each in tar]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as tar:
        for entry, content in members:
            new = change(entry.name, content)
            if new is not None:
                entry.size = len(new)
                tar.addfile(entry, io.BytesIO(new))


DAMAGES: dict[str, tuple[Callable[[str, bytes], bytes | None], str]] = {
    "other byte": (lambda name, content: content.replace(b"four", b"FOUR"), "aaaa is damaged"),
    "file gone": (lambda name, content: None if "bbbb" in name else content, "does not hold"),
    "no manifest": (lambda name, content: None if name == archive.MANIFEST else content, "half of one"),
    "no list": (lambda name, content: None if name == archive.SUMS else content, ""),
    "other list": (
        lambda name, content: content.replace(b"a" * 64, b"c" * 64) if name == archive.SUMS else content,
        "is damaged, or not in its list",
    ),
    "other manifest": (
        lambda name, content: content.replace(b'"sums": "', b'"sums": "0') if name == archive.MANIFEST else content,
        "not what its manifest says",
    ),
    "no JSON": (lambda name, content: b"{" if name == archive.MANIFEST else content, "cannot be read"),
    "newer format": (
        lambda name, content: content.replace(b'"format": 1', b'"format": 2') if name == archive.MANIFEST else content,
        "newer format",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_refused(damage: str, tmp_path: Path) -> None:
    path = write(tmp_path / "b.tar")
    change, words = DAMAGES[damage]
    repacked(path, change)
    if damage == "no list":
        assert verify(path).sums, "the manifest has the digest of the list, which is made anew"
        return
    with pytest.raises(BrokenBackup, match=words):
        verify(path)


def test_one_that_leads_out_of_its_place_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.tar")
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("../../etc/passwd"), io.BytesIO())
    with pytest.raises(BrokenBackup, match="no part of a backup"):
        verify(path)


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz"])
def test_half_of_one_is_refused_wherever_it_is_cut(name: str, tmp_path: Path) -> None:
    whole = write(tmp_path / name).read_bytes()
    cut = tmp_path / f"cut.{name}"
    # A tar ends in empty blocks, and gzip says at the end what it said: nothing of the backup is in either.
    end = len(whole.rstrip(b"\0")) if name == "b.tar" else len(whole) - 64
    for length in range(0, end - 1, 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(BrokenBackup):
            verify(cut)


def test_a_folder_without_a_file_of_its_list_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "b")
    (folder / next(iter(CONTENTS))).unlink()
    with pytest.raises(BrokenBackup, match="cannot be read to its end"):
        verify(folder)


def test_many_files_take_no_more_memory_than_few(tmp_path: Path) -> None:
    def most(count: int) -> int:
        path = tmp_path / f"{count}.tar"
        tracemalloc.start()
        with writing(path) as writer:
            for number in range(count):
                writer.add(f"blobs/{number % 256:02x}/{number:064x}", io.BytesIO(b"x"), 1)
            writer.finish(MANIFEST)
        verify(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    few = most(50)
    assert most(500) < few + 100_000


def test_the_command_tells_what_is_in_one_and_refuses_another(tmp_path: Path) -> None:
    out = io.StringIO()
    path = write(tmp_path / "b.tar.gz")
    call_command("backup", str(path), "--verify", stdout=out)
    assert "is whole" in out.getvalue() and "2 files of 9 bytes" in out.getvalue()
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(CommandError, match="cannot be read|no manifest"):
        call_command("backup", str(tmp_path / "c.tar.gz"), "--verify")
    assert json.loads(MANIFEST.model_dump_json())["keys"] == []
