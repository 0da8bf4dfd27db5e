"""What no report may show is asked for once, before the first stage; where it can't be known, nothing is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import CouldNotTell, ToolTrouble
from pipeline.execution.redaction import SecretRedactor
from pipeline.hidden_values import HiddenValues
from pipeline.live import live_stages
from pipeline.stages.context import Context, Revealing
from pipeline.stages.registry import pipeline_stages
from tests.looking import carry_out
from tests.projects import SampleStage, make_project, red

SECRET = "-".join(("hidden", "value", "4711"))


@dataclass(frozen=True)
class Knowing(SampleStage):
    """A stage that knows a secret."""

    trouble: str = ""
    asked: list[Path] = field(default_factory=list)

    def reveal(self, context: Context) -> tuple[str, ...]:
        """The secret."""
        self.asked.append(context.scratch)
        assert context.scratch.is_dir()
        if self.trouble:
            raise ToolTrouble(self.trouble)
        return (SECRET,)


def _context(name: str, scratch: Path) -> Any:
    """As much of a context as it takes."""
    return SimpleNamespace(name=name, scratch=scratch)


def test_only_the_secrets_stage_is_asked() -> None:
    assert [stage.name for stage in pipeline_stages() if isinstance(stage, Revealing)] == ["secrets"]


def test_it_is_asked_in_a_live_run_too(tmp_path: Path) -> None:
    knowing = Knowing("knowing")
    (live,) = live_stages((SampleStage("canary"), knowing))
    redact = SecretRedactor({})
    assert HiddenValues(redact, tmp_path).learn((live,), _context)
    assert redact(SECRET) == "[secret]"
    assert isinstance(live_stages(pipeline_stages())[0], Revealing)


def test_it_is_asked_for_once(tmp_path: Path) -> None:
    redact, knowing = SecretRedactor({}), Knowing("knowing")
    hidden = HiddenValues(redact, tmp_path)
    stages = (SampleStage("lint"), knowing)
    assert [hidden.learn(stages, _context) for _ in range(3)] == [True, False, False]
    assert (len(knowing.asked), redact(SECRET)) == (1, "[secret]")
    assert not knowing.asked[0].exists()


def test_where_it_can_t_be_known_nothing_goes_on_and_it_is_not_tried_again(tmp_path: Path) -> None:
    knowing = Knowing("knowing", trouble="The scanner is broken.")
    hidden = HiddenValues(SecretRedactor({}), tmp_path)
    for _ in range(2):
        with pytest.raises(
            CouldNotTell, match=r"it is not known which credentials they hold\. The scanner is broken\."
        ):
            hidden.learn((knowing,), _context)
    assert len(knowing.asked) == 1


def _telling(context: Context) -> Any:
    context.keep("said.txt", f"it said {SECRET}")
    context.ports.progress.say(f"it says {SECRET}")
    return red(context)


def test_stages_before_the_one_that_knows_show_nothing_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = f'required = ["lint", "secrets"]\n[tool.pipeline.smoke]\nenvironment = {{ MODE = "{SECRET}" }}\n'
    project = make_project(tmp_path / "project", settings)
    report = carry_out(project, SampleStage("lint", _telling), Knowing("secrets"))
    assert report["policy"]["effective"]["smoke.environment"] == {"MODE": "[secret]"}
    left = [path for path in (project / "reports").rglob("*") if path.is_file()]
    state = [path for path in (project / ".pipeline/state").rglob("*") if path.is_file()]
    assert len(left) > 5
    assert not [path for path in (*left, *state) if SECRET in path.read_text(encoding="utf-8")]
    assert (project / "reports/stages/lint/raw/said.txt").read_text(encoding="utf-8") == "it said [secret]"
    shown = capsys.readouterr()
    assert "it says [secret]" in shown.err
    assert SECRET not in shown.out + shown.err


def test_a_stage_that_can_t_know_what_to_hide_is_inconclusive(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", 'required = ["lint", "secrets"]\n')
    lint = SampleStage("lint", _telling)
    report = carry_out(project, lint, Knowing("secrets", trouble="The scanner is broken."))
    assert {stage["status"] for stage in report["stages"]} == {"inconclusive"}
    assert "The scanner is broken." in report["stages"][0]["reasons"][0]
    assert not lint.calls
