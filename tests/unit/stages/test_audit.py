"""What an audit's observations amount to, and that no trouble of a tool hides what is certain."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.advisories import AdvisoryIndex, Vulnerability
from pipeline.core.evidence import Control
from pipeline.core.finding import Severity
from pipeline.core.gate import check_gate
from pipeline.core.lock import Pin, parse_lock
from pipeline.core.ports import Outcome, Request
from pipeline.core.stage import Examination, StageResult, Status
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, StorageTrouble, ToolTrouble
from pipeline.execution.advisories import read_export
from pipeline.settings import Audit, Settings
from pipeline.stages.audit import AuditStage
from pipeline.stages.audit_assessment import Observed, assess
from pipeline.tools.pip_audit import Output, Reported, unit
from tests.advisory_exports import jinja_records, write_export
from tests.audit_project import NOW, audit_context, lock_of, scripted, writes

CURRENT = check_gate(True, what="lock", allowed="all", found="all")
CAUGHT = Control(tool="pip-audit", planted="package", caught=True)
PINS = parse_lock(lock_of("six==1.17.0", "jinja2==2.10"), "requirements.txt")
BILL = {"bomFormat": "CycloneDX", "specVersion": "1.6"}


@pytest.fixture(name="index")
def fixture_index(tmp_path: Path) -> AdvisoryIndex:
    """Three days old at NOW; it knows one vulnerability of jinja2 2.10."""
    return read_export(write_export(tmp_path / "index.zip", *jinja_records()))


def report(*aliases: str, name: str = "PYSEC-2021-66") -> Reported:
    """A vulnerability as pip-audit tells it."""
    told = Vulnerability(id=name, aliases=aliases, fixed=("2.11.3", "1.0", "odd"), text="Slow\npattern.")
    return Reported(package="jinja2", version="2.10", vulnerability=told)


def observed(*found: Reported, pins: tuple[Pin, ...] = PINS, **more: Any) -> Observed:
    """An honest run over the pins with these findings."""
    audited = frozenset(unit(pin.name, pin.version) for pin in pins)
    return Observed(**{"output": Output(audited=audited, found=found), "controls": (CAUGHT,), **more})


def judged(seen: Observed, now: datetime = NOW, pins: tuple[Pin, ...] = PINS, **settings: Any) -> Examination:
    """The assessment with these settings of the audit."""
    return assess(Audit(lock="requirements.txt", **settings), pins, seen, CURRENT, now)


def test_an_audit_that_looked_up_every_pin_and_found_nothing_passes() -> None:
    examined = judged(observed())
    assert conclude(examined)[0] is Status.PASS
    assert examined.metrics["advisories"] == "online service"
    assert "advisories_sha256" not in examined.metrics


def test_a_vulnerability_fails_with_its_place_names_and_fixes(index: AdvisoryIndex) -> None:
    both = observed(report("CVE-2020-28493"), index=index, answered=frozenset({"six==1.17.0", "jinja2==2.10"}))
    examined = judged(both)
    (found,) = examined.findings
    assert conclude(examined)[0] is Status.FAIL
    assert (found.rule, found.aliases) == ("PYSEC-2021-66", ("CVE-2020-28493", "GHSA-g3rq-g295-4j3m"))
    assert (found.path, found.line, found.package, found.version) == ("requirements.txt", 2, "jinja2", "2.10")
    assert (found.severity, found.fix, found.cwe) == (Severity.HIGH, "2.11.3", (400,))
    assert found.message == "jinja2 2.10 is known to be vulnerable: Slow pattern."


def test_online_a_vulnerability_has_no_rating_and_counts_at_every_gate() -> None:
    examined = judged(observed(report()), fail_on=Severity.CRITICAL)
    assert examined.findings[0].severity is Severity.UNKNOWN
    assert conclude(examined)[0] is Status.FAIL


def test_a_rated_vulnerability_below_the_gate_is_shown_and_does_not_fail(index: AdvisoryIndex) -> None:
    seen = observed(report(), index=index, answered=frozenset({"six==1.17.0", "jinja2==2.10"}))
    examined = judged(seen, fail_on=Severity.CRITICAL)
    assert conclude(examined)[0] is Status.PASS
    assert [f.counted for f in examined.findings] == [False]


def test_one_vulnerability_reported_under_two_names_is_one_finding() -> None:
    examined = judged(observed(report("CVE-1", name="GHSA-1"), report("CVE-1", name="PYSEC-1"), report(name="PYSEC-2")))
    assert sorted((f.rule, f.aliases) for f in examined.findings) == [("PYSEC-1", ("CVE-1", "GHSA-1")), ("PYSEC-2", ())]


def test_a_long_text_is_cut_and_a_missing_one_replaced() -> None:
    wordy = Reported(package="a", version="1", vulnerability=Vulnerability(id="X", text="word " * 200))
    silent = Reported(package="b", version="1", vulnerability=Vulnerability(id="Y"))
    pins = parse_lock(lock_of("a==1", "b==1"), "x")
    first, second = sorted(judged(observed(wordy, silent, pins=pins), pins=pins).findings, key=lambda f: f.package)
    assert first.message.endswith("…")
    assert len(first.message) < 400
    assert second.message.endswith(": Y")


def test_a_package_that_was_skipped_makes_it_inconclusive_and_is_listed() -> None:
    output = Output(audited=frozenset({"six==1.17.0"}), skipped=(("jinja2", "not found on PyPI"),))
    examined = judged(observed(output=output))
    status, reasons = conclude(examined)
    assert status is Status.INCONCLUSIVE
    assert "1 of 2 locked packages were not checked: jinja2==2.10." in reasons
    assert [(n.what, n.reason) for n in examined.not_checked] == [("jinja2", "not found on PyPI")]
    assert any("pip-audit skipped jinja2: not found on PyPI" in r and "PIPELINE_AUDIT_ADVISORIES" in r for r in reasons)


def test_a_package_that_the_snapshot_was_never_asked_for_was_not_checked(index: AdvisoryIndex) -> None:
    examined = judged(observed(report(), index=index, answered=frozenset({"jinja2==2.10"})))
    assert examined.evidence.missing == ("six==1.17.0",)


def test_a_vulnerability_that_pip_audit_loses_is_noticed(index: AdvisoryIndex) -> None:
    status, reasons = conclude(judged(observed(index=index, answered=frozenset({"six==1.17.0", "jinja2==2.10"}))))
    assert status is Status.INCONCLUSIVE
    assert "pip-audit did not report PYSEC-2021-66 of jinja2 2.10, which the advisory snapshot holds." in reasons


def test_a_package_that_our_own_reading_misses_is_noticed() -> None:
    output = Output(audited=frozenset({"six==1.17.0", "jinja2==2.10", "hidden==1"}))
    status, reasons = conclude(judged(observed(output=output)))
    assert status is Status.INCONCLUSIVE
    assert any("reads hidden==1 in requirements.txt" in reason for reason in reasons)


def test_a_control_that_was_not_caught_makes_it_inconclusive() -> None:
    missed = Control(tool="pip-audit", planted="package", caught=False)
    assert conclude(judged(observed(controls=(missed,))))[0] is Status.INCONCLUSIVE


def _snapshot_only(index: AdvisoryIndex) -> tuple[Observed, tuple[Pin, ...]]:
    pins = parse_lock(lock_of("six==1.17.0"), "x")
    return observed(pins=pins, index=index, answered=frozenset({"six==1.17.0"})), pins


def test_a_fresh_snapshot_is_believed_and_named(index: AdvisoryIndex) -> None:
    seen, pins = _snapshot_only(index)
    examined = judged(seen, pins=pins)
    assert conclude(examined) == (Status.PASS, examined.notes)
    assert examined.metrics["advisories_sha256"] == index.sha256
    assert examined.metrics["advisories_date"] == "2026-01-01T00:00:00+00:00"
    assert (examined.metrics["advisories_records"], examined.metrics["advisories_age_days"]) == (3, 3.0)
    assert len(examined.notes) == 1


@pytest.mark.parametrize(("age", "passes"), [(7.0, True), (7.01, False), (400.0, False), (-0.9, True), (-1.1, False)])
def test_a_snapshot_is_believed_up_to_its_age_and_not_from_the_future(
    index: AdvisoryIndex, age: float, passes: bool
) -> None:
    seen, pins = _snapshot_only(index)
    status, reasons = conclude(judged(seen, index.newest + timedelta(days=age), pins))
    assert (status is Status.PASS) is passes
    assert passes or "advisory snapshot" in reasons[0]


def test_a_raised_age_is_believed_and_reported(index: AdvisoryIndex) -> None:
    seen, pins = _snapshot_only(index)
    status, reasons = conclude(judged(seen, index.newest + timedelta(days=300), pins, max_age_days=400))
    assert status is Status.PASS
    assert "audit.max_age_days is raised to 400 (default 7), and the snapshot is 300 days old." in reasons


# The stage, with tools that misbehave.

STAGE = AuditStage()
FILES: dict[str, str | bytes] = {"requirements.txt": lock_of("six==1.17.0"), "requirements.in": "six\n"}


def listing(*units: str, vulnerable: str = "") -> str:
    """pip-audit's JSON for these packages, one of them vulnerable."""
    told = {"id": "PYSEC-1", "aliases": [], "fix_versions": [], "description": "Bad."}
    parts = [u.split("==") for u in units]
    found = [{"name": n, "version": v, "vulns": [told] if f"{n}=={v}" == vulnerable else []} for n, v in parts]
    return json.dumps({"dependencies": found, "fixes": []})


