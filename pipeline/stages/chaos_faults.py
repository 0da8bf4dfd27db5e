"""The faults that the chaos checks plant in containers of their own: how each is brought about, and how it is seen.

Each is brought about by a program that the image's own Python runs inside the container, with no more rights than the
service; what it printed is the evidence that the fault was really there.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.container import TMP
from pipeline.core.containers import ContainerRequest, Executed

_SMALLEST_MB = 1
# TEST-NET-1 (RFC 5737): addresses that belong to nobody.
_NOBODY = "192.0.2.1"
_EXHAUST = """
held = []
while True:
    held.append(b"x" * (1 << 20))
    print(len(held), flush=True)
"""
_FILL = """
import errno
for name in ("/tmp/pipeline-fill", "/dev/shm/pipeline-fill"):
    try:
        with open(name, "wb", buffering=0) as file:
            for size in (65536, 512):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError as error:
                    found = errno.errorcode[error.errno]
            print(name, found)
    except OSError as error:
        print(name, errno.errorcode[error.errno])
"""
_WRITE = """
import errno
for name in ("/tmp/pipeline-write", "/pipeline-write"):
    try:
        open(name, "wb").close()
        print(name, "was written")
    except OSError as error:
        print(name, errno.errorcode[error.errno])
"""
_RESOLVE = """
import signal, socket
def late(number, frame):
    raise TimeoutError
signal.signal(signal.SIGALRM, late)
signal.alarm(3)
try:
    print(socket.getaddrinfo("service.example.org", 443))
except OSError as error:
    print("no answer", type(error).__name__)
"""


# Every process but this one has to follow the moved clock.
_MOVE = """
import os, time
before = time.time()
with open("{file}", "w") as file:
    file.write("{days:+d}d")
print("moved", round((time.time() - before) / 86400))
for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) != os.getpid():
        try:
            with open(f"/proc/{{pid}}/maps") as maps:
                print(pid, "follows" if "{library}" in maps.read() else "does not follow")
        except (FileNotFoundError, ProcessLookupError):
            pass
"""
_CLOCK_FILE, _CLOCK_LIBRARY = f"{TMP}/pipeline-clock", "/pipeline-clock.so"
_LIBFAKETIME = ("usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1", "usr/lib64/faketime/libfaketimeMT.so.1")
"""Where Debian and Fedora put it; it is loaded into the container's processes and tells them another time of day."""
_NO_CLOCK = (
    "A container has the machine's own clock, which must not be moved under everybody else, and libfaketime, which "
    "moves it for a container alone, is not installed (Debian: apt-get install libfaketime)."
)


def clock_library(root: Path = Path("/")) -> Path | None:
    """libfaketime on this machine, for its own architecture; none when it is not installed."""
    found = [path for pattern in _LIBFAKETIME for path in sorted(root.glob(pattern))]
    own = [path for path in found if "lib64" in path.parts or f"{platform.machine()}-linux-gnu" in path.parts]
    return own[0] if own else None


def _as_it_is(request: ContainerRequest) -> ContainerRequest:
    return request


def _with_own_clock(request: ContainerRequest) -> ContainerRequest:
    """A container whose time of day is this machine's until the file says otherwise; its monotonic clock is left."""
    library = clock_library()
    told = {
        "LD_PRELOAD": _CLOCK_LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": _CLOCK_FILE,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    files = {_CLOCK_LIBRARY: library} if library else {}
    return replace(request, environment={**request.environment, **told}, files=files)


def _moved(days: int) -> Fault:
    def seen(ran: Executed) -> bool:
        return f"moved {days}\n" in ran.output and " follows" in ran.output and "does not follow" not in ran.output

    return Fault(
        name="clock ahead" if days > 0 else "clock back",
        program=_MOVE.format(file=_CLOCK_FILE, days=days, library=_CLOCK_LIBRARY),
        seen=seen,
        changed=_with_own_clock,
        lacking=lambda: "" if clock_library() else _NO_CLOCK,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: how the container is asked for, the program that plants it, and how its output shows that it is there.

    ``deadly``: the service may end of it, with a code that is not 0 and for the reason of memory; if it does not, it
    must answer again within the bound for readiness. ``lacking``: why it can't be planted on this machine (empty: it
    can).
    """

    name: str
    program: str
    seen: Callable[[Executed], bool]
    changed: Callable[[ContainerRequest], ContainerRequest] = _as_it_is
    deadly: bool = False
    lacking: Callable[[], str] = str


FAULTS = (
    Fault(name="memory exhausted", program=_EXHAUST, seen=lambda ran: ran.exit_code == 137, deadly=True),
    Fault(
        name="full disk",
        program=_FILL,
        seen=lambda ran: ran.output.count("ENOSPC") == 2,
        changed=lambda request: replace(request, tmp_mb=_SMALLEST_MB, shm_mb=_SMALLEST_MB),
    ),
    Fault(
        name="read-only disk",
        program=_WRITE,
        seen=lambda ran: "was written" not in ran.output and "EROFS" in ran.output,
        changed=lambda request: replace(request, tmp_mb=0),
    ),
    Fault(
        name="no name service",
        program=_RESOLVE,
        seen=lambda ran: "no answer" in ran.output,
        changed=lambda request: replace(request, nameservers=(_NOBODY,)),
    ),
    _moved(30),
    _moved(-30),
)
