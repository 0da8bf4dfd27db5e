"""Settings of pytest and coverage that take tests or code out of ``test`` without a word are findings."""

from __future__ import annotations

import pytest as runner

from pipeline.core.emptied_tests import coverage, pytest
from pipeline.core.finding import Finding

TESTS = ("service/tests/test_a.py", "service/tests/deep/test_b.py")
MEASURED = ("service/app.py", "service/health.py")
MARKERS = "not system"


def options(text: str, markers: str = MARKERS) -> tuple[Finding, ...]:
    """What these options in addopts amount to."""
    return pytest({"pytest.ini": f"[pytest]\naddopts = {text}\n"}, {}, TESTS, markers)


@runner.mark.parametrize(
    "text",
    ["-k test_ok", "-ktest_ok", "--deselect service/tests/test_a.py::test_b", "--deselect=x", "-ra -k 'a or b'",
     "--collect-only", "--co"],
)  # fmt: skip
def test_tests_left_out_by_an_option_are_a_finding(text: str) -> None:
    (finding,) = options(text)
    assert (finding.rule, finding.path, finding.line) == ("tests-left-out", "pytest.ini", 2)


@runner.mark.parametrize(
    "text", ["-ra --strict-markers", "--ignore=docs", "--ignore service/tests/deep", "-m fast", "'", "-p no:x", ""]
)
def test_options_that_leave_the_tests_alone_are_none(text: str) -> None:
    assert not options(text)


def test_a_marker_expression_counts_where_the_stage_has_none_of_its_own() -> None:
    (finding,) = options("-m fast", markers="")
    assert "addopts holds -m fast" in finding.message


@runner.mark.parametrize("text", ["--ignore=service/tests", "--ignore service", "--ignore-glob=*/tests/*"])
def test_ignoring_every_test_is_a_finding(text: str) -> None:
    (finding,) = options(text)
    assert finding.rule == "excludes-everything"


@runner.mark.parametrize(
    ("path", "text"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "-k x"\n'),
        ("pyproject.toml", '[tool.pytest]\naddopts = ["-k", "x"]\n'),
        ("pytest.toml", '[pytest]\naddopts = ["-k", "x"]\n'),
        (".pytest.toml", '[tool.pytest]\naddopts = ["-k", "x"]\n'),
        ("setup.cfg", "[tool:pytest]\naddopts = -k x\n"),
        ("tox.ini", "[pytest]\naddopts = -k x\n"),
        ("service/tests/pytest.ini", "[pytest]\naddopts = -k x\n"),
        ("service/pyproject.toml", '[tool.pytest.ini_options]\naddopts = "-k x"\n'),
    ],
)
def test_every_place_of_pytests_configuration_is_known(path: str, text: str) -> None:
    assert [f.path for f in pytest({path: text}, {}, TESTS, MARKERS)] == [path]


