"""``finding-baseline.json`` and ``pipeline baseline``: known findings do not fail, new ones do, and it only shrinks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cli, finding_baseline
from pipeline.core.baseline import Known, Print
from pipeline.core.stage import Examination
from pipeline.errors import ConfigurationError
from pipeline.stages.context import Context
from tests.looking import carry_out, look, looking, stage, states
from tests.projects import make_project

FILE = "finding-baseline.json"
ONE = "def f():\n    BAD = 1\n    return 1\n"
TWO = f"{ONE}\n\ndef g():\n    BAD = 1\n    return 2\n"


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two findings, and a baseline that knows both."""
    project = make_project(tmp_path / "project", 'required = ["scan"]', {"service/app.py": TWO})
    monkeypatch.chdir(project)
    carry_out(project, looking())
    assert cli.run_command(["baseline"]) == 0
    return project


def source(project: Path, text: str) -> dict[str, Any]:
    """The report once the source has changed."""
    (project / "service/app.py").write_text(text, encoding="utf-8")
    return carry_out(project, looking())


def entries(project: Path) -> list[dict[str, Any]]:
    """What the file holds."""
    found: list[dict[str, Any]] = json.loads((project / FILE).read_text(encoding="utf-8"))["findings"]
    return found


def test_known_findings_are_shown_and_do_not_fail(project: Path) -> None:
    report = carry_out(project, looking())
    assert report["verdict"] == "pass"
    assert states(report) == ["existing", "existing"]
    assert f"2 findings were known from {FILE} and did not count." in stage(report)["reasons"]


def test_a_second_identical_finding_fails(project: Path) -> None:
    report = source(project, TWO.replace("    BAD = 1\n    return 2", "    BAD = 1\n    BAD = 1\n    return 2"))
    assert stage(report)["status"] == "fail"
    assert states(report) == ["existing", "existing", "new"]


def test_one_that_could_be_smaller_is_reported_and_ci_can_demand_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command(["baseline", "--check"]) == 3, "the last report is about other content"
    carry_out(project, looking())
    assert cli.run_command(["baseline", "--check"]) == 0
    report = source(project, ONE)
    assert report["verdict"] == "pass"
    assert (
        f"{FILE} could be smaller by 1 in scan: 'pipeline baseline' takes out what is gone." in stage(report)["reasons"]
    )
    assert cli.run_command(["baseline", "--check"]) == 1
    assert "scan: 1 known findings are gone" in capsys.readouterr().out
    assert len(entries(project)) == 2, "a check writes nothing"
    assert cli.run_command(["baseline"]) == 0
    assert len(entries(project)) == 1
    carry_out(project, looking())
    assert cli.run_command(["baseline", "--check"]) == 0


