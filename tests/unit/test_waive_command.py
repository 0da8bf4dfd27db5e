"""``pipeline waive``: what it would hide is shown first, and what is written is correct and wanted."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.core.finding import Finding, Severity
from pipeline.reporters import json_report
from pipeline.settings_loading import load
from pipeline.testing import FixedClock
from pipeline.waivers import parsed
from pipeline.workplace import Workplace
from tests.projects import make_project
from tests.samples import passed, report
from tests.waivers import VULNERABILITY

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
FOUND = Finding(rule="B101", tool="bandit", severity=Severity.HIGH, message="An assert.", path="service/app.py", line=3)
REASON = "Asserts are how this code speaks."


class Terminal(io.StringIO):
    """Somebody at a terminal who types this."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose last report has three findings."""
    project = make_project(tmp_path / "project", "waiver_max_days = 100")
    monkeypatch.chdir(project)
    monkeypatch.setattr("pipeline.workplace.SystemClock", lambda: FixedClock(NOW))
    reported(project, FOUND, replace(FOUND, path="service/b/c.py"), VULNERABILITY)
    return project


def reported(project: Path, *findings: Finding) -> None:
    """Leave a report with these findings."""
    text = json_report.render(report(replace(passed("scan"), findings=findings)))
    (project / "reports").mkdir(exist_ok=True)
    (project / "reports/pipeline.json").write_text(text, encoding="utf-8")


def waive(*further: str, rule: str = "B101", **changes: str) -> int:
    """Call the command with the usual arguments, some changed."""
    options = {"tool": "bandit", "scope": "service/*.py", "reason": REASON, "owner": "Platform", **changes}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return cli.run_command(["waive", rule, *words, *further])


def entries(project: Path) -> list[dict[str, str | bool]]:
    """What the file then holds."""
    text = (project / "waivers.toml").read_text(encoding="utf-8")
    return [waiver.demand() for waiver in parsed(text, load(project, {}), NOW.date())]


def test_it_shows_what_it_would_hide_and_writes_a_correct_entry(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert waive("--yes") == 0
    said = capsys.readouterr().err
    assert "would hide 1 of the last findings" in said
    assert "high: service/app.py:3: An assert. [bandit B101]" in said
    assert "c.py" not in said
    assert "Written: lines 3-10 of waivers.toml." in said
    assert entries(project) == [
        {
            "id": "B101", "tool": "bandit", "scope": "service/*.py", "reason": REASON, "owner": "Platform",
            "created": "2026-06-15", "expires": "2026-09-13", "until_fixed": False, "justification": "",
        }
    ]  # fmt: skip


def test_a_vulnerability_is_waived_by_its_alias_and_package(project: Path) -> None:
    further = ("--until-fixed", "--justification", "vulnerable_code_not_present", "--days", "7", "--yes")
    assert waive(*further, rule="CVE-2024-1", tool="pip-audit", scope="flask-thing") == 0
    (entry,) = entries(project)
    assert (entry["until_fixed"], entry["justification"]) == (True, "vulnerable_code_not_present")
    assert entry["expires"] == "2026-06-22"


def test_an_entry_is_added_behind_what_is_there(project: Path) -> None:
    assert waive("--yes") == 0
    before = "# The platform team's alone\n" + (project / "waivers.toml").read_text(encoding="utf-8") + "# end"
    (project / "waivers.toml").write_text(before, encoding="utf-8")
    assert waive("--yes", scope="service/b/*") == 0
    assert (project / "waivers.toml").read_text(encoding="utf-8").startswith(before)
    assert [entry["scope"] for entry in entries(project)] == ["service/*.py", "service/b/*"]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("Yes\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_on_a_terminal_it_asks_first(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert waive() == code
    assert (project / "waivers.toml").exists() == (code == 0)
    said = capsys.readouterr().err
    assert said.index("would hide 1") < said.index("[y/N]")
    assert ("Nothing was written." in said) == (code == 1)


def test_where_nobody_can_answer_nothing_is_written_without_yes(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert waive() == 2
    assert "nobody to ask. Say --yes" in capsys.readouterr().err
    assert not (project / "waivers.toml").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tool": "bandi"}, "tool must be one that reports findings"),
        ({"scope": "/etc"}, "scope must be a package or a path glob"),
        ({"reason": "because"}, "reason must be a real sentence"),
        ({"owner": ""}, "owner must be text"),
        ({"days": "101"}, "waiver_max_days is 100"),
        ({"days": "-1"}, "before created"),
        ({"days": "99999999"}, "waiver_max_days is 100"),
        ({"justification": "hope"}, "justification must be one of"),
        ({"scope": "service/b/*.txt"}, "would hide nothing in the last report, and a waiver that hides nothing fails"),
    ],
)
def test_what_would_be_refused_later_is_refused_now(
    project: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], said: str
) -> None:
    assert waive("--yes", **changes) == 2
    assert said in capsys.readouterr().err
    assert not (project / "waivers.toml").exists()


