"""An engine of which a run in which nothing has changed asks two things: what it is, and whether it has an image.

Both are asked by plain requests. Everything else, and whatever is no plain answer, is the whole engine's, which loads
the docker SDK when it is first wanted.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pipeline.core.containers import ContainerEngine, Image
from pipeline.engines.docker_answers import Described, image_of
from pipeline.engines.unix_socket import NoPlainAnswer, asked, version_of
from pipeline.errors import EngineTrouble

_BY_ID = re.compile(r"sha256:[0-9a-f]{64}")
_ABSENT = 404


class EngineAtHand(Described):
    """A ContainerEngine at the unix socket ``address``; ``whole`` opens the same by the SDK. ``timeout_s`` is how long
    it may stay silent.

    Raises, when it does not say what it is: EngineTrouble for silence, else NoPlainAnswer.
    """

    def __init__(self, address: str, timeout_s: float, whole: Callable[[], ContainerEngine]) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._open = whole
        self._opened: ContainerEngine | None = None
        # A stage may use several threads.
        self._guard = threading.Lock()
        with self._speaking("tell its version"):
            self._about = version_of(address, timeout_s)

    def image(self, reference: str) -> Image | None:
        """The image with this id or tag, or none.

        Raises:
            EngineTrouble: it did not say so.
        """
        if self._opened is None and _BY_ID.fullmatch(reference):
            # Of what is no plain answer the SDK puts in words what is wrong with it.
            puzzled = (NoPlainAnswer, KeyError, TypeError, ValueError, AttributeError)
            with contextlib.suppress(*puzzled), self._speaking("describe an image"):
                return self._image(reference)
        return self._whole().image(reference)

    def close(self) -> None:
        """Give its sockets back."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __getattr__(self, name: str) -> Any:
        """Whatever else an engine can do."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._whole(), name)

    def _whole(self) -> ContainerEngine:
        with self._guard:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    @contextlib.contextmanager
    def _speaking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            why = f"It said nothing for {self._timeout_s:g} seconds."
            raise EngineTrouble(f"The container engine could not {doing}.", why=why) from error

    def _image(self, identity: str) -> Image | None:
        place = f"/v{self._about['ApiVersion']}/images/{identity}"
        answer = asked(self._address, f"{place}/json", self._timeout_s)
        if answer.status == _ABSENT:
            return None
        history = asked(self._address, f"{place}/history", self._timeout_s)
        if answer.content is None or history.content is None:
            raise NoPlainAnswer(f"GET {place}: {answer.status}, {history.status}")
        return image_of(answer.content, history.content)
