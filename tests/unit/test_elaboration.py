"""Only files of the snapshot are looked at, and the owners are those of the snapshot's own CODEOWNERS."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity
from pipeline.core.stage import Examination
from pipeline.elaboration import LARGEST_BYTES, elaborated
from tests.looking import carry_out, looking
from tests.projects import make_project
from tests.support import snapshot_of, write_files


def examined(*paths: str) -> Examination:
    """An examination with a finding on the first line of each."""
    findings = tuple(
        Finding(rule="R", tool="t", severity=Severity.LOW, message="m", path=path, line=1) for path in paths
    )
    return Examination(evidence=Evidence.of("files", expected=paths, checked=paths), findings=findings)


def test_a_finding_gets_its_lines_and_its_owner(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"a.py": "\ufeffx = 1\n", "b/c.py": "y = 2\n", "CODEOWNERS": "b/ @team\n"})
    found = elaborated(examined("a.py", "b/c.py"), snapshot_of(tree), tree).findings
    assert [(f.context_start, f.context, f.owner) for f in found] == [(1, ("x = 1",), ""), (1, ("y = 2",), "@team")]


def test_without_findings_nothing_is_read() -> None:
    nothing = examined()
    assert elaborated(nothing, snapshot_of(Path("/does/not/exist")), Path("/does/not/exist")) is nothing


@pytest.mark.parametrize(
    ("there", "owner"),
    [
        ((".github", ".", "docs", ".gitlab"), "@.github"),
        ((".", "docs", ".gitlab"), "@."),
        (("docs", ".gitlab"), "@docs"),
        ((".gitlab",), "@.gitlab"),
        (("elsewhere",), ""),
    ],
)
def test_the_first_of_the_known_places_has_the_owners(tmp_path: Path, there: tuple[str, ...], owner: str) -> None:
    files = {f"{folder}/CODEOWNERS": f"* @{folder}\n" for folder in there}
    tree = write_files(tmp_path / "tree", {"a.py": "x\n", **files})
    assert elaborated(examined("a.py"), snapshot_of(tree), tree).findings[0].owner == owner


def test_nothing_outside_of_the_snapshot_is_read(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"a.py": "x\n"})
    outside = write_files(tmp_path / "outside", {"hosts": "127.0.0.1\n", "CODEOWNERS": "* @them\n"})
    (tree / "link.py").symlink_to(outside / "hosts")
    (tree / "CODEOWNERS").symlink_to(outside / "CODEOWNERS")
    snapshot = snapshot_of(tree)
    # It came after the snapshot.
    write_files(tree, {"later.py": "x\n"})
    found = elaborated(examined("link.py", "later.py", "missing.py"), snapshot, tree).findings
    assert [(f.context, f.owner) for f in found] == [((), "")] * 3


def test_no_lines_of_a_binary_or_a_huge_file_are_shown(tmp_path: Path) -> None:
    huge = b"x\n" * (LARGEST_BYTES // 2 + 1)
    tree = write_files(
        tmp_path / "tree", {"a.bin": b"a\0b\n", "huge.py": huge, "CODEOWNERS": b"* @x\n" + b"#" * 3 * 2**20}
    )
    found = elaborated(examined("a.bin", "huge.py"), snapshot_of(tree), tree).findings
    assert [(f.context, f.owner) for f in found] == [((), "")] * 2


def test_a_run_reports_them_whatever_the_stage(tmp_path: Path) -> None:
    project = make_project(
        tmp_path / "project", "", {"service/a.py": "one\nBAD\nthree\n", "CODEOWNERS": "*.py @team\n"}
    )
    (finding,) = carry_out(project, looking())["findings"]
    assert (finding["owner"], finding["context"], finding["context_start"]) == ("@team", ["one", "BAD", "three"], 1)
