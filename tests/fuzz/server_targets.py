"""What the server reads: requests of every route, queries, bodies, the Hub's commits, paths, cursors and forms."""

import io
import json
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import orjson
import yaml
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import QueryDict
from django.test import Client, override_settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from assay.evaluator.custom import translate
from assay.evaluator.custom_data import FilesUrl
from assay.evaluator.models import Definition, DefinitionKind
from assay.evaluator.submission import read_submission
from assay.evaluator.views_v1 import LISTS as V1_LISTS
from assay.evaluator.wire import JobRequest
from assay.filesets import paths
from assay.filesets.hub import card
from assay.filesets.hub.lfs import Permit
from assay.filesets.hub.ndjson import operations
from assay.filesets.hub.reading import read_cursor
from assay.filesets.models import Fileset
from assay.filesets.ranges import read_range
from assay.filesets.reference import FilesetReference
from assay.jobs import exports, governor_headers, logs, row_pages, views
from assay.jobs.submit_v1 import read_both
from assay.jobs.terms import plain_address
from assay.platform import egress
from assay.platform.api import check, decode
from assay.platform.errors import Refusal
from assay.platform.filters import read_filter
from assay.ui.judge_form import JudgeForm
from assay.ui.new_prompt import rendered
from assay.ui.new_request import FormWrong, read_request
from assay.ui.prompt_diff import word_diff
from assay.ui.row_asked import read as read_asked
from assay.workspaces.models import Workspace
from tests.accounts.pages import PAGES
from tests.accounts.routes import API, COMMIT, SPEC, V1
from tests.accounts.world import Place, furnish
from tests.fuzz.engine_targets import JSON_WORDS, halves, text
from tests.fuzz.fuzzing import Target, listed
from tests.jobs.made import SPECS
from tests.jobs.test_v1_fuzzed import GIVEN, ONLINE

TAG = "fuzz"
NAMES = re.compile(rf"{TAG}[-\w]*")
REFUSED = (Refusal, SuspiciousOperation)
DROPPED = ("/refresh", "/evaluation/live", "/try/")
"""Routes that call somebody, who is not there: each such case would wait for nobody."""

place: Place | None = None
permits: dict[str, str] = {}


@contextmanager
def world() -> Iterator[None]:
    """A workspace with one of everything; the cases may name what is in it by ``$name``."""
    global place
    place = furnish(TAG)
    fileset = Fileset.objects.get(workspace__name=place.values["ws"], name=place.values["fileset"])
    for operation in ("upload", "download"):
        permit = Permit(fileset.pk, place.values["large"], 10, 4 if operation == "upload" else 0)
        permits[f"{operation}_permit"] = permit.sign(operation)
    before = logs.LONGEST_FOLLOWED, logs.LOOK_SECONDS
    logs.LONGEST_FOLLOWED, logs.LOOK_SECONDS = 0.1, 0.01
    try:
        with override_settings(EGRESS_ALLOW=["127.0.0.1"]):
            yield
    finally:
        logs.LONGEST_FOLLOWED, logs.LOOK_SECONDS = before


# Requests


def ask(case: bytes) -> str:
    """Send a request: a line of method, address and content type, headers, an empty line, the body."""
    assert place is not None
    head, _, body = _filled(case).partition(b"\n\n")
    line, *headers = head.decode("latin-1").split("\n")
    method, _, rest = line.partition(" ")
    address, _, kind = rest.partition(" ")
    path, _, query = address.partition("?")
    named = (header.partition(":") for header in headers)
    extra = {f"HTTP_{name.strip().upper().replace('-', '_')}": value.strip() for name, _, value in named}
    method = method if method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} else "POST"
    with transaction.atomic():
        client = Client(HTTP_HOST="localhost", raise_request_exception=False)
        reply = client.generic(
            method,
            "/",
            body,
            kind or "application/json",
            **extra,
            **{"PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": io.BytesIO(body)},
        )
        size = sum(map(len, islice(reply, 1_000))) if reply.streaming else len(reply.content)
        reply.close()
        transaction.set_rollback(True)
    if reply.status_code >= 500 and reply.status_code not in {502, 503}:
        cause = getattr(reply, "exc_info", None) or (None, None)
        raise AssertionError(f"{method} {path[:80]}: {reply.status_code}, {cause[1]!r:.200}") from cause[1]
    return f"{method} {NAMES.sub('', path)[:40]} {reply.status_code} {size.bit_length()}"


