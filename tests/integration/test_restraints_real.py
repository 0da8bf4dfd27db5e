"""With the real tools: comments and configuration that take a gate away, and honest ones that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.ports import Environments
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.settings import Audit, Lint, Scan, Secrets, Settings
from pipeline.settings import Test as ProjectTests
from pipeline.stages.audit import AuditStage
from pipeline.stages.context import Stage, packaged_lock
from pipeline.stages.lint import LintStage
from pipeline.stages.scan import ScanStage
from pipeline.stages.secrets import SecretsStage
from pipeline.stages.test import TestStage
from tests.support import ALLOW, PASSWORD, make_context, real_processes, write_files

NO_COVER = "pragma: " + "no cover"
CLEAN = '"""A module."""\n\nANSWER = 42\n'
UNUSED_IMPORT = '"""A module."""\n\nimport os\n'
INSECURE = '"""A module."""\nimport subprocess\n\nsubprocess.call(input(), shell=True)\n'
TESTED = {
    "service/app.py": '"""A module."""\n\n\ndef one() -> int:\n    """One."""\n    return 1\n',
    "service/__init__.py": "",
    "tests/test_app.py": "from service.app import one\n\n\ndef test_one() -> None:\n    assert one() == 1\n",
    "conftest.py": "",
}


def run(
    tmp_path: Path, environments: Environments, stage: Stage, files: dict[str, str], settings: Settings | None = None
) -> Examination:
    """The stage over these files, with the real tools."""
    lock = packaged_lock("test").read_text(encoding="utf-8")
    tree = write_files(tmp_path / "tree", {**files, "project.lock": lock})
    tests = ProjectTests(paths=("tests",), coverage=("service",), requirements=("project.lock",), markers="not slow")
    chosen = settings or Settings(lint=Lint(paths=(".",)), scan=Scan(paths=(".",)), test=tests)
    context = make_context(tmp_path / "run", tree, chosen, processes=real_processes(), environments=environments)
    return stage.run(context)


def verdict(examination: Examination) -> tuple[Status, str]:
    """Status and reasons."""
    status, reasons = conclude(examination)
    return status, " ".join(reasons)


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ({"a.py": UNUSED_IMPORT.replace("os\n", "os  # noqa: F401  # pylint: disable=W0611  # it is a sample\n")},
         Status.PASS, ""),
        ({"a.py": UNUSED_IMPORT.replace("os\n", "os  # noqa: F401  # pylint: disable=W0611\n")},
         Status.FAIL, "suppressions without a reason: allowed 0, found 2"),
        ({"a.py": CLEAN.replace("42", "42  # noqa: E501 - it was long once")},
         Status.FAIL, "suppressions that suppress nothing: allowed 0, found 1: a.py:3"),
        ({"a.py": CLEAN.replace("42", "42  # pylint: disable=invalid-name  # it is a sample")},
         Status.FAIL, "suppressions that suppress nothing: allowed 0, found 1: a.py:3"),
        # Of a comment for another tool ruff can't tell; of what depends on the environment pylint can't.
        ({"a.py": CLEAN.replace("42", "42  # noqa: S105 - read by another tool")}, Status.PASS, ""),
        ({"a.py": CLEAN.replace("42", "42  # pylint: disable=no-member  # where it is older")}, Status.PASS, ""),
        ({"a.py": '"""A."""\n# ruff: noqa because it is generated\n'},
         Status.INCONCLUSIVE, "a.py tells ruff to skip it."),
        ({"a.py": UNUSED_IMPORT, "ruff.toml": '[lint.per-file-ignores]\n"*" = ["ALL"]\n'},
         Status.FAIL, "ruff is told to ignore the rules E and F in every file"),
        ({"a.py": CLEAN, "sub/b.py": CLEAN, "sub/ruff.toml": '[lint.per-file-ignores]\n"b.py" = ["ALL"]\n'},
         Status.INCONCLUSIVE, "sub/ruff.toml excuses sub/b.py from all rules."),
        ({"a.py": CLEAN, "ruff.toml": 'force-exclude = true\nexclude = ["*.py"]\n'},
         Status.FAIL, "ruff is told to pass over every file that lint should check (exclude)."),
        ({"a.py": CLEAN, "pyproject.toml": '[tool.pylint.main]\ndisable = ["all"]\n'},
         Status.FAIL, "pylint is told to disable all messages"),
        ({"a.py": CLEAN, "pyproject.toml": '[tool.pylint.reports]\nevaluation = "10.0"\n'},
         Status.FAIL, "computed by a formula of the project's own"),
        ({"a.py": CLEAN, "pyproject.toml": '[tool.pylint.main]\ndisable = ["C0103"]\n[tool.ruff]\nline-length = 100\n'},
         Status.PASS, ""),
    ],
)  # fmt: skip
def test_lint(
    tmp_path: Path, tool_environments: Environments, files: dict[str, str], status: Status, said: str
) -> None:
    found, reasons = verdict(run(tmp_path, tool_environments, LintStage(), files))
    assert found is status, reasons
    assert said in reasons


@pytest.mark.parametrize(
    ("comment", "status"),
    [
        ("# nosec B602 - a planted sample", Status.PASS),
        ("# nosec - a planted sample", Status.PASS),
        ("# nosec B602", Status.FAIL),
        ("# nosec B105 - a planted sample", Status.FAIL),
    ],
)
def test_scan(tmp_path: Path, tool_environments: Environments, comment: str, status: Status) -> None:
    files = {"a.py": INSECURE.replace("shell=True)", f"shell=True)  {comment}")}
    assert verdict(run(tmp_path, tool_environments, ScanStage(), files))[0] is status


def test_a_nosec_comment_that_hides_nothing_fails(tmp_path: Path, tool_environments: Environments) -> None:
    examined = run(tmp_path, tool_environments, ScanStage(), {"a.py": "X = 1  # nosec - it was insecure once\n"})
    assert "suppressions that suppress nothing: allowed 0, found 1: a.py (1 of 1)." in verdict(examined)[1]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (f'db_password: "{PASSWORD}"  # {ALLOW} - of the documentation\n', Status.PASS),
        (f'db_password: "{PASSWORD}"  # {ALLOW}\n', Status.FAIL),
        (f"colour: blue  # {ALLOW} - of the documentation\n", Status.FAIL),
    ],
)
def test_secrets(tmp_path: Path, tool_environments: Environments, content: str, status: Status) -> None:
    examined = run(tmp_path, tool_environments, SecretsStage(), {"a.yml": content}, Settings(secrets=Secrets()))
    assert verdict(examined)[0] is status


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ({}, Status.PASS, "1 tests ran"),
        ({"pytest.ini": "[pytest]\naddopts = -k nothing_else\n"}, Status.FAIL, "addopts holds -k nothing_else"),
        ({".coveragerc": "[report]\nexclude_also =\n    def \n"}, Status.FAIL, "leave out ordinary lines of code"),
        ({".coveragerc": "[run]\nomit = *\n"}, Status.FAIL, "measure none of the files"),
        ({".coveragerc": "[report]\nexclude_also =\n    def __repr__\n"}, Status.PASS, "1 tests ran"),
        ({"service/other.py": f"def two():  # {NO_COVER}\n    return 2\n"}, Status.FAIL,
         "suppressions without a reason: allowed 0, found 1: service/other.py:1 no-cover."),
        ({"service/other.py": f"def two():  # {NO_COVER} - only on Windows\n    return 2\n"}, Status.PASS, ""),
    ],
)  # fmt: skip
def test_test(
    tmp_path: Path, tool_environments: Environments, files: dict[str, str], status: Status, said: str
) -> None:
    found, reasons = verdict(run(tmp_path, tool_environments, TestStage(), {**TESTED, **files}))
    assert found is status, reasons
    assert said in reasons


def test_tests_that_the_markers_leave_out_are_named(tmp_path: Path, tool_environments: Environments) -> None:
    slow = "import pytest\n\n\n@pytest.mark.slow\ndef test_slow() -> None: ...\n"
    examined = run(tmp_path, tool_environments, TestStage(), {**TESTED, "tests/test_slow.py": slow})
    assert verdict(examined)[0] is Status.PASS
    assert any("tests/test_slow.py::test_slow" in item.what for item in examined.not_checked)


def test_a_service_without_dependencies_is_green_when_it_says_so(
    tmp_path: Path, tool_environments: Environments
) -> None:
    reason = "This service uses the standard library alone."
    settings = Settings(audit=Audit(lock="a.lock", requirements="a.in", expect_nothing=reason))
    examined = run(tmp_path, tool_environments, AuditStage(), {"a.lock": "", "a.in": "# none\n"}, settings)
    assert verdict(examined)[0] is Status.PASS
    assert [item.reason for item in examined.not_checked] == [reason]
