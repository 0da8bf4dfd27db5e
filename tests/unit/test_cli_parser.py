"""Every command that can be written can be carried out, and the other way round."""

from __future__ import annotations

import re

import pytest

from pipeline import cli
from pipeline.cli_parser import parser


def test_every_command_has_something_that_carries_it_out() -> None:
    listed = re.findall(r"^    ([a-z-]+)\b", parser().format_help(), re.M)
    assert len(listed) > 10
    assert sorted(listed) == sorted(cli.COMMANDS)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_a_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command([name, "--help"]) == 0
    assert f"usage: pipeline {name}" in capsys.readouterr().out


def test_a_format_and_a_missing_stage_can_be_named_several_times() -> None:
    options = parser().parse_args(["report", "there", "--format", "json", "--format", "page"])
    assert (options.reports, options.format) == ("there", ["json", "page"])
    options = parser().parse_args(["merge", "a", "b", "--allow-missing", "push", "--allow-missing", "canary"])
    assert (options.folders, options.allow_missing) == (["a", "b"], ["push", "canary"])