def bill(*units: str) -> str:
    """A bill of materials of these packages."""
    parts = [u.split("==") for u in units]
    return json.dumps({**BILL, "components": [{"name": n, "version": v} for n, v in parts]})


def control() -> Callable[[Request], Outcome]:
    """The step that catches what is planted."""
    return writes(listing("jinja2==2.10", vulnerable="jinja2==2.10"), 1)


def test_an_online_run_asks_for_the_lock_the_control_and_the_bill(tmp_path: Path) -> None:
    runner = scripted(writes(listing("six==1.17.0")), control(), writes(bill("six==1.17.0")))
    examined = STAGE.run(audit_context(tmp_path, FILES, processes=runner))
    assert conclude(examined) == (Status.PASS, ())
    assert [tool.name for tool in examined.tools] == ["pip-audit", "cyclonedx-bom"]
    assert [gate.found for gate in examined.gates] == ["1 pinned as asked", "0"]
    kept = sorted(path.name for path in (tmp_path / "raw").iterdir())
    assert kept == [
        "pip-audit-control.json",
        "pip-audit-control.log",
        "pip-audit.json",
        "pip-audit.log",
        "python.cdx.json",
    ]
    assert f"--requirement={tmp_path / 'tree/requirements.txt'}" in runner.requests[0].argv
    assert [(part.purl, part.place) for part in examined.components] == [("pkg:pypi/six@1.17.0", "requirements.txt")]


