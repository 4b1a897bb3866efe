"""Every page for people and what it asks of its reader: written down by hand, as `routes.py` is."""

from collections.abc import Iterator

from tests.accounts.routes import (
    ADMINISTER,
    FOUND,
    KNOWN,
    LEADING,
    MANAGE,
    OPEN,
    READ,
    SOMEWHERE,
    WRITE,
    Need,
    Route,
)
from tests.accounts.world import COLUMN, NOWHERE

Form = dict[str, str]


def _page(address: str, looking: Need = READ, writing: Need = WRITE) -> Iterator[Route]:
    """Yield a page that only shows something. It takes POST as well, and does nothing with it."""
    yield Route("GET", address, looking)
    yield Route("POST", address, writing, form={})


def _form(
    address: str, need: Need, form: Form, *, looking: Need = READ, answers: tuple[int, ...] = (), told: bool = False
) -> Iterator[Route]:
    """Yield a page with a form: looked at, and sent."""
    yield Route("GET", address, looking)
    yield Route("POST", address, need, form=form, answers=answers, told=told)


def _sent(address: str, need: Need, form: Form | None = None, *, answers: tuple[int, ...] = ()) -> Route:
    return Route("POST", address, need, form=form or {}, answers=answers)


JUDGE = {
    "workspace": "$ws", "fileset": "$ws/$fileset", "file": "$file", "url": f"{NOWHERE}/chat/completions", "model": "m",
    "secret": "$secret", "user": "{{ item.prompt }}", "score-0-name": "good", "score-0-min": "0", "score-0-max": "4",
    "name": "new",
}  # fmt: skip
JOB = "/admin/evaluations/$ws/$job"
WAITING = "/admin/evaluations/$ws/$waiting"
FILESET = "/admin/filesets/$ws/$fileset"
SECRET = "/admin/secrets/$ws"
WORKSPACE = "/admin/workspaces/$ws"
COMPARED = "?workspace=$ws&job=$job&job=$job2&score=helpfulness"

