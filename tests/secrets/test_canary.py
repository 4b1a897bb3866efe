"""Values of secrets are stored, used, echoed by judges, caught in crashes: and found nowhere but in `access`."""

import json
import os
import re
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx
import psycopg
import pytest
from redis import Redis

from tests.hub.server import Hub, Refusal, Request, Response
from tests.platform_process import PlatformProcess
from tests.process_tree import kill_all
from tests.rest import bundle, rows, submit, wait
from tests.secrets.canary import Canary, Search
from tests.services import fresh_database
from tests.team_process import TeamProcess

AT = "/apis/{}/v2/workspaces/default"
DATA = b"".join(json.dumps(row).encode() + b"\n" for row in rows(3))
SHOWN_PAGES = 60

JUDGED = {
    "echo": "completed",
    "echo-as-json": "completed",
    "echo-in-address": "completed",
    "refuse": "error",
    "reject": "error",
    "break": "error",
    "babble": "error",
}
"""What the judge does with the key that it was sent, and how a job ends that asks it."""


class TellingJudge:
    """A judge that repeats the Authorization header wherever it can."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.held = threading.Event()
        self.go_on = threading.Event()
        judge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, body = judge.answer(asked["model"], self.headers.get("Authorization", ""))
                self.send_response(status, "As you said")
                self.send_header("X-You-Sent", self.headers.get("Authorization", ""))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def answer(self, model: str, sent: str) -> tuple[int, bytes]:
        self.heard.add(sent.removeprefix("Bearer "))
        told = {"error": {"message": f"Incorrect API key provided: {sent}. Ask for another.", "code": sent}}
        match model:
            case "slow":
                self.held.set()
                self.go_on.wait(60)
            case "refuse":
                return 401, json.dumps(told).encode()
            case "reject":
                return 400, (sent + " " + "x" * 280 + sent).encode()
            case "break":
                return 500, json.dumps(told).replace("/", r"\/").encode()
            case "babble":
                return 200, f"<html>{sent} {quote(sent)}</html>".encode()
            case "echo-as-json":
                sent = json.dumps({"sent": sent}).replace("/", r"\/")
            case "echo-in-address":
                sent = f"http://judge.example/?key={quote(sent, safe='')}"
        said = json.dumps({"helpfulness": 3, "why": sent})
        choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return 200, json.dumps({"id": sent, "choices": [choice], "usage": {"prompt_tokens": 9, "said": sent}}).encode()

    def __enter__(self) -> "TellingJudge":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


class TellingHub(Hub):
    """A hub whose refusals repeat the token."""

    def answer(self, request: Request) -> Response:
        if "/ns/telling" in request.path:
            return Refusal(403, f"Your token {request.token} is not known", headers={"Link": request.token}).response
        return super().answer(request)


class Story:
    """All that happens to the values on one platform."""

    def __init__(self, platform: PlatformProcess | TeamProcess, judge: TellingJudge, hub: TellingHub) -> None:
        self.platform, self.judge, self.hub = platform, judge, hub
        self.canary = Canary()
        self.value = self.canary.value
        self.api = httpx.Client(base_url=platform.url, timeout=60, follow_redirects=True)
        self.search = Search(self.canary)
        self.shown = ["echo", "babble"]
        """Jobs whose every address is looked at; the rest is looked for in the database."""

    def call(self, method: str, path: str, status: int, **sent: Any) -> Any:
        """Send a request that has to end like this, and look into what comes back."""
        reply = self.api.request(method, path, **sent)
        assert reply.status_code == status, (method, path, reply.status_code, reply.text[:500])
        self.search.look(f"reply to {method} {path}", reply.text + str(reply.headers))
        return reply

    def store(self) -> None:
        secrets, files = AT.format("secrets") + "/secrets", AT.format("files") + "/filesets"
        for name in ("judge-key", "changed", "hub-token", "stays"):
            what = {"hub-token": "hub token"}.get(name, "stored key")
            self.call("POST", secrets, 201, json={"name": name, "value": self.value(what)})
        self.call("POST", secrets, 409, json={"name": "judge-key", "value": self.value("unsaved value")})
        self.call("POST", secrets, 422, json={"name": "Bad Name", "value": self.value("unsaved value")})
        self.call("PATCH", f"{secrets}/changed", 200, json={"value": self.value("changed key")})
        self.hub.add_commit("ns/data", {"rows.jsonl": DATA})
        self.hub.protect("ns/data", self.value("hub token"))
        self.hub.add_commit("ns/v1", {"rows.jsonl": DATA})
        self.hub.protect("ns/v1", self.value("v1 hf_token"))
        storage = {"type": "huggingface", "repo_type": "dataset", "endpoint": self.hub.url, "token_secret": "hub-token"}
        self.call("POST", files, 200, json={"name": "hub", "storage": {**storage, "repo_id": "ns/data"}})
        self.call("POST", files, 400, json={"name": "told", "storage": {**storage, "repo_id": "ns/telling"}})
        self.call("GET", f"{files}/hub/files", 200)
        self.call("GET", f"{files}/hub/-/rows.jsonl", 200)

    def judge_all(self) -> None:
        """Let the judge tell what it was sent, in every way."""
        for model in JUDGED:
            secret = "changed" if model == "echo" else "judge-key"
            data = "default/hub#rows.jsonl" if model == "echo" else rows(2)
            self.submit(model, data, bundle(self.judge.url, secret=secret, model=model))
        remote = {
            "type": "remote",
            "url": self.judge.url + "/grade",
            "api_key_secret": "judge-key",
            "body": {"model": "echo"},
            "scores": [{"name": "helpfulness", "parser": {"type": "json", "json_path": "$.usage.said"}}],
            "ignore_request_failure": True,
        }
        whole = bundle(self.judge.url, secret="judge-key")
        whole |= {"metric_type": "remote", "payload": {"kind": "inline", "metric": remote}}
        self.submit("remote", rows(2), whole)
        for name, end in {**JUDGED, "remote": "completed"}.items():
            assert wait(self.api, name)["status"] == end, name
        check = {"type": "string-check", "params": {"check": ["{{ sample.output_text }}", "contains", "3"]}}
        prompt = {"messages": [{"role": "user", "content": "{{ item.prompt }}"}]}
        data = {"files_url": "hf://datasets/ns/v1", "hf_endpoint": self.hub.url}
        metrics = {"m": check, "j": self._v1_judge("v1 api_key")}
        task = {"type": "chat-completion", "params": {"template": prompt}, "metrics": metrics, "dataset": data}
        extra = {"hf_token": self.value("v1 hf_token")}
        config = {"type": "custom", "tasks": {"t": task}, "params": {"extra": extra}}
        target = {"type": "model", "model": self._endpoint("v1 api_key")}
        self.call("POST", "/v1/evaluation/targets", 200, json={"name": "target", **target})
        made = self.call("POST", "/v1/evaluation/jobs", 200, json={"config": config, "target": target}).json()
        self.shown.append(made["id"])
        self.wait_v1(made["id"])
        task = {"type": "data", "metrics": {"j": self._v1_judge("live api_key")}}
        config = {"type": "custom", "tasks": {"t": task}}
        body = {"config": config, "target": {"type": "rows", "rows": rows(1)}}
        self.call("POST", "/v1/evaluation/live", 200, json=body)

    def _v1_judge(self, what: str) -> dict[str, Any]:
        scores = {"good": {"type": "int", "parser": {"type": "regex", "pattern": r"(\d)"}}}
        params = {"model": self._endpoint(what), "template": "{{ item.prompt }}", "scores": scores}
        return {"type": "llm-judge", "params": params}

    def _endpoint(self, what: str) -> dict[str, Any]:
        url = f"{self.judge.url}/chat/completions"
        return {"api_endpoint": {"url": url, "model_id": "echo", "api_key": self.value(what)}}

    def wait_v1(self, job: str) -> None:
        end = monotonic() + 60
        while (found := self.api.get(f"/v1/evaluation/jobs/{job}").json())["status"] not in {"completed", "failed"}:
            assert monotonic() < end, found
        assert found["status"] == "completed", found

    def submit(self, name: str, dataset: Any, metric: dict[str, Any]) -> None:
        submit(self.api, {"dataset": dataset, "metrics": [metric]}, name)

    def try_in_the_browser(self) -> None:
        """Try a judge on the page of a new evaluation, and give a secret a new value on its page."""
        self.call("GET", "/admin/evaluations/new/", 200)
        form = {"workspace": "default", "fileset": "default/hub", "file": "rows.jsonl", "model": "echo"}
        form |= {"url": f"{self.judge.url}/chat/completions", "secret": "judge-key", "user": "{{ item.prompt }}"}
        form |= {"score-0-name": "helpfulness", "score-0-kind": "range", "score-0-min": "0", "score-0-max": "4"}
        headers = {"Origin": self.platform.url, "X-CSRFToken": self.api.cookies["csrftoken"]}
        for model in ("echo", "refuse", "reject"):
            tried = self.call(
                "POST", "/admin/new-evaluation/trial/", 200, data=form | {"model": model}, headers=headers
            )
            assert "******" in tried.text or "Check secret" in tried.text
        new = {"value": self.value("changed key")}
        self.call("POST", "/admin/secrets/default/stays/rotate/", 200, data=new, headers=headers)
        self.headers = headers

    def crash(self) -> None:
        """Kill the workers while a call is in flight and a message waits in the broker; then let all of it end."""
        self.submit("slow", rows(2), bundle(self.judge.url, secret="judge-key", model="slow"))
        assert self.judge.held.wait(60)
        workers = self.platform.workers()
        self.stop(workers)
        for number in range(2):
            self.submit(f"queued-{number}", rows(2), bundle(self.judge.url, secret="judge-key", model="echo"))
        assert self.messages()
        self.look_at_rest()
        kill_all(workers)
        self.judge.go_on.set()
        for name in ("slow", "queued-0", "queued-1"):
            assert wait(self.api, name, seconds=90)["status"] == "completed"

    def stop(self, workers: list[int]) -> None:
        """Stop the workers where they are, but not where others have to wait for them."""
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)

    def fail_in_views(self) -> None:
        """Let the database refuse to store a value, for a reason that no view expects."""
        self.refuse_to_store()
        path = AT.format("secrets") + "/secrets/stays"
        self.call("PATCH", path, 500, json={"value": self.value("unsaved value")})
        rotated = "/admin/secrets/default/stays/rotate/"
        self.call("POST", rotated, 500, data={"value": self.value("unsaved value")}, headers=self.headers)
        assert "Traceback" in self.platform.log.read_text()

    def messages(self) -> int:
        """Return how many messages wait in the broker."""
        raise NotImplementedError

    def refuse_to_store(self) -> None:
        raise NotImplementedError

    def look_at_rest(self) -> None:
        """Look into what is stored, and at what other users of this machine may see of the processes."""
        self.search.folder(self.platform.data_dir, but=["static"])
        self.search.look("log", self.platform.log.read_bytes())
        for pid in self.platform.everything():
            with suppress(OSError):
                self.search.look("environment", Path(f"/proc/{pid}/environ").read_bytes())
                self.search.look("command line", Path(f"/proc/{pid}/cmdline").read_bytes())

    def look_through_the_api(self) -> int:
        """Look into the reply of every GET address that can be made of what there is; returns how many answered."""
        named = {
            "workspaces": ["default"],
            "namespaces": ["default"],
            "jobs": self.shown,
            "filesets": ["hub", "job-fileset-echo"],
            "secrets": ["judge-key"],
            "targets": ["default/target"],
            "results": ["row-scores", "aggregate-scores", *self.shown],
            "rows": ["0"],
            "-": ["rows.jsonl", "results/row-scores.jsonl"],
            "steps": ["evaluate"],
            "tasks": ["evaluate-0"],
        }
        answered = 0
        document = self.api.get("/openapi.json").json()
        for template in (path for path, verbs in document["paths"].items() if "get" in verbs):
            if template.endswith("/access"):
                continue
            paths = [template.replace("{namespace}/{name}", "{name}")]
            while "{" in paths[0]:
                kind, field = re.search(r"([\w-]+)/({\w+})", paths[0]).groups()
                paths = [path.replace(field, value, 1) for path in paths for value in named.get(kind, ["default/no"])]
            for path in paths:
                reply = self.api.get(path)
                answered += reply.status_code == 200
                self.search.look(f"reply to GET {path}", reply.content + str(reply.headers).encode())
        return answered

    def look_at_the_pages(self) -> int:
        """Look at the pages of what there is, and follow their links; returns how many there were."""
        ahead = [f"/admin/evaluations/default/{job}/" for job in self.shown]
        ahead += ["/admin/", "/admin/secrets/default/judge-key/", "/admin/filesets/default/hub/", "/admin/tables/"]
        seen = set(ahead)
        while ahead and len(seen) - len(ahead) < SHOWN_PAGES:
            reply = self.api.get(ahead.pop(0))
            self.search.look(f"page {reply.url.path}", reply.content)
            for link in re.findall(r'(?:href|hx-get|data-url)="([^"#]+)"', reply.text):
                path = urlsplit(urljoin(str(reply.url), link.replace("&amp;", "&")))
                where = path._replace(scheme="", netloc="", fragment="").geturl()
                if path.netloc == reply.url.netloc.decode() and where.startswith("/admin/") and where not in seen:
                    seen.add(where)
                    ahead.append(where)
        return len(seen) - len(ahead)

    def tell(self) -> None:
        self.store()
        self.judge_all()
        self.try_in_the_browser()
        self.crash()
        self.fail_in_views()
        self.look_at_rest()

    def check(self) -> None:
        """The judge and the hub were given the values, `access` gives them, and nothing else was found to have them."""
        given = self.judge.heard | {request.token for request in self.hub.requests}
        used = ("stored key", "changed key", "hub token", "v1 api_key", "v1 hf_token", "live api_key")
        assert {self.value(what) for what in used} <= given
        assert self.search.found == set()
        for name, what in (("judge-key", "stored key"), ("changed", "changed key"), ("hub-token", "hub token")):
            reply = self.api.get(f"{AT.format('secrets')}/secrets/{name}/access")
            self.search.look(f"access of {name}", reply.content)
            assert reply.json()["value"] == self.value(what)
            assert self.search.found == {f"access of {name}"}, "the search finds what there is to find"
            self.search.found.clear()


class EmbeddedStory(Story):
    def stop(self, workers: list[int]) -> None:
        super().stop(workers)
        try:
            with sqlite3.connect(self.platform.data_dir / "assay.sqlite3", timeout=1) as database:
                database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
            self.stop(workers)

    def messages(self) -> int:
        return len(list((self.platform.data_dir / "broker" / "messages").iterdir()))

    def refuse_to_store(self) -> None:
        with sqlite3.connect(self.platform.data_dir / "assay.sqlite3", timeout=20) as database:
            database.execute(
                "CREATE TRIGGER refuse BEFORE UPDATE ON secrets_secret WHEN NEW.name = 'stays' "
                "BEGIN SELECT zeroblob(3000000000); END"
            )

    def look_at_rest(self) -> None:
        super().look_at_rest()
        self.search.sqlite(self.platform.data_dir / "assay.sqlite3")


class TeamStory(Story):
    url: str

    @property
    def redis(self) -> Redis:
        assert isinstance(self.platform, TeamProcess)
        return Redis(port=self.platform.redis_port)

    def messages(self) -> int:
        with self.redis as redis:
            return int(redis.llen("assay"))

    def refuse_to_store(self) -> None:
        with psycopg.connect(self.url) as database:
            database.execute(
                "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN PERFORM 1 / (NEW.name <> 'stays')::int; "
                "RETURN NEW; END $$ LANGUAGE plpgsql"
            )
            database.execute(
                "CREATE TRIGGER refuse BEFORE UPDATE ON secrets_secret FOR EACH ROW EXECUTE FUNCTION refuse()"
            )

    def look_at_rest(self) -> None:
        super().look_at_rest()
        self.search.postgres(self.url)
        with self.redis as redis:
            for key in redis.scan_iter():
                self.search.look("a key of Redis", key)
                read = {b"string": redis.get, b"list": lambda k: redis.lrange(k, 0, -1), b"set": redis.smembers}
                read |= {b"hash": redis.hgetall, b"zset": lambda k: redis.zrange(k, 0, -1)}
                self.search.look("Redis", repr(read[redis.type(key)](key)))


@contextmanager
def served() -> Iterator[tuple[TellingJudge, TellingHub]]:
    with TellingJudge() as judge, TellingHub() as hub:
        assert isinstance(hub, TellingHub)
        yield judge, hub


def test_a_value_is_found_nowhere_but_where_it_is_asked_for(tmp_path: Path) -> None:
    with served() as (judge, hub), PlatformProcess(tmp_path / "data") as platform:
        story = EmbeddedStory(platform, judge, hub)
        story.tell()
        assert story.look_through_the_api() > 70
        assert story.look_at_the_pages() == SHOWN_PAGES
        story.check()
        kill_all(platform.everything())  # nobody waits for it to drain


@pytest.mark.thorough
def test_the_same_with_postgres_and_redis(tmp_path: Path) -> None:
    with (
        served() as (judge, hub),
        fresh_database() as url,
        TeamProcess(tmp_path / "data", database=url, workers=1) as platform,
    ):
        story = TeamStory(platform, judge, hub)
        story.url = url
        story.tell()
        story.check()
