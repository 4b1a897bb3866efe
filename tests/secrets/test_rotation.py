"""New encryption keys: the file that holds them, the command, and rotations of a platform that goes on working."""

import base64
import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from rest_framework.test import APIClient
from things import make_secret

from assay.platform.keyfile import KeyFile
from assay.secrets import rotation
from assay.secrets.models import Secret
from assay.secrets.rotation import Standing
from assay.secrets.vault import KeysAway, key_file, open_secret
from assay.workspaces.models import Workspace
from tests.judge import JudgeProcess
from tests.platform_process import ROOT, PlatformProcess, bare_environment
from tests.process_tree import kill_all
from tests.rest import bundle, rows, submit, wait
from tests.services import fresh_database

SCRIPT = Path(__file__).resolve().parent / "rotation_deaths.py"
AT = "/apis/secrets/v2/workspaces/default/secrets"


def key(letter: str) -> str:
    return base64.urlsafe_b64encode(letter.encode() * 32).decode()


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> KeyFile:
    settings.ENCRYPTION_KEYS = []
    settings.DATA_DIR = tmp_path
    return key_file()


def test_a_new_key_stands_first_and_other_processes_see_it(file: KeyFile) -> None:
    (first,) = file.keys()
    elsewhere = KeyFile(file.path)
    assert elsewhere.known() == (first,)
    file.add()
    new, *old = elsewhere.known()
    assert (new != first, old) == (True, [first])
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.drop(lambda key: key == new) == 0, "the newest stays"
    assert file.drop(lambda key: key == first) == 1
    assert elsewhere.known() == (new,)


def test_what_somebody_who_was_killed_left_behind_goes_with_the_next_change(file: KeyFile) -> None:
    file.keys()
    draft = file.path.with_name(f".{file.path.name}.123.abcd")
    draft.write_text("a key")
    file.add()
    assert sorted(path.name for path in file.path.parent.iterdir()) == ["encryption.key", "encryption.key.lock"]


@pytest.mark.parametrize("loss", [Path.unlink, lambda path: path.write_text("\n")], ids=["gone", "empty"])
def test_without_its_file_a_key_opens_but_seals_no_more(
    file: KeyFile, workspace: Workspace, client: APIClient, loss: Callable[[Path], object]
) -> None:
    make_secret(workspace, value="sk-1")
    loss(file.path)
    assert open_secret(Secret.objects.get()).reveal() == "sk-1"
    with pytest.raises(KeysAway, match="Bring"):
        make_secret(workspace, "other")
    refused = client.post(AT.replace("default", "w-one"), {"name": "other", "value": "x"}, format="json")
    assert (refused.status_code, Secret.objects.count()) == (503, 1)


def test_a_secret_that_was_read_before_a_rotation_opens_after_it(file: KeyFile, workspace: Workspace) -> None:
    make_secret(workspace, value="sk-1")
    read_before = Secret.objects.get()
    rotation.add_key()
    assert rotation.reseal_all().values == 1
    assert rotation.forget_unused() == 1
    assert open_secret(read_before).reveal() == "sk-1"


def test_a_key_that_something_needs_is_not_forgotten(file: KeyFile, workspace: Workspace) -> None:
    make_secret(workspace)
    rotation.add_key()
    assert rotation.forget_unused() == 0
    assert [(use.standing, use.values) for use in rotation.key_uses()] == [(Standing.NEWEST, 0), (Standing.OLDER, 1)]


def test_one_value_that_does_not_open_holds_up_no_other(
    file: KeyFile, workspace: Workspace, capsys: pytest.CaptureFixture[str], client: APIClient
) -> None:
    lost = make_secret(workspace, "lost")
    make_secret(workspace, "kept", value="sk-kept")
    Secret.objects.filter(pk=lost.pk).update(sealed=b"\x01" + b"12345678" + bytes(lost.sealed)[9:])
    with pytest.raises(CommandError, match="cannot be opened: 1"):
        call_command("rotate_encryption_keys", forget_old=True)
    told = capsys.readouterr()
    assert "Secret 'w-one/lost' was sealed with a key that this server does not have" in told.err
    assert "3132333435363738  missing   1" in told.out
    assert "another key than the newest: 1" in told.out
    assert open_secret(Secret.objects.get(name="kept")).reveal() == "sk-kept"
    assert len(file.keys()) == 1
    with pytest.raises(CommandError, match="cannot be opened: 1"):
        call_command("rotate_encryption_keys", check=True)
    refused = client.post("/apis/secrets/v2/rotate-encryption-keys")
    assert (refused.status_code, "w-one/lost" in refused.json()["detail"]) == (503, True)


