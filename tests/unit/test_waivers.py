"""Waivers in a run: read from its snapshot before anything runs, and the same for every stage and every report."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import waivers
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Finding, Severity, weighed
from pipeline.core.finding_tools import FINDING_TOOLS
from pipeline.core.gate import findings_gate
from pipeline.core.stage import Examination, Tool
from pipeline.core.waiver import Waiver
from pipeline.core.waiver_file import render_entry
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.run import Run
from pipeline.run_command import each
from pipeline.settings import STAGE_NAMES
from pipeline.stages.context import Context
from pipeline.testing import FixedClock
from pipeline.workplace import Workplace
from tests.projects import SampleStage, git, make_project
from tests.samples import RECORD
from tests.support import PASSWORD

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
ENTRY = Waiver(
    id="B101", tool="bandit", scope="service/*.py", reason="Asserts are how this code speaks.", owner="Platform",
    created=NOW.date(), expires=NOW.date() + timedelta(days=60),
)  # fmt: skip


def scanned(*rules: str, complete: bool = True) -> Callable[[Context], Examination]:
    """What a scan with these findings saw."""

    def examine(context: Context) -> Examination:
        del context
        found = [
            Finding(rule=rule, tool="bandit", severity=Severity.HIGH, message=rule, path="service/app.py")
            for rule in rules
        ]
        findings = weighed(found, fail_on=Severity.MEDIUM)
        return Examination(
            evidence=Evidence.of("files", expected=("a", "b"), checked=("a", "b") if complete else ("a",)),
            gates=(findings_gate(findings, what="findings", fail_on=Severity.MEDIUM),),
            findings=findings,
            tools=(Tool(name="bandit", version="1"),),
        )

    return examine


@pytest.fixture(name="clock")
def clock_fixture(monkeypatch: pytest.MonkeyPatch) -> FixedClock:
    """The time of every run, which a test can let pass."""
    clock = FixedClock(NOW)
    monkeypatch.setattr("pipeline.workplace.SystemClock", lambda: clock)
    return clock


def project_with(folder: Path, *entries: Waiver, **changes: Any) -> Path:
    """A project with these waivers; ``table`` are its settings, ``text`` is the file as it is."""
    table = changes.get("table", 'required = ["scan"]')
    text = changes.get("text", "\n".join(map(render_entry, entries)))
    return make_project(folder / "project", table, {"waivers.toml": text})


def run(
    project: Path, *stages: SampleStage, run_id: str = "run-1", environ: dict[str, str] | None = None
) -> dict[str, Any]:
    """Run the stages; returns the merged report."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    place = Workplace(project, {**inherited, **(environ or {})}, run_id, extra_stages=_extra(stages))
    made = Run(place, stages, run_id)
    try:
        planned = made.begin(made.names)
        each(made, planned, frozenset(), ())
    finally:
        made.close()
    document: dict[str, Any] = json.loads((project / "reports/pipeline.json").read_text(encoding="utf-8"))
    return document


def _extra(stages: tuple[SampleStage, ...]) -> tuple[str, ...]:
    return tuple(stage.name for stage in stages if stage.name not in STAGE_NAMES)


@pytest.mark.usefixtures("clock")
def test_a_waived_finding_is_no_failure_and_is_in_the_report(tmp_path: Path) -> None:
    document = run(project_with(tmp_path, ENTRY), SampleStage("scan", scanned("B101")))
    assert document["verdict"] == "pass"
    (finding,) = document["findings"]
    assert finding["state"] == "waived"
    assert document["stages"][0]["findings"] == {"new": 0, "existing": 0, "waived": 1}
    (waiver,) = document["waivers"]
    assert waiver == {
        "id": "B101", "tool": "bandit", "scope": "service/*.py", "reason": ENTRY.reason, "owner": "Platform",
        "created": "2026-06-15", "expires": "2026-08-14", "until_fixed": False, "justification": "", "line": 1,
        "last_line": 8, "stages": ["scan"], "state": "used", "days_left": 60, "hides": [finding["id"]],
        "note": "Platform has waived B101 of bandit in service/*.py until 2026-08-14, which hides a finding.",
    }  # fmt: skip


@pytest.mark.usefixtures("clock")
def test_what_it_does_not_name_fails_as_ever(tmp_path: Path) -> None:
    document = run(project_with(tmp_path, ENTRY), SampleStage("scan", scanned("B101", "B105")))
    assert document["verdict"] == "fail"
    assert document["stages"][0]["findings"] == {"new": 1, "existing": 0, "waived": 1}


