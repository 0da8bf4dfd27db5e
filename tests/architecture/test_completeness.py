"""Whoever adds a stage, a tool or a format adds all that belongs to it: this fails when one part is missing."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.reporters import FORMATS
from pipeline.stages.registry import pipeline_stages

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
STAGES = [stage.name for stage in pipeline_stages(settings.STAGE_NAMES)]


def test_the_registry_is_the_nine_in_their_order() -> None:
    assert tuple(STAGES) == settings.STAGE_NAMES


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_has_its_file_its_settings_its_tests_and_its_row(name: str) -> None:
    assert (ROOT / f"pipeline/stages/{name}.py").exists()
    assert name in settings.SECTIONS
    assert list((ROOT / "tests/unit/stages").glob(f"test_{name}*.py")), f"no unit tests of the stage {name}"
    row = rf"^\| `{name}` \| `nox -s {name}` \|"
    assert re.search(row, README, re.M), f"the README has no row for {name}"


def tools() -> list[str]:
    """Modules of ``pipeline/tools`` that call a tool."""
    modules = (ROOT / "pipeline/tools").glob("*.py")
    return sorted(
        path.stem for path in modules if re.search(r"^def \w*command\(", path.read_text(encoding="utf-8"), re.M)
    )


@pytest.mark.parametrize("name", tools())
def test_a_tool_has_tests_of_its_own(name: str) -> None:
    assert (ROOT / f"tests/unit/tools/test_{name}.py").exists()


def test_every_tool_environment_is_locked_with_hashes() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    for group in set(groups) - {"selftest"}:
        lock = (ROOT / f"pipeline/locks/{group}.txt").read_text(encoding="utf-8")
        assert "--hash=sha256:" in lock
        for requirement in groups[group]:
            name = re.split(r"[<>=\[ ]", requirement)[0]
            assert re.search(rf"^{re.escape(name)}==", lock, re.M), f"{name} is not in {group}.txt"


def test_a_user_s_own_nox_is_told_of_everything_that_the_package_needs() -> None:
    """The block is a comment, and a comment of another form is passed over in silence (PEP 723, reference regex)."""
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    block = re.search(r"(?m)^# /// script$\n((?:^#(?:| .*)$\n)+?)^# ///$", noxfile)
    assert block is not None
    told = tomllib.loads("".join(line[2:] + "\n" for line in block[1].splitlines()))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(told["dependencies"]) == sorted(project["dependencies"])
    assert told["requires-python"] == project["requires-python"]


@pytest.mark.parametrize("file", sorted(place for made in FORMATS.values() for place in made.places))
def test_a_format_is_told_of_where_the_reports_are_explained(file: str) -> None:
    assert f"`{file}`" in (ROOT / "reports/README.md").read_text(encoding="utf-8")


def test_every_key_of_the_settings_has_a_help_text() -> None:
    for section in ("project", *settings.SECTIONS):
        for item in fields(getattr(settings.Settings(), section)):
            assert len(item.metadata["help"].split()) > 2, f"{section}.{item.name}"


def test_the_readme_s_example_of_the_settings_is_one(tmp_path: Path) -> None:
    from pipeline.settings_loading import load  # pylint: disable=import-outside-toplevel  # only this test reads

    block = re.search(r"```toml\n(.*?)```", README, re.S)
    assert block is not None
    (tmp_path / "pyproject.toml").write_text(block.group(1), encoding="utf-8")
    assert load(tmp_path, {}).lint.score_floor == 10.0
