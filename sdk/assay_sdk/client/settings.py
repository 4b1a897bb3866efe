"""How a client talks to its server: address, credentials, patience."""

import ssl
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

import httpx


@dataclass(frozen=True)
class Settings:
    """How a client talks to its server."""

    base_url: str
    token: str | None = field(default=None, repr=False)
    """Sent as a bearer token."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password, sent as HTTP Basic."""
    timeout: float = 60.0
    """Seconds without a byte, in either direction."""
    retries: int = 4
    """How often a request is repeated after failures that may pass."""

    def options(self) -> dict[str, Any]:
        """Return the arguments of an httpx client."""
        headers = {"User-Agent": f"assay-sdk/{metadata.version('assay-sdk')}"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return {
            "base_url": self.base_url,
            "headers": headers,
            "auth": self.login,
            "timeout": httpx.Timeout(self.timeout, connect=min(10.0, self.timeout)),
            "follow_redirects": False,
            "verify": certificates(),
        }


@cache
def certificates() -> ssl.SSLContext:
    """Return whom to trust. Reading it takes far longer than making a client, so it is read once."""
    return httpx.create_ssl_context()
