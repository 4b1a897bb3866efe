"""The only module that sees a secret's plaintext: seals it with AES-GCM, opens it for whoever may use it.

Sealed: one byte of version, eight of key id, twelve of nonce, then ciphertext and tag. The secret's uid is bound to it,
so a sealed value copied to another row does not open there.
"""

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from assay.platform.api import MASK
from assay.platform.errors import Unavailable
from assay.platform.keyfile import decode_key, read_or_make
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
            "Add that key to ASSAY_ENCRYPTION_KEYS, or give the secret its value again."
        )


class Tampered(SecretUnreadable):
    def __init__(self, secret: Secret) -> None:
        super().__init__(
            f"Secret '{secret}' cannot be opened: what is stored is not what was sealed. Give it its value again."
        )


class SecretValue:
    """A plaintext that shows itself to nobody who does not ask for it by ``reveal``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

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
    """Return ``value`` sealed with the newest key, to be opened only as the secret ``uid``."""
    key_id, cipher = next(iter(_ciphers().items()))
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + key_id + nonce + cipher.encrypt(nonce, value.encode(), uid.encode())


def open_secret(secret: Secret) -> SecretValue:
    """Return the value of ``secret``; raises ``KeyMissing`` or ``Tampered``."""
    sealed = bytes(secret.sealed)
    if sealed[:1] != VERSION or len(sealed) < HEADER_BYTES:
        raise Tampered(secret)
    cipher = _ciphers().get(_key_id(sealed))
    if cipher is None:
        raise KeyMissing(secret)
    nonce = sealed[HEADER_BYTES - NONCE_BYTES : HEADER_BYTES]
    try:
        return SecretValue(cipher.decrypt(nonce, sealed[HEADER_BYTES:], secret.uid.encode()).decode())
    except InvalidTag:
        raise Tampered(secret) from None


def reseal_all() -> int:
    """Seal every secret that an older key sealed with the newest one; return how many. Raises ``SecretUnreadable``.

    What somebody changes meanwhile stays as they left it: it is sealed with the newest key already.
    """
    newest = next(iter(_ciphers()))
    resealed = 0
    for secret in Secret.objects.select_related("workspace").iterator(chunk_size=200):
        if _key_id(bytes(secret.sealed)) != newest:
            again = seal(secret.uid, open_secret(secret).reveal())
            resealed += Secret.objects.filter(pk=secret.pk, sealed=secret.sealed).update(sealed=again)
    return resealed


def _key_id(sealed: bytes) -> bytes:
    return sealed[len(VERSION) : len(VERSION) + KEY_ID_BYTES]


def _ciphers() -> dict[bytes, AESGCM]:
    """Return the ciphers by key id, the newest first."""
    return _ciphers_of(tuple(settings.ENCRYPTION_KEYS), settings.DATA_DIR / "keys" / "encryption.key")


@cache
def _ciphers_of(keys: tuple[str, ...], key_file: Path) -> dict[bytes, AESGCM]:
    found = [decode_key(text) for text in keys or [read_or_make(key_file)]]
    return {hashlib.sha256(b"assay key id" + key).digest()[:KEY_ID_BYTES]: AESGCM(key) for key in found}
