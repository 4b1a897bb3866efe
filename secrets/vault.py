"""The only module that sees a secret's plaintext: seals it with AES-GCM, opens it for whoever may use it.

Sealed: one byte of version, eight of key id, twelve of nonce, then ciphertext and tag. The secret's uid is bound to it,
so a sealed value copied to another row does not open there.
"""

import hashlib
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import connection

from assay.platform.api import MASK
from assay.platform.errors import Unavailable
from assay.platform.journal import conceal
from assay.platform.keyfile import KeyFile, KeyFileGone, decode_key
from assay.secrets.models import Secret

VERSION = b"\x01"
KEY_ID_BYTES = 8
NONCE_BYTES = 12
HEADER_BYTES = len(VERSION) + KEY_ID_BYTES + NONCE_BYTES


class SecretUnreadable(Unavailable):
    """A secret cannot be opened: ``KeyMissing`` or ``Tampered``. The text names the secret, never what it holds."""


class KeyMissing(SecretUnreadable):
    def __init__(self, secret: Secret) -> None:
        super().__init__(
            f"Secret '{secret}' was sealed with a key that this server does not have. "
            "Bring that key back, to the key file or to ASSAY_ENCRYPTION_KEYS, or give the secret its value again."
        )


class Tampered(SecretUnreadable):
    def __init__(self, secret: Secret) -> None:
        super().__init__(
            f"Secret '{secret}' cannot be opened: what is stored is not what was sealed. Give it its value again."
        )


class KeysAway(Unavailable):
    """Nothing can be sealed, for the key file is not where it was."""


class SecretValue:
    """A plaintext that shows itself to nobody who does not ask for it by ``reveal``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        conceal(text)  # in log lines, of other libraries too

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"SecretValue({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret value is neither copied nor pickled")


def seal(uid: str, value: str) -> bytes:
    """Return ``value`` sealed with the newest key, to be opened only as the secret ``uid``; raises ``KeysAway``.

    To be called in the transaction that stores it: until that ends nobody gives up the key (`rotation.py`).
    """
    assert connection.in_atomic_block, "what is sealed outside of a transaction may lose its key before it is stored"
    store_turn(exclusively=False)
    newest, cipher = next(iter(ciphers().items()))
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + newest + nonce + cipher.encrypt(nonce, value.encode(), uid.encode())


def open_secret(secret: Secret) -> SecretValue:
    """Return the value of ``secret``; raises ``KeyMissing`` or ``Tampered``."""
    sealed = bytes(secret.sealed)
    while (cipher := _cipher_of(sealed, secret)) is None:
        # Since it was read it may have been sealed anew, and its key given up.
        stored = Secret._base_manager.filter(pk=secret.pk).values_list("sealed", flat=True).first()
        if stored is None or bytes(stored) == sealed:
            raise KeyMissing(secret)
        sealed = bytes(stored)
    nonce = sealed[HEADER_BYTES - NONCE_BYTES : HEADER_BYTES]
    try:
        return SecretValue(cipher.decrypt(nonce, sealed[HEADER_BYTES:], secret.uid.encode()).decode())
    except InvalidTag:
        raise Tampered(secret) from None


def seal_anew(secret: Secret) -> bytes:
    """Return the value of ``secret`` sealed with the newest key; raises what ``open_secret`` and ``seal`` do."""
    return seal(secret.uid, open_secret(secret).reveal())


def ciphers() -> dict[bytes, AESGCM]:
    """Return the ciphers of all keys by key id, the newest first, as they are at this moment; raises ``KeysAway``."""
    try:
        return _ciphers_of(tuple(settings.ENCRYPTION_KEYS) or key_file().keys())
    except KeyFileGone as error:
        raise KeysAway(str(error)) from None


def key_file() -> KeyFile:
    """Return where the keys are that do not come with the environment."""
    return _key_file(settings.DATA_DIR / "keys" / "encryption.key")


def key_id(key: bytes) -> bytes:
    """Return what names a key beside what it has sealed."""
    return hashlib.sha256(b"assay key id" + key).digest()[:KEY_ID_BYTES]


def store_turn(*, exclusively: bool) -> None:
    """Be one of those who store secrets, until the transaction ends; ``exclusively``: once all others are done.

    On SQLite every transaction is that, from its beginning on.
    """
    if connection.vendor == "postgresql":
        mode = "SHARE ROW EXCLUSIVE" if exclusively else "ROW EXCLUSIVE"
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Secret._meta.db_table} IN {mode} MODE")


def _cipher_of(sealed: bytes, secret: Secret) -> AESGCM | None:
    """Return the cipher that opens ``sealed``; None where its key is not at hand. Raises ``Tampered``."""
    if sealed[:1] != VERSION or len(sealed) < HEADER_BYTES:
        raise Tampered(secret)
    wanted = sealed[len(VERSION) : len(VERSION) + KEY_ID_BYTES]
    if settings.ENCRYPTION_KEYS:
        return ciphers().get(wanted)
    try:
        found = _ciphers_of(key_file().known()).get(wanted)
        # The file of another machine may look unchanged for a while: read it before giving up.
        return found or _ciphers_of(key_file().keys()).get(wanted)
    except KeyFileGone:
        return None


@cache
def _key_file(path: Path) -> KeyFile:
    return KeyFile(path)


@lru_cache(maxsize=1)  # a key that was given up is forgotten here too
def _ciphers_of(keys: tuple[str, ...]) -> dict[bytes, AESGCM]:
    found = [decode_key(text) for text in keys]
    return {key_id(key): AESGCM(key) for key in found}