def test_it_does_not_grow_unless_it_is_told_why(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grown = f"{TWO}\n\ndef h():\n    BAD = 1\n    return 3\n"
    source(project, grown)
    assert cli.run_command(["baseline"]) == 1
    assert "1 new findings were not let in." in capsys.readouterr().out
    assert len(entries(project)) == 2
    source(project, grown)
    assert cli.run_command(["baseline", "--grow", "because"]) == 2
    assert cli.run_command(["baseline", "--check", "--grow", "A new rule came."]) == 2
    assert cli.run_command(["baseline", "--grow", "A new rule came."]) == 0
    assert sorted(entry.get("reason", "") for entry in entries(project)) == ["", "", "A new rule came."]
    assert carry_out(project, looking())["verdict"] == "pass"


def test_the_reason_stays_when_it_shrinks(project: Path) -> None:
    source(project, f"{TWO}\n\ndef h():\n    BAD = 1\n    return 3\n")
    cli.run_command(["baseline", "--grow", "A new rule came."])
    source(project, "def h():\n    BAD = 1\n    return 3\n")
    assert cli.run_command(["baseline"]) == 0
    assert [entry["reason"] for entry in entries(project)] == ["A new rule came."]


def test_one_that_has_become_empty_does_not_begin_anew(project: Path) -> None:
    source(project, "CLEAN = 1\n")
    assert cli.run_command(["baseline"]) == 0
    assert entries(project) == []
    source(project, ONE)
    assert cli.run_command(["baseline"]) == 1
    assert entries(project) == []


def test_what_stands_around_a_known_finding_is_noted_anew(project: Path) -> None:
    text = TWO
    for old, new in (
        ("return 1", "return 11"),
        ("def f", "def first"),
        ("return 11", "return 12"),
        ("def first", "def f"),
    ):
        text = text.replace(old, new)
        assert source(project, text)["verdict"] == "pass"
        assert cli.run_command(["baseline"]) == 0
        assert len(entries(project)) == 2


def test_a_stage_that_could_not_tell_everything_takes_nothing_out(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = source(project, "DOUBT = 1\n")
    assert not any("could be smaller" in reason for reason in stage(report)["reasons"])
    assert cli.run_command(["baseline"]) == 3
    assert cli.run_command(["baseline", "--check"]) == 3
    assert "does not tell everything about scan" in capsys.readouterr().out
    assert len(entries(project)) == 2


def test_findings_below_the_gate_are_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def below(context: Context) -> Examination:
        seen = look(context)
        return Examination(
            evidence=seen.evidence, gates=seen.gates, findings=tuple(_uncounted(finding) for finding in seen.findings)
        )

    project = make_project(tmp_path / "project", 'required = ["scan"]', {"service/app.py": ONE})
    monkeypatch.chdir(project)
    report = carry_out(project, looking(examine=below))
    assert report["verdict"] == "pass"
    assert cli.run_command(["baseline"]) == 0
    assert entries(project) == []


def _uncounted(finding: Any) -> Any:
    return type(finding)(
        rule=finding.rule, tool=finding.tool, severity=finding.severity, message=finding.message, path=finding.path,
        line=finding.line, counted=False,
    )  # fmt: skip


def test_a_waived_finding_is_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "project", 'required = ["scan"]', {"service/app.py": ONE})
    monkeypatch.chdir(project)
    carry_out(project, looking())
    result = project / "reports/stages/scan/result.json"
    text = result.read_text(encoding="utf-8")
    result.write_text(text.replace('"state": "new"', '"state": "waived"'), encoding="utf-8")
    assert cli.run_command(["baseline"]) == 0
    assert entries(project) == []


def test_without_a_report_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_project(tmp_path / "project"))
    assert cli.run_command(["baseline"]) == 3
    assert cli.run_command(["baseline", "--check"]) == 3


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"schema": "other", "findings": []}', '{"schema": "pipeline.finding-baseline/v1"}',
     '{"schema": "pipeline.finding-baseline/v1", "findings": [{"stage": "lint"}]}'],
)  # fmt: skip
def test_a_damaged_one_is_refused_before_anything_runs(project: Path, text: str) -> None:
    (project / FILE).write_text(text, encoding="utf-8")
    scan = looking()
    with pytest.raises(ConfigurationError, match="can't be used"):
        carry_out(project, scan)
    assert not scan.calls


@pytest.mark.parametrize(("key", "value"), [("stage", "test"), ("count", 0), ("count", "1"), ("tool", 3)])
def test_an_entry_that_is_none_is_refused(project: Path, key: str, value: object) -> None:
    document = json.loads((project / FILE).read_text(encoding="utf-8"))
    document["findings"][0][key] = value
    with pytest.raises(ConfigurationError, match="can't be used"):
        finding_baseline.parse(json.dumps(document))


HASHES = st.sampled_from(["a" * 32, "b" * 32])
KNOWN = st.builds(
    Known,
    print=st.builds(
        Print, tool=st.just("ruff"), rule=st.sampled_from(["E1", "F2"]), path=st.sampled_from(["a.py", "größe.py"]),
        line_hash=HASHES, before_hash=HASHES, after_hash=HASHES, scope=st.sampled_from(["", "A.f"]),
    ),
    count=st.integers(1, 3),
    reason=st.sampled_from(["", "A new rule came."]),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(finding_baseline.STAGES), st.lists(KNOWN, min_size=1, max_size=4).map(tuple)))
def test_what_is_written_is_read_back(baseline: dict[str, tuple[Known, ...]]) -> None:
    text = finding_baseline.render(baseline)
    read = finding_baseline.parse(text)
    assert {name: sorted(map(repr, items)) for name, items in read.items()} == {
        name: sorted(map(repr, items)) for name, items in baseline.items()
    }
    assert finding_baseline.render(read) == finding_baseline.render(
        finding_baseline.parse(finding_baseline.render(read))
    )
