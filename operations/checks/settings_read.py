"""What the environment says, and what would come of it."""

import re
from ipaddress import ip_network
from urllib.parse import urlsplit

from django.conf import settings

from assay.operations.checks.finding import Depth, Found

LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST = re.compile(rf"(?:{LABEL}\.)*{LABEL}\.?", re.IGNORECASE)
PORT = re.compile(r"(?P<host>.+):(?P<port>[0-9]+)")


def risks(depth: Depth) -> Found:
    """Doors that stand open."""
    beyond = [host for host in settings.ALLOWED_HOSTS if host not in settings.LOOPBACK]
    if not settings.AUTH and beyond:
        yield (
            f"Sign-in is off, and requests may come by the name {beyond[0]}.",
            "Whoever reaches this machine, a web page in somebody's browser too, may read and change everything.",
            "Set ASSAY_AUTH=on and make an account with `manage.py createsuperuser`, or unset ASSAY_ALLOWED_HOSTS.",
        )
    elif "*" in beyond:
        yield (
            "Requests may come by any host name.",
            "Behind a proxy that passes names on, links and redirects can be made to lead elsewhere.",
            "Name the hosts that people use: ASSAY_ALLOWED_HOSTS=assay.example.com",
        )
    address = urlsplit(settings.INFERENCE_URL)
    if settings.INFERENCE_URL and (address.scheme not in {"http", "https"} or not address.hostname):
        yield (
            "ASSAY_INFERENCE_URL is no http or https address.",
            "Models of v1 evaluations that are named by their name alone are asked there.",
            "Set it to the base URL of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1.",
        )


def egress_lists(depth: Depth) -> Found:
    """Entries of the allow and deny lists that match nothing, whatever they were meant to say."""
    lists = {"ASSAY_EGRESS_ALLOW": settings.EGRESS_ALLOW, "ASSAY_EGRESS_DENY": settings.EGRESS_DENY}
    for variable, entries in lists.items():
        for entry in entries:
            if not well_formed(entry):
                why = "It matches no address: what it should allow is refused."
                if variable == "ASSAY_EGRESS_DENY":
                    why = "It matches no address: what it should refuse is called."
                mend = "Write a host name, host:port, an address or a network such as 10.0.0.0/8; no URL, no wildcard."
                yield f"{entry!r} in {variable} is no host, no host:port and no network.", why, mend


def well_formed(entry: str) -> bool:
    """Return whether an entry is a host or a network, with a port or without one."""
    if _is_host(entry):
        return True
    found = PORT.fullmatch(entry)
    if found is None or not 0 < int(found["port"]) < 65536:
        return False
    return _is_host(found["host"].removeprefix("[").removesuffix("]"))


def _is_host(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return bool(HOST.fullmatch(text)) and not re.fullmatch(r"[0-9.]+", text)
    return True