def _filled(case: bytes) -> bytes:
    assert place is not None
    values = place.values | permits
    for name in sorted(values, key=len, reverse=True):
        case = case.replace(b"$" + name.encode(), values[name].encode())
    return case


def _request(route: Any) -> bytes:
    body, kind = b"", "application/json"
    if route.form is not None:
        body, kind = urlencode(route.form).encode(), "application/x-www-form-urlencoded"
    elif route.body is not None:
        body = route.body.encode() if isinstance(route.body, str) else json.dumps(route.body).encode()
    return f"{route.method} {route.address} {kind}\n\n".encode() + body


REQUESTS = [_request(route) for route in API if not any(part in route.address for part in DROPPED)]
FORMS = [_request(route) for route in PAGES if not any(part in route.address for part in DROPPED)]
HUB = [
    *(each for each in REQUESTS if b"/v1/hf/" in each),
    b'GET /v1/hf/datasets/$ws/$fileset/resolve/main/$file x\nRange: bytes=0-3\nIf-Range: x\nIf-None-Match: W/"a"\n\n',
    b"GET /v1/hf/api/datasets/$ws/$fileset/tree/main?limit=2&cursor=YQ== x\n\n",
    b"PUT /v1/hf/lfs/upload/$large/1?token=$upload_permit application/octet-stream\nContent-Length: 4\n\nfuzz",
    b'POST /v1/hf/lfs/upload/$large?token=$upload_permit x\n\n{"oid":"$large","parts":[{"partNumber":1,"etag":""}]}',
    b"PUT /v1/hf/lfs/upload/$large?token=$upload_permit application/octet-stream\n\nfuzz large",
    b'POST /v1/hf/lfs/verify?token=$upload_permit x\n\n{"oid": "$large", "size": 10}',
    b"GET /v1/hf/lfs/objects/$large?token=$download_permit x\nRange: bytes=-2\n\n",
]
LISTS = [each for each in REQUESTS if each.startswith(b"GET ") and (b"?" in each or b"logs" in each or b"rows" in each)]
REQUEST_WORDS = (
    *listed(
        rb"""$ws $fileset $job $file $oid $uid $v1 - / ? & = %2F %00 filter[name]= filter= sort= page_size= page="""
    ),
    *listed(rb"""limit= page_cursor= cascade=true format=csv GET_ PATCH_ DELETE_ POST_"""),
    *(b"\nRange: bytes=", b"\nIf-Match: ", b"\nContent-Length: ", b"\nTransfer-Encoding: chunked"),
    *(b"\nAuthorization: Bearer ", b"\nX-Forwarded-For: ", b"\nX-Request-ID: ", b"\nHX-Request: true"),
    *JSON_WORDS,
)

# Queries, cursors and names


def filter_jobs(case: bytes) -> str:
    with transaction.atomic():
        found = read_filter(QueryDict(text(case)), {**views.FILTERS, "rows": "rows_total"}, views.LISTED)
        return f"{len(views.LISTED.filter(found.q)[:2])} {len(str(found.echo)).bit_length()}"


def filter_v1(case: bytes) -> str:
    asked = V1_LISTS[DefinitionKind.CONFIG].read(Request(APIRequestFactory().get("/", QUERY_STRING=_url(case))))
    with transaction.atomic():
        return f"{len(Definition.objects.filter(asked.q).order_by('pk')[:2])}"


def _url(case: bytes) -> str:
    return text(case).encode().decode("latin-1")  # as it comes from a server


def cursors(case: bytes) -> str:
    found = []
    for read in (
        lambda said: read_cursor(QueryDict(f"cursor={said}")),
        logs._place,
        row_pages._place,
        lambda said: read_asked(QueryDict(said), ()).address(),
    ):
        try:
            found.append(str(read(text(case))))
        except REFUSED as refusal:
            found.append(type(refusal).__name__)
    return " ".join(found)[:60]


def names(case: bytes) -> str:
    said = text(case)
    found: list[Any] = []
    for read in (paths.file, paths.folder, FilesetReference.parse, FilesUrl.parse, egress.check, plain_address):
        try:
            found.append(read(said))
        except (Refusal, ValueError) as refusal:
            found.append(type(refusal).__name__)
    if isinstance(found[0], str) and found[0] not in {"BadRequest", "ValueError"}:
        assert not found[0].startswith("/") and ".." not in found[0].split("/") and "\x00" not in found[0]
    return str([type(each).__name__ for each in found])


