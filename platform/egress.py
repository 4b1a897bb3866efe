"""Which addresses the platform may call on somebody's behalf: a judge, a target or a hub that a request names.

Cloud metadata and link-local addresses are never called: they hand out the machine's own credentials. ``EGRESS_DENY``
and ``EGRESS_ALLOW`` hold hosts, ``host:port`` pairs and networks; an allow list, once set, is all there is. Without
one, private networks may be called with auth off (one person, who has them anyway) and not with it on.

``check`` asks before anything is done for a URL; a name may lead elsewhere a moment later. So whatever connects asks
``permit`` as well, with the very addresses that it is about to connect to.
"""

import re
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
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
    "metadata.tencentyun.com",
}
NEVER = [
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "fe80::/10",
        "fd00:ec2::/32",  # metadata, name and time services inside EC2
        "fd20:ce::254/128",  # metadata at Google Cloud
        "fd00:42::42/128",  # metadata at Scaleway
        "100.100.100.200/32",  # metadata at Alibaba Cloud
        "168.63.129.16/32",  # the platform's own channel in Azure
        "192.0.0.192/32",  # metadata at Oracle Cloud
        "224.0.0.0/4",
        "ff00::/8",
    )
]
SHARED = ip_network("100.64.0.0/10")
"""Carrier-grade NAT: inside somebody's network, though Python does not call it private."""
INNER = [
    ip_network(network)
    for network in (
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 with a prefix of the network's own
        "::ffff:0:0:0/96",  # IPv4-translated
        "::/96",  # IPv4-compatible
    )
]
"""IPv6 networks whose addresses end in the IPv4 address that they lead to."""
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
    _judge(_shown(url), host, port, resolve(host, port))


def permit(host: str, port: int, addresses: Sequence[str]) -> None:
    """Return if a connection may be made to any of these addresses of ``host``; raises ``EgressRefused``.

    No addresses are those of a name that only a proxy knows. Asks no name server, so an event loop may call it.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    _judge(shown, _name(host), port, addresses)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses that the host has at this moment; none for a name that is not known."""
    with suppress(ValueError):
        return [str(ip_address(host))]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return []
    # Decimal, octal and hexadecimal spellings of an address come out of the resolver as the address they mean.
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _judge(shown: str, host: str, port: int, given: Sequence[str]) -> None:
    addresses = [inner for text in given for inner in _spellings(ip_address(text))]
    if host in METADATA_NAMES or any(address in network for address in addresses for network in NEVER):
        if host in METADATA_NAMES or host in given:
            raise EgressRefused(f"Host '{shown}' is not in the allowed external hosts list.")
        raise _refused(shown, "it leads to a cloud metadata or link-local address")
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
    host = (parts.hostname or "").rstrip(".")
    if not host or any(character in host for character in "\x00 \t\r\n"):
        raise EgressRefused("The URL names no host.")
    # Libraries are of several minds about which host such a URL names.
    if "\\" in parts.netloc or ("%" in host and ":" not in host):
        raise EgressRefused("The URL is malformed.")
    return _name(host), PORTS[parts.scheme] if port is None else port


def _shown(url: str) -> str:
    """Return scheme, host and port: a password in front of the host and a key behind it stay out of messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _name(host: str) -> str:
    """Return the one spelling of a host's name that rules and calls are compared in."""
    with suppress(UnicodeError):
        host = host if host.isascii() else host.encode("idna").decode()
    return host.lower().rstrip(".")


def _spellings(address: Address) -> Iterable[Address]:
    """Yield the address, and the IPv4 ones that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
        return
    yield address
    if any(address in network for network in INNER) and int(address) > 1:  # :: and ::1 are themselves
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo


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
    host = _name((found["bracketed"] or found["host"]) if found else entry)
    port = int(found["port"]) if found and found["port"] else None
    try:
        return Rule(host, ip_network(host, strict=False), port)
    except ValueError:
        return Rule(host, None, port)
