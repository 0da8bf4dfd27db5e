"""A long answer of an engine, read so that its silence, the end of its time and Ctrl-C are all noticed.

The answer is read in a thread of its own. Between two messages an engine may be busy or dead, and a blocked read can't
tell: when it has been silent for long, the engine is asked on a second connection.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import docker
import requests

from pipeline.engines.docker_faults import SDK_ERRORS
from pipeline.errors import EngineTrouble

T = TypeVar("T")

_ROOM = 32
_GIVE_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


_END = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait: ``total_s`` for everything; after each ``silence_s`` without a message ``answers`` must say
    yes.
    """

    total_s: float
    silence_s: float
    answers: Callable[[], bool]


def messages(
    client: docker.APIClient, call: Callable[[docker.APIClient], Iterable[T]], patience: Patience, doing: str
) -> Iterator[T]:
    """What ``call`` yields, in order; ``client`` is used for this alone and closed in the end.

    Closing the generator early, or an exception in it, also ends the exchange: engines stop a build whose client is
    gone.

    Raises:
        EngineTrouble: the time is up, or the engine has stopped answering. What the SDK raises comes through as it is.
    """
    reader = _Reader(client, call)
    deadline = time.monotonic() + patience.total_s
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise EngineTrouble(f"The container engine did not {doing} within {patience.total_s:.0f} seconds.")
            try:
                item = reader.next(min(left, patience.silence_s))
            except queue.Empty:
                if left > patience.silence_s and not patience.answers():
                    raise EngineTrouble(
                        f"The container engine stopped answering while it was to {doing}.",
                        why=f"It was silent for {patience.silence_s:.0f} seconds and does not answer when asked.",
                    ) from None
                continue
            if isinstance(item, _Failure):
                raise item.error
            if item is _END:
                return
            yield item
    finally:
        reader.abandon()


def joined(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of at least ``size``, but for the last: an engine sends 32 KiB at a time, and handing
    each from thread to thread takes longer than reading it.
    """
    waiting, length = [], 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


class _Reader:
    """Reads into an inbox that has little room, so that a slow consumer holds up the engine and not
    memory.
    """

    def __init__(self, client: docker.APIClient, call: Callable[[docker.APIClient], Iterable[Any]]) -> None:
        self._inbox: queue.Queue[Any] = queue.Queue(_ROOM)
        self._client = client
        self._call = call
        self._abandoned = threading.Event()
        self._responses: list[requests.Response] = []
        client.hooks["response"].append(lambda response, *args, **kwargs: self._responses.append(response))
        self._thread = threading.Thread(target=self._read, name="engine-stream", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> Any:
        """A message, a failure, or the end. Raises queue.Empty when none comes in time."""
        return self._inbox.get(timeout=timeout_s)

    def abandon(self) -> None:
        """End the exchange and give the socket back."""
        self._abandoned.set()
        for response in self._responses:
            # Wakes the thread out of a blocked read; an exchange that has come to its end has nothing left to shut
            # down.
            with contextlib.suppress(ValueError, RuntimeError, *SDK_ERRORS):
                response.raw.shutdown()
        self._thread.join(_GIVE_UP_S)
        for response in self._responses:
            response.close()
        self._client.close()

    def _read(self) -> None:
        try:
            for message in self._call(self._client):
                if not self._put(message):
                    return
            self._put(_END)
        except Exception as error:  # pylint: disable=broad-exception-caught  # it is raised again where it is waited for
            self._put(_Failure(error))

    def _put(self, item: Any) -> bool:
        while not self._abandoned.is_set():
            with contextlib.suppress(queue.Full):
                self._inbox.put(item, timeout=0.2)
                return True
        return False
