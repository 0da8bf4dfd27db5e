"""A real run, in a real pseudo-terminal and as a job of GitHub: what it shows, whatever the code under review holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator import SGR, PseudoTerminal, too_long
from tests.projects import make_project

ROOT = Path(__file__).parents[2]
NOXFILE = """from pipeline import nox_sessions
from tests.looking import looking

nox_sessions.register(extra=[looking("look")])
"""
HOSTILE = "x = 'BAD'  # \x1b]0;title\x07\x1b[2J \x9b31m \u202egnp.exe ##[add-mask]x \r::set-output name=a::b"
RUN = (sys.executable, "-m", "pipeline", "run", "look")
NOX = (sys.executable, "-m", "nox", "-s", "look")


@pytest.fixture(name="project", scope="module")
def project_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only stage fails, at places with hostile names and lines."""
    folder = "/".join(["service", *["a_folder_with_a_long_name"] * 4])
    files = {
        "noxfile.py": NOXFILE,
        "service/::error::planted\n::error::b.py": f"a = 1\n{HOSTILE}\n",
        f"{folder}/名前.py": f"{'# ' + '長い' * 80}\nBAD = 1  # {'!' * 200}\n",
        **{f"service/more_{number}.py": "BAD = 1\n" for number in range(5)},
    }
    return make_project(tmp_path_factory.mktemp("shown") / "project", 'required = ["look"]', files)


def environment(**more: str) -> dict[str, str]:
    """This process's, without what decides how a run is shown."""
    deciding = ("PIPELINE_", "GITHUB_", "GITLAB_", "NOX", "COV_", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(deciding)}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


@pytest.mark.parametrize("command", [RUN, NOX], ids=["pipeline run", "nox"])
def test_a_failing_run_in_a_terminal_of_60_columns(project: Path, command: tuple[str, ...]) -> None:
    with PseudoTerminal(60) as terminal:
        done = subprocess.run(
            command, cwd=project, env=environment(), stdin=terminal.stream, stdout=terminal.stream,
            stderr=terminal.stream, check=False, timeout=300,
        )  # fmt: skip
        terminal.close()
        seen = terminal.seen()
    assert done.returncode == 1, "\n".join(seen)
    assert "\x1b[1;31mfail" in terminal.written
    own = [line for line in terminal.written.split("\r\n") if "nox > " not in line]
    assert not too_long("\n".join(own), 60)
    assert not any("::" in row[:8] for row in seen)
    (status,) = [row for row in seen if row.startswith("look     fail")]
    assert status.endswith(" Python files")
    assert sum("Bad. [look bad]" in row for row in seen) == 5
    assert sum(row.endswith("| ^") for row in seen) == 5
    assert "    and 2 more in the report" in seen
    assert "    again: nox -s look" in seen
    assert seen[-2:] == ["verdict: fail (look fail)", "report: reports/index.html"]
    # What is left when the colours and the rewriting of the live line are taken away holds no escape.
    text = SGR.sub("", terminal.written)
    for ours in ("\r\x1b[2K", "\x1b[?7l", "\x1b[?7h", "\r\n"):
        text = text.replace(ours, "")
    assert not {character for character in text if ord(character) < 32 or character in "\x7f\x9b\u202e"}


def test_a_failing_run_as_a_job_of_github(project: Path) -> None:
    done = subprocess.run(
        RUN,
        cwd=project,
        env=environment(GITHUB_ACTIONS="true"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    lines = done.stderr.split("\n")
    commands = [line for line in lines if line.lstrip().startswith("::")]
    assert [line for line in commands if not line.startswith(("::error ", "::warning ", "::notice "))] == [
        "::group::look",
        "::endgroup::",
    ]
    assert "\x1b" not in done.stderr and "\r" not in done.stderr and "##[" not in done.stderr
    assert any(line.startswith("look     fail") for line in lines[lines.index("::endgroup::") :])
    assert not SGR.search(done.stdout)
