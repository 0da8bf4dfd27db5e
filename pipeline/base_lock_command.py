"""``pipeline base-lock``: renew the lock of the base images' packages, and say what vouches for the new one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.ports import Request
from pipeline.execution.base_lock_renewal import KEYRING, Trust, Wanted, renew_lock
from pipeline.execution.debian_archive import find_archive
from pipeline.execution.files import write_atomically
from pipeline.images import recipe
from pipeline.images.baselock import render_lock, shipped_lock
from pipeline.workplace import Workplace

LOCK = Path(__file__).parent / "images" / "base.lock"
_TIMEOUT_S = 60.0


def carry_out(place: Workplace) -> int:
    """Take the newest version of each package, write the lock, print each change; returns the exit code.

    Raises:
        FetchTrouble: the archive can't be reached, or its lists are not what its own signature says.
        StorageTrouble: the lock can't be written.
    """
    old = shipped_lock()
    say = place.console.say

    def run(argv: Sequence[str]) -> int:
        return place.processes.run(Request(argv=tuple(argv), cwd=place.root, timeout_s=_TIMEOUT_S)).exit_code

    trust = Trust(gpgv=shutil.which("gpgv") or "", keyring=KEYRING, run=run, now=place.ports.clock.now())
    archive = find_archive(old.release, setting=place.settings.build.debian_mirror, progress=say)
    wanted = Wanted(release=old.release, architecture=old.architecture, names=recipe.PACKAGE_NAMES)
    with place.console.step("base-lock"):
        renewal = renew_lock(wanted, archive, old, trust, say)
    write_atomically(LOCK, render_lock(renewal.lock))
    for change in renewal.changes:
        place.console.line(change)
    place.console.line(f"{len(renewal.changes)} changes. {renewal.trust}")
    return 0
