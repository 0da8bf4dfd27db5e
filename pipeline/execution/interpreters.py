"""Finding a Python of a wanted version on this machine.

uv's own search stops at the first program of that name on the PATH even when it can't run, as pyenv's shims for
versions that are installed but not active can't; so each candidate is tried here, and only one that answers counts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.core.ports import ProcessRunner, Request
from pipeline.errors import ToolTrouble

_PROBE = "import platform, sys; print(sys.executable); print(platform.python_version())"
_TIMEOUT_S = 30.0


def find_python(
    wanted: str, environ: Mapping[str, str], processes: ProcessRunner, folder: Path
) -> tuple[Path, str] | None:
    """The path and full version of a Python ``wanted`` (like ``3.13``), or none. ``folder`` is where probes run."""
    running = ".".join(map(str, sys.version_info[:3]))
    if _fits(running, wanted) and sys.prefix == sys.base_prefix:
        return Path(sys.executable), running
    for candidate in candidates(wanted, environ):
        found = _probe(candidate, processes, folder)
        if found is not None and _fits(found[1], wanted):
            return found
    return None


def running_python(processes: ProcessRunner, folder: Path) -> tuple[Path, str]:
    """The interpreter that this process runs on, out of its virtual environment.

    Raises:
        ToolTrouble: it can't be started again.
    """
    base = Path(getattr(sys, "_base_executable", sys.executable))
    found = _probe(base, processes, folder)
    if found is None:
        raise ToolTrouble(f"The running Python at {base} can't be started again.")
    return found


def candidates(wanted: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """The programs that may be the Python ``wanted``, in the order in which they are tried."""
    # Programs are named by the first two numbers, whatever is wanted.
    short = ".".join(wanted.split(".")[:2])
    name = f"python{short}"
    home = Path(environ.get("HOME", "/"))
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    # A relative place would mean something else in every folder, and a program of the checkout in some.
    named = [Path(place) / name for place in environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(place)]
    versions = sorted(pyenv.glob(f"versions/{short}*/bin/{name}"), key=_newest, reverse=True)
    for program in named:
        if program == pyenv / "shims" / name:
            # It starts dozens of shells to find one of these, or none: 0.3 s, in every run.
            yield from versions
        if program.exists():
            yield program
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    yield from versions
    yield from sorted(uv.glob(f"cpython-{short}.*/bin/{name}"), key=_newest, reverse=True)


def _newest(program: Path) -> tuple[tuple[int, ...], str]:
    """Sorts by the numbers in the installation's name, so that 3.13.10 comes after 3.13.9."""
    name = program.parent.parent.name
    return tuple(int(number) for number in re.findall(r"[0-9]+", name)), name


def _probe(program: Path, processes: ProcessRunner, folder: Path) -> tuple[Path, str] | None:
    try:
        outcome = processes.run(Request(argv=(str(program), "-I", "-c", _PROBE), cwd=folder, timeout_s=_TIMEOUT_S))
    except ToolTrouble:
        return None
    lines = outcome.stdout.splitlines()
    return (Path(lines[0]), lines[1]) if outcome.exit_code == 0 and len(lines) == 2 else None


def _fits(version: str, wanted: str) -> bool:
    return version == wanted or version.startswith(f"{wanted}.")
