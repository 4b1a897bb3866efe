"""A reply is read without the key that it quotes, however it quotes it."""

import json
from urllib.parse import quote

import pytest

from assay_sdk.engine.endpoint import Endpoint

KEY = 'sk-ab/cd+ef"gh\\ij=='


def endpoint(key: str) -> Endpoint:
    return Endpoint.plain("judge", "http://judge.example/", "key", api_keys={"key": key}, timeout=1.0)


def nested(key: str, levels: int, slash: str) -> str:
    for _ in range(levels):
        key = json.dumps({"said": key}).replace("/", slash)
    return key


@pytest.mark.parametrize("slash", ["/", r"\/"])
@pytest.mark.parametrize("levels", [0, 1, 2, 3])
@pytest.mark.parametrize("way", [str, quote, lambda key: quote(key, safe="")], ids=["as it is", "address", "parameter"])
def test_a_quoted_key_is_not_read(way: "type[str]", levels: int, slash: str) -> None:
    reply = nested(f"no such key: Bearer {way(KEY)}.", levels, slash)
    read = endpoint(KEY).without_key(reply.encode()).decode()
    assert read == nested("no such key: Bearer ******.", levels, slash)


@pytest.mark.parametrize("key", ["4", "score", "EMPTY"])
def test_a_key_that_may_be_a_word_spoils_no_reply(key: str) -> None:
    reply = b'{"score": 4, "why": "not EMPTY"}'
    assert endpoint(key).without_key(reply) == reply
    assert endpoint(key).without_key(f"I know Bearer {key}, you".encode()) == b"I know ******, you"


def test_an_endpoint_shows_its_key_to_nobody() -> None:
    assert "sk-ab" not in repr(endpoint(KEY))
