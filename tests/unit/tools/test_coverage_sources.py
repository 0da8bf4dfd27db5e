"""coverage's sources reach into namespace packages, and its report is read for exactly the files that count."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import ToolTrouble
from pipeline.tools import coverage


@pytest.mark.parametrize(
    ("measured", "sources"),
    [
        ((), ("service",)),
        (("service/__init__.py", "service/app.py"), ("service",)),
        (("service/app.py",), ("service",)),
        (("service/one/a.py", "service/two/b.py"), ("service", "service/one", "service/two")),
        (("service/one/__init__.py", "service/one/a.py"), ("service",)),
        (("service/one/in/__init__.py", "service/one/in/a.py"), ("service", "service/one/in")),
    ],
)
def test_folders_without_an_init_are_sources_of_their_own(measured: tuple[str, ...], sources: tuple[str, ...]) -> None:
    assert coverage.sources_of(("service",), measured) == sources


@pytest.mark.parametrize("root", [".", "./", "./src/", "src"])
def test_the_folders_may_be_spelled_as_one_likes(root: str) -> None:
    assert coverage.sources_of((root,), ("src/__init__.py", "src/a.py")) == (root,)


def test_the_percentage_is_that_of_the_files_that_count() -> None:
    def summary(statements: int, covered: int) -> dict[str, dict[str, int]]:
        return {"summary": {"num_statements": statements, "covered_lines": covered, "excluded_lines": 1}}

    text = json.dumps({"files": {"a.py": summary(4, 3), "b\\c.py": summary(6, 2), "tests.py": summary(90, 90)}})
    output = coverage.parse(text, ("a.py", "b/c.py", "d.py"))
    assert (output.percent, output.statements, output.covered, output.excluded_lines) == (50.0, 10, 5, 2)
    assert output.missing == ("d.py",)
    assert coverage.parse(text, ()).percent == 0.0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {"a.py": {}}}', '{"files": {"a.py": {"summary": 1}}}'])
def test_a_report_that_is_not_whole_is_trouble(text: str) -> None:
    with pytest.raises(ToolTrouble, match="not whole"):
        coverage.parse(text, ("a.py",))