def test_the_first_configuration_counts_as_it_does_for_pytest() -> None:
    texts = {"pytest.ini": "", "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-k x"\n'}
    assert not pytest(texts, {}, TESTS, MARKERS)
    assert not pytest({"docs/pytest.ini": "[pytest]\naddopts = -k x\n"}, {}, TESTS, MARKERS)
    assert not pytest({}, {}, (), MARKERS)


@runner.mark.parametrize(
    ("source", "found"),
    [
        ('collect_ignore = ["test_a.py", "deep"]\n', 1),
        ('collect_ignore_glob = ["*.py"]\n', 1),
        ('collect_ignore = ["test_a.py"]\ncollect_ignore += ["deep/test_b.py"]\n', 1),
        ('collect_ignore = ["deep"]\n', 0),
        ("collect_ignore = [\n", 0),
        ("other = ['test_a.py', 'deep']\n", 0),
    ],
)
def test_a_list_of_what_not_to_collect_that_leaves_no_test_is_a_finding(source: str, found: int) -> None:
    findings = pytest({}, {"service/tests/conftest.py": source.encode()}, TESTS, MARKERS)
    assert len(findings) == found
    assert all(finding.rule == "excludes-everything" for finding in findings)


def report(text: str, head: str = "[tool.coverage.report]\n") -> tuple[Finding, ...]:
    """What a table of coverage's amounts to."""
    return coverage({"pyproject.toml": head + text}, MEASURED)


@runner.mark.parametrize(
    "pattern", [".", "def ", "^", "return", "import", "class", r"\s*if ", r"(?s)\A.*\Z", "", r"^\s+\w+"]
)
def test_a_pattern_that_takes_ordinary_lines_is_a_finding(pattern: str) -> None:
    for key in ("exclude_lines", "exclude_also"):
        assert [(f.rule, f.line) for f in report(f"{key} = ['''{pattern}''']\n")] == [("no-rules", 2)]


@runner.mark.parametrize(
    "pattern",
    ["def __repr__", "raise NotImplementedError", "if TYPE_CHECKING:", "if __name__ == .__main__.:", "@overload",
     r"^\s*\.\.\.$", r"@(abc\.)?abstractmethod", r"class .*\bProtocol\):", "assert_never", "return NotImplemented",
     "pragma: no " + "cover", "if 0:", r"logger\.debug", r"^\s*pass$", r"^\s*$",
     r"\A(?s:.*# pragma: exclude file.*)\Z", "(", "if self.debug"],
)  # fmt: skip
def test_a_pattern_of_a_special_case_is_none(pattern: str) -> None:
    assert not report(f"exclude_also = ['''{pattern}''']\n")


@runner.mark.parametrize(
    ("head", "text", "rule"),
    [
        ("[tool.coverage.run]\n", 'omit = ["service/*"]\n', "excludes-everything"),
        ("[tool.coverage.run]\n", 'omit = ["*/app.py", "*/health.py"]\n', "excludes-everything"),
        ("[tool.coverage.report]\n", 'omit = ["*"]\n', "excludes-everything"),
        ("[tool.coverage.report]\n", 'include = ["other/*"]\n', "excludes-everything"),
        ("[tool.coverage.report]\n", "fail_under = 0\n", "no-threshold"),
    ],
)
def test_measuring_nothing_and_a_floor_of_nothing_are_findings(head: str, text: str, rule: str) -> None:
    assert [(f.rule, f.line) for f in report(text, head)] == [(rule, 2)]


@runner.mark.parametrize(
    "text", ['omit = ["*/app.py"]\n', 'include = ["service/"]\n', "fail_under = 95\n", "show_missing = true\n"]
)
def test_measuring_a_part_is_none(text: str) -> None:
    assert not report(text)


@runner.mark.parametrize(
    ("path", "text"),
    [
        (".coveragerc", "[report]\nexclude_lines =\n    pragma: x\n    .*\n"),
        (".coveragerc", "[coverage:report]\nexclude_also = .\n"),
        (".coveragerc.toml", '[report]\nexclude_also = ["."]\n'),
        ("setup.cfg", "[coverage:report]\nexclude_also = .\n"),
        ("tox.ini", "[coverage:report]\nexclude_also = .\n"),
    ],
)
def test_every_place_of_coverages_configuration_is_known(path: str, text: str) -> None:
    assert [f.path for f in coverage({path: text}, MEASURED)] == [path]


def test_the_first_file_with_settings_counts_as_it_does_for_coverage() -> None:
    texts = {".coveragerc": "[run]\nbranch = true\n", "setup.cfg": "[coverage:report]\nexclude_also = .\n"}
    assert not coverage(texts, MEASURED)
    assert not coverage({}, MEASURED)


SOURCE = b"""
class Reader(Protocol):
    def read(self) -> str: ...

class Basket:
    def __repr__(self):
        return ""

    async def farewell(self):  # pragma: no-one reads this
        return "Bye"
"""


@runner.mark.parametrize(
    ("pattern", "found"),
    [
        ("def farewell", "farewell"),
        (r"farewell\(self", "farewell"),
        ("Basket", "Basket"),
        ("def __repr__", ""),
        (r"class .*\bProtocol\)", ""),
        # What the sources say of themselves, in a comment or by having no body, is no doing of the pattern.
        ("pragma: no-one", ""),
        (r"\.\.\.", ""),
        ("(", ""),
    ],
)
def test_a_pattern_that_takes_a_definition_of_the_project_is_a_finding(pattern: str, found: str) -> None:
    text = f"[tool.coverage.report]\nexclude_also = ['''{pattern}''']\n"
    findings = coverage({"pyproject.toml": text}, MEASURED, [SOURCE])
    assert [f.message.split(" as a whole")[0].rpartition(" ")[2] for f in findings] == ([found] if found else [])