def test_pins_whose_markers_are_false_here_are_looked_up_all_the_same(tmp_path: Path) -> None:
    lock = lock_of(
        "six==1.17.0", "numpy==1.26.4 ; python_version < '3.0'", "numpy==2.1.0 ; python_version < '3.1'",
        "tomli==2.0 ; python_version < '3.0'",
    )  # fmt: skip
    runner = scripted(
        writes(listing("six==1.17.0")),
        writes(listing("numpy==1.26.4", "tomli==2.0", vulnerable="numpy==1.26.4"), 1),
        writes(listing("numpy==2.1.0")),
        control(),
        writes(bill("six==1.17.0", "numpy==1.26.4", "numpy==2.1.0", "tomli==2.0")),
    )
    examined = STAGE.run(audit_context(tmp_path, {"requirements.txt": lock}, processes=runner))
    assert examined.evidence.missing == ()
    assert [(f.package, f.line) for f in examined.findings] == [("numpy", 2)]
    assert "There is no requirements.in" in examined.not_checked[0].reason


def test_trouble_with_a_later_run_does_not_hide_what_the_first_found(tmp_path: Path) -> None:
    lock = lock_of("six==1.17.0", "tomli==2.0 ; python_version < '3.0'")
    runner = scripted(
        writes(listing("six==1.17.0", vulnerable="six==1.17.0"), 1),
        writes(None, 1, "Traceback"),
        writes(None, 1, "Traceback"),
        writes(None, 1, "Traceback"),
    )
    status, reasons = conclude(STAGE.run(audit_context(tmp_path, {"requirements.txt": lock}, processes=runner)))
    assert status is Status.FAIL
    text = " ".join(reasons)
    assert "tomli==2.0" in text
    assert "did not catch the planted package jinja2 2.10" in text
    assert "cyclonedx-py ended with exit code 1" in text


