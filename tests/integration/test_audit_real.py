"""The audit stage with the real pip-audit and cyclonedx-py in an environment made from our own lock."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.ports import Environments, Request, ToolEnvironment
from pipeline.core.stage import Status
from pipeline.core.verdict import conclude
from pipeline.errors import ToolTrouble
from pipeline.execution.advisories import read_export
from pipeline.execution.environments import UvEnvironments
from pipeline.execution.osv_server import OsvServer
from pipeline.execution.processes import LocalProcesses
from pipeline.stages.audit import AuditStage
from pipeline.stages.context import Context, packaged_lock
from pipeline.testing import SilentProgress
from pipeline.tools import pip_audit
from tests.advisory_exports import REAL_EXPORT, advisory, jinja_records, write_export
from tests.audit_project import audit_context, lock_of

TODAY = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
CLEAN = lock_of("six==1.17.0", "Jinja2==3.1.6", "tomli==2.0.1 ; python_version < '3.0'")
UNREACHABLE = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTPS_PROXY")}


@pytest.fixture(name="environments", scope="session")
def fixture_environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    """Environments that last as long as the tests."""
    environ = dict(os.environ)
    folder = tmp_path_factory.mktemp("environments")
    return UvEnvironments(folder, LocalProcesses(environ), SilentProgress(), python="3", environ=environ)


@pytest.fixture(name="tools", scope="session")
def fixture_tools(environments: Environments) -> ToolEnvironment:
    """The audit's own environment."""
    return environments.ensure("audit", [packaged_lock("audit")])


@pytest.fixture(name="export")
def fixture_export(tmp_path: Path) -> Path:
    """A snapshot of today, small."""
    return write_export(tmp_path / "all.zip", *jinja_records(TODAY))


def context_of(
    folder: Path,
    environments: Environments,
    lock: str,
    export: Path | None,
    environ: dict[str, str] | None = None,
    **audit: Any,
) -> Context:
    """The context of a real run over one lock, today."""
    return audit_context(
        folder,
        {"requirements.txt": lock},
        processes=LocalProcesses({**os.environ, **(environ or {})}),
        environments=environments,
        now=datetime.now(UTC),
        advisories=str(export or ""),
        **audit,
    )


def test_a_clean_lock_passes_offline_with_no_network_at_all(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment, export: Path
) -> None:
    context = context_of(tmp_path, environments, CLEAN, export, UNREACHABLE)
    examined = AuditStage().run(context)
    assert conclude(examined) == (Status.PASS, examined.notes)
    assert examined.evidence.checked == {"six==1.17.0", "jinja2==3.1.6", "tomli==2.0.1"}
    assert [control.caught for control in examined.evidence.controls] == [True]
    assert {tool.name: tool.version for tool in examined.tools}["pip-audit"] == tools.packages["pip-audit"]
    document = json.loads((tmp_path / "raw/python.cdx.json").read_text(encoding="utf-8"))
    assert {(c["name"], c["version"]) for c in document["components"]} >= {("six", "1.17.0"), ("Jinja2", "3.1.6")}


def test_a_vulnerable_pin_fails_with_the_finding(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment, export: Path
) -> None:
    del tools
    lock = f"# by hand\n{lock_of('six==1.17.0', 'Jinja2==2.10')}"
    examined = AuditStage().run(context_of(tmp_path, environments, lock, export))
    status, reasons = conclude(examined)
    assert status is Status.FAIL
    assert reasons[0] == "known vulnerabilities of severity medium or worse: allowed 0, found 1."
    (found,) = examined.findings
    assert (found.rule, found.aliases) == ("PYSEC-2021-66", ("CVE-2020-28493", "GHSA-g3rq-g295-4j3m"))
    assert (str(found.severity), found.fix, found.line) == ("high", "2.11.3", 3)
    assert examined.doubts == ()


def test_a_vulnerable_pin_that_no_python_here_installs_fails_too(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment, export: Path
) -> None:
    del tools
    lock = lock_of("jinja2==2.10 ; python_version < '3.0'", "jinja2==3.1.6 ; python_version >= '3.0'")
    examined = AuditStage().run(context_of(tmp_path, environments, lock, export))
    assert conclude(examined)[0] is Status.FAIL
    assert examined.evidence.missing == ()
    assert [(f.version, f.line) for f in examined.findings] == [("2.10", 1)]


