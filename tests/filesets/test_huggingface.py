"""Reading a hub at the pinned commit: one file at a time, into a cache that nobody without the token shares."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pytest_django import Settings

from assay.filesets import huggingface
from assay.filesets.hub_errors import HubLacks, HubNonsense, HubRefused, HubUnreachable
from assay.filesets.models import Fileset
from assay.filesets.storage import FileMissing
from assay.platform.egress import EgressRefused
from assay.secrets.store import create_secret
from assay.workspaces.models import Workspace
from tests.filesets.conftest import on_hub
from tests.hub.server import Hub

pytestmark = pytest.mark.django_db

TOKEN = "hf_a_token_nobody_may_see"
SHA = "0123456789abcdef0123456789abcdef01234567"


def cached_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "hub-cache").rglob("*") if path.is_symlink()}


def test_one_file_is_downloaded_and_no_other(hub_fileset: Fileset, hub: Hub, data_folder: Path) -> None:
    here = huggingface.fetch(hub_fileset, "train/a.jsonl")
    assert here.read_bytes() == b'{"n":0}\n{"n":1}\n'
    assert cached_files(data_folder) == {"a.jsonl"}
    assert {request.path.rpartition("/")[2] for request in hub.requests} == {"a.jsonl"}


def test_a_second_fetch_asks_nothing(hub_fileset: Fileset, hub: Hub) -> None:
    here = huggingface.fetch(hub_fileset, "train/a.jsonl")
    asked = len(hub.requests)
    assert huggingface.fetch(hub_fileset, "train/a.jsonl") == here
    assert len(hub.requests) == asked


def test_the_pinned_commit_is_read_whatever_came_after(hub_fileset: Fileset, hub: Hub) -> None:
    newer = hub.add_commit("ns/data", {"train/a.jsonl": b"changed", "new": b""}, remove=["weights.bin"])
    assert huggingface.fetch(hub_fileset, "train/a.jsonl").read_bytes().startswith(b'{"n":0}')
    assert [file.path for file in huggingface.files(hub_fileset)][-1] == "weights.bin"
    assert huggingface.fetch(hub_fileset, "train/a.jsonl", newer).read_bytes() == b"changed"
    assert [file.path for file in huggingface.files(hub_fileset, revision=newer)][1] == "new"


def test_what_the_cache_lost_is_fetched_again(hub_fileset: Fileset) -> None:
    here = huggingface.fetch(hub_fileset, "train/a.jsonl")
    content = here.read_bytes()
    here.resolve().unlink()
    assert huggingface.fetch(hub_fileset, "train/a.jsonl").read_bytes() == content


def test_a_long_list_comes_whole(workspace: Workspace) -> None:
    with Hub(page_size=3) as hub:
        sha = hub.add_commit("ns/data", {f"part {number:02}#.jsonl": b"{}" for number in range(10)})
        fileset = on_hub(workspace, hub, sha)
        assert len(huggingface.files(fileset)) == 10
        assert huggingface.fetch(fileset, "part 07#.jsonl").read_bytes() == b"{}"


def test_a_redirect_to_a_content_network_is_followed(workspace: Workspace) -> None:
    with Hub(cdn=True) as hub:
        sha = hub.add_commit("ns/data", {"big.jsonl.gz": b"packed" * 1000})
        fileset = on_hub(workspace, hub, sha)
        assert huggingface.find(fileset, "big.jsonl.gz").size == 6000
        assert huggingface.fetch(fileset, "big.jsonl.gz").read_bytes() == b"packed" * 1000


def test_a_redirect_keeps_to_the_egress_rules(workspace: Workspace, settings: Settings) -> None:
    with Hub(cdn=True) as hub:
        fileset = on_hub(workspace, hub, hub.add_commit("ns/data", {"big.jsonl.gz": b"packed"}))
        settings.EGRESS_DENY = ["localhost"]
        with pytest.raises(EgressRefused, match="localhost"):
            huggingface.fetch(fileset, "big.jsonl.gz")
        assert not any(request.path.startswith("/cdn/") for request in hub.requests)


def test_a_gated_repository_needs_the_token(workspace: Workspace, hub: Hub) -> None:
    sha = hub.add_commit("ns/data", {"a.jsonl": b"{}"})
    hub.protect("ns/data", TOKEN, gated=True)
    secret = create_secret(workspace, "hf-token", TOKEN, None)
    wrong = create_secret(workspace, "wrong-token", "hf_other", None)
    nobody = on_hub(workspace, hub, sha, "nobody")
    stranger = on_hub(workspace, hub, sha, "stranger", token_secret=wrong)
    with pytest.raises(HubRefused, match="name a secret that holds a token"):
        huggingface.fetch(nobody, "a.jsonl")
    with pytest.raises(HubRefused, match="secret 'w-one/wrong-token'"):
        huggingface.fetch(stranger, "a.jsonl")
    friend = on_hub(workspace, hub, sha, "friend", token_secret=secret)
    assert huggingface.fetch(friend, "a.jsonl").read_bytes() == b"{}"
    # What the token fetched is not there for those without it.
    for fileset in (nobody, stranger):
        with pytest.raises(HubRefused):
            huggingface.fetch(fileset, "a.jsonl")


def test_no_error_or_log_holds_the_token(workspace: Workspace, hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    sha = hub.add_commit("ns/data", {"a.jsonl": b"{}"})
    hub.protect("ns/data", "other")
    secret = create_secret(workspace, "hf-token", TOKEN, None)
    fileset = on_hub(workspace, hub, sha, token_secret=secret)
    caplog.set_level("DEBUG")
    for fail in (lambda: None, lambda: hub.fail_next(500, 3), hub.stop):
        fail()
        for ask in (huggingface.files, lambda each: huggingface.fetch(each, "a.jsonl")):
            with pytest.raises((HubRefused, HubLacks, HubUnreachable)) as raised:
                ask(fileset)
            error: BaseException | None = raised.value
            while error is not None:
                assert TOKEN not in repr(error) + str(error)
                error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert TOKEN not in caplog.text


def test_a_missing_file_names_what_is_near(hub_fileset: Fileset) -> None:
    with pytest.raises(FileMissing, match=r"Did you mean 'train/a.jsonl' or 'train/b.jsonl'\?"):
        huggingface.fetch(hub_fileset, "train/aa.jsonl")
    with pytest.raises(FileMissing, match="Did you mean 'weights.bin'"):
        huggingface.fetch(hub_fileset, "weight.bin")
    with pytest.raises(FileMissing):
        huggingface.find(hub_fileset, "train")


def test_a_repository_that_went(hub_fileset: Fileset, hub: Hub) -> None:
    hub.remove_repository("ns/data")
    for ask in (huggingface.files, lambda fileset: huggingface.fetch(fileset, "README.md")):
        with pytest.raises(HubLacks, match="dataset 'ns/data' at http.* is not there"):
            ask(hub_fileset)


def test_a_hub_that_stumbles_is_asked_again(hub_fileset: Fileset, hub: Hub) -> None:
    hub.fail_next(503, 2)
    assert len(huggingface.files(hub_fileset)) == 4
    hub.fail_next(429, 1)
    assert huggingface.fetch(hub_fileset, "README.md").read_bytes() == b"# Data\n"


def test_a_hub_that_stays_away_is_not_waited_for(hub_fileset: Fileset, hub: Hub) -> None:
    hub.fail_next(503, 3)
    with pytest.raises(HubUnreachable, match=f"The hub at {hub.url} answered 503"):
        huggingface.files(hub_fileset)
    asked = len(hub.requests)
    assert asked == 3
    hub.stop()
    with pytest.raises(HubUnreachable, match=f"The hub at {hub.url} cannot be reached"):
        huggingface.fetch(hub_fileset, "README.md")


# A server that is no hub, or not an honest one


@pytest.fixture
def stranger() -> Iterator[Callable[[dict[str, str], bytes, int], str]]:
    servers = []

    def start(headers: dict[str, str], content: bytes = b"", status: int = 200) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def fileset_at(url: str, workspace: Workspace) -> Fileset:
    hub = Hub()
    fileset = on_hub(workspace, hub, SHA)
    fileset.storage["endpoint"] = url
    return fileset


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"../../../../../evil"', "X-Repo-Commit": SHA},
        {"ETag": "/tmp/evil", "X-Repo-Commit": SHA},
        {"ETag": '"abc"', "X-Linked-ETag": '"../evil"', "X-Repo-Commit": SHA},
        {"ETag": '"abc"', "X-Repo-Commit": "../../../evil"},
        {"ETag": '".."', "X-Repo-Commit": SHA},
    ],
)
def test_a_hostile_hub_cannot_name_files_of_ours(
    headers: dict[str, str],
    workspace: Workspace,
    stranger: Callable[..., str],
    data_folder: Path,
) -> None:
    fileset = fileset_at(stranger(headers, b"owned"), workspace)
    with pytest.raises(HubNonsense, match="malformed"):
        huggingface.fetch(fileset, "a/b.jsonl")
    assert not [path for path in data_folder.parent.rglob("*") if path.is_file() and path.read_bytes() == b"owned"]
    assert not list(data_folder.parent.rglob("*evil*"))


def test_a_hostile_list_leads_nowhere(workspace: Workspace, hub: Hub, data_folder: Path) -> None:
    evil = ["../../../evil", "/tmp/evil", "a/../../evil", "a//evil", "evil\0"]
    fileset = on_hub(workspace, hub, hub.add_commit("ns/data", dict.fromkeys([*evil, "good.jsonl"], b"{}")))
    assert [file.path for file in huggingface.files(fileset)] == ["good.jsonl"]
    for path in evil:
        with pytest.raises(FileMissing):
            huggingface.fetch(fileset, path)
    assert not list(data_folder.parent.rglob("*evil*"))


def test_another_commit_than_the_pinned_one_is_refused(workspace: Workspace, stranger: Callable[..., str]) -> None:
    fileset = fileset_at(stranger({"ETag": '"abc"', "X-Repo-Commit": SHA[::-1]}, b"x"), workspace)
    with pytest.raises(HubNonsense, match="another commit"):
        huggingface.fetch(fileset, "a")


@pytest.mark.parametrize(
    ("content", "status"), [(b"<html>", 200), (b"[]", 200), (b'{"id":5}', 200), (b"null", 200), (b"teapot", 418)]
)
def test_what_is_no_hub_is_said(
    content: bytes, status: int, workspace: Workspace, stranger: Callable[..., str]
) -> None:
    url = stranger({}, content, status)
    fileset = fileset_at(url, workspace)
    with pytest.raises((HubNonsense, HubLacks)) as raised:
        huggingface.resolve(huggingface.Repository.of(fileset, "main"))
    assert "teapot" not in str(raised.value)
    with pytest.raises((HubNonsense, HubUnreachable, FileMissing)):
        huggingface.fetch(fileset, "a")