@pytest.mark.parametrize(
    ("rule", "tool", "said"),
    [
        (
            "B101",
            "bandit",
            "What the report has is B101 of bandit in service/app.py, B101 of bandit in service/b/c.py.",
        ),
        ("B999", "bandit", "What the report has is B101 of bandit in service/app.py"),
        ("E501", "ruff", "The report has no such finding, nor any of this tool."),
        ("GHSA-aaaa-bbbb-cccc", "pip-audit", "What the report has is PYSEC-2024-1 of pip-audit in Flask_Thing."),
    ],
)
@pytest.mark.usefixtures("project")
def test_what_hides_nothing_is_told_what_there_is(
    capsys: pytest.CaptureFixture[str], rule: str, tool: str, said: str
) -> None:
    assert waive("--yes", rule=rule, tool=tool, scope="elsewhere") == 2
    assert said in capsys.readouterr().err


def test_until_fixed_is_no_use_where_there_is_a_fix(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported(project, replace(VULNERABILITY, fix="1.1"))
    assert waive("--yes", "--until-fixed", rule="CVE-2024-1", tool="pip-audit", scope="flask-thing") == 2
    assert "There is a fix already (1.1)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", [None, "", "{}", "[]", '{"findings": 3, "snapshot": ""}', '{"findings": [{}], "snapshot": ""}']
)
def test_without_a_report_nothing_can_be_shown_so_nothing_is_written(
    project: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    (project / "reports/pipeline.json").unlink()
    if text is not None:
        (project / "reports/pipeline.json").write_text(text, encoding="utf-8")
    assert waive("--yes") == 2
    assert "Run the stage that reports it first" in capsys.readouterr().err


def test_a_report_about_other_content_is_called_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert waive("--yes") == 0
    assert "The last report is about other content" in capsys.readouterr().err
    path = project / "reports/pipeline.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    (project / "waivers.toml").unlink()
    document["snapshot"] = Workplace(project, {}, "x").checkout.snapshot().digest
    path.write_text(json.dumps(document), encoding="utf-8")
    assert waive("--yes") == 0
    assert "other content" not in capsys.readouterr().err


def test_a_file_that_is_not_correct_is_not_added_to(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "waivers.toml").write_text("\n[[waiver]]\nid = 3\n", encoding="utf-8")
    assert waive("--yes") == 2
    assert "waivers.toml:3: id must be text" in capsys.readouterr().err
    assert (project / "waivers.toml").read_text(encoding="utf-8") == "\n[[waiver]]\nid = 3\n"


def test_the_same_waiver_is_not_written_twice(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert waive("--yes") == 0
    before = (project / "waivers.toml").read_bytes()
    assert waive("--yes") == 2
    assert "waivers.toml:12: this is the waiver of line 3 once more" in capsys.readouterr().err
    assert (project / "waivers.toml").read_bytes() == before


def test_a_link_is_not_written_through(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other").write_text("", encoding="utf-8")
    (project / "waivers.toml").symlink_to(tmp_path / "other")
    assert waive("--yes") == 2
    assert "is a link" in capsys.readouterr().err
    assert not (tmp_path / "other").read_text(encoding="utf-8")


def test_many_findings_are_counted_and_the_first_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported(project, *[replace(FOUND, line=number) for number in range(1, 9)])
    assert waive("--yes") == 0
    said = capsys.readouterr().err
    assert "would hide 8 of" in said and "and 3 more" in said
