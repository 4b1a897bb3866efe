"""Which addresses the platform may call on somebody's behalf: a judge, a target or a hub that a request names.

Cloud metadata and link-local addresses are never called: they hand out the machine's own credentials. ``EGRESS_DENY``
and ``EGRESS_ALLOW`` hold hosts, ``host:port`` pairs and networks; an allow list, once set, is all there is. Without
one, private networks may be called with auth off (one person, who has them anyway) and not with it on.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from django.conf import settings

from assay.platform.errors import BadRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = {"http": 80, "https": 443}
METADATA_NAMES = {
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
}
NEVER = [
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "fe80::/10",
        "fd00:ec2::/32",  # metadata, name and time services inside EC2
        "100.100.100.200/32",  # metadata at Alibaba Cloud
        "168.63.129.16/32",  # the platform's own channel in Azure
        "192.0.0.192/32",  # metadata at Oracle Cloud
        "224.0.0.0/4",
        "ff00::/8",
    )
]
SHARED = ip_network("100.64.0.0/10")
"""Carrier-grade NAT: inside somebody's network, though Python does not call it private."""
NAT64 = ip_network("64:ff9b::/96")
ENTRY = re.compile(r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
"""An entry that may end in a port; a bare IPv6 address or network is none of these."""


class EgressRefused(BadRequest):
    """The platform does not call this address; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Rule:
    """One entry of an allow or deny list."""

    host: str
    network: Network | None
    port: int | None

    def names(self, host: str, port: int) -> bool:
        return self.network is None and self.host == host and self.port in {None, port}

    def holds(self, address: Address, port: int) -> bool:
        return self.network is not None and address in self.network and self.port in {None, port}


def check(url: str) -> None:
    """Return if the platform may call ``url``; raises ``EgressRefused``.

    A host name that does not resolve passes: there is nothing to be reached yet, and behind a proxy this machine need
    not know the name.
    """
    host, port = _host_and_port(url)
    shown = _shown(url)
    addresses = [inner for address in _addresses(host, port) for inner in _spellings(address)]
    if host in METADATA_NAMES or any(address in network for address in addresses for network in NEVER):
        raise EgressRefused(f"Host '{shown}' is not in the allowed external hosts list.")
    if any(rule.names(host, port) or _any_holds(rule, addresses, port) for rule in _rules(*settings.EGRESS_DENY)):
        raise _refused(shown, "ASSAY_EGRESS_DENY names it")
    allowed = _rules(*settings.EGRESS_ALLOW)
    if allowed:
        if not _allows(allowed, host, addresses, port):
            raise _refused(shown, "ASSAY_EGRESS_ALLOW does not name it")
    elif settings.AUTH and any(_private(address) for address in addresses):
        raise _refused(shown, "it is in a private network; ASSAY_EGRESS_ALLOW can name it")


def _refused(shown: str, why: str) -> EgressRefused:
    return EgressRefused(f"Host '{shown}' is not in the allowed external hosts list: {why}.")


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused("The URL is malformed.") from None
    if parts.scheme not in PORTS:
        raise EgressRefused("Only http and https URLs can be called.")
    host = (parts.hostname or "").lower().rstrip(".")
    if not host or any(character in host for character in "\x00 \t\r\n"):
        raise EgressRefused("The URL names no host.")
    return host, PORTS[parts.scheme] if port is None else port


def _shown(url: str) -> str:
    """Return scheme, host and port: a password in front of the host and a key behind it stay out of messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _addresses(host: str, port: int) -> list[Address]:
    try:
        return [ip_address(host.partition("%")[0])]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    # Decimal, octal and hexadecimal spellings of an address come out of the resolver as the address they mean.
    return list({ip_address(str(entry[4][0]).partition("%")[0]) for entry in found})


def _spellings(address: Address) -> Iterable[Address]:
    """Yield the address, and the IPv4 one that an IPv6 address leads to."""
    inner = None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
            return
        inner = IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else address.sixtofour
    yield address
    if inner is not None:
        yield inner


def _private(address: Address) -> bool:
    return not address.is_global or address in SHARED


def _any_holds(rule: Rule, addresses: list[Address], port: int) -> bool:
    return any(rule.holds(address, port) for address in addresses)


def _allows(rules: list[Rule], host: str, addresses: list[Address], port: int) -> bool:
    """Return whether a rule names the host, or rules hold every address it may turn out to have."""
    if any(rule.names(host, port) for rule in rules):
        return True
    return bool(addresses) and all(any(rule.holds(address, port) for rule in rules) for address in addresses)


@cache
def _rules(*entries: str) -> list[Rule]:
    return [_rule(entry) for entry in entries]


def _rule(entry: str) -> Rule:
    found = ENTRY.fullmatch(entry.lower())
    host = ((found["bracketed"] or found["host"]) if found else entry.lower()).rstrip(".")
    port = int(found["port"]) if found and found["port"] else None
    try:
        return Rule(host, ip_network(host, strict=False), port)
    except ValueError:
        return Rule(host, None, port)
