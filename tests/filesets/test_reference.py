import pytest

from assay.filesets.models import Fileset
from assay.filesets.reference import FilesetReference
from assay.platform.errors import Invalid, NotFound


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("w/f", FilesetReference("w", "f")),
        ("f", FilesetReference("", "f")),
        ("w/f#a/b.jsonl", FilesetReference("w", "f", "a/b.jsonl")),
        ("f#**/*.json", FilesetReference("", "f", "**/*.json")),
        ("w/f#", FilesetReference("w", "f")),
        ("w/f#a#b", FilesetReference("w", "f", "a#b")),
    ],
)
def test_a_reference_is_read(text: str, reference: FilesetReference) -> None:
    assert FilesetReference.parse(text) == reference


@pytest.mark.parametrize("text", ["", "#a", "a/b/c", "/f", "w/", "w/#x", "w f", "w/f#\0"])
def test_what_is_no_reference_says_how_one_looks(text: str) -> None:
    with pytest.raises(Invalid, match="write workspace/fileset"):
        FilesetReference.parse(text)


def test_a_bare_name_is_looked_for_at_home(fileset: Fileset) -> None:
    assert FilesetReference.parse("data").resolve("w-one") == fileset
    assert FilesetReference.parse("w-one/data#x").resolve("elsewhere") == fileset
    with pytest.raises(NotFound, match="Fileset 'data' not found in workspace 'elsewhere'"):
        FilesetReference.parse("data").resolve("elsewhere")
