"""``pipeline base-lock``: renew the lock of the base images' packages, and say what vouches for the new one."""

from __future__ import annotations

from pathlib import Path

from pipeline.base_renewal import renewed, trust_of
from pipeline.execution.debian_archive import find_archive
from pipeline.execution.files import write_atomically
from pipeline.images.baselock import render_lock, shipped_lock
from pipeline.workplace import Workplace

LOCK = Path(__file__).parent / "images" / "base.lock"


def carry_out(place: Workplace) -> int:
    """Take the newest version of each package, write the lock, print each change; returns the exit code.

    Raises:
        FetchTrouble: the archive can't be reached, or its lists are not what its own signature says.
        StorageTrouble: the lock can't be written.
    """
    old = shipped_lock()
    archive = find_archive(old.release, setting=place.settings.build.debian_mirror, progress=place.console.say)
    with place.console.step("base-lock"):
        renewal = renewed(old, archive, trust_of(place.processes, place.ports.clock), place.console)
    write_atomically(LOCK, render_lock(renewal.lock))
    for change in renewal.changes:
        place.console.line(change)
    place.console.line(f"{len(renewal.changes)} changes. {renewal.trust}")
    return 0
