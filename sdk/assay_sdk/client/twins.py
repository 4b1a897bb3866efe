"""How one description of a request becomes a method of the sync and of the async client.

``Secrets.create = Sends(SecretCalls.create)`` is a method with the parameters and the docstring of
``SecretCalls.create`` that sends the call and returns what the reply holds; ``Awaits`` is the same as a coroutine.
``Lists`` and ``ListsAsync`` do it for lists: they fetch page after page while the caller iterates.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from assay_sdk.client.call import Call, Paged
from assay_sdk.client.transport import AsyncTransport, Transport

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")


class Resource(Generic[C]):
    """A part of the sync client: the calls it knows and the transport that sends them."""

    def __init__(self, calls: C, transport: Transport) -> None:
        self._calls = calls
        self._transport = transport


class AsyncResource(Generic[C]):
    """A part of the async client: the calls it knows and the transport that sends them."""

    def __init__(self, calls: C, transport: AsyncTransport) -> None:
        self._calls = calls
        self._transport = transport


class _Method(Generic[P, T]):
    def __init__(self, build: Callable[Concatenate[Any, P], T]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    def _named(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Give the method the name, parameters and docstring of what it sends, for ``help()`` and for editors."""
        named = wraps(self.build)(method)
        del named.__wrapped__
        parameters = list(inspect.signature(self.build).parameters.values())[1:]
        named.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return named


class Sends(_Method[P, Call[T]]):
    """A method that sends a call and returns what its reply holds."""

    @overload
    def __get__(self, owner: None, kind: type) -> "Sends[P, T]": ...
    @overload
    def __get__(self, owner: Resource[Any], kind: type) -> Callable[P, T]: ...
    def __get__(self, owner: Resource[Any] | None, kind: type) -> "Sends[P, T] | Callable[P, T]":
        if owner is None:
            return self

        def send(*args: P.args, **kwargs: P.kwargs) -> T:
            return owner._transport.send(self.build(owner._calls, *args, **kwargs))

        return self._named(send)


class Awaits(_Method[P, Call[T]]):
    """A coroutine that sends a call and returns what its reply holds."""

    @overload
    def __get__(self, owner: None, kind: type) -> "Awaits[P, T]": ...
    @overload
    def __get__(self, owner: AsyncResource[Any], kind: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, owner: AsyncResource[Any] | None, kind: type) -> "Awaits[P, T] | Callable[P, Awaitable[T]]":
        if owner is None:
            return self

        async def send(*args: P.args, **kwargs: P.kwargs) -> T:
            return await owner._transport.send(self.build(owner._calls, *args, **kwargs))

        return self._named(send)


class Lists(_Method[P, Paged[T]]):
    """A method that iterates over a list, fetching its pages one by one."""

    @overload
    def __get__(self, owner: None, kind: type) -> "Lists[P, T]": ...
    @overload
    def __get__(self, owner: Resource[Any], kind: type) -> Callable[P, Iterator[T]]: ...
    def __get__(self, owner: Resource[Any] | None, kind: type) -> "Lists[P, T] | Callable[P, Iterator[T]]":
        if owner is None:
            return self

        def entries(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return each(owner._transport, self.build(owner._calls, *args, **kwargs))

        return self._named(entries)


class ListsAsync(_Method[P, Paged[T]]):
    """A method that iterates over a list with ``async for``, fetching its pages one by one."""

    @overload
    def __get__(self, owner: None, kind: type) -> "ListsAsync[P, T]": ...
    @overload
    def __get__(self, owner: AsyncResource[Any], kind: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(
        self, owner: AsyncResource[Any] | None, kind: type
    ) -> "ListsAsync[P, T] | Callable[P, AsyncIterator[T]]":
        if owner is None:
            return self

        def entries(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            return aeach(owner._transport, self.build(owner._calls, *args, **kwargs))

        return self._named(entries)


def each(transport: Transport, paged: Paged[T]) -> Iterator[T]:
    """Yield the entries of a list."""
    walk = paged.walk()
    while call := walk.ask():
        yield from walk.take(transport.send(call))


async def aeach(transport: AsyncTransport, paged: Paged[T]) -> AsyncIterator[T]:
    """Yield the entries of a list."""
    walk = paged.walk()
    while call := walk.ask():
        for entry in walk.take(await transport.send(call)):
            yield entry
