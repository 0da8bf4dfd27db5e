"""``pipeline audit`` answers for any hashed lock, in a project or outside of one, and by its exit code too."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.audit_command import examined_lock
from pipeline.cli import run_command
from pipeline.core.advisories import AdvisoryIndex
from pipeline.core.lock import parse_lock
from pipeline.core.stage import Status
from pipeline.core.verdict import conclude
from pipeline.execution.advisories import read_export
from pipeline.settings import Audit
from pipeline.stages.context import packaged_lock
from tests.advisory_exports import REAL_EXPORT, advisory, jinja_records, write_export
from tests.audit_project import NOW, lock_of
from tests.exploitation_samples import epss, kev
from tests.support import PASSWORD, write_files

VULNERABLE = lock_of("six==1.17.0", "Jinja2==2.10 ; python_version < '3'")
Command = Callable[..., int]


@pytest.fixture(name="audit")
def audit_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in an empty folder, with a fresh snapshot; named arguments are keys of the settings."""
    monkeypatch.chdir(
        write_files(tmp_path / "here", {"vulnerable.txt": VULNERABLE, "clean.txt": lock_of("six==1.17.0")})
    )
    fresh = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    monkeypatch.setenv("PIPELINE_AUDIT_ADVISORIES", str(write_export(tmp_path / "all.zip", *jinja_records(fresh))))

    def run(*arguments: str, **settings: str) -> int:
        for name, value in settings.items():
            monkeypatch.setenv(f"PIPELINE_AUDIT_{name.upper()}", value)
        return run_command(["audit", *arguments])

    return run


def written(name: str = "out.json") -> dict[str, Any]:
    """The answer."""
    document: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
    return document


