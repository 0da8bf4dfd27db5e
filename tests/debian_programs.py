"""Debian programs that tests need and the pipeline does not: installed when they are missing and this may be done."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

_GUARD = Path(__file__).parents[1] / ".pipeline/debian.lock"


def install(*packages: str) -> None:
    """Install Debian packages where this may be done; one caller at a time, since apt updates its lists alone.

    Raises:
        subprocess.CalledProcessError: apt could not.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    options = ("-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _GUARD.parent.mkdir(exist_ok=True)
    with _GUARD.open("w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for step in (("apt-get", "update"), ("apt-get", "install", *options, *packages)):
            subprocess.run(step, check=True, capture_output=True, env=environment)


@cache
def debian_program(name: str) -> str:
    """The path of the program, whose package has its name.

    Raises:
        RuntimeError: it is missing and can't be installed; it says what to do.
    """
    if shutil.which(name) is None:
        install(name)
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"This test needs {name}: sudo apt-get install {name}")
    return found