@pytest.mark.usefixtures("clock")
def test_a_waiver_turns_no_could_not_tell_into_green(tmp_path: Path) -> None:
    document = run(project_with(tmp_path, ENTRY), SampleStage("scan", scanned("B101", complete=False)))
    assert document["verdict"] == "inconclusive"
    assert "unused waivers" not in json.dumps(document["stages"])


@pytest.mark.usefixtures("clock")
def test_an_unused_waiver_fails_its_stage_with_the_lines_to_remove(tmp_path: Path) -> None:
    document = run(project_with(tmp_path, ENTRY), SampleStage("scan", scanned()))
    assert document["verdict"] == "fail"
    assert "remove lines 1-8 of waivers.toml" in document["stages"][0]["reasons"][0]
    assert document["waivers"][0]["state"] == "unused"


def test_from_the_day_after_its_last_a_finding_counts_again_also_where_a_pass_could_be_reused(
    tmp_path: Path, clock: FixedClock
) -> None:
    project = project_with(tmp_path, replace(ENTRY, expires=NOW.date()))
    scan = SampleStage("scan", scanned("B101"))
    assert run(project, scan)["verdict"] == "pass"
    clock.sleep(11 * 3600)
    assert run(project, scan, run_id="run-2")["verdict"] == "pass"
    assert len(scan.calls) == 1, "the earlier pass of the same day is reused"
    clock.sleep(3600)
    document = run(project, scan, run_id="run-3")
    assert len(scan.calls) == 2
    assert document["verdict"] == "fail"
    assert document["waivers"][0]["state"] == "expired"


def test_all_stages_of_a_run_are_judged_by_the_day_on_which_it_began(tmp_path: Path, clock: FixedClock) -> None:
    def over_midnight(context: Context) -> Examination:
        clock.sleep(13 * 3600)
        return scanned("B101")(context)

    project = project_with(tmp_path, replace(ENTRY, expires=NOW.date()))
    assert run(project, SampleStage("scan", over_midnight))["verdict"] == "pass"


@pytest.mark.usefixtures("clock")
def test_it_is_the_snapshot_s_file_that_counts(tmp_path: Path) -> None:
    project = project_with(tmp_path, text="")
    (project / "waivers.toml").write_text(render_entry(ENTRY), encoding="utf-8")
    assert run(project, SampleStage("scan", scanned("B101")))["verdict"] == "pass"
    git(project, "rm", "-q", "-f", "waivers.toml")
    assert run(project, SampleStage("scan", scanned("B101")), run_id="run-2")["verdict"] == "fail"


def refused(project: Path, *stages: SampleStage) -> str:
    """What a run says that may not begin."""
    with pytest.raises(ConfigurationError) as caught:
        run(project, *stages)
    assert not any(stage.calls for stage in stages)
    return str(caught.value)


@pytest.mark.usefixtures("clock")
def test_a_bad_entry_is_refused_with_its_line_before_anything_runs(tmp_path: Path) -> None:
    project = project_with(tmp_path, text=render_entry(ENTRY).replace('"Platform"', "3"))
    assert "waivers.toml:6: owner must be text" in refused(project, SampleStage("scan"))


@pytest.mark.usefixtures("clock")
def test_the_project_can_allow_less_than_180_days(tmp_path: Path) -> None:
    project = project_with(tmp_path, ENTRY, table="waiver_max_days = 30")
    assert "waivers.toml:8: expires lies 60 days after created" in refused(project, SampleStage("scan"))


def test_nobody_can_allow_more_than_180_days(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="waiver_max_days must be a number from 1 to 180"):
        Workplace(make_project(tmp_path / "p", "waiver_max_days = 181"), {}, "run-1")


@pytest.mark.usefixtures("clock")
def test_a_tool_that_nobody_has_is_refused_unless_the_project_has_stages_of_its_own(tmp_path: Path) -> None:
    project = project_with(tmp_path, replace(ENTRY, tool="spdx"))
    assert "waivers.toml:3: tool must be one that reports findings" in refused(project, SampleStage("scan"))
    document = run(project, SampleStage("scan", scanned()), SampleStage("licences"))
    assert document["waivers"][0]["state"] == "not-judged"