def test_a_vulnerable_lock_fails_with_package_version_advisory_and_aliases(
    audit: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("--lock", "vulnerable.txt", "--json", "out.json") == 1
    answer = written()
    (finding,) = answer["findings"]
    about = (
        "advisory",
        "rule",
        "tool",
        "package",
        "version",
        "aliases",
        "severity",
        "cvss",
        "fix",
        "cwe",
        "path",
        "line",
    )
    assert {name: finding[name] for name in about} == {
        "advisory": "PYSEC-2021-66", "rule": "PYSEC-2021-66", "tool": "osv", "package": "jinja2", "version": "2.10",
        "aliases": ["CVE-2020-28493", "GHSA-g3rq-g295-4j3m"], "severity": "high", "cvss": 7.5, "fix": "2.11.3",
        "cwe": [400], "path": "vulnerable.txt", "line": 2,
    }  # fmt: skip
    assert finding["context"] == VULNERABLE.splitlines()
    assert len(finding["id"]) == 32
    assert (answer["schema"], answer["verdict"]) == ("pipeline.audit/v1", "fail")
    assert (answer["evidence"]["expected"], answer["evidence"]["checked"]) == (2, 2)
    assert answer["evidence"]["control"]["caught"] is True
    assert [component["purl"] for component in answer["components"]]
    told = capsys.readouterr().out
    assert "jinja2 2.10: PYSEC-2021-66 (high; CVE-2020-28493, GHSA-g3rq-g295-4j3m), fixed in 2.11.3." in told
    assert "verdict: fail (1 vulnerabilities in 2 locked packages)" in told


def test_a_lock_without_known_vulnerabilities_passes(audit: Command) -> None:
    assert audit("--lock", "clean.txt", "--json", "out.json") == 0
    assert (written()["verdict"], written()["findings"]) == ("pass", [])
    assert audit("--lock", "clean.txt") == 0


def test_what_is_rated_below_the_gate_is_shown_and_does_not_fail(audit: Command) -> None:
    assert audit("--lock", "vulnerable.txt", "--json", "out.json", fail_on="critical") == 0
    assert [finding["counted"] for finding in written()["findings"]] == [False]


def test_standard_output_gets_the_json_alone(audit: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("--lock", "clean.txt", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"


def test_an_old_snapshot_is_no_answer_unless_its_age_is_allowed(audit: Command, tmp_path: Path) -> None:
    old = str(write_export(tmp_path / "old.zip", *jinja_records("2024-01-01T00:00:00Z")))
    assert audit("--lock", "clean.txt", "--json", "out.json", advisories=old) == 3
    assert written()["verdict"] == "inconclusive"
    assert "audit.max_age_days allows 7" in " ".join(written()["reasons"])
    assert audit("--lock", "clean.txt", "--json", "out.json", max_age_days="100000") == 0
    assert "audit.max_age_days is raised" in " ".join(written()["reasons"])


def test_an_empty_lock_is_no_answer(audit: Command) -> None:
    write_files(Path(), {"empty.txt": "# nothing\n"})
    assert audit("--lock", "empty.txt", "--json", "out.json") == 3
    assert "There were no locked packages to check" in " ".join(written()["reasons"])


@pytest.mark.parametrize("export", ["", "missing.zip", "damaged.zip"])
def test_without_a_snapshot_that_can_be_believed_there_is_no_answer(
    audit: Command, export: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(Path(), {"damaged.zip": b"PK", "out.json": "an earlier answer"})
    assert audit("--lock", "clean.txt", "--json", "out.json", advisories=export) == 3
    assert "advisory snapshot" in capsys.readouterr().err
    assert not Path("out.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "The lock given.txt can't be read: No such file"),
        (b"six==1.17.0\n", "given.txt:1 has no SHA-256 hash"),
        (b"six>=1 --hash=sha256:" + b"0" * 64, "given.txt:1 is not pinned"),
        (b"-r other.txt\n", "takes in what this lock does not hold"),
        (b"\xff\n", "given.txt is not UTF-8 text"),
    ],
)
def test_what_is_no_hashed_lock_is_refused(
    audit: Command, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(Path(), {} if content is None else {"given.txt": content})
    assert audit("--lock", "given.txt") == 2
    assert said in capsys.readouterr().err


def test_wrong_usage_is_told(audit: Command) -> None:
    assert audit() == 2
    assert audit("--json", "x") == 2
    assert audit("--lock", "clean.txt", max_age_days="soon") == 2


def test_the_answer_is_not_written_over_its_source_or_into_a_folder(
    audit: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    assert audit("--lock", "clean.txt", "--json", "./clean.txt") == 2
    assert audit("--lock", "clean.txt", "--json", "folder") == 2
    assert Path("clean.txt").read_text(encoding="utf-8") == lock_of("six==1.17.0")
    assert capsys.readouterr().err.count("The answer ") == 2


def test_exploited_vulnerabilities_are_marked(audit: Command, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(Path(), {"kev.json": kev({"CVE-2020-28493": "2024-02-29"}), "epss.csv": epss({"CVE-2020-28493": 0.5})})
    assert audit("--lock", "vulnerable.txt", "--json", "out.json", kev="kev.json", epss="epss.csv") == 1
    assert [(f["exploited"], f["epss"]) for f in written()["findings"]] == [("2024-02-29", 0.5)]
    assert written()["metrics"]["kev_date"] == "2026-01-02"
    assert "exploited since 2024-02-29" in capsys.readouterr().out
    write_files(Path(), {"kev.json": "{}"})
    assert audit("--lock", "vulnerable.txt") == 3
    assert audit("--lock", "vulnerable.txt", kev="nowhere") == 2


def test_in_a_project_its_settings_hold_and_the_lock_has_its_path(
    audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "[tool.pipeline.audit]\nfail_on = 'critical'\n"
    project = write_files(tmp_path / "project", {"pyproject.toml": table, "locks/a.txt": VULNERABLE})
    monkeypatch.chdir(project / "locks")
    assert audit("--lock", "a.txt", "--json", "out.json") == 0
    assert written()["lock"]["path"] == written()["findings"][0]["path"] == "locks/a.txt"
    assert audit("--lock", str(tmp_path / "here/vulnerable.txt"), "--json", "out.json") == 0
    assert written()["lock"]["path"] == "vulnerable.txt"


def test_a_secret_of_the_environment_is_in_no_answer(
    audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INDEX_PASSWORD", PASSWORD)
    record = advisory("PYSEC-1", "six", fixed="9", modified=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    export = write_export(tmp_path / "told.zip", {**record, "details": f"See https://x/{PASSWORD}"})
    write_files(Path(), {"noted.txt": f"# {PASSWORD}\n{lock_of('six==1.17.0')}"})
    assert audit("--lock", "noted.txt", "--json", "out.json", advisories=str(export)) == 1
    printed = capsys.readouterr()
    assert PASSWORD not in Path("out.json").read_text(encoding="utf-8") + printed.out + printed.err


def test_a_control_that_the_snapshot_can_not_carry_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = read_export(write_export(tmp_path / "all.zip", *jinja_records()))
    pins = parse_lock(lock_of("six==1.17.0"), "lock")
    assert conclude(examined_lock(pins, index, Audit(lock="lock"), NOW))[0] is Status.PASS
    monkeypatch.setattr(AdvisoryIndex, "sample", lambda self: None)
    assert conclude(examined_lock(pins, index, Audit(lock="lock"), NOW))[0] is Status.INCONCLUSIVE
    monkeypatch.setattr(AdvisoryIndex, "sample", lambda self: ("six", "1.17.0"))
    assert conclude(examined_lock(pins, index, Audit(lock="lock"), NOW))[0] is Status.INCONCLUSIVE


def test_a_real_snapshot_answers_for_a_real_lock(audit: Command, tmp_path: Path) -> None:
    export = REAL_EXPORT if REAL_EXPORT.is_file() else write_export(tmp_path / "all.zip", *jinja_records())
    real = {"advisories": str(export), "max_age_days": "100000"}
    assert audit("--lock", str(packaged_lock("audit")), "--json", "out.json", **real) == 0
    assert written()["evidence"]["checked"] == written()["evidence"]["expected"] > 30
    assert audit("--lock", "vulnerable.txt", "--json", "out.json", **real) == 1
    assert "CVE-2020-28493" in {name for finding in written()["findings"] for name in finding["aliases"]}
