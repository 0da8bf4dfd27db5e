"""A run in GitHub Actions ends with its annotations; anywhere else no line is a workflow command."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pipeline.console import Console
from pipeline.execution.redaction import SecretRedactor
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.workplace import Workplace
from tests.looking import look
from tests.projects import SampleStage, make_project
from tests.support import PASSWORD


def shown(folder: Path, environ: dict[str, str]) -> list[str]:
    """The commands among the lines of a run whose one stage finds something."""
    source = f"first\n    BAD::error::planted {PASSWORD}\n"
    project = make_project(folder, 'required = ["scan"]', {"service/a,b.py": source})
    variables = {**os.environ, "SOME_PASSWORD": PASSWORD, **environ}
    stream = io.StringIO()
    console = Console(stream, SecretRedactor(variables), variables)
    stages = (SampleStage("scan", look), SampleStage("later", needs=("scan",)))
    run = Run(Workplace(project, variables, "run-1", extra_stages=("later",), console=console), stages, "run-1")
    try:
        each(run, run.begin(run.names), frozenset(run.names), ())
    finally:
        run.close()
    return [line for line in stream.getvalue().splitlines() if line.lstrip().startswith("::")]


def test_in_github_actions_what_needs_somebody_is_at_its_line(tmp_path: Path) -> None:
    commands = [line for line in shown(tmp_path, {"GITHUB_ACTIONS": "true"}) if "group" not in line.split("::")[1]]
    assert [command.split("::")[1] for command in commands] == [
        "error title=scan is fail",
        "error title=high%3A look bad,file=service/a%2Cb.py,line=2,endLine=2,col=1",
    ]
    assert not any(PASSWORD in command for command in commands)


@pytest.mark.parametrize("environ", [{}, {"GITLAB_CI": "true"}])
def test_elsewhere_there_are_none(tmp_path: Path, environ: dict[str, str]) -> None:
    assert not shown(tmp_path, environ)
