"""Where a model is and how to get in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.model import InferenceParams, Model

MASK = b"******"
TELLING_CHARACTERS = 8
"""A shorter key may well be a word, or a score, of an honest reply."""
JSON_LEVELS = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model's address and credentials. `role` ("judge", "target") is how messages speak of it."""

    role: str
    model: str
    base: str  # the address without the path of the API call; a query is kept
    timeout: float
    secret: str | None
    headers: Mapping[str, str] = field(repr=False)
    echoes: tuple[bytes, ...] = field(repr=False)
    """How the key would look in a reply that quotes it."""

    @classmethod
    def of(
        cls, role: str, model: Model, inference: InferenceParams | None, *, api_keys: Mapping[str, str], timeout: float
    ) -> "Endpoint":
        """Raises RunAborted when the model's key is not at hand: better before the first row than at each."""
        extras: dict[str, Any] = {}
        for params in filter(None, (model.inference, inference)):
            extras |= params.model_extra or {}
        key = _key_of(f"Model '{model.name}'", model.api_key_secret, api_keys)
        headers = {"content-type": "application/json", "accept": "application/json"}
        for given in (model.default_headers, extras.get("extra_headers")):
            headers |= {name.lower(): str(value) for name, value in (given or {}).items()}
        if key:
            headers["authorization"] = f"Bearer {key}"
        parts = urlsplit(model.url)
        query = "&".join(filter(None, [parts.query, urlencode(extras.get("extra_query") or {})]))
        path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat")
        return cls(
            role=role,
            model=model.served_model_name or model.name,
            base=urlunsplit((parts.scheme, parts.netloc, path, query, "")),
            timeout=float(extras.get("timeout") or timeout),
            secret=model.api_key_secret,
            headers=headers,
            echoes=_echoes_of(key),
        )

    @classmethod
    def plain(
        cls, role: str, url: str, secret: str | None, *, api_keys: Mapping[str, str], timeout: float
    ) -> "Endpoint":
        """An address that is called as it is, and is no model's. Raises RunAborted when its key is not at hand."""
        key = _key_of(f"The {role} at {url.partition('?')[0]}", secret, api_keys)
        headers = {"content-type": "application/json", "accept": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        return cls(
            role=role, model="", base=url, timeout=timeout, secret=secret, headers=headers, echoes=_echoes_of(key)
        )

    @property
    def address(self) -> str:
        """The address without its query, in which people have been seen to put keys."""
        return self.base.partition("?")[0]

    @property
    def name(self) -> str:
        """How messages speak of it."""
        return f"{self.role} at {self.address}"

    def url_for(self, body: Mapping[str, Any]) -> str:
        """The address of a call: its body decides which of the two APIs it is for."""
        return _extended(self.base, "/chat/completions" if "messages" in body else "/completions")

    def without_key(self, body: bytes) -> bytes:
        """A reply that does not quote the key: servers have been seen to echo it, in refusals above all."""
        for echo in self.echoes:
            body = body.replace(echo, MASK)
        return body


@lru_cache(maxsize=256)  # asked for each call, about very few addresses
def _extended(base: str, path: str) -> str:
    parts = urlsplit(base)
    return urlunsplit(parts._replace(path=parts.path + path))


def _echoes_of(key: str | None) -> tuple[bytes, ...]:
    """The key as it is, as an address writes it, and as JSON does, with and without escaped slashes: also JSON that
    stands in JSON, as a judge's verdict does."""
    if not key:
        return ()
    if len(key) < TELLING_CHARACTERS:
        return (f"Bearer {key}".encode(),)
    ways = {key, quote(key, safe=""), quote(key)}
    for _ in range(JSON_LEVELS):
        quoted = {json.dumps(way)[1:-1] for way in ways}
        ways |= quoted | {way.replace("/", r"\/") for way in quoted}
    return tuple(way.encode() for way in sorted(ways, key=len, reverse=True))


def _key_of(who: str, secret: str | None, api_keys: Mapping[str, str]) -> str | None:
    if not secret:
        return None
    key = (api_keys.get(secret) or "").strip()
    if not key:
        raise RunAborted(f"{who} needs secret '{secret}', which is missing or empty.")
    if not (key.isascii() and key.isprintable()):
        raise RunAborted(f"Secret '{secret}' holds characters that no API key has. Store it again.")
    return key
