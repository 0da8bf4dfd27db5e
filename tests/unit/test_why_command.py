"""``pipeline why``: the reason in a line or two, and what a kept result rests on; nothing is run for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cli import run_command
from pipeline.core.cache_inputs import Inputs
from pipeline.errors import ConfigurationError
from pipeline.stages.lint import LintStage
from pipeline.stages.smoke import SmokeStage
from pipeline.why_command import carry_out
from pipeline.workplace import Workplace
from tests.projects import SampleStage, git, make_project
from tests.support import PASSWORD
from tests.unit.test_cached_results import DeclaredStage, run


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", 'required = ["spdx"]', {"docs/notes.md": "Notes.\n"})


def why(project: Path, stage: SampleStage, *, hit: bool = False, against: str | None = None, **more: str) -> int:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "GITHUB_"))}
    place = Workplace(project, {**environ, **more}, "why", extra_stages=(stage.name,), against=against)
    return carry_out(place, (stage,), stage.name, hit=hit)


def kept(project: Path, stage: SampleStage) -> None:
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    (project / "pyproject.toml").write_text(text.replace('["spdx"]', '["lint"]'), encoding="utf-8")
    run(project, stage)
    (project / "pyproject.toml").write_text(text, encoding="utf-8")


def test_what_has_changed_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = DeclaredStage("spdx")
    assert why(project, stage) == 0
    assert capsys.readouterr().out == "spdx would run. No earlier pass of spdx is kept.\n"
    kept(project, stage)
    (project / "docs/notes.md").write_text("Other.\n", encoding="utf-8")
    assert why(project, stage) == 0
    assert "spdx would not run: its result of 20" in capsys.readouterr().out
    (project / "service/app.py").write_text("APP = 2\n", encoding="utf-8")
    (project / "service/new.py").write_text("", encoding="utf-8")
    assert why(project, stage, PIPELINE_LINT_SCORE_FLOOR="3") == 0
    assert capsys.readouterr().out == (
        "spdx would run. Since the kept result of spdx: service/app.py has other content, service/new.py is new, "
        "the setting lint.score_floor was null and is 3.0.\n"
    )
    assert len(stage.calls) == 1


def test_what_a_hit_rests_on_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = DeclaredStage("spdx")
    assert why(project, stage, hit=True) == 3
    assert capsys.readouterr().out.startswith("spdx has no kept result to rest on. No earlier pass")
    kept(project, stage)
    assert why(project, stage, hit=True) == 0
    told = capsys.readouterr().out
    assert "spdx: pass of 20" in told
    assert "kept by run run." in told
    assert "It rests on 1 file, " in told


def test_what_changed_may_be_a_secret(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = DeclaredStage("spdx", declared=Inputs(variables=("SERVICE_PASSWORD",)))
    environ = dict(os.environ)
    os.environ["SERVICE_PASSWORD"] = PASSWORD
    try:
        kept(project, stage)
    finally:
        os.environ.clear()
        os.environ.update(environ)
    assert why(project, stage, SERVICE_PASSWORD=PASSWORD[::-1]) == 0
    assert "something changed that is not shown, since it is a secret" in capsys.readouterr().out


def test_why_it_can_t_be_kept_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    why(project, SampleStage("spdx"))
    assert "does not declare what its result rests on" in capsys.readouterr().out
    why(project, DeclaredStage("spdx", declared=Inputs(why_not="It is of the moment.")))
    assert capsys.readouterr().out == "spdx would run. It is of the moment.\n"
    why(project, DeclaredStage("spdx"), PIPELINE_CACHE_FRESH="always")
    assert capsys.readouterr().out == "spdx would run: cache.fresh is 'always' (PIPELINE_CACHE_FRESH).\n"


def test_what_it_needs_comes_first(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = DeclaredStage("spdx", needs=("scan",))
    why(project, stage)
    told = capsys.readouterr().out
    assert (
        told
        == "What spdx would do is not known yet. It needs scan, which would run. No earlier pass of scan is kept.\n"
    )


def test_the_revision_compared_with_is_part_of_the_question(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = DeclaredStage("spdx", declared=Inputs(compared=True))
    kept(project, stage)
    git(project, "branch", "base")
    why(project, stage, against="base")
    assert "the revision that the run is compared with is new" in capsys.readouterr().out


def test_an_unknown_stage_is_refused(project: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no stage 'lnt' \(did you mean 'lint'\?\)\.$"):
        carry_out(Workplace(project, {}, "why", extra_stages=("spdx",)), (SampleStage("spdx"),), "lnt", hit=False)


def test_the_command_line_asks_it(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    (project / "pyproject.toml").write_text(text.replace('["spdx"]', '["lint"]'), encoding="utf-8")
    monkeypatch.chdir(project)
    assert run_command(["why", "lint"]) == 0
    assert capsys.readouterr().out == "lint would run. No earlier pass of lint is kept.\n"
    assert run_command(["why", "lint", "--fresh"]) == 0
    assert "cache.fresh is 'always'" in capsys.readouterr().out
    assert run_command(["why", "lint", "--hit"]) == 3
    assert run_command(["why"]) == 2
    assert run_command(["why", "nothing"]) == 2


def test_our_own_stages_declare_their_inputs() -> None:
    assert {type(stage).inputs.__name__ for stage in (LintStage(), SmokeStage())} == {"inputs"}
