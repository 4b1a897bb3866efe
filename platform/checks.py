"""System checks: what would fail later, said at start with what to do about it."""

import os
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from assay.platform.keyfile import decode_key


@register()
def data_folder_is_writable(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    folder = settings.DATA_DIR
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return []
    hint = "Set ASSAY_DATA_DIR to a folder that this user may write to."
    return [Error(f"The data folder {folder} cannot be written to.", hint=hint, id="assay.E001")]


@register()
def encryption_keys_parse(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for position, text in enumerate(settings.ENCRYPTION_KEYS, start=1):
        try:
            decode_key(text)
        except ValueError as error:
            # Says which key it is by its place, never by its text.
            hint = (
                'Make one with: python -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
            )
            found.append(Error(f"Key {position} of ASSAY_ENCRYPTION_KEYS {error}.", hint=hint, id="assay.E002"))
    if len(set(settings.ENCRYPTION_KEYS)) < len(settings.ENCRYPTION_KEYS):
        found.append(
            Warning("ASSAY_ENCRYPTION_KEYS names a key twice.", hint="Remove the repetition.", id="assay.W003")
        )
    return found
