"""The HTTP client that ``huggingface_hub`` gets from us.

A fileset's creator names the hub, so a hub is a stranger: every request keeps to the egress rules, redirects and next
pages included, as does the address of every connection; and what the library would make file names of has to look like
one.
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

# Read when the library is imported. Xet downloads would go around the client below; the hub offers them over HTTP too.
os.environ |= {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_VERBOSITY": "error",  # its warnings name addresses that are signed
}

import httpcore2
import httpx2
from huggingface_hub import set_client_factory

from assay.filesets.hub_errors import HubNonsense, HubUnreachable
from assay.platform import egress

TIMEOUT = {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": 30.0}
MOST_CONNECTIONS, KEPT_SECONDS = 100, 5.0
ATTEMPTS = 3
"""A hub that restarts is back in a moment; whoever waits for our reply does not wait for more."""
FILE_NAME_HEADERS = ("ETag", "X-Linked-ETag", "X-Repo-Commit")
FILE_NAME = re.compile(r"""(W/)?"?(?!\.)[A-Za-z0-9._:+=-]{1,200}"?""")


class HubClient(httpx2.Client):
    def __init__(self) -> None:
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [_permit], "response": [_distrust]}
        tls = httpx2.create_ssl_context()
        super().__init__(verify=tls, follow_redirects=True, timeout=httpx2.Timeout(**TIMEOUT), event_hooks=hooks)
        # What httpx2 connects with where no proxy of the environment does. It has no public way to hand a backend down.
        straight = httpx2.HTTPTransport(verify=tls)
        straight._pool = httpcore2.ConnectionPool(
            tls, max_connections=MOST_CONNECTIONS, keepalive_expiry=KEPT_SECONDS, network_backend=Permitted()
        )
        self._transport = straight

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send the request, and again if the hub is away for a moment; raises ``HubUnreachable`` if it stays away."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = super().send(request, **options)
            except httpx2.TransportError as error:
                # Not its text: what is wrong with a header is told with the header's value, the token.
                reason = "did not answer in time" if isinstance(error, httpx2.TimeoutException) else "cannot be reached"
            else:
                if response.status_code != 429 and response.status_code < 500:
                    return response
                response.close()
                reason = f"answered {response.status_code}"
            if attempt < ATTEMPTS:
                time.sleep(0.25 * attempt)
        raise HubUnreachable(f"The hub at {request.url.scheme}://{request.url.netloc.decode()} {reason}.")


class Permitted(httpcore2.SyncBackend):
    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *rest: Any, **options: Any
    ) -> httpcore2.NetworkStream:
        """Return a connection to an address that may be called, the first that takes one; raises ``EgressRefused``."""
        addresses = egress.resolve(host, port)
        egress.permit(host, port, addresses)
        failure: httpcore2.NetworkError | httpcore2.TimeoutException = httpcore2.ConnectError("The name is not known.")
        for address in addresses:
            try:
                return super().connect_tcp(address, port, timeout, *rest, **options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


def _permit(request: httpx2.Request) -> None:
    egress.check(str(request.url))
    # The library asks for no time limit on some calls.
    limits: Mapping[str, float | None] = request.extensions.get("timeout", {})
    request.extensions["timeout"] = {name: limits.get(name) or most for name, most in TIMEOUT.items()}


def _distrust(response: httpx2.Response) -> None:
    if response.request.method != "HEAD":
        return
    for header in FILE_NAME_HEADERS:
        value = response.headers.get(header)
        if value is not None and not FILE_NAME.fullmatch(value):
            raise HubNonsense(f"The hub at {response.request.url.host} sends a malformed {header} header.")


set_client_factory(HubClient)
