"""Where the platform may call."""

import pytest
from pytest_django import Settings

from assay.platform import egress
from assay.platform.egress import EgressRefused, check, permit


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
        "http://[64:ff9b:1::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[2001:0:4136:e378:8000:63bf:5601:5601]/",
        "http://[::169.254.169.254]/",
        "http://[::ffff:0:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00:ec2::254]/",
        "http://[fd20:ce::254]/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal.:80/",
        "http://ｍetadata。google.internal/",
        "http://１６９.254.169.254/",
    ],
)
def test_metadata_and_link_local_are_never_called(url: str, settings: Settings) -> None:
    settings.EGRESS_ALLOW = ["169.254.0.0/16", "fe80::/10", "metadata.google.internal", "0.0.0.0/0", "::/0"]
    with pytest.raises(EgressRefused) as refused:
        check(url)
    assert "is not in the allowed external hosts list" in refused.value.reason


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "gopher://h", "h:80", "http://", "http:///x", "//h", ""]
)
def test_only_web_addresses_with_a_host(url: str) -> None:
    with pytest.raises(EgressRefused):
        check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://h:99999",
        "http://[::1",
        "http://a b/",
        "http://169.254.169.254\\@judge.example/",
        "http://%31%36%39.254.169.254/",
    ],
)
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
        "http://0",
        "http://2130706433",
        "http://0177.0.0.1",
        "http://[::]",
        "http://[::1]",
        "http://[::ffff:10.1.2.3]",
        "http://[fd12::1]",
        "http://100.64.0.1",
    ],
)
def test_with_auth_on_private_networks_are_refused_until_allowed(url: str, settings: Settings) -> None:
    settings.AUTH = True
    with pytest.raises(EgressRefused):
        check(url)
    settings.EGRESS_ALLOW = ["127.0.0.0/8", "::1", "::", "10.0.0.0/8", "0.0.0.0", "fd12::/16", "100.64.0.0/10"]
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


@pytest.mark.parametrize("name", ["münchen.example", "MÜNCHEN.example.", "xn--mnchen-3ya.example"])
def test_a_rule_names_a_host_however_it_is_spelled(name: str, settings: Settings) -> None:
    for rule in ("münchen.example", "xn--mnchen-3ya.example"):
        settings.EGRESS_DENY = [rule]
        with pytest.raises(EgressRefused):
            check(f"http://{name}/")
        with pytest.raises(EgressRefused):
            permit(name, 80, ["93.184.216.34"])


def test_what_a_name_leads_to_is_judged_as_the_address_itself_would_be(settings: Settings) -> None:
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1%eth0"):
        with pytest.raises(EgressRefused) as refused:
            permit("judge.example", 443, ["93.184.216.34", address])
        assert refused.value.reason == (
            "Host 'judge.example:443' is not in the allowed external hosts list: "
            "it leads to a cloud metadata or link-local address."
        )
    permit("judge.example", 443, ["10.0.0.1"])
    settings.AUTH = True
    with pytest.raises(EgressRefused, match="'judge.example:443' .* in a private network; ASSAY_EGRESS_ALLOW"):
        permit("judge.example", 443, ["10.0.0.1"])
    settings.EGRESS_ALLOW = ["judge.example:443"]
    permit("judge.example", 443, ["10.0.0.1"])
    with pytest.raises(EgressRefused, match="ASSAY_EGRESS_ALLOW does not name it"):
        permit("judge.example", 80, ["10.0.0.1"])


def test_behind_a_proxy_the_name_and_an_address_in_its_place_are_judged(settings: Settings) -> None:
    settings.EGRESS_DENY = ["other.example"]
    permit("judge.example", 443, [])
    for host, addresses in (("other.example", []), ("metadata.google.internal", []), ("fe80::1", ["fe80::1"])):
        with pytest.raises(EgressRefused):
            permit(host, 443, addresses)