def test_a_bill_that_lacks_a_package_is_a_doubt(tmp_path: Path) -> None:
    runner = scripted(writes(listing("six==1.17.0")), control(), writes(bill()))
    status, reasons = conclude(STAGE.run(audit_context(tmp_path, FILES, processes=runner)))
    assert status is Status.INCONCLUSIVE
    assert "The bill of materials lacks 1 locked packages: six==1.17.0." in reasons


def test_a_crash_of_pip_audit_is_trouble_with_advice(tmp_path: Path) -> None:
    runner = scripted(writes(None, 1, "ConnectionError"))
    with pytest.raises(ToolTrouble, match="PIPELINE_AUDIT_ADVISORIES"):
        STAGE.run(audit_context(tmp_path, FILES, processes=runner))


def test_a_lock_that_is_not_current_fails_whatever_pip_audit_does(tmp_path: Path) -> None:
    files = {**FILES, "requirements.in": "six>=2\n"}
    runner = scripted(writes(None, 1, "ConnectionError"))
    examined = STAGE.run(audit_context(tmp_path, files, processes=runner))
    status, reasons = conclude(examined)
    assert status is Status.FAIL
    assert [part.name for part in examined.components] == ["six"]
    assert "pins six 1.17.0, and requirements.in asks for >=2." in reasons[0]
    assert any("left no result" in reason for reason in reasons)


