"""The vault: what is sealed opens in its own row with its own key, and nowhere shows itself."""

import base64
import copy
import logging
import os
import pickle
import stat
import traceback
from pathlib import Path

import pytest
from pytest_django import Settings
from things import make_secret

from assay.platform.errors import Unavailable
from assay.secrets import rotation
from assay.secrets.models import Secret
from assay.secrets.rotation import reseal_all
from assay.secrets.vault import KeyMissing, SecretUnreadable, SecretValue, Tampered, open_secret, seal
from assay.workspaces.models import Workspace

CANARY = "sk-canary-\N{SNOWMAN}-7f3a\nsecond line"


def key(letter: str = "a") -> str:
    return base64.urlsafe_b64encode(letter.encode() * 32).decode()


@pytest.fixture
def secret(workspace: Workspace) -> Secret:
    return make_secret(workspace, value=CANARY)


def test_what_is_sealed_opens(secret: Secret) -> None:
    assert open_secret(Secret.objects.get()).reveal() == CANARY


def test_sealing_twice_gives_different_bytes_and_neither_holds_the_value(secret: Secret) -> None:
    one, two = seal(secret.uid, CANARY), seal(secret.uid, CANARY)
    assert one != two
    assert CANARY.encode() not in one
    assert one[:1] == b"\x01"


def test_a_sealed_value_opens_in_no_other_row(workspace: Workspace, secret: Secret) -> None:
    other = make_secret(workspace, "other")
    Secret.objects.filter(pk=other.pk).update(sealed=secret.sealed)
    with pytest.raises(Tampered):
        open_secret(Secret.objects.get(pk=other.pk))


@pytest.mark.parametrize("position", [0, 12, 25, -1], ids=["version", "nonce", "ciphertext", "tag"])
def test_a_changed_byte_is_noticed(secret: Secret, position: int) -> None:
    sealed = bytearray(secret.sealed)
    sealed[position] ^= 1
    secret.sealed = bytes(sealed)
    with pytest.raises(Tampered):
        open_secret(secret)


@pytest.mark.parametrize("length", [0, 1, 20, 21, 30])
def test_what_is_cut_short_is_noticed(secret: Secret, length: int) -> None:
    secret.sealed = bytes(secret.sealed)[:length]
    with pytest.raises(Tampered):
        open_secret(secret)


def test_another_key_does_not_open_it_and_the_error_names_no_key(settings: Settings, secret: Secret) -> None:
    settings.ENCRYPTION_KEYS = [key("b")]
    with pytest.raises(KeyMissing) as refused:
        open_secret(secret)
    assert "'w-one/key'" in str(refused.value)
    assert key("b") not in str(refused.value)
    assert isinstance(refused.value, Unavailable)


def test_a_new_key_seals_and_the_old_one_still_opens(settings: Settings, workspace: Workspace) -> None:
    settings.ENCRYPTION_KEYS = [key("a")]
    old = make_secret(workspace, "old", value=CANARY)
    settings.ENCRYPTION_KEYS = [key("b"), key("a")]
    new = make_secret(workspace, "new", value=CANARY)
    assert [open_secret(each).reveal() for each in (old, new)] == [CANARY, CANARY]

    assert [reseal_all().values for _ in range(2)] == [1, 0]
    settings.ENCRYPTION_KEYS = [key("b")]
    assert [open_secret(each).reveal() for each in Secret.objects.all()] == [CANARY, CANARY]


def test_resealing_leaves_what_was_changed_meanwhile(
    settings: Settings, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENCRYPTION_KEYS = [key("a")]
    secret = make_secret(workspace, value="old value")
    settings.ENCRYPTION_KEYS = [key("b"), key("a")]
    sealed_anew = rotation.seal_anew

    def change_while_it_is_sealed(stale: Secret) -> bytes:
        Secret.objects.filter(pk=stale.pk).update(sealed=seal(stale.uid, "new value"))
        return sealed_anew(stale)

    monkeypatch.setattr(rotation, "seal_anew", change_while_it_is_sealed)
    assert reseal_all().values == 0
    assert open_secret(Secret.objects.get(pk=secret.pk)).reveal() == "new value"


@pytest.mark.django_db
def test_the_key_is_made_on_first_need_for_this_user_only(settings: Settings, tmp_path: Path) -> None:
    settings.ENCRYPTION_KEYS = []
    settings.DATA_DIR = tmp_path
    seal("secret-x", "value")
    file = tmp_path / "keys" / "encryption.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(base64.urlsafe_b64decode(file.read_text())) == 32
    before = file.read_text()
    seal("secret-x", "value")
    assert file.read_text() == before


def test_a_value_shows_itself_only_when_asked() -> None:
    value = SecretValue(CANARY)
    shown = [repr(value), str(value), f"{value}", f"{value:>20}", str([value]), str({"a": value})]
    try:
        raise RuntimeError(value)
    except RuntimeError as error:
        shown.append("".join(traceback.format_exception(error)))
    assert not [text for text in shown if "canary" in text]
    assert value.reveal() == CANARY
    for leak in (copy.copy, copy.deepcopy, pickle.dumps, vars):
        with pytest.raises(TypeError):
            leak(value)


def test_errors_hold_no_value_and_no_key(secret: Secret, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for sealed, keys in ((bytes(secret.sealed)[:-1] + os.urandom(1), None), (secret.sealed, [key("b")])):
        secret.sealed = sealed
        if keys:
            settings.ENCRYPTION_KEYS = keys
        try:
            open_secret(secret)
        except SecretUnreadable as error:
            texts.append("".join(traceback.format_exception(error)))
    texts.append(caplog.text)
    assert len(texts) == 3
    for text in texts:
        assert "canary" not in text
        assert key("b") not in text
