"""kill -9 of the web server in the middle of an upload: the repository is as before or as after, and a retry succeeds.

The moments are random: half of them anywhere in the upload, half in what comes after its last content is stored, which
is where the commit is made. A few by default; with ``ASSAY_CHAOS=full`` 20, and 20 over Postgres. ``ASSAY_CHAOS_SEED``
draws those of another run again.
"""

import hashlib
import json
import os
import random
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from platform_process import ROOT, PlatformProcess
from services import fresh_database

from tests.filesets.hub.conftest import HF, body_of, deleted, file, large, sha256

pytestmark = pytest.mark.thorough

REPO = f"{HF}/api/datasets/chaos/uploads"
WEB = f"{HF}/datasets/chaos/uploads"
FILES = "/apis/files/v2/workspaces/chaos/filesets/uploads"

FULL = os.environ.get("ASSAY_CHAOS") == "full"
KILLS = {"sqlite": 20, "postgresql": 20} if FULL else {"sqlite": 2}
SEED = int(os.environ.get("ASSAY_CHAOS_SEED") or secrets.randbelow(10**6))
FORMS = ("small files", "large file")
PHASES = {"upload": (0.0, 1.1), "commit": (0.5, 1.2)}
"""Where in them the moments lie, in times of what the phase took just before: the last may find the reply there. The
first half of what follows the last content is no more than a note that it arrived."""
TICK = 0.0005
SMALL = 24 if FULL else 8
LARGE = "data/large.bin"
LARGE_BYTES = 20_000_000
ABANDONED = b"an upload whose client never came back to commit it"

Content = dict[str, bytes]


@dataclass
class Upload:
    """What a client sends to bring new contents to paths and to take others away."""

    puts: Content
    gone: tuple[str, ...] = ()

    body: bytes = field(init=False)
    names: dict[str, str] = field(init=False)
    """The SHA-256 of what is put, by its path."""

    def __post_init__(self) -> None:
        # Made beforehand: the time that is taken, and cut short, is to be the server's.
        self.names = {path: sha256(content) for path, content in self.puts.items()}
        lines = [large(path, self.names[path]) if path == LARGE else file(path, self.puts[path]) for path in self.puts]
        self.body = body_of(*map(deleted, self.gone), *lines)

    def stored(self, data_dir: Path) -> bool:
        """Return whether the server has stored all contents; what it still has to do is the commit."""
        return all((data_dir / "blobs" / name[:2] / name).exists() for name in self.names.values())

    def after(self, before: Content) -> Content:
        return {path: each for path, each in before.items() if path not in self.gone} | self.puts

    def send(self, api: httpx.Client) -> httpx.Response:
        if LARGE in self.puts:
            send_large(api, self.names[LARGE], self.puts[LARGE])
        return api.post(f"{REPO}/commit/main", content=self.body)


def send_large(api: httpx.Client, oid: str, content: bytes) -> None:
    """Send the content as the Hub's clients do: not where the server says that it is there."""
    asked = {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}
    answer = api.post(f"{WEB}.git/info/lfs/objects/batch", json=asked).raise_for_status().json()
    if actions := answer["objects"][0].get("actions"):
        api.put(actions["upload"]["href"], content=content).raise_for_status()


@dataclass(frozen=True)
class Seen:
    reply: httpx.Response | None
    seconds: float
    """Until the reply, or the kill."""
    stored: float | None
    """When the last content was stored, if it was seen."""