def test_requirements_are_followed_into_the_files_that_they_take_in(tmp_path: Path) -> None:
    files = {
        "app/requirements.txt": lock_of("six==1.17.0"),
        "app/requirements.in": "-r ../base/base.in\n",
        "base/base.in": "six\nflask\n",
    }
    runner = scripted(writes(None, 1))
    places: dict[str, Any] = {"lock": "app/requirements.txt", "requirements": "app/requirements.in"}
    examined = STAGE.run(audit_context(tmp_path, files, processes=runner, **places))
    assert "does not hold flask" in examined.gates[0].found


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"requirements.in": "-r none.in"}, "takes in none.in"),
        ({"requirements.in": "-r requirements.in"}, "takes in itself"),
        ({"requirements.in": "flask >> 3"}, "not a requirement"),
        ({"requirements.txt": "six==1.17.0\n"}, "no SHA-256 hash"),
        ({"requirements.txt": "six\n"}, "not pinned"),
        ({"requirements.txt": b"\xff\xfe"}, "not UTF-8"),
    ],
)
def test_what_the_user_must_mend_is_a_configuration_error(
    tmp_path: Path, files: dict[str, str | bytes], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        STAGE.run(audit_context(tmp_path, {**FILES, **files}, processes=scripted()))


def test_a_lock_without_packages_has_nothing_to_show(tmp_path: Path) -> None:
    files = {"requirements.txt": "# nothing\n"}
    status, reasons = conclude(STAGE.run(audit_context(tmp_path, files, processes=scripted())))
    assert status is Status.INCONCLUSIVE
    assert "no locked packages to check" in reasons[0]


def test_a_snapshot_that_cannot_be_believed_is_no_audit(tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(b"no zip")
    with pytest.raises(StorageTrouble, match="refused"):
        STAGE.run(audit_context(tmp_path, FILES, processes=scripted(), advisories=str(tmp_path / "all.zip")))


def test_a_tool_that_never_asks_the_snapshot_has_checked_nothing(tmp_path: Path) -> None:
    export = write_export(tmp_path / "all.zip", *jinja_records())
    runner = scripted(writes(listing("six==1.17.0")), writes(listing("aaa-sample==0")), writes(bill("six==1.17.0")))
    examined = STAGE.run(audit_context(tmp_path, FILES, processes=runner, advisories=str(export)))
    assert examined.evidence.checked == frozenset()
    assert [control.caught for control in examined.evidence.controls] == [False]
    assert any(argument.startswith("--osv-url=http://127.0.0.1:") for argument in runner.requests[0].argv)


def test_a_snapshot_that_knows_no_vulnerable_version_carries_no_green(tmp_path: Path) -> None:
    withdrawn = [{**record, "withdrawn": "2025-01-01T00:00:00Z"} for record in jinja_records()]
    export = write_export(tmp_path / "all.zip", *withdrawn)
    runner = scripted(writes(listing("six==1.17.0")), writes(bill("six==1.17.0")))
    examined = STAGE.run(audit_context(tmp_path, FILES, processes=runner, advisories=str(export)))
    assert not examined.evidence.controls[0].caught
    assert "names none" in examined.evidence.controls[0].planted


def refused(tmp_path: Path, files: dict[str, str | bytes], said: str, **more: Any) -> None:
    """The settings are refused before anything runs."""
    context = audit_context(tmp_path, files, processes=scripted(), **more)
    with pytest.raises(ConfigurationError, match=said):
        STAGE.check_settings(context.settings, context.snapshot)


def test_settings_that_name_what_is_not_there_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, {}, "lock file requirements.txt does not exist")
    refused(tmp_path, dict(FILES), "audit.advisories names 'none.zip'", advisories="none.zip")
    wanted = {"requirements": "wanted.in", "sources": {"audit.requirements": "pyproject.toml"}}
    refused(tmp_path, dict(FILES), "audit.requirements names 'wanted.in'", **wanted)


def test_settings_whose_files_are_there_are_accepted(tmp_path: Path) -> None:
    export = write_export(tmp_path / "all.zip", *jinja_records())
    context = audit_context(tmp_path, dict(FILES), processes=scripted(), advisories=str(export))
    STAGE.check_settings(context.settings, context.snapshot)
    STAGE.check_settings(Settings(audit=Audit(lock="requirements.txt", requirements="none.in")), context.snapshot)


def test_a_result_holds_as_long_as_its_advisories_are_the_same(tmp_path: Path, index: AdvisoryIndex) -> None:
    def result(**metrics: str) -> StageResult:
        return StageResult(name="audit", status=Status.FAIL, reasons=("x",), metrics=metrics)

    online = audit_context(tmp_path, dict(FILES), processes=scripted())
    offline = audit_context(tmp_path, dict(FILES), processes=scripted(), advisories=str(tmp_path / "index.zip"))
    assert STAGE.still_holds(online, result())
    assert not STAGE.still_holds(online, result(advisories_sha256=index.sha256))
    of_today = {"advisories_sha256": index.sha256, "advisories_date": NOW.isoformat()}
    assert STAGE.still_holds(offline, result(**of_today))
    assert not STAGE.still_holds(offline, result(advisories_sha256=index.sha256))
    assert not STAGE.still_holds(offline, result())
    for days in (-8, 2):
        dated = (NOW + timedelta(days=days)).isoformat()
        assert not STAGE.still_holds(offline, result(**{**of_today, "advisories_date": dated}))
    (tmp_path / "index.zip").unlink()
    assert not STAGE.still_holds(offline, result(**of_today))


def test_the_clock_of_these_tests_has_a_zone() -> None:
    assert NOW.tzinfo is UTC