def ranges(case: bytes) -> str:
    header, size = halves(case)
    length = int(size) if size.isascii() and size.isdecimal() and len(size) < 19 else 10
    span = read_range(header, length)
    assert 0 <= span.start < span.stop <= length
    return f"{span.start > 0} {span.stop < length}"


def limits(case: bytes) -> str:
    lines = (line.partition(":") for line in text(case).split("\n"))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    found = governor_headers.windows_of(headers)
    for window in found.values():
        assert window.limit > 0 and 0 < window.period < float("inf") and window.reset >= 0, window
    return str(sorted(found))


# Bodies


def submit(case: bytes) -> str:
    asked = check(JobRequest, decode(case), "body")
    with transaction.atomic():
        submission = read_submission(Workspace.objects.get(name=f"{TAG}-w"), asked.spec)
    orjson.dumps([submission.spec, submission.metrics])
    return f"{len(submission.metrics)} {submission.dialect}"


def submit_v1(case: bytes) -> str:
    given = decode(case)
    config, target = (given.get(name) if isinstance(given, dict) else None for name in ("config", "target"))
    if not isinstance(config, dict | str) or not isinstance(target, dict | str):
        return "neither"
    with transaction.atomic():
        read = read_both({"config": config, "target": target})
        found = translate(read["config"], read["target"], own_hosts=frozenset({"localhost"}))
    return f"{len(found.tasks)}"


