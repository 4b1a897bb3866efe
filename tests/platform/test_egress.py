"""Where the platform may call."""

import pytest
from pytest_django import Settings

from assay.platform import egress
from assay.platform.egress import EgressRefused, check


@pytest.fixture(autouse=True)
def open_house(settings: Settings) -> None:
    settings.AUTH, settings.EGRESS_ALLOW, settings.EGRESS_DENY = False, [], []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://169.254.1.2:8080",
        "http://2852039166/",
        "http://0251.0376.0251.0376/",
        "http://0xa9fea9fe/",
        "http://169.254.43518/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal.:80/",
    ],
)
def test_metadata_and_link_local_are_never_called(url: str, settings: Settings) -> None:
    settings.EGRESS_ALLOW = ["169.254.0.0/16", "fe80::/10", "metadata.google.internal", "0.0.0.0/0", "::/0"]
    with pytest.raises(EgressRefused) as refused:
        check(url)
    assert refused.value.reason.endswith("is not in the allowed external hosts list.")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "gopher://h", "h:80", "http://", "http:///x", "//h", ""]
)
def test_only_web_addresses_with_a_host(url: str) -> None:
    with pytest.raises(EgressRefused):
        check(url)


@pytest.mark.parametrize("url", ["http://h:99999", "http://[::1", "http://a b/"])
def test_malformed_urls_are_refused_not_raised(url: str) -> None:
    with pytest.raises(EgressRefused):
        check(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://localhost", "http://10.1.2.3", "http://[::1]:80", "https://1.1.1.1"]
)
def test_one_person_may_call_private_networks(url: str) -> None:
    check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9",
        "http://localhost",
        "http://10.1.2.3",
        "http://0.0.0.0",
        "http://[fd12::1]",
        "http://100.64.0.1",
    ],
)
def test_with_auth_on_private_networks_are_refused_until_allowed(url: str, settings: Settings) -> None:
    settings.AUTH = True
    with pytest.raises(EgressRefused):
        check(url)
    settings.EGRESS_ALLOW = ["127.0.0.0/8", "::1", "10.0.0.0/8", "0.0.0.0", "fd12::/16", "100.64.0.0/10"]
    check(url)


def test_an_allow_list_is_all_there_is(settings: Settings) -> None:
    settings.EGRESS_ALLOW = ["judge.example", "hub.example:8443", "10.0.0.0/8", "[::1]:8000"]
    for url in [
        "https://judge.example/v1",
        "http://judge.example:99",
        "https://hub.example:8443/x",
        "http://10.9.9.9",
        "http://[::1]:8000",
    ]:
        check(url)
    for url in [
        "https://hub.example",
        "https://other.example",
        "http://11.0.0.1",
        "http://[::1]:8001",
        "http://xjudge.example",
    ]:
        with pytest.raises(EgressRefused):
            check(url)


def test_a_deny_entry_wins_over_an_allow_entry(settings: Settings) -> None:
    settings.EGRESS_ALLOW = ["10.0.0.0/8", "judge.example"]
    settings.EGRESS_DENY = ["10.0.0.5", "judge.example:81"]
    check("http://10.0.0.6")
    check("http://judge.example")
    for url in ["http://10.0.0.5", "http://[::ffff:10.0.0.5]", "http://judge.example:81"]:
        with pytest.raises(EgressRefused):
            check(url)


def test_a_name_is_refused_for_any_address_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "169.254.169.254")]
    monkeypatch.setattr(egress.socket, "getaddrinfo", lambda *a, **k: entries)
    with pytest.raises(EgressRefused):
        check("http://rebinding.example")


def test_an_address_literal_asks_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*a: object, **k: object) -> None:
        raise AssertionError("resolver asked")

    monkeypatch.setattr(egress.socket, "getaddrinfo", asked)
    check("http://1.1.1.1")
    check("http://[2606:4700::1111]")


def test_messages_hold_no_password() -> None:
    with pytest.raises(EgressRefused) as refused:
        check("http://user:hunter2@169.254.169.254/?key=hunter3")
    assert "hunter" not in refused.value.reason
    assert "169.254.169.254" in refused.value.reason
