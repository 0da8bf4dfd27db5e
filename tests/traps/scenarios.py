"""Courses of events that a trap needs besides files and a command: what ours says in the end, and why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.core.stage import Status
from pipeline.errors import ConfigurationError
from tests.traps.collection import REFUSED, Project, Trap
from tests.traps.workshop import Workshop

ROOT = Path(__file__).resolve().parents[2]
Said = tuple[str, str]
"""The status, and the reasons as one text."""

_PATIENCE_S = 60.0
_BASE = Project(name="before", title="The base itself")


def straight(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """Ours is run, and that is all."""
    del folder
    try:
        result = workshop.try_ours(trap, trap.stage, advisories=trap.advisories)[trap.stage]
    except ConfigurationError as error:
        return REFUSED, str(error)
    return str(result.status), " ".join(result.reasons)


def earlier_pass(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The base has passed; the trap's files are put over it, and whatever may be reused is reused."""
    del folder
    _pass_before(workshop, trap)
    workshop.put(trap, anew=False)
    with workshop.begun(trap, trap.stage) as (run, _):
        result = run.stage(trap.stage, reuse=True)
    return str(result.status), " ".join(result.reasons)


def edited(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """A file is saved between two stages of one run, which are processes of their own."""
    del folder
    run_id = f"{os.getpid()}-edited"
    with workshop.begun(trap, trap.stage, run_id=run_id) as (run, _):
        assert run.stage(trap.stage).status is Status.PASS
    with (workshop.project / "service/app.py").open("a", encoding="utf-8") as file:
        file.write("exec(input())\n")
    try:
        with workshop.begun(trap, trap.stage, run_id=run_id):
            return "begun", ""
    except ConfigurationError as error:
        return REFUSED, str(error)


def tag_moved(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The tag of the image that was built is moved to a sound one before it is tested."""
    del folder
    sound = Project(name="before", title="A sound service", container=True)
    workshop.put(sound)
    good = workshop.try_ours(sound, "build")["build"].metrics["image_id"]
    workshop.put(trap)
    with workshop.begun(trap, trap.stage) as (run, planned):
        assert planned == ("build", "smoke")
        built = run.stage("build")
        assert built.status is Status.PASS, built.reasons
        tag = json.loads((workshop.project / "reports/stages/build/raw/image.json").read_text(encoding="utf-8"))["tag"]
        subprocess.run(("docker", "tag", str(good), tag), check=True)
        result = run.stage("smoke")
    return str(result.status), " ".join(result.reasons)


def killed(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The stage has passed before; it is run again and killed in the middle. What counts is what is on the disk."""
    return _stopped(workshop, trap, folder, signal.SIGKILL, -signal.SIGKILL)


def interrupted(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The stage has passed before; it is run again, and Ctrl-C comes in the middle."""
    return _stopped(workshop, trap, folder, signal.SIGINT, 130)


def _stopped(workshop: Workshop, trap: Trap, folder: Path, how: signal.Signals, exit_code: int) -> Said:
    _pass_before(workshop, trap)
    workshop.put(trap, anew=False)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    with subprocess.Popen(
        (sys.executable, "-m", "pipeline", "run", trap.stage), cwd=workshop.project, env=environ, start_new_session=True
    ) as process:
        give_up = time.monotonic() + _PATIENCE_S
        while not (folder / "begun").exists() and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.05)
        os.killpg(process.pid, how)
        assert process.wait(_PATIENCE_S) == exit_code
    report = json.loads((workshop.project / "reports/pipeline.json").read_text(encoding="utf-8"))
    assert report["verdict"] != "pass"
    stage = next(stage for stage in report["stages"] if stage["name"] == trap.stage)
    return stage["status"], " ".join(stage["reasons"])


def _pass_before(workshop: Workshop, trap: Trap) -> None:
    workshop.put(_BASE)
    assert workshop.try_ours(_BASE, trap.stage)[trap.stage].status is Status.PASS


SCENARIOS: dict[str, Callable[[Workshop, Trap, Path], Said]] = {
    "": straight,
    "earlier-pass": earlier_pass,
    "edited": edited,
    "tag-moved": tag_moved,
    "killed": killed,
    "interrupted": interrupted,
}
