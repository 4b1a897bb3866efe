"""A hub's name may say one thing when it is checked and another when it is called: the connection is what counts."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from huggingface_hub import close_session
from pytest_django import Settings

from assay.filesets import huggingface
from assay.filesets.hub_client import HubClient
from assay.filesets.hub_errors import HubUnreachable
from assay.filesets.models import Fileset
from assay.platform.egress import EgressRefused
from assay.workspaces.models import Workspace
from tests.filesets.conftest import on_hub
from tests.hub.server import Hub
from tests.names import Names

pytestmark = pytest.mark.django_db

METADATA = "169.254.169.254"
PUBLIC = "93.184.216.34"


@pytest.fixture(autouse=True)
def own_session() -> Iterator[None]:
    """No connection is left over from a test before."""
    close_session()
    yield
    close_session()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def at(name: str, fileset: Fileset, hub: Hub) -> Fileset:
    fileset.storage["endpoint"] = hub.url.replace("127.0.0.1", name)
    return fileset


def test_a_name_that_leads_elsewhere_after_it_was_checked_is_refused(
    hub_fileset: Fileset, hub: Hub, names: Names
) -> None:
    names.lead("hub.test", "127.0.0.1", METADATA)
    with pytest.raises(EgressRefused, match=r"'hub\.test:\d+' .* leads to a cloud metadata or link-local address"):
        huggingface.files(at("hub.test", hub_fileset, hub))
    assert hub.requests == []
    assert len(names.asked) == 2, "what is refused is not tried again"


def test_with_auth_on_it_cannot_be_led_into_a_private_network(
    hub_fileset: Fileset, hub: Hub, names: Names, settings: Settings
) -> None:
    settings.AUTH = True
    names.lead("hub.test", PUBLIC, "127.0.0.1")
    with pytest.raises(EgressRefused, match="in a private network"):
        huggingface.fetch(at("hub.test", hub_fileset, hub), "README.md")
    assert hub.requests == []


def test_a_redirect_whose_name_leads_elsewhere_is_refused(workspace: Workspace, names: Names) -> None:
    with Hub(cdn=True) as hub:
        fileset = on_hub(workspace, hub, hub.add_commit("ns/data", {"big.jsonl.gz": b"packed"}))
        names.lead("localhost", "127.0.0.1", METADATA)
        with pytest.raises(EgressRefused, match="'localhost:"):
            huggingface.fetch(fileset, "big.jsonl.gz")
        assert hub.requests
        assert not any(request.path.startswith("/cdn/") for request in hub.requests)


@pytest.mark.parametrize("place", [METADATA, "2852039166", "[::ffff:a9fe:a9fe]", "metadata.google.internal"])
def test_a_redirect_to_the_metadata_service_is_refused(place: str, names: Names) -> None:
    names.lead("metadata.google.internal", [])

    class Moved(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://{place}/latest/meta-data")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Moved) as server, HubClient() as client:
        serving = Thread(target=server.handle_request)
        serving.start()
        with pytest.raises(EgressRefused):
            client.get(f"http://127.0.0.1:{server.server_address[1]}/")
        serving.join()


def test_it_is_called_at_the_address_that_was_looked_at(hub_fileset: Fileset, hub: Hub, names: Names) -> None:
    names.lead("hub.test", ["127.0.0.3", "127.0.0.1"])
    fileset = at("hub.test", hub_fileset, hub)
    assert len(huggingface.files(fileset)) == 4
    assert hub.requests[0].headers["host"] == fileset.storage["endpoint"].removeprefix("http://")
    looked_up = len(names.asked)
    assert (len(hub.requests), looked_up) == (1, 2), "once to check, and once to connect"
    assert huggingface.fetch(fileset, "README.md").read_bytes() == b"# Data\n"
    assert len(names.asked) - looked_up == len(hub.requests) - 1, "once a request, but a kept connection asks nobody"


def test_a_name_that_nobody_knows_is_a_hub_out_of_reach(hub_fileset: Fileset, hub: Hub, names: Names) -> None:
    names.lead("hub.test", [])
    with pytest.raises(HubUnreachable, match=r"hub\.test:\d+ cannot be reached"):
        huggingface.files(at("hub.test", hub_fileset, hub))


def test_a_proxy_may_be_anywhere_and_who_is_excepted_from_it_is_checked(
    hub: Hub, names: Names, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUTH = True
    names.lead("hub.test", PUBLIC, "127.0.0.1")
    names.lead("unknown.test", [])
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    monkeypatch.setenv("NO_PROXY", "hub.test")
    with HubClient() as client:
        client.get("http://unknown.test/api")
        assert hub.requests[-1].path.startswith("http://unknown.test/api")
        with pytest.raises(EgressRefused, match="private network"):
            client.get(f"http://hub.test:{hub.url.rpartition(':')[2]}/api")
        with pytest.raises(EgressRefused):
            client.get(f"http://{METADATA}/")
    assert len(hub.requests) == 1
