"""What a project says to have a stage look at less: listed, gated, and a finding where it leaves nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Severity
from pipeline.core.gate import findings_gate
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.settings import Audit, Exclusion, Lint, Project, Secrets, Settings
from pipeline.settings import Test as ProjectTests
from pipeline.stages import lint
from pipeline.stages import test as test_stage
from pipeline.stages.audit import AuditStage
from pipeline.stages.context import Context, Stage
from pipeline.stages.lint import LintStage
from pipeline.stages.restraints import configuration, nothing_to_check, own_text, with_expectation
from pipeline.stages.secrets import SecretsStage
from pipeline.stages.test import TestStage
from pipeline.tools import pytest as pytest_tool
from tests.support import make_context, write_files

NO_COVER = "pragma: " + "no cover"
WHY = "There is none of it here."


def context(tmp_path: Path, files: dict[str, str], settings: Settings | None = None) -> Context:
    """A context for these files."""
    return make_context(tmp_path / "run", write_files(tmp_path / "tree", files), settings or Settings())


def examined(*files: str) -> Examination:
    """An examination that carries a pass."""
    return Examination(
        evidence=Evidence.of("Python files", expected=files, checked=files),
        gates=(findings_gate((), what="findings", fail_on=Severity.MEDIUM),),
    )


def missed(examination: Examination) -> list[str]:
    """The gates that are not met."""
    return [gate.what for gate in examination.gates if not gate.passed]


# --- nothing to check -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["lint", "scan", "secrets", "audit", "test"])
def test_nothing_to_check_passes_only_with_a_reason_in_the_configuration(tmp_path: Path, stage: str) -> None:
    bare = context(tmp_path / "1", {})
    assert conclude(nothing_to_check(bare, stage, "things"))[0] is Status.INCONCLUSIVE
    plain = Settings()
    said = replace(plain, **{stage: replace(getattr(plain, stage), expect_nothing=WHY)})
    examination = nothing_to_check(context(tmp_path / "2", {}, said), stage, "things")
    status, reasons = conclude(examination)
    assert (status, WHY in reasons[0]) == (Status.PASS, True)
    assert [(n.what, n.reason) for n in examination.not_checked] == [("things (there are none)", WHY)]
    assert examination.gates[0].sentence == f"things to check: allowed 0 ({stage}.expect_nothing), found 0."


def test_something_where_nothing_was_expected_fails(tmp_path: Path) -> None:
    said = context(tmp_path / "1", {}, Settings(lint=Lint(expect_nothing=WHY)))
    assert missed(with_expectation(said, "lint", examined("a.py"))) == ["Python files to check"]
    bare = context(tmp_path / "2", {})
    assert with_expectation(bare, "lint", examined("a.py")) == examined("a.py")


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        (LintStage(), Settings(lint=Lint(paths=(".",), expect_nothing=WHY))),
        (TestStage(), Settings(test=ProjectTests(paths=("tests",), coverage=(".",), expect_nothing=WHY))),
        (AuditStage(), Settings(audit=Audit(lock="a.lock", requirements="a.in", expect_nothing=WHY))),
    ],
)
def test_a_stage_that_expects_nothing_runs_no_tool(tmp_path: Path, stage: Stage, settings: Settings) -> None:
    examination = stage.run(context(tmp_path, {"a.lock": "# empty\n"}, settings))
    assert conclude(examination)[0] is Status.PASS
    assert examination.evidence.nothing_expected == WHY


def test_an_empty_lock_is_held_against_its_requirements_whatever_is_expected(tmp_path: Path) -> None:
    settings = Settings(audit=Audit(lock="a.lock", requirements="a.in", expect_nothing=WHY))
    examination = AuditStage().run(context(tmp_path, {"a.lock": "", "a.in": "flask\n"}, settings))
    assert conclude(examination)[0] is Status.FAIL


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        (LintStage(), Settings(lint=Lint(paths=("pkg",), exclude=(Exclusion(path="pkg", reason=WHY),)))),
        (SecretsStage(), Settings(secrets=Secrets(exclude=(Exclusion(path="pkg", reason=WHY),)))),
    ],
)
def test_exclusions_that_cover_everything_are_a_finding(tmp_path: Path, stage: Stage, settings: Settings) -> None:
    examination = stage.run(context(tmp_path, {"pkg/a.py": "X = 1\n"}, settings))
    assert conclude(examination)[0] is Status.FAIL
    assert [(f.tool, f.rule) for f in examination.findings] == [("pipeline", "excludes-everything")]


# --- lint -----------------------------------------------------------------------------------------------------------


def linted(
    tmp_path: Path, files: dict[str, str], settings: Settings | None = None, unused: tuple[str, ...] = ()
) -> Examination:
    """What lint makes of its restraints in these files."""
    names = tuple(name for name in files if name.endswith(".py"))
    return lint.restrained(context(tmp_path, files, settings), examined(*names), names, unused)


SILENCED = {
    "a.py": "import os  # noqa: F401 - it is re-exported\n",
    "b.py": "# pylint: disable=invalid-name  # the names of a protocol\nx = 1  # type: ignore[misc]  # a fake of it\n",
}


@pytest.mark.parametrize(
    ("settings", "gates"),
    [
        (Lint(), []),
        (Lint(max_noqa=1, max_pylint_disables=1, max_type_ignores=1), []),
        (Lint(max_noqa=0), ["noqa comments"]),
        (Lint(max_pylint_disables=0), ["pylint: disable comments"]),
        (Lint(max_type_ignores=0), ["type: ignore comments"]),
    ],
)
def test_comments_that_lint_answers_for_have_a_most_each(tmp_path: Path, settings: Lint, gates: list[str]) -> None:
    examination = linted(tmp_path, SILENCED, Settings(lint=settings))
    assert missed(examination) == gates
    assert [(s.kind, s.path) for s in examination.suppressions] == [
        ("noqa", "a.py"), ("pylint-disable", "b.py"), ("type-ignore", "b.py"),
    ]  # fmt: skip


def test_a_comment_without_a_reason_fails_unless_none_is_asked_for(tmp_path: Path) -> None:
    files = {"a.py": "import os  # noqa: F401\n"}
    assert missed(linted(tmp_path / "1", files)) == ["suppressions without a reason"]
    relaxed = Settings(project=Project(suppressions_need_reasons=False))
    assert not missed(linted(tmp_path / "2", files, relaxed))


def test_a_comment_that_suppresses_nothing_fails(tmp_path: Path) -> None:
    assert missed(linted(tmp_path, {"a.py": ""}, unused=("a.py:3",))) == ["suppressions that suppress nothing"]


@pytest.mark.parametrize(
    ("files", "settings", "rule"),
    [
        ({"ruff.toml": '[lint]\nignore = ["ALL"]\n'}, Lint(), "no-rules"),
        ({"pyproject.toml": '[tool.pylint.main]\ndisable = ["all"]\n'}, Lint(), "no-rules"),
        ({}, Lint(score_floor=0), "no-threshold"),
        ({}, Lint(max_complexity=100), "no-threshold"),
        ({}, Lint(fail_on=Severity.CRITICAL), "no-threshold"),
    ],
)
def test_configuration_that_empties_lint_fails_it(
    tmp_path: Path, files: dict[str, str], settings: Lint, rule: str
) -> None:
    examination = linted(tmp_path, {"a.py": "X = 1\n", **files}, Settings(lint=settings))
    assert [(f.tool, f.rule, f.severity) for f in examination.findings] == [("pipeline", rule, Severity.HIGH)]
    assert conclude(examination)[0] is Status.FAIL


def test_files_that_a_configuration_excuses_were_not_checked(tmp_path: Path) -> None:
    files = {"a.py": "", "b.py": "", "ruff.toml": '[lint.per-file-ignores]\n"b.py" = ["ALL"]\n'}
    examination = linted(tmp_path, files)
    status, reasons = conclude(examination)
    assert status is Status.INCONCLUSIVE
    assert reasons[0] == "ruff.toml excuses b.py from all rules."
    assert [n.what for n in examination.not_checked] == ["ruff rules ALL in b.py"]


# --- test -----------------------------------------------------------------------------------------------------------

OF_TESTS = ProjectTests(paths=("pkg/tests",), coverage=("pkg",), markers="not slow")
TESTED = {
    "pkg/app.py": f"if DEBUG:  # {NO_COVER} - only while one looks for a fault\n    pass\n",
    "pkg/tests/test_app.py": "import pytest\n\n\n@pytest.mark.skip('no engine here')\ndef test_a(): ...\n",
    "conftest.py": "import pytest\n\n\ndef f(item):\n    item.add_marker(pytest.mark.xfail(reason='a known fault'))\n",
    "other/conftest.py": "import pytest\npytest.skip()\n",
}


def restrained(tmp_path: Path, files: dict[str, str], settings: ProjectTests = OF_TESTS) -> Examination:
    """What test makes of its restraints in these files."""
    place = context(tmp_path, {**TESTED, **files}, Settings(test=settings))
    return test_stage.restrained(place, examined("pkg/app.py"), ("pkg/app.py",))


@pytest.mark.parametrize(
    ("settings", "gates"),
    [
        (OF_TESTS, []),
        (replace(OF_TESTS, max_skips=1, max_xfails=1, max_coverage_pragmas=1), []),
        (replace(OF_TESTS, max_skips=0), ["places that skip a test"]),
        (replace(OF_TESTS, max_xfails=0), ["places that expect a test to fail"]),
        (replace(OF_TESTS, max_coverage_pragmas=0), ["coverage pragmas"]),
    ],
)
def test_skips_and_pragmas_have_a_most_each(tmp_path: Path, settings: ProjectTests, gates: list[str]) -> None:
    examination = restrained(tmp_path, {}, settings)
    assert missed(examination) == gates
    assert sorted((s.kind, s.path) for s in examination.suppressions) == [
        ("no-cover", "pkg/app.py"), ("skip", "pkg/tests/test_app.py"), ("xfail", "conftest.py"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "settings", "rule"),
    [
        ({"pytest.ini": "[pytest]\naddopts = -k a\n"}, OF_TESTS, "tests-left-out"),
        ({"conftest.py": "collect_ignore = ['pkg']\n"}, OF_TESTS, "excludes-everything"),
        ({"pyproject.toml": '[tool.coverage.run]\nomit = ["*"]\n'}, OF_TESTS, "excludes-everything"),
        ({}, replace(OF_TESTS, coverage_floor=0.0), "no-threshold"),
    ],
)
def test_configuration_that_empties_test_fails_it(
    tmp_path: Path, files: dict[str, str], settings: ProjectTests, rule: str
) -> None:
    examination = restrained(tmp_path, files, settings)
    assert [f.rule for f in examination.findings] == [rule]
    assert conclude(examination)[0] is Status.FAIL


def test_coverage_of_nothing_at_all_is_a_finding(tmp_path: Path) -> None:
    place = context(tmp_path, TESTED, Settings(test=OF_TESTS))
    examination = test_stage.restrained(place, examined("x"), ())
    assert [f.rule for f in examination.findings] == ["excludes-everything"]


def test_tests_that_are_left_out_are_named_with_the_reason() -> None:
    ran = pytest_tool.Output(
        executed=frozenset({"a"}), skipped=frozenset(), deselected=frozenset({"a", "b", "c"}), findings=(), count=1
    )
    (only,) = test_stage.deselected(OF_TESTS, frozenset({"a", "b"}), ran)
    assert only.what == "1 test functions: b"
    assert "test.markers (not slow)" in only.reason
    assert not test_stage.deselected(OF_TESTS, frozenset({"a"}), ran)


# --- reading --------------------------------------------------------------------------------------------------------


def test_the_configuration_is_read_from_the_snapshot_alone(tmp_path: Path) -> None:
    files = {"pyproject.toml": "x", "a/ruff.toml": "y", "setup.cfg": "", ".coveragerc": "z", "a.py": "", "b.txt": ""}
    place = context(tmp_path, files)
    assert configuration(place) == {"pyproject.toml": "x", "a/ruff.toml": "y", "setup.cfg": "", ".coveragerc": "z"}
    assert own_text(place) == "x"
    assert own_text(context(tmp_path / "other", {"a.py": ""})) == ""
