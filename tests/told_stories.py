"""Records of smoke's stories as a sound service leaves them, and a wire on which such a service answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipeline.core.containers import Executed
from pipeline.core.malformed import cases
from pipeline.core.wire import Reply, Sent
from pipeline.settings import Smoke
from pipeline.stages import smoke_malformed, smoke_restart, smoke_steadiness, smoke_stop
from pipeline.stages.smoke_steadiness import amount, requests_of

READING = json.dumps({"memory_kb": 40_000, "files": 20, "processes": [1, 7]})
WELL = Reply(text='HTTP/1.1 200 OK\r\n\r\n{"status": "ready"}', closed=True)
REFUSED = Reply(text="HTTP/1.1 400 Bad Request\r\n\r\n", closed=True)


def told(settings: Smoke) -> dict[str, str]:
    """The records of the stories of the standard dose, without a document, by name."""
    answers = {request: [asdict(WELL)] * 3 for request in requests_of(settings)}
    ready = {"ready": True, "after_s": 0.5, "found": "0.5 s"}
    tried = [{"name": case.name, "reply": asdict(REFUSED), "afterwards": 200} for case in cases(settings.ready_path)]
    half = {"sent": amount(settings), "failed": 0, "reading": READING}
    records = {
        smoke_restart.RECORD: {"exit_code": 137, "ready": ready, "answers": answers},
        smoke_malformed.RECORD: {
            "tried": tried, "stalled": [], "meanwhile": 200, "afterwards": 200, "waited_s": 0.0
        },
        smoke_steadiness.RECORD: {"halves": [half, half], "trouble": ""},
        smoke_stop.RECORD: {"signal_s": 2.0, "sent": [asdict(sent(number)) for number in range(4)]},
    }  # fmt: skip
    return {name: json.dumps(record) for name, record in records.items()}


def sent(number: int, **changes: Any) -> Sent:
    """A request that was whole at second 1 and answered at second 3."""
    one = Sent(request=f"GET /{number}", whole_s=1.0, ended_s=3.0, status=200)
    return replace(one, **changes)


@dataclass
class FakeLoad:
    """A load of so many requests, all of them in flight at second 2."""

    requests: tuple[Sent, ...]
    eased: bool = False

    def now(self) -> float:
        """Second 2."""
        return 2.0

    def waiting(self) -> int:
        """All of them."""
        return len(self.requests)

    def sent(self) -> int:
        """All of them."""
        return len(self.requests)

    def ease(self) -> None:
        """Remember it."""
        self.eased = True

    def finish(self, within_s: float) -> tuple[Sent, ...]:
        """All of them."""
        del within_s
        return self.requests


@dataclass
class FakeStalled:
    """Clients that have been cut off."""

    count: int

    def ended(self, within_s: float) -> tuple[Reply, ...]:
        """All of them."""
        del within_s
        return (Reply(closed=True),) * self.count


@dataclass
class FakeWire:
    """A Wire on which a sound service answers; ``answers`` are those to some requests, by their first line."""

    answers: dict[str, Reply] = field(default_factory=dict)
    requests: int = 600

    def exchange(self, address: str, parts: Sequence[bytes], *, within_s: float, pause_s: float = 0.0) -> Reply:
        """200 to an ordinary request, 400 to any other."""
        del address, within_s, pause_s
        line = parts[0].partition(b"\r\n")[0].decode("iso-8859-1")
        ordinary = parts[0].endswith(b"Connection: close\r\n\r\n")
        return self.answers.get(line, WELL if ordinary else REFUSED)

    @contextmanager
    def stalled(self, address: str, parts: Sequence[bytes]) -> Iterator[FakeStalled]:
        """They are cut off."""
        del address
        yield FakeStalled(len(parts))

    @contextmanager
    def load(self, address: str, requests: Sequence[str], connections: int) -> Iterator[FakeLoad]:
        """Whatever is asked, it is answered."""
        del address, connections
        yield FakeLoad(tuple(sent(number, request=requests[0]) for number in range(self.requests)))

    @contextmanager
    def silence(self) -> Iterator[str]:
        """The port of discard, where nobody is asked in these tests."""
        yield "http://127.0.0.1:9"


def programs(argv: Sequence[str]) -> Executed:
    """The image's Python tells what the processes hold."""
    assert argv[0] == "python3"
    return Executed(exit_code=0, output=READING)
