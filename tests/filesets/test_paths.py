import pytest

from assay.filesets import paths
from assay.platform.errors import BadRequest


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("a.txt", "a.txt"),
        ("a//b", "a/b"),
        ("dir/", "dir"),
        ("./a/./b", "a/b"),
        ("a/../b", "b"),
        ("a\\b", "a\\b"),
        (".hidden", ".hidden"),
        ("unï code.txt", "unï code.txt"),
        ("...", "..."),
    ],
)
def test_a_path_is_normalised(path: str, clean: str) -> None:
    assert paths.file(path) == clean


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc/x", "//etc/x", "/"])
def test_a_path_never_leaves_the_fileset(path: str) -> None:
    with pytest.raises(BadRequest, match="resolves outside of the storage root") as refused:
        paths.file(path)
    assert str(refused.value).startswith(f"Path '{path}' ")


@pytest.mark.parametrize("path", ["", ".", "a/..", "a\0b", "x" * 300, "é" * 128, "a/" + "x" * 256, "a/" * 600 + "b"])
def test_what_no_disk_takes_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        paths.file(path)


def test_the_root_is_a_folder() -> None:
    assert paths.folder("") == ""
    assert paths.folder("a/") == "a"


def test_above() -> None:
    assert paths.above("a/b/c") == ["a", "a/b"]
    assert paths.above("a") == []
