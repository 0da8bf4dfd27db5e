"""Debian programs that tests need and the pipeline does not: installed when they are missing and this may be done."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache


@cache
def debian_program(name: str) -> str:
    """The path of the program, whose package has its name.

    Raises:
        RuntimeError: it is missing and can't be installed; it says what to do.
    """
    if shutil.which(name) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ("apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", name)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (("apt-get", "update"), command):
            subprocess.run(step, check=True, capture_output=True, env=environment)
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"This test needs {name}: sudo apt-get install {name}")
    return found