EVALUATIONS = [
    *_page("/admin/"),
    *_page("/admin/home/now/"),
    *_page("/admin/home/lately/"),
    *_page("/admin/evaluations/"),
    Route("GET", "/admin/evaluations/?workspace=$ws", READ),
    Route("GET", "/admin/evaluations/?q=$tag&state=completed", READ),
    *_form("/admin/evaluations/new/", WRITE, JUDGE, looking=SOMEWHERE),
    Route("GET", "/admin/evaluations/new/?from=$ws/$job", SOMEWHERE),
    Route("GET", "/admin/evaluations/new/?workspace=$ws&fileset=$ws/$fileset", SOMEWHERE),
    Route("GET", "/admin/new-evaluation/data/?workspace=$ws", SOMEWHERE),
    Route("GET", "/admin/new-evaluation/data/?workspace=$ws&fileset=$ws/$fileset&file=$file", SOMEWHERE),
    Route("POST", "/admin/new-evaluation/data/", SOMEWHERE, form={}),
    _sent("/admin/new-evaluation/prompt/", SOMEWHERE, JUDGE),
    _sent("/admin/new-evaluation/forecast/", SOMEWHERE, JUDGE),
    _sent("/admin/new-evaluation/code/", SOMEWHERE, {**JUDGE, "secret": ""}),
    _sent("/admin/new-evaluation/trial/", WRITE, {**JUDGE, "file": "none.jsonl"}, answers=(422,)),
    *_page("/admin/compare/"),
    Route("GET", f"/admin/compare/{COMPARED}", READ),
    *_page(f"/admin/compare/scores/{COMPARED}", writing=READ),
    *_page(f"/admin/compare/rows/{COMPARED}", writing=READ),
    *_page(f"{JOB}/"),
    *_page(f"{JOB}/live/"),
    *_page(f"{JOB}/scores/"),
    *_page(f"{JOB}/log/"),
    _sent(f"{WAITING}/change/", WRITE, {"parallelism": "3", "cache": "on"}),
    *_form("/admin/evaluations/$ws/$job2/delete/", WRITE, {}, looking=WRITE),
    _sent(f"{WAITING}/do/cancel/", WRITE),
    *_page(f"{JOB}/people/"),
    *_page(f"{JOB}/people/found/?column={COLUMN}"),
    *_page(f"{JOB}/results/"),
    *_page(f"{JOB}/results/figures/"),
    *_page(f"{JOB}/rows/"),
    *_page(f"{JOB}/rows/1/"),
]
HOLDINGS = [
    *_page("/admin/filesets/"),
    Route("GET", "/admin/filesets/?workspace=$ws&results=1", READ),
    Route("GET", "/admin/filesets/?q=$tag", READ),
    *_form(
        "/admin/filesets/new/",
        WRITE,
        {"workspace": "$ws", "name": "new", "purpose": "dataset"},
        looking=SOMEWHERE,
        told=True,
    ),
    *_page(f"{FILESET}/"),
    *_page(f"{FILESET}/files/?find=$tag"),
    _sent(f"{FILESET}/files/delete/", WRITE, {"path": "$file"}),
    *_page(f"{FILESET}/preview/?file=$file"),
    *_page(f"{FILESET}/history/?revision=$branch"),
    *_form(f"{FILESET}/edit/", WRITE, {"description": "new"}, looking=WRITE),
    _sent(f"{FILESET}/refresh/", WRITE, answers=(409,)),
    *_form("/admin/filesets/$ws/$spare/delete/", WRITE, {}, looking=WRITE),
    *_page("/admin/secrets/"),
    Route("GET", "/admin/secrets/?workspace=$ws", READ),
    Route("GET", "/admin/secrets/?q=$tag", READ),
    *_form(
        "/admin/secrets/new/", WRITE, {"workspace": "$ws", "name": "new", "value": "v"}, looking=SOMEWHERE, told=True
    ),
    *_page(f"{SECRET}/$secret/"),
    _sent(f"{SECRET}/$secret/rotate/", WRITE, {"value": "new"}),
    _sent(f"{SECRET}/$secret/edit/", WRITE, {"description": "new"}),
    *_form(f"{SECRET}/$spare_secret/delete/", WRITE, {}, looking=WRITE),
    *_form("/admin/workspaces/", FOUND, {"name": "entirely-new"}),
    Route("GET", "/admin/workspaces/?q=$tag", READ),
    *_page(f"{WORKSPACE}/", writing=WRITE),
    _sent(f"{WORKSPACE}/edit/", MANAGE, {"description": "new"}),
    _sent(f"{WORKSPACE}/members/", MANAGE, {"principal": "stranger", "role": "Viewer"}),
    _sent(f"{WORKSPACE}/members/remove/", MANAGE, {"principal": "$member"}),
    *_form(f"{WORKSPACE}/delete/", MANAGE, {}, looking=MANAGE, answers=(409,)),
]
PEOPLE = [
    *_form("/admin/tokens/", READ, {"name": "new", "scope": "read", "expires": "7"}),
    _sent("/admin/tokens/revoke/", READ, {"name": "no such token"}, answers=(404,)),
    *_page("/admin/audit/", LEADING, LEADING),
    Route("GET", "/admin/audit/?workspace=$ws", LEADING),
    Route("GET", "/admin/audit/?q=$tag", LEADING),
    *_form("/admin/people/", ADMINISTER, {"name": "newcomer", "email": ""}, looking=ADMINISTER),
    *_page("/admin/people/stranger/", ADMINISTER, ADMINISTER),
    _sent("/admin/people/stranger/do/deactivate/", ADMINISTER),
    _sent("/admin/people/stranger/password/", ADMINISTER, {"password": "correct-horse-battery-2"}),
    _sent("/admin/people/stranger/tokens/revoke/", ADMINISTER, {"name": "none"}, answers=(404,)),
    Route("GET", "/admin/sign-in/leave", OPEN, answers=(404,)),
    Route("GET", "/admin/sign-in/back", OPEN, answers=(404,)),
    Route("GET", "/admin/tables/login/", OPEN),
    Route("POST", "/admin/tables/login/", OPEN, form={"username": "nobody-at-all", "password": "x"}),
    Route("PUT", "/admin/tables/login/", OPEN),
    Route("POST", "/admin/tables/logout/", KNOWN, form={}),
    Route("GET", "/admin/tables/password_change/", KNOWN),
    Route("POST", "/admin/tables/password_change/", KNOWN, form={}),
    Route("PUT", "/admin/tables/password_change/", KNOWN),
]
PAGES = [*EVALUATIONS, *HOLDINGS, *PEOPLE]
TABLES = "admin/tables/"
"""Below it, all but what is listed above is for platform administrators."""