def test_with_keys_of_the_environment_the_operator_makes_and_drops_them(
    settings: Settings, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ENCRYPTION_KEYS = [key("a")]
    make_secret(workspace)
    settings.ENCRYPTION_KEYS = [key("a"), key("b")]
    call_command("rotate_encryption_keys", check=True)
    settings.ENCRYPTION_KEYS = [key("b"), key("a")]
    call_command("rotate_encryption_keys", check=True)
    with pytest.raises(CommandError, match="ASSAY_ENCRYPTION_KEYS"):
        call_command("rotate_encryption_keys", forget_old=True)
    call_command("rotate_encryption_keys")
    lines = [line.split()[1:] for line in capsys.readouterr().out.splitlines()]
    told = [words for words in lines if words[:1] in (["newest"], ["older"])]
    assert told == [["newest", "1"], ["older", "0"], ["newest", "0"], ["older", "1"], ["newest", "1"], ["older", "0"]]


# On a platform that is at work


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    with PlatformProcess(tmp_path_factory.mktemp("rotation") / "data") as running:
        yield running
        kill_all(running.everything())  # nobody waits for it to drain


class Busy:
    """People at work: they read secrets, make and change them, and run jobs whose judge wants its key."""

    def __init__(self, url: str, judge: str) -> None:
        self.url, self.judge = url, judge
        self.faults: list[str] = []
        self.requests = self.jobs = 0
        self.stored = {"judge-key": "key of the judge"}
        self._over = threading.Event()
        acts = (self._read, self._write, self._judge)
        self._threads = [threading.Thread(target=self._act, args=(act,)) for act in acts]

    def __enter__(self) -> "Busy":
        with httpx.Client(base_url=self.url, timeout=30) as api:
            for name in ["judge-key", *(f"read-{number}" for number in range(30))]:
                value = self.stored.setdefault(name, f"value of {name}")
                assert api.post(AT, json={"name": name, "value": value}).status_code == 201
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def check_all(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as api:
            for name, value in self.stored.items():
                self._expect(api.get(f"{AT}/{name}/access"), 200, value)

    def _act(self, act: Callable[[httpx.Client, int], None]) -> None:
        number = 0
        try:
            with httpx.Client(base_url=self.url, timeout=30) as api:
                while not self._over.wait(0.02):  # of two cores one is for those who rotate
                    act(api, number)
                    number += 1
        except Exception as error:
            self.faults.append(f"{act.__name__} {number}: {error!r}")

    def _expect(self, reply: httpx.Response, status: int, value: str | None = None) -> None:
        self.requests += 1
        if reply.status_code != status or (value is not None and reply.json()["value"] != value):
            self.faults.append(f"{reply.request.method} {reply.request.url.path}: {reply.status_code} {reply.text}")

    def _read(self, api: httpx.Client, number: int) -> None:
        name = f"read-{number % 30}"
        self._expect(api.get(f"{AT}/{name}/access"), 200, f"value of {name}")

    def _write(self, api: httpx.Client, number: int) -> None:
        name = f"new-{number}"
        self._expect(api.post(AT, json={"name": name, "value": "first"}), 201)
        self._expect(api.get(f"{AT}/{name}/access"), 200, "first")
        self._expect(api.patch(f"{AT}/{name}", json={"value": f"second of {name}"}), 200)
        self.stored[name] = f"second of {name}"

    def _judge(self, api: httpx.Client, number: int) -> None:
        metric = bundle(self.judge, secret="judge-key")
        submit(api, {"dataset": rows(4), "metrics": [metric]}, f"job-{number}")
        ended = wait(api, f"job-{number}")
        self.jobs += 1
        if ended["status"] != "completed":
            self.faults.append(f"job-{number}: {ended}")


def run(env: dict[str, str], *argv: str) -> str:
    done = subprocess.run([sys.executable, *argv], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.thorough
def test_everybody_works_on_while_keys_are_rotated_and_rotations_are_killed(platform: PlatformProcess) -> None:
    file = KeyFile(platform.data_dir / "keys" / "encryption.key")
    rotate = ["manage.py", "rotate_encryption_keys", "--forget-old", "--data-dir", str(platform.data_dir)]
    seen: list[str] = []
    with JudgeProcess(api_key="key of the judge") as judge, Busy(platform.url, judge.url) as busy:
        seen += file.keys()
        assert "Values sealed with another key than the newest: 0." in run(platform.env, *rotate)
        seen += file.keys()
        result = json.loads(run({**platform.env, "ASSAY_DATA_DIR": str(platform.data_dir)}, str(SCRIPT)))
    assert busy.faults == []
    assert busy.requests > 50
    assert busy.jobs > 0
    busy.check_all()
    assert busy.faults == []
    check_deaths(result)
    assert len(set(seen)) == 2
    left = b"".join(path.read_bytes() for path in (platform.data_dir / "keys").iterdir())
    assert not [old for old in seen if old.encode() in left]


@pytest.mark.thorough
def test_rotations_that_are_killed_lose_nothing_on_postgres(tmp_path: Path) -> None:
    with fresh_database() as url:
        env = bare_environment() | {"ASSAY_DATABASE_URL": url, "ASSAY_DATA_DIR": str(tmp_path)}
        check_deaths(json.loads(run(env, str(SCRIPT))))


def check_deaths(found: dict[str, Any]) -> None:
    assert len(found["deaths"]) == 7
    for name, death in found["deaths"].items():
        assert death == {"signal": 9, "wrong": [], "missing": 0}, name
    assert found["slow"] == {"over before the commit": False, "wrong": [], "keys": 1}
    assert found["end"]["wrong"] == []
    assert found["end"]["keys"] == 1
    assert set(found["end"]["files"]) <= {"encryption.key", "encryption.key.lock", "session.key"}