@pytest.mark.usefixtures("clock")
def test_a_link_is_refused(tmp_path: Path) -> None:
    project = project_with(tmp_path, text="")
    (project / "waivers.toml").unlink()
    (tmp_path / "elsewhere.toml").write_text(render_entry(ENTRY), encoding="utf-8")
    (project / "waivers.toml").symlink_to(tmp_path / "elsewhere.toml")
    assert "must be an ordinary file, and is a link" in refused(project, SampleStage("scan"))


@pytest.mark.usefixtures("clock")
def test_an_ignored_file_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    (project / ".gitignore").write_text("/.pipeline/\n/reports/\nwaivers.toml\n", encoding="utf-8")
    (project / "waivers.toml").write_text(render_entry(ENTRY), encoding="utf-8")
    assert "git ignores waivers.toml" in refused(project, SampleStage("scan"))


@pytest.mark.usefixtures("clock")
def test_other_bytes_than_utf_8_are_refused_with_their_line(tmp_path: Path) -> None:
    project = project_with(tmp_path, text="")
    (project / "waivers.toml").write_bytes(b"# ours\n# J\xfcrgen\n")
    assert "waivers.toml:2: this is not UTF-8" in refused(project, SampleStage("scan"))


def test_a_file_that_is_edited_while_the_run_begins_is_refused(tmp_path: Path) -> None:
    project = project_with(tmp_path, text="")
    place = Workplace(project, {"PATH": os.environ["PATH"]}, "run-1")
    snapshot = place.checkout.snapshot()
    (project / "waivers.toml").write_text(render_entry(ENTRY), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="changed while the run began"):
        waivers.read_waivers(project, snapshot, place.settings, NOW.date())


@pytest.mark.usefixtures("clock")
def test_waivers_are_part_of_the_policy(tmp_path: Path) -> None:
    policies = []
    for number, entries in enumerate([(), (ENTRY,), (replace(ENTRY, owner="Ann"),)]):
        document = run(project_with(tmp_path / str(number), *entries), SampleStage("scan", scanned("B101")))
        policies.append(document["policy"])
    assert len({policy["digest"] for policy in policies}) == 3
    assert [len(policy["effective"]["waivers"]) for policy in policies] == [0, 1, 1]
    assert policies[1]["effective"]["waivers"][0] == {**ENTRY.demand(), "expired": False}


@pytest.mark.usefixtures("clock")
def test_a_secret_in_a_reason_is_masked_everywhere(tmp_path: Path) -> None:
    entry = replace(ENTRY, reason=f"The word {PASSWORD} is only an example.")
    project = project_with(tmp_path, entry)
    document = run(project, SampleStage("scan", scanned("B101")), environ={"A_PASSWORD": PASSWORD})
    assert document["verdict"] == "pass"
    for path in (project / "reports").rglob("*"):
        assert path.is_dir() or PASSWORD not in path.read_text(encoding="utf-8"), path


def test_a_record_with_waivers_comes_back_from_disk(tmp_path: Path) -> None:
    place = Workplace(make_project(tmp_path / "project"), {}, "run-1")
    record = replace(RECORD, waivers=(ENTRY,))
    place.store.write_record(record)
    assert place.store.read_record() == record


@pytest.mark.usefixtures("clock")
def test_a_report_that_has_nothing_to_say_any_more_goes_away(tmp_path: Path) -> None:
    project = project_with(tmp_path, ENTRY)
    (project / "reports").mkdir()
    (project / "reports/openvex.json").write_text("{}", encoding="utf-8")
    run(project, SampleStage("scan", scanned("B101")))
    assert not (project / "reports/openvex.json").exists()


def test_a_report_that_can_t_be_removed_is_trouble(tmp_path: Path) -> None:
    place = Workplace(make_project(tmp_path / "project"), {}, "run-1")
    (place.store.reports / "openvex.json").mkdir(parents=True)
    with pytest.raises(StorageTrouble, match="could not be removed"):
        place.store.put({}, ("openvex.json",))


def test_every_tool_that_makes_findings_is_one_that_can_be_waived() -> None:
    """``FINDING_TOOLS`` against every place in the package where a finding is made."""
    package = Path(waivers.__file__).parent
    made: set[str] = set()
    for path in [p for p in package.rglob("*.py") if "rederivation" not in p.parts]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                tool = next(word.value for word in node.keywords if word.arg == "tool")
                made.add(str(tool.value if isinstance(tool, ast.Constant) else constants[ast.unparse(tool)]))
    assert made == {tool for tools in FINDING_TOOLS.values() for tool in tools}