def commit_lines(case: bytes) -> str:
    size = 1 + case[0] % 64 if case else 1

    class Trickle(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(min(count if count and count > 0 else size, size * 1024))

    def keep(content: Any) -> int:
        length = 0
        while piece := content.read(1 << 16):
            length += len(piece)
        return length

    found = [(key, len(value)) for key, value in operations(Trickle(case[1:]), keep)]
    return str(found[:4])


def front_matter(case: bytes) -> str:
    front = card.FRONT.match(text(case[: card.LONGEST]))
    found = yaml.load(front[1], card._Loader) if front else None
    return str(isinstance(found, dict) and len(orjson.dumps(found, default=str)).bit_length())


# What is shown and exported


def form(case: bytes) -> str:
    typed = JudgeForm.of(QueryDict(case))
    prompt = rendered(typed, 0, {"q": "why", "a": [1, {"b": None}]})
    try:
        asked = read_request(typed)
    except FormWrong as wrong:
        return f"{sorted(wrong.mistakes)} {sorted(prompt.troubles)}"
    return f"{len(asked.body)} {len(prompt.messages)}"


def differ(case: bytes) -> str:
    before, after = halves(case)
    pieces = word_diff(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "new") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == after
    return str(len(pieces).bit_length())


def cells(case: bytes) -> str:
    given = text(case)
    shown = str(exports._harmless(given))
    begins = unicodedata.normalize("NFKC", shown[:1])
    assert begins not in {"=", "+", "-", "@", "\t", "\r", "\n"} or exports.NUMBER.fullmatch(shown), shown
    assert re.sub(r"^'(?='*[=+\-@\t\r\n＝＋－＠])", "", shown) == given, "as docs/exports.md tells to undo it"
    return str(shown == given)


FORM = b"&".join(
    (
        b"workspace=fuzz-w&fileset=fuzz-w/fuzz-data&file=fuzz.jsonl&url=http://127.0.0.1:9/v1&model=m&system=Rate&name=a",
        b"score-0-name=clarity&score-0-kind=range&score-0-min=0&score-0-max=4&score-0-parser=regex&score-0-pattern=(\\d)",
        b"score-0-method=search&temperature=0.5&samples=2&limit_samples=3&parallelism=2&user={{ item.q }}",
        b'more={"guard": true}',
    )
)
HEADERS = (
    b"x-ratelimit-limit-requests: 100\nx-ratelimit-remaining-requests: 99\nx-ratelimit-reset-requests: 1m2.5s",
    b'ratelimit: "default";r=50;t=30\nratelimit-policy: "default";q=100;w=60',
)
FILTER_WORDS = listed(
    rb"""{"$and":[ "$or":[ {"$not": $like $in $nin [ ] ( ) _AND_ _OR_ - ~ : filter[name]= created_at rows status %
    2025-01-01 9999-12-31 0001-01-01 search[ custom_fields"""
)
BIG_COMMIT = b"\n".join(
    (
        b'{"key":"header","value":{"summary":"s"}}',
        b'{"key":"file","value":{"path":"a","content":"' + b"QUJD" * 400_000 + b'","encoding":"base64"}}',
        b'{"key":"lfsFile","value":{"path":"b","oid":"00","size":3}}',
    )
)
BUNDLES = [{"name": "new", "spec": {**spec, "dataset": [{"prompt": "a"}]}} for spec in (SPEC, *SPECS.values())]


def _bodies(*bodies: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(body).encode() for body in bodies)


TARGETS = [
    Target("requests", ask, tuple(REQUESTS), words=REQUEST_WORDS, database=True),
    Target("hub-requests", ask, tuple(HUB), words=REQUEST_WORDS, database=True),
    Target("list-requests", ask, tuple(LISTS), words=(*REQUEST_WORDS, *FILTER_WORDS), database=True),
    Target("pages", ask, tuple(FORMS), words=REQUEST_WORDS, database=True),
    Target(
        "filters",
        filter_jobs,
        (
            b'filter={"name":"x","$or":[{"status":{"$in":["active","error"]}},{"created_at":{"$gt":"2025-01-01"}}]}',
            b'filter=name~"x" AND (rows>=3 OR -status IN (a, b)) project:y',
            b"filter[name][$like]=x%&filter[$not][status]=error&filter[created_at][$lte]=2025-01-01T00:00:00Z",
        ),
        REFUSED,
        words=FILTER_WORDS,
        database=True,
    ),
    Target(
        "v1-filters",
        filter_v1,
        (
            b"filter[namespace]=a,b&search[description]=x&sort=-created_at&page=2",
            b"filter[created_at][gte]=2025-01-01",
            b"search[custom_fields][a][b]=x&filter[custom_fields][c]=1",
        ),
        REFUSED,
        words=FILTER_WORDS,
        database=True,
    ),
    Target(
        "cursors",
        cursors,
        (b"YWZ0ZXIgMTI", b"YmVmb3JlIDk=", b"cursor=YQ==", b"after=3:0.5&state=scored&from=1,5&sort=-x&text=a"),
    ),
    Target(
        "names",
        names,
        (b"a/b.jsonl", b"../a", b"w/f#a/*.csv", b"hf://datasets/n/d@main/a.jsonl", b"http://u:p@[::1]:8/v1"),
        words=listed(rb"../ / // ./ @ # [ ] : http:// hf://datasets/ %2e \ xn--"),
    ),
    Target(
        "ranges",
        ranges,
        (b"bytes=0-3\x0010", b"bytes=-5\x0010", b"bytes=3-\x0010", b"bytes=0-1,4-5\x00100"),
        REFUSED,
        words=(*listed(b"bytes= - , 0"), b"9" * 18),
    ),
    Target(
        "limit-headers",
        limits,
        HEADERS,
        words=listed(b"x-ratelimit- -requests:_ -tokens:_ ;r= ;w= ;q= ;t= 1m s -1 nan inf"),
    ),
    Target("bundles", submit, _bodies(*BUNDLES), REFUSED, words=JSON_WORDS, database=True),
    Target("v1-configs", submit_v1, _bodies(V1, ONLINE, GIVEN), REFUSED, words=JSON_WORDS, database=True),
    Target(
        "commit-lines",
        commit_lines,
        (b"\x05" + COMMIT.encode(), b"\x05" + BIG_COMMIT),
        REFUSED,
        words=(*listed(rb"""{"key":" "value": \/ = "content":" """), b"\n"),
    ),
    Target(
        "cards",
        front_matter,
        (
            b"---\nlicense: mit\ntags:\n- a\n- b\nconfigs: {a: [1, 2]}\n---\n# A card",
            b"---\r\na: &x 1\nb: *x\n---\n",
        ),
        (yaml.YAMLError, ValueError, TypeError, RecursionError),
        words=(*listed(b"-_ :_ &a_ *a !!python/name:os.system_ ?_ <<:_ { ["), b"|\n"),
    ),
    Target(
        "forms",
        form,
        (FORM,),
        REFUSED,
        words=(*listed(b"& = score-1- grade {{ }} {% more="), b"[" * 300),
        database=True,
    ),
    Target(
        "differences",
        differ,
        (
            b"Rate the answer from 0 to 4.\x00Rate this answer strictly, 0 to 5.",
            b"a b\nc\n" * 400 + b"\x00" + b"b a\nc\n" * 400,
        ),
    ),
    Target("cells", cells, (b"=1+1", b"-3.5", b"+1e5", b"@SUM(A1)", b"\t=1", b"plain")),
]
