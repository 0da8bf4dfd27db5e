"""plain.sh as nine ordinary Nox sessions, for what Nox alone takes: ``nox -R -f plain_noxfile.py``."""

from __future__ import annotations

import os
from pathlib import Path

import nox

STEPS = ("lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push")
PLAIN = Path(__file__).with_name("plain.sh")


@nox.session(venv_backend="none")
@nox.parametrize("step", STEPS, ids=STEPS)
def plain(session: nox.Session, step: str) -> None:
    """One step of plain.sh, in the project's folder."""
    session.chdir(os.environ["PROJECT"])
    session.run("sh", str(PLAIN), step, external=True)
