"""API keys of a local run: secrets by name, looked up in the environment."""

import os
from collections.abc import Iterable, Mapping


def keys_from_environment(secrets: Iterable[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The keys found for the given secret references; what is not found is left out.

    `my-key` is looked for as `my-key`, `MY-KEY`, `my_key` and `MY_KEY`; a leading digit gets a `_` before it.
    """
    found = {}
    for secret in secrets:
        plain = secret.replace("-", "_").replace("/", "_")
        safe = f"_{plain}" if plain[:1].isdigit() else plain
        for name in (secret, secret.upper(), plain, plain.upper(), safe, safe.upper()):
            if environ.get(name):
                found[secret] = environ[name]
                break
    return found
