"""Programs from npm that check reports in tests: the versions of ``tests/npm``, by the hashes of its lock.

Renew the lock in that folder with ``npm update`` or by another version in ``package.json`` and ``npm install
--package-lock-only``.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.debian_programs import debian_program

ROOT = Path(__file__).parents[1]
_SOURCE = ROOT / "tests/npm"
_FILES = ("package.json", "package-lock.json", ".npmrc")


@cache
def npm_tool(name: str) -> Path:
    """The folder of an installed package, below ``.pipeline/`` of this checkout; fetched the first time.

    Raises:
        RuntimeError: there is no npm, or it can't install; it says what to do.
    """
    digest = hashlib.sha256(b"\0".join((_SOURCE / file).read_bytes() for file in _FILES)).hexdigest()[:16]
    place = ROOT / ".pipeline/npm" / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "install.lock").open("w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not place.exists():
            _install(place)
    folder = place / "node_modules" / name
    if not folder.is_dir():
        raise RuntimeError(f"tests/npm/package.json names no package {name} for this system.")
    return folder


def _install(place: Path) -> None:
    """Whole or not at all; other checkouts' and earlier locks' folders stay, since somebody may be using them."""
    program = debian_program("npm")
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="new-") as scratch:
        folder = Path(scratch) / "tools"
        folder.mkdir()
        for file in _FILES:
            shutil.copy2(_SOURCE / file, folder / file)
        command = [program, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"npm could not install tests/npm (its registry may be out of reach): {done.stderr}")
        folder.rename(place)
