"""Looking up newer packages for the bases: for the command that renews the lock, and for a build in need of one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.base_images import Renewing
from pipeline.core.ports import Clock, ProcessRunner, Progress, Request
from pipeline.errors import FetchTrouble
from pipeline.execution.base_lock_renewal import KEYRING, Renewal, Trust, Wanted, renew_lock
from pipeline.execution.debian_archive import DebianArchive
from pipeline.images import recipe
from pipeline.images.baselock import BaseLock

_TIMEOUT_S = 60.0


def renewed(lock: BaseLock, archive: DebianArchive, trust: Trust, progress: Progress) -> Renewal:
    """The lock with the newest packages. Raises FetchTrouble when a list can't be had, or is not what it should be."""
    wanted = Wanted(release=lock.release, architecture=lock.architecture, names=recipe.PACKAGE_NAMES)
    return renew_lock(wanted, archive, lock, trust, progress.say)


def trust_of(processes: ProcessRunner, clock: Clock, keyring: Path = KEYRING) -> Trust:
    """Debian's keyring and gpgv, where the host has them."""

    def run(argv: Sequence[str]) -> int:
        return processes.run(Request(argv=tuple(argv), cwd=Path("/"), timeout_s=_TIMEOUT_S)).exit_code

    return Trust(gpgv=shutil.which("gpgv") or "", keyring=keyring, run=run, now=clock.now())


def in_need(processes: ProcessRunner, clock: Clock, keyring: Path = KEYRING) -> Renewing:
    """What a build asks for newer packages: only lists whose signature was verified count, as nobody looks at them."""

    def renewing(lock: BaseLock, archive: DebianArchive, progress: Progress) -> Renewal:
        trust = trust_of(processes, clock, keyring)
        if not trust.gpgv or not keyring.is_file():
            raise FetchTrouble(
                "The archive has lost a locked Debian package, and no newer one can be trusted.",
                why=f"gpgv or {keyring} is missing, so the archive's signature can't be verified.",
                advice="Install gpgv and debian-archive-keyring, or renew the lock with `pipeline base-lock`.",
            )
        return renewed(lock, archive, trust, progress)

    return renewing