@dataclass
class Scene:
    """A repository whose every upload is watched, and what it should hold."""

    platform: PlatformProcess
    api: httpx.Client
    dice: random.Random
    holds: Content = field(default_factory=dict)
    head: str = ""
    ends: Counter[str] = field(default_factory=Counter)

    def next_upload(self, form: str) -> Upload:
        dice = self.dice
        puts = {f"small/{number:02d}.txt": dice.randbytes(dice.randrange(1, 20_000)) for number in range(SMALL)}
        if form == "large file":
            return Upload({**dict(list(puts.items())[:3]), LARGE: dice.randbytes(LARGE_BYTES)})
        # One is large enough to be stored on its own while the rest still arrives; another comes in the place of the
        # last round's.
        puts |= {"data/middle.bin": dice.randbytes(1_500_000), f"round/{dice.randbytes(8).hex()}": b"of this round"}
        return Upload(puts, tuple(path for path in self.holds if path.startswith("round/")))

    def undisturbed(self, form: str) -> dict[str, float]:
        """Upload something, and return how long the phases took."""
        upload = self.next_upload(form)
        seen = self._send(upload)
        assert seen.reply is not None
        self._learn(seen.reply, upload.after(self.holds))
        return {"upload": seen.seconds, "commit": seen.seconds - (seen.stored or seen.seconds)}

    def killed(self, form: str, phase: str, share: float) -> None:
        """Upload something, kill the server after that share of the phase, look, and upload it again."""
        took = self.undisturbed(form)[phase] * share
        upload, before, old = self.next_upload(form), self.holds, self.head
        after = upload.after(before)
        reply = self._send(upload, phase, took, self.platform).reply
        self.platform.wait_ready()
        told = f"{form}, killed {took * 1000:.1f} ms into the {phase}, {'answered' if reply else 'no reply'}"
        print(f"  {told}: ", end="")
        head, found = read(self.api)
        landed = head != old
        print("after" if landed else "before")
        self.ends["before" if not landed else "after, answered" if reply else "after, no reply"] += 1
        assert same(found, after if landed else before), f"{told}: in between (seed {SEED})"
        assert landed or reply is None, f"{told}: what was answered is gone (seed {SEED})"
        assert self._newest(2)[: 1 + landed] == [head, old][: 1 + landed], "a commit too many"

        if landed and upload.gone:
            again = upload.send(self.api)
            assert (again.status_code, again.headers["X-Error-Code"]) == (404, "EntryNotFound"), "it is deleted already"
            assert self._newest(1) == [head]
            upload = Upload(upload.puts)
        self._learn(upload.send(self.api), after)
        assert not landed or self.head == head, "the same again is no new commit"
        head, found = read(self.api)
        assert head == self.head and same(found, self.holds), f"{told}: the retry is not whole (seed {SEED})"

    def _send(self, upload: Upload, phase: str = "", seconds: float = 0, victim: PlatformProcess | None = None) -> Seen:
        """Send it; kill the ``victim`` that far in the phase, or as soon as the reply is here."""
        replies: list[httpx.Response] = []
        ended = threading.Event()

        def send() -> None:
            with suppress(httpx.TransportError):
                try:
                    replies.append(upload.send(self.api))
                except httpx.HTTPStatusError as refused:
                    replies.append(refused.response)
            ended.set()

        sending = threading.Thread(target=send)
        start, now, stored = time.perf_counter(), 0.0, None
        sending.start()
        while not ended.wait(TICK):
            now = time.perf_counter() - start
            if stored is None and upload.stored(self.platform.data_dir):
                stored = now
            since = 0.0 if phase == "upload" else stored
            if victim and since is not None and now - since >= seconds:
                break
        seen = Seen(None, time.perf_counter() - start, stored)
        if victim:
            victim.kill("granian")
        sending.join(30)
        assert not sending.is_alive()
        for reply in replies:
            assert reply.status_code == 200, reply.text
            seen = replace(seen, reply=reply)
        return seen

    def _learn(self, reply: httpx.Response, holds: Content) -> None:
        assert reply.status_code == 200, reply.text
        self.head, self.holds = reply.json()["commitOid"], holds

    def _newest(self, count: int) -> list[str]:
        return [str(commit["id"]) for commit in get(self.api, f"{REPO}/commits/main?limit={count}").json()]