def test_a_stale_snapshot_is_inconclusive_until_its_age_is_allowed(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment
) -> None:
    del tools
    old = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    export = write_export(tmp_path / "all.zip", *jinja_records(old))
    status, reasons = conclude(AuditStage().run(context_of(tmp_path / "1", environments, CLEAN, export)))
    assert status is Status.INCONCLUSIVE
    assert "30 days old, and audit.max_age_days allows 7" in reasons[0]
    allowed = context_of(tmp_path / "2", environments, CLEAN, export, max_age_days=60)
    assert conclude(AuditStage().run(allowed))[0] is Status.PASS


def test_an_unreachable_service_is_trouble_that_names_the_way_out(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment
) -> None:
    del tools
    with pytest.raises(ToolTrouble) as caught:
        AuditStage().run(context_of(tmp_path, environments, CLEAN, None, UNREACHABLE))
    assert "PIPELINE_AUDIT_ADVISORIES" in caught.value.advice


def test_packages_that_nobody_has_an_advisory_for_are_checked_and_clean(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment, export: Path
) -> None:
    del tools
    lock = lock_of("a-package-of-our-own==0.0.1", "Odd_Name.of.it==1.0-1", "local==2.0+build.5")
    examined = AuditStage().run(context_of(tmp_path, environments, lock, export))
    assert conclude(examined)[0] is Status.PASS
    assert examined.evidence.checked == {
        "a-package-of-our-own==0.0.1",
        "odd-name-of-it==1.0.post1",
        "local==2.0+build.5",
    }


def test_records_that_pip_audit_would_drop_or_stumble_over_are_reported(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment
) -> None:
    del tools
    records = (
        advisory("MAL-2025-1", "six", schema_version="2.0.0", published="2025-01-01", modified=TODAY),
        advisory("PYSEC-2025-2", "six", fixed="9.0-n5", aliases=["CVE-A", "CVE-B"], modified=TODAY),
        advisory("GHSA-x", "Six", fixed="9.0", aliases=["CVE-A"], modified=TODAY),
        advisory("GHSA-y", "six", fixed="9.0", aliases=["CVE-B", "CVE-C"], modified=TODAY),
        advisory("GHSA-z", "six", fixed="9.0", aliases=["CVE-C"], modified=TODAY),
        advisory("PYSEC-2025-3", "six", fixed="9.0", withdrawn="2025-02-01T00:00:00Z", modified=TODAY),
    )
    export = write_export(tmp_path / "all.zip", *records)
    examined = AuditStage().run(context_of(tmp_path, environments, lock_of("six==1.17.0"), export))
    assert examined.doubts == ()
    by_rule = {f.rule: f for f in examined.findings}
    assert sorted(by_rule) == ["MAL-2025-1", "PYSEC-2025-2"]
    assert by_rule["PYSEC-2025-2"].aliases == ("CVE-A", "CVE-B", "CVE-C", "GHSA-x", "GHSA-y", "GHSA-z")


def test_pages_that_pip_audit_never_asks_for_leave_a_package_unanswered(
    tmp_path: Path, tools: ToolEnvironment, export: Path
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(lock_of("six==1.17.0", "jinja2==2.10"), encoding="utf-8")
    with OsvServer(read_export(export), page_size=0) as server:
        argv = pip_audit.command(
            tools.program("pip-audit"), lock, tmp_path / "out.json", tmp_path / "cache", server.url
        )
        outcome = LocalProcesses(os.environ).run(
            Request(argv=argv, cwd=tmp_path, timeout_s=300, env=pip_audit.environment(server.url))
        )
        output = pip_audit.parse(outcome, (tmp_path / "out.json").read_text(encoding="utf-8"))
        assert not output.found, "pip-audit reads an empty first page as clean"
        assert server.answered == {"six==1.17.0"}


def test_the_real_snapshot_answers_for_a_real_lock_within_seconds(
    tmp_path: Path, environments: Environments, tools: ToolEnvironment
) -> None:
    del tools
    export = REAL_EXPORT if REAL_EXPORT.is_file() else write_export(tmp_path / "all.zip", *jinja_records())
    lock = packaged_lock("audit").read_text(encoding="utf-8")
    context = context_of(tmp_path, environments, lock, export, max_age_days=100_000)
    started = time.perf_counter()
    examined = AuditStage().run(context)
    assert time.perf_counter() - started < 60
    assert conclude(examined)[0] is Status.PASS, conclude(examined)
    assert len(examined.evidence.checked) > 30
    assert any("is raised to 100000" in note for note in examined.notes)
