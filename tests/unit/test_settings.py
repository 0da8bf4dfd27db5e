"""Settings: every key can be set, every value has a source, and the digest changes exactly with what is demanded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import pytest

from pipeline.core.expectations import Expectations
from pipeline.core.finding import Confidence, Severity
from pipeline.settings import POLICY_FREE, SECTIONS, STAGE_NAMES, Exclusion, Settings
from pipeline.settings_loading import dotted, effective, load, policy, policy_digest


def _keys() -> Iterator[tuple[str, Field[Any], Any]]:
    for section in ("project", *SECTIONS):
        kind = type(getattr(Settings(), section))
        hints = get_type_hints(kind)
        for item in fields(kind):
            yield section, item, hints[item.name]


KEYS = list(_keys())
OF_SECTIONS = [(section, item, hint) for section, item, hint in KEYS if section != "project"]


def _load(folder: Path, text: str = "", environ: dict[str, str] | None = None, extra: tuple[str, ...] = ()) -> Settings:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return load(folder, environ or {}, extra)


def _sample(item: Field[Any], hint: Any) -> tuple[str, Any]:
    """A value for a key that is not its default, as the environment writes it, and as it must come out."""
    limits = item.metadata["limits"]
    if limits.one_of:
        return (word := next(w for w in limits.one_of if w != item.default)), word
    if hint in (int, int | None, float, float | None):
        kind = int if hint in (int, int | None) else float
        value = kind(limits.low + (1 if kind is int else 0.3))
        return str(value), value
    if limits.pattern:
        other = limits.like if limits.like != item.default else "3.12"
        return other, other
    samples: dict[Any, tuple[str, Any]] = {
        Severity: ("High", Severity.HIGH),
        Confidence: ("High", Confidence.HIGH),
        bool: ("true", True),
        str: ("a/b", "a/b"),
        tuple[str, ...]: ("a, b", ("a", "b")),
        tuple[Exclusion, ...]: (
            '[{path = "./a/", reason = "made by a tool"}]',
            (Exclusion(path="a", reason="made by a tool"),),
        ),
        Expectations: ('{user = "1"}', Expectations(user="1", told={"user": "1"})),
    }
    return samples.get(hint, ("A=1, B=x=y", {"A": "1", "B": "x=y"}))


@pytest.mark.parametrize(("section", "item", "hint"), OF_SECTIONS, ids=[dotted(s, i.name) for s, i, _ in OF_SECTIONS])
def test_every_key_of_a_section_can_be_set_by_the_environment(
    section: str, item: Field[Any], hint: Any, tmp_path: Path
) -> None:
    variable = f"PIPELINE_{section}_{item.name}".upper()
    text, value = _sample(item, hint)
    settings = _load(tmp_path, environ={variable: text})
    assert getattr(getattr(settings, section), item.name) == value
    assert settings.sources[dotted(section, item.name)] == variable


@pytest.mark.parametrize(("section", "item", "hint"), KEYS, ids=[dotted(s, i.name) for s, i, _ in KEYS])
def test_every_key_is_explained_and_its_default_is_of_its_type(section: str, item: Field[Any], hint: Any) -> None:
    assert len(item.metadata["help"].split()) >= 3, f"{dotted(section, item.name)} needs a help text"
    default = getattr(getattr(Settings(), section), item.name)
    optional = hint in (float | None, int | None)
    assert default is None if optional else isinstance(default, get_origin(hint) or hint)


def test_the_environment_overrides_the_file_and_each_source_is_known(tmp_path: Path) -> None:
    text = "[tool.pipeline]\nname = 'x'\n[tool.pipeline.lint]\nscore_floor = 5\nmax_complexity = 7\n"
    settings = _load(tmp_path, text, {"PIPELINE_LINT_SCORE_FLOOR": "9.5"})
    assert (settings.lint.score_floor, settings.lint.max_complexity) == (9.5, 7)
    shown = {name: (value, source) for name, value, source in effective(settings)}
    assert shown["lint.score_floor"] == (9.5, "PIPELINE_LINT_SCORE_FLOOR")
    assert shown["lint.max_complexity"] == (7, "pyproject.toml")
    assert shown["name"] == ("x", "pyproject.toml")
    assert shown["scan.timeout_s"] == (600, "default")
    assert set(shown) == {dotted(section, item.name) for section, item, _ in KEYS}
    json.dumps(shown, allow_nan=False)


def test_an_empty_variable_takes_a_floor_away(tmp_path: Path) -> None:
    text = "[tool.pipeline.lint]\nscore_floor = 5\n"
    assert _load(tmp_path, text, {"PIPELINE_LINT_SCORE_FLOOR": ""}).lint.score_floor is None


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("False", False), ("0", False)])
def test_truth_in_the_environment(text: str, value: bool, tmp_path: Path) -> None:
    assert _load(tmp_path, environ={"PIPELINE_PUSH_INSECURE": text}).push.insecure is value


@pytest.mark.parametrize(
    "variable", ["PIPELINE_RUN", "PIPELINE_BUILDID_X", "PIPELINE_LINT", "PIPELINE_LINT_", "PIPELINE_", "OTHER_LINT_X"]
)
def test_the_variables_of_others_are_left_alone(variable: str, tmp_path: Path) -> None:
    assert _load(tmp_path, environ={variable: "anything"}) == _load(tmp_path)


def test_defaults_follow_from_the_project_and_the_service(tmp_path: Path) -> None:
    text = '[project]\nname = "shop"\nversion = "2.0"\n[tool.pipeline]\nservice = "./src/shop/"\n'
    settings = _load(tmp_path, text)
    assert (settings.project.name, settings.project.version) == ("shop", "2.0")
    assert (settings.project.service, settings.project.sources) == ("src/shop", ("src/shop",))
    assert settings.lint.paths == settings.scan.paths == ("src/shop",)
    assert (settings.audit.lock, settings.audit.requirements) == (
        "src/shop/requirements.txt", "src/shop/requirements.in",
    )  # fmt: skip
    assert settings.test.paths == ("src/shop/tests",)
    assert settings.test.requirements == ("src/shop/requirements.txt", "src/shop/requirements-test.txt")
    assert settings.test.coverage == ("src/shop",)
    assert (settings.build.image, settings.push.repository) == ("shop", "shop")
    assert settings.project.python == settings.build.python == "3.13"


def test_defaults_of_a_service_at_the_root(tmp_path: Path) -> None:
    settings = _load(tmp_path, "[tool.pipeline]\nservice = '.'\n[tool.pipeline.build]\nimage = 'i'\npython = '3.12'\n")
    assert (settings.audit.lock, settings.audit.requirements) == ("requirements.txt", "requirements.in")
    assert settings.test.paths == ("tests",)
    assert (settings.project.name, settings.project.version, settings.project.sources) == ("service", "0", (".",))
    assert (settings.push.repository, settings.project.python) == ("i", "3.12")


def test_the_policy_is_what_is_demanded_and_not_how_it_is_carried_out(tmp_path: Path) -> None:
    plain = policy_digest(_load(tmp_path))
    assert plain == policy_digest(_load(tmp_path))
    for section, item, hint in OF_SECTIONS:
        text, _ = _sample(item, hint)
        environ = {f"PIPELINE_{section}_{item.name}".upper(): text}
        changed = policy_digest(_load(tmp_path, environ=environ)) != plain
        assert changed is (section not in POLICY_FREE), dotted(section, item.name)


def test_where_a_value_comes_from_is_no_part_of_the_policy(tmp_path: Path) -> None:
    by_file = _load(tmp_path, "[tool.pipeline.lint]\nscore_floor = 9\n")
    assert policy_digest(by_file) == policy_digest(_load(tmp_path, environ={"PIPELINE_LINT_SCORE_FLOOR": "9.0"}))


def test_a_stage_of_the_projects_own_has_a_table_that_is_handed_over(tmp_path: Path) -> None:
    text = (
        "[tool.pipeline]\nrequired = ['lint', 'docs']\n"
        "[tool.pipeline.docs]\nsince = 2024-01-02\nat = 10:00:00\nlimit = inf\nlist = [1, {a = nan}]\nword = 'x'\n"
    )
    settings = _load(tmp_path, text, extra=("docs",))
    assert settings.extra["docs"]["word"] == "x"
    values = policy(settings)
    assert (values["docs.since"], values["docs.limit"], values["docs.list"]) == ("2024-01-02", "inf", [1, {"a": "nan"}])
    json.dumps(values, allow_nan=False)
    assert policy_digest(settings) != policy_digest(_load(tmp_path, text.replace("'x'", "'y'"), extra=("docs",)))


def test_the_nine_stages_are_required_unless_told_otherwise(tmp_path: Path) -> None:
    assert _load(tmp_path).project.required == STAGE_NAMES == (
        "lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push",
    )  # fmt: skip