def read(api: httpx.Client) -> tuple[str, Content]:
    """Return the head of ``main`` and every file of it, held against its hashes and what the files API has."""
    head = str(get(api, f"{REPO}/revision/main").json()["sha"])
    found, sizes = {}, {}
    for entry in get(api, f"{REPO}/tree/main?recursive=True").json():
        if entry["type"] == "directory":
            continue
        path, reply = entry["path"], get(api, f"{WEB}/resolve/{head}/{entry['path']}")
        content = found[path] = reply.content
        sizes[path] = entry["size"]
        assert len(content) == entry["size"] and reply.headers["X-Repo-Commit"] == head, path
        if path == LARGE:
            assert entry["lfs"]["oid"] == sha256(content), path
        else:
            assert entry["oid"] == hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest(), path
    assert {each["path"]: each["size"] for each in get(api, f"{FILES}/files").json()["data"]} == sizes, "the files API"
    for path, content in found.items():
        assert get(api, f"{FILES}/-/{path}").content == content, f"{path} through the files API"
    return head, found


def get(api: httpx.Client, path: str) -> httpx.Response:
    reply = api.get(path)
    assert reply.status_code == 200, f"{path}: {reply.text}"
    return reply


def same(one: Content, other: Content) -> bool:
    """Compare without the megabytes that pytest would look through for the difference."""
    return one == other


@pytest.fixture(params=list(KILLS))
def database(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, str]]]:
    with fresh_database() if request.param == "postgresql" else nullcontext("") as url:
        yield request.param, {"ASSAY_DATABASE_URL": url}


def test_an_upload_is_whole_or_not_at_all(database: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    vendor, env = database
    print(f"{vendor}, seed {SEED}")
    with (
        PlatformProcess(tmp_path / "data", workers=0, **env) as platform,
        httpx.Client(base_url=platform.url, timeout=30) as api,
    ):
        made = api.post(f"{HF}/api/repos/create", json={"organization": "chaos", "name": "uploads", "type": "dataset"})
        assert made.status_code == 200, made.text
        scene = Scene(platform, api, random.Random(SEED))
        for form in FORMS:
            scene.undisturbed(form)
        for form, phase, share in moments(KILLS[vendor], scene.dice):
            scene.killed(form, phase, share)
        send_large(api, sha256(ABANDONED), ABANDONED)

        report = sweep(platform)
        head, found = read(api)
    assert head == scene.head and same(found, scene.holds)
    before, after = report["before"], report["after"]
    print(f"  {dict(scene.ends)}; then swept: {gone(before, after)}")
    assert report["vendor"] == vendor
    assert before["drafts"] or not FULL, "no kill left anything to sweep"
    assert after["commits"] == after["log"]
    for stored in ("rows", "contents", "held"):
        assert after[stored] == after["named"], stored
    assert (after["drafts"], after["waiting"], after["broken"]) == ([], [], [])
    if FULL:
        assert {end.split(",")[0] for end in scene.ends} == {"before", "after"}, scene.ends


def moments(kills: int, dice: random.Random) -> list[tuple[str, str, float]]:
    """Draw them in turn from each form and phase, there one from each of as many equal stretches."""
    kinds = list(product(FORMS, PHASES))
    counts = {kind: len(range(number, kills, len(kinds))) for number, kind in enumerate(kinds)}
    drawn = []
    for (form, phase), count in counts.items():
        start, end = PHASES[phase]
        drawn += [(form, phase, start + (end - start) * (each + dice.random()) / count) for each in range(count)]
    dice.shuffle(drawn)
    return drawn


def sweep(platform: PlatformProcess) -> dict[str, Any]:
    """Sweep what is older than a day, two days later."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("swept.py"))],
        cwd=ROOT,
        env={**platform.env, "ASSAY_DATA_DIR": str(platform.data_dir)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def gone(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    return {what: len(before[what]) - len(after[what]) for what in before if before[what] != after[what]}
