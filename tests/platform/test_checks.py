"""System checks and keys: what would fail later is said at start, without telling a key."""

import base64
import os
from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from assay.platform.keyfile import decode_key, read_or_make

GOOD = base64.b64encode(b"\xff" * 32).decode()
URL_SAFE = base64.urlsafe_b64encode(b"\xff" * 32).decode()


def ours() -> list[tuple[str | None, str]]:
    return [(found.id, found.msg) for found in run_checks() if str(found.id).startswith("assay.")]


@pytest.mark.django_db
def test_all_is_well() -> None:
    assert ours() == []


@pytest.mark.django_db
def test_a_bad_encryption_key_is_named_by_its_place(settings: Settings) -> None:
    short = base64.b64encode(b"short-canary").decode()
    settings.ENCRYPTION_KEYS = [GOOD, short, "no base64 canary!"]
    found = ours()
    assert [identifier for identifier, _ in found] == ["assay.E002", "assay.E002"]
    assert "Key 2 of ASSAY_ENCRYPTION_KEYS holds 12 bytes instead of 32" in found[0][1]
    assert "Key 3 of ASSAY_ENCRYPTION_KEYS is not base64" in found[1][1]
    assert not [text for _, text in found if short in text or "canary" in text]


@pytest.mark.django_db
def test_a_data_folder_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "none"
    assert [identifier for identifier, _ in ours()] == ["assay.E001"]


@pytest.mark.parametrize("text", [GOOD, URL_SAFE])
def test_either_base64_alphabet_is_taken(text: str) -> None:
    assert decode_key(text) == b"\xff" * 32


@pytest.mark.parametrize("text", ["", "x", GOOD[:-4], GOOD + "AAAA", GOOD.replace("/", " "), "\N{SNOWMAN}"])
def test_anything_else_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="base64|bytes"):
        decode_key(text)


def test_whoever_makes_the_key_second_takes_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys" / "k"
    linked = os.link

    def come_second(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", linked)
        read_or_make(file)
        linked(source, target)

    monkeypatch.setattr(os, "link", come_second)
    assert read_or_make(file) == read_or_make(file)
    assert [path.name for path in file.parent.iterdir()] == ["k"]
    decode_key(read_or_make(file))
