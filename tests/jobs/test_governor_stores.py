"""Where the documents are kept: no change is lost between processes, a store that is away holds up nobody."""

import fcntl
import json
import multiprocessing
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from assay.jobs.governor import Ask, Limits
from assay.jobs.governor_learning import Phase, Seen
from assay.jobs.governor_member import Membership
from assay.jobs.governor_redis import RedisStore
from assay.jobs.governor_stores import PATIENCE_SECONDS, FileStore, Store, StoreAway, digest
from tests.platform_process import free_port
from tests.services import redis_url

PROCESSES, CHANGES = 4, 100


@pytest.fixture(params=["file", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store is: a folder or a URL."""
    yield str(tmp_path / "governor") if request.param == "file" else redis_url()


@pytest.fixture
def name(place: str) -> Iterator[str]:
    name = f"test {secrets.token_hex(8)}"
    yield name
    if place.startswith("redis"):
        lose(place, name)


def open_store(place: str) -> Store:
    return RedisStore(place) if place.startswith("redis") else FileStore(Path(place))


def lose(place: str, name: str) -> None:
    if place.startswith("redis"):
        with Redis.from_url(place) as redis:
            redis.delete(f"assay:line:{digest(name)}")
    else:
        (Path(place) / digest(name)).unlink()


def one_more(document: bytes | None, now: float) -> tuple[bytes, int]:
    count = json.loads(document or b"0") + 1
    time.sleep(0.0002)  # between reading and writing others get their chance
    return json.dumps(count).encode(), count


def count_up(place: str, name: str) -> None:
    store, done = open_store(place), 0
    while done < CHANGES:
        try:
            store.change(name, one_more)
            done += 1
        except StoreAway:
            time.sleep(0.01)  # too many at once for a quarter of a second: nothing was changed


def test_no_change_is_lost_between_processes(place: str, name: str) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=count_up, args=(place, name)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert open_store(place).change(name, one_more) == PROCESSES * CHANGES + 1


def limited(member: str = "a", **also: object) -> Ask:
    return Ask(member, f"job of {member}", waits=5, limits=Limits(600), **also)  # type: ignore[arg-type]


def test_members_on_two_connections_share_one_line(place: str, name: str) -> None:
    one, two = Membership(open_store(place)), Membership(open_store(place))
    rarely = Limits(requests_per_minute=1)
    first, second = (
        each.sync(name, Ask(member, member, waits=1, limits=rarely)) for each, member in ((one, "a"), (two, "b"))
    )
    assert (first.jobs, second.jobs, second.members) == (1, 2, 2)
    assert first.starts and not second.starts, "the only call of this minute is the other's"


def test_what_was_learned_survives_the_loss_of_the_document(place: str, name: str) -> None:
    member = Membership(open_store(place))
    grant = member.sync(name, Ask("a", "job", waits=3, seen=Seen(ok=60, refused=20, in_a_row=20)))
    assert grant.learned.phase is Phase.SPENT
    lose(place, name)
    assert Membership(open_store(place)).sync(name, Ask("b", "another", waits=3)).limited is False
    assert member.sync(name, Ask("a", "job", waits=3)).limited
    assert Membership(open_store(place)).sync(name, Ask("b", "another", waits=3)).limited


class Breaking:
    """A store that can be cut off."""

    def __init__(self, store: Store) -> None:
        self.store, self.cut = store, False

    def change(self, name, step):  # type: ignore[no-untyped-def]
        if self.cut:
            raise StoreAway("cut off")
        return self.store.change(name, step)


def test_a_member_that_is_cut_off_takes_its_share_only(place: str, name: str) -> None:
    store = Breaking(open_store(place))
    members = [Membership(store) for _ in range(4)]
    for number, member in enumerate(members * 2):
        member.sync(name, limited(f"{number % 4}"))
    store.cut = True
    grant = members[0].sync(name, limited("0"))
    assert grant.limited
    assert grant.rate == pytest.approx(0.97 * 10 / 4)
    store.cut = False
    assert members[0].sync(name, limited("0")).rate == pytest.approx(0.97 * 10)


def test_a_redis_that_is_not_there_is_not_waited_for() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreAway):
        store.change("line", one_more)
    with pytest.raises(StoreAway, match="a moment ago"):
        store.change("line", one_more)


def test_a_folder_that_cannot_be_used_is_a_store_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreAway):
        FileStore(tmp_path / "file").change("line", one_more)


def test_a_process_that_stalls_with_the_lock_holds_nobody_up(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.change("line", one_more)
    with (tmp_path / digest("line")).open("rb+") as stalled:
        fcntl.flock(stalled, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(StoreAway):
            store.change("line", one_more)
        assert time.monotonic() - began < 20 * PATIENCE_SECONDS
    assert store.change("line", one_more) == 2


def test_a_document_half_written_is_begun_anew(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    (tmp_path / digest("line")).write_bytes(b'{"at": 1.0, "mem')
    assert Membership(store).sync("line", limited()).starts


def test_documents_that_nobody_uses_are_swept(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.change("old", one_more)
    store.change("new", one_more)
    os.utime(tmp_path / digest("old"), (1, 1))
    store.sweep()
    assert [path.name for path in tmp_path.iterdir()] == [digest("new")]
