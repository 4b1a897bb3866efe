"""Lists: page by page, only as far as the caller goes, and right although the list changes meanwhile."""

from collections.abc import Callable
from itertools import islice

from assay_sdk import Assay
from tests.sdk.conftest import Either, recorded, secret
from tests.sdk.stub import Asked, Reply, Stub, reply

SECRETS = "/apis/secrets/v2/workspaces/default/secrets"


def pages_of(names: list[str], size: int = 3) -> Callable[[Asked], Reply]:
    """Serve a list as it is at the moment of each request, in pages of a size of the server's own choice."""

    def page(asked: Asked) -> Reply:
        number = int(asked.query["page"])
        shown = names[(number - 1) * size : number * size]
        pages = -(-len(names) // size)
        paging = {"page": number, "page_size": size, "total_pages": pages, "total_results": len(names)}
        return reply({"data": [secret(name) for name in shown], "pagination": paging})

    return page


def test_all_pages_come(stub: Stub, either: Either) -> None:
    names = [f"s{i}" for i in range(8)]
    stub.on("GET", SECRETS, pages_of(names))
    assert [found.name for found in either("secrets.list")] == names
    assert [asked.query["page"] for asked in stub.asked] == ["1", "2", "3"]


def test_an_empty_list(stub: Stub, either: Either) -> None:
    stub.on("GET", SECRETS, pages_of([]))
    assert either("secrets.list") == []
    assert len(stub.asked) == 1


def test_pages_are_fetched_when_they_are_needed(stub: Stub) -> None:
    stub.on("GET", SECRETS, pages_of([f"s{i}" for i in range(9)]))
    with Assay(stub.url) as assay:
        entries = assay.secrets.list()
        assert not stub.asked
        assert [found.name for found in islice(entries, 3)] == ["s0", "s1", "s2"]
        assert len(stub.asked) == 1


def test_deleting_what_is_listed_misses_nothing(stub: Stub) -> None:
    names = [f"s{i}" for i in range(8)]
    stub.on("GET", SECRETS, pages_of(names))
    with Assay(stub.url) as assay:
        for found in assay.secrets.list():
            names.remove(found.name)
            assert len(stub.asked) < 30
    assert names == []


def test_what_arrives_meanwhile_is_not_handed_out_twice(stub: Stub) -> None:
    names = [f"s{i}" for i in range(6)]
    stub.on("GET", SECRETS, pages_of(names))
    seen = []
    with Assay(stub.url) as assay:
        for found in assay.secrets.list():
            seen.append(found.name)
            if found.name == "s2":
                names.insert(0, "new")
    assert seen == [f"s{i}" for i in range(6)]


def test_a_filter_and_an_order_are_passed_on(stub: Stub, either: Either) -> None:
    stub.on("GET", "/apis/entities/v2/workspaces", pages_of([]))
    either("workspaces.list", filter={"name": {"$like": "demo"}}, sort="name")
    assert stub.asked[0].query["filter"] == '{"name":{"$like":"demo"}}'
    assert stub.asked[0].query["sort"] == "name"


def test_recorded_lists_can_be_read(stub: Stub, either: Either) -> None:
    """Lists leave out what is null; ours must not miss it."""
    read = {"filesets": "files.filesets.list", "jobs": "jobs.list", "metrics": "evaluator.metrics.list"}
    read |= {"eval-results": "evaluator.results.list", "secrets": "secrets.list", "workspaces": "workspaces.list"}
    done = set()
    for name in ("filesets-huggingface", "jobs-list-logs-results", "metrics-store", "secrets", "workspaces"):
        for found in recorded(name):
            collection = found["path"].rsplit("/", 1)[-1]
            if found["method"] != "GET" or found["status"] != 200 or "evaluate/jobs" in found["path"]:
                continue
            if collection in read and found["response"]["data"]:
                options = {} if collection == "workspaces" else {"workspace": found["path"].split("/")[5]}
                found["response"].get("pagination", {})["total_pages"] = 1
                stub.on("GET", found["path"], reply(found["response"]))
                names = [entry.name for entry in either(read[collection], **options)]
                assert names == [entry["name"] for entry in found["response"]["data"]]
                done.add(collection)
    assert done == set(read)
