"""Courses of events that a trap needs besides files and a command: what ours says in the end, and why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.core.stage import Status
from pipeline.errors import ConfigurationError
from tests.projects import git
from tests.scripted_http import Reply, scripted_http
from tests.traps.collection import REFUSED, Project, Trap
from tests.traps.live_scenarios import (
    Said,
    beside,
    beside_dead,
    beside_otherwise,
    image_gone,
    pulled,
    tool_changed,
)
from tests.traps.workshop import Workshop

ROOT = Path(__file__).resolve().parents[2]
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
    return _reusing(workshop, trap)


def twice(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The stage has run and was not green; it is run again, and whatever may be reused is reused."""
    del folder
    _not_green_before(workshop, trap)
    return _reusing(workshop, trap)


def poisoned(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The stage was not green, and wherever that is remembered it says ``pass`` when the stage is run again."""
    del folder
    _not_green_before(workshop, trap)
    remembered = [
        workshop.project / f".pipeline/state/previous/{trap.stage}.json",
        workshop.project / f"reports/stages/{trap.stage}/result.json",
    ]
    for path in remembered:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["status"] == trap.status
        path.write_text(json.dumps(document | {"status": "pass", "reasons": []}), encoding="utf-8")
    return _reusing(workshop, trap)


def poisoned_comparison(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """What is kept of the revision compared with is replaced by what is kept of the change itself."""
    del folder
    kept = workshop.project / ".pipeline/cache/against"
    _not_green_before(workshop, trap)
    before = set(kept.glob("*.json"))
    itself = replace(trap, environ={**trap.environ, "PIPELINE_AGAINST": "HEAD"})
    assert workshop.try_ours(itself, trap.stage)[trap.stage].status is Status.PASS
    (change,) = set(kept.glob("*.json")) - before
    for path in before:
        path.write_bytes(change.read_bytes())
    return straight(workshop, trap, workshop.folder)


def by_nox(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The stage is asked for as a Nox session, as the project's own noxfile makes it."""
    del folder
    command = (sys.executable, "-m", "nox", "-s", trap.stage)
    assert _ended(workshop, trap, *command).returncode != 0
    return _reported(workshop, trap)


def verdict(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The last job of a workflow asks for the verdict: when nothing has run, and when the stage has."""
    del folder
    command = (sys.executable, "-m", "pipeline", "verdict")
    assert _ended(workshop, trap, *command).returncode == 2
    straight(workshop, trap, workshop.folder)
    assert _ended(workshop, trap, *command).returncode == 1
    return _reported(workshop, trap)


def verdict_of_before(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """The commit before has passed, and its report is the one that is there when the verdict is asked for."""
    del folder
    command = (sys.executable, "-m", "pipeline", "verdict")
    git(workshop.project, "checkout", "-q", "HEAD~1")
    straight(workshop, trap, workshop.folder)
    assert _ended(workshop, trap, *command).returncode == 0
    git(workshop.project, "checkout", "-q", "main")
    ended = _ended(workshop, trap, *command)
    return {1: "fail", 3: "inconclusive"}.get(ended.returncode, "pass"), ended.stdout


def live(workshop: Workshop, trap: Trap, folder: Path) -> Said:
    """A live deployment is judged: one that answers, or where the trap has no ``answers`` one that is not there."""
    del folder
    with scripted_http(lambda asked: Reply(body=b"ok")) as server:
        host = server.host if "answers" in trap.files else "127.0.0.1:9"
        command = (sys.executable, "-m", "pipeline", "run", trap.stage, "--", "--url", f"http://{host}")
        assert _ended(workshop, trap, *command).returncode != 0
    return _reported(workshop, trap, "reports/live/pipeline.json")


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
    return _reported(workshop, trap)


def _reported(workshop: Workshop, trap: Trap, merged: str = "reports/pipeline.json") -> Said:
    """What the merged report says of the stage; its verdict is never green."""
    report = json.loads((workshop.project / merged).read_text(encoding="utf-8"))
    assert report["verdict"] != "pass"
    stage = next(stage for stage in report["stages"] if stage["name"] == trap.stage)
    return stage["status"], " ".join(stage["reasons"])


def _ended(workshop: Workshop, trap: Trap, *command: str) -> subprocess.CompletedProcess[str]:
    """What came of a command of ours in the project, with this source tree as the installed package."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **trap.environ}
    ended = subprocess.run(
        command, cwd=workshop.project, env=environ, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    print(f"$ {' '.join(command)}\n{ended.stdout}{ended.stderr}-> {ended.returncode}")
    return ended


def _reusing(workshop: Workshop, trap: Trap) -> Said:
    with workshop.begun(trap, trap.stage) as (run, _):
        result = run.stage(trap.stage, reuse=True)
    return str(result.status), " ".join(result.reasons)


def _not_green_before(workshop: Workshop, trap: Trap) -> None:
    assert workshop.try_ours(trap, trap.stage)[trap.stage].status is not Status.PASS


def _pass_before(workshop: Workshop, trap: Trap) -> None:
    workshop.put(_BASE)
    assert workshop.try_ours(_BASE, trap.stage)[trap.stage].status is Status.PASS


SCENARIOS: dict[str, Callable[[Workshop, Trap, Path], Said]] = {
    "": straight,
    "earlier-pass": earlier_pass,
    "twice": twice,
    "poisoned": poisoned,
    "poisoned-comparison": poisoned_comparison,
    "by-nox": by_nox,
    "verdict": verdict,
    "verdict-of-before": verdict_of_before,
    "live": live,
    "beside": beside,
    "beside-dead": beside_dead,
    "beside-otherwise": beside_otherwise,
    "tool-changed": tool_changed,
    "image-gone": image_gone,
    "pulled": pulled,
    "edited": edited,
    "tag-moved": tag_moved,
    "killed": killed,
    "interrupted": interrupted,
}
