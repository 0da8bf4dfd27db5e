"""Known vulnerabilities of what is in an image."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.core.component import Component, ComponentKind
from pipeline.core.ports import Outcome, Request
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.advisories import read_debian_export, read_export
from pipeline.images.packages import PythonPackage, python_package
from pipeline.images.versions import debian_order
from pipeline.settings import Audit, Build, Settings
from pipeline.stages.context import Context
from pipeline.stages.debian_snapshot import check_there, still_that
from pipeline.stages.image_vulnerabilities import debian_vulnerabilities, expected, placed, python_vulnerabilities
from pipeline.testing import FixedClock, ScriptedRunner, outcome
from tests.advisory_exports import advisory, jinja_records, write_export
from tests.support import make_context, write_files
from tests.unit.core.test_debian_advisories import record

LIBSSL = Component(
    kind=ComponentKind.DEBIAN, name="libssl3t64", version="3.5.1-1", source="openssl 3.5.1-1", place="status"
)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def package(name: str, version: str) -> PythonPackage:
    """An installed distribution."""
    found = python_package(f"x/{name}-{version}.dist-info/METADATA", "")
    assert found is not None
    return found


def context(folder: Path, settings: Settings, *steps: Any) -> Context:
    """A context whose advisories are read from the file that the settings name."""
    made = make_context(folder / "run", write_files(folder / "tree", {}), settings, processes=ScriptedRunner(steps))

    def opened(path: Path) -> Any:
        return nullcontext(SimpleNamespace(index=read_export(path)))

    ports = replace(
        made.ports,
        advisories=opened,
        debian_advisories=partial(read_debian_export, order=debian_order),
        clock=FixedClock(NOW),
    )
    return replace(made, ports=ports)


def debian(folder: Path, *records: dict[str, Any], days: int = 7) -> Context:
    """A context with a snapshot of Debian's advisories."""
    export = write_export(folder / "debian.zip", *records)
    return context(folder, Settings(build=Build(debian_advisories=str(export)), audit=Audit(max_age_days=days)))


def test_without_a_snapshot_debians_packages_are_told_not_to_be_checked(tmp_path: Path) -> None:
    known = debian_vulnerabilities(context(tmp_path, Settings()), [LIBSSL], "13")
    assert [item.what for item in known.not_checked] == ["known vulnerabilities of the Debian packages in the image"]
    assert known.checked == expected((), [LIBSSL], debian=False) == frozenset()


def test_a_vulnerable_source_package_is_found_with_its_packages(tmp_path: Path) -> None:
    made = debian(tmp_path, record("DEBIAN-CVE-1", {"introduced": "0"}, {"fixed": "3.5.2-1"}, details="A fault."))
    known = debian_vulnerabilities(made, [LIBSSL], "13")
    (finding,) = known.findings
    assert (finding.rule, finding.package, finding.fix) == ("DEBIAN-CVE-1", "openssl", "3.5.2-1")
    assert finding.message == (
        "openssl 3.5.1-1 in the image (in libssl3t64) is known to be vulnerable: A fault."
    )  # fmt: skip
    assert known.checked == expected((), [LIBSSL], debian=True) != frozenset()
    assert [control.caught for control in known.controls] == [True]
    assert placed(finding, "Dockerfile", 3).place == "Dockerfile:3"


def test_a_snapshot_without_the_release_has_no_control(tmp_path: Path) -> None:
    known = debian_vulnerabilities(debian(tmp_path, record("A", {"introduced": "0"}, release="12")), [LIBSSL], "13")
    assert (known.findings, [control.caught for control in known.controls]) == ((), [False])


def test_an_old_snapshot_leaves_doubt(tmp_path: Path) -> None:
    made = debian(tmp_path, record("A", {"introduced": "0"}, modified="2025-01-01T00:00:00Z"))
    known = debian_vulnerabilities(made, [LIBSSL], "13")
    assert known.doubts == ("The snapshot of Debian's advisories is 366 days old, and audit.max_age_days allows 7.",)


def test_a_damaged_snapshot_leaves_doubt(tmp_path: Path) -> None:
    known = debian_vulnerabilities(debian(tmp_path, advisory("PYSEC-1", "x")), [LIBSSL], "13")
    assert "no advisory for a package of Debian" in known.doubts[0]
    with pytest.raises(StorageTrouble):
        read_debian_export(tmp_path / "gone.zip", debian_order)


def offline(folder: Path, modified: str = "2026-01-01T00:00:00Z") -> Context:
    """A context with an offline snapshot for Python."""
    export = write_export(folder / "pypi.zip", *jinja_records(modified))
    return context(folder, Settings(audit=Audit(advisories=str(export))))


def test_no_package_beside_the_lock_asks_nobody(tmp_path: Path) -> None:
    known = python_vulnerabilities(context(tmp_path, Settings()), ())
    assert (known.findings, known.controls, known.checked) == ((), (), frozenset())


def test_a_package_beside_the_lock_is_looked_up_offline(tmp_path: Path) -> None:
    unlocked = (package("jinja2", "2.10"), package("six", "1.17.0"))
    known = python_vulnerabilities(offline(tmp_path), unlocked)
    assert [(f.rule, f.package) for f in known.findings] == [("PYSEC-2021-66", "jinja2")]
    assert known.checked == expected(unlocked, (), debian=False)
    assert (known.doubts, [control.caught for control in known.controls]) == ((), [True])


def test_old_advisories_for_python_leave_doubt(tmp_path: Path) -> None:
    known = python_vulnerabilities(offline(tmp_path, "2025-01-01T00:00:00Z"), (package("six", "1"),))
    assert known.doubts == ("The advisory snapshot is 366 days old, and audit.max_age_days allows 7.",)


def answering(*vulnerable: str, skip: bool = False) -> Any:
    """A step of pip-audit that knows these names to be vulnerable, and skips the first with ``skip``."""

    def step(request: Request) -> Outcome:
        lock = next(Path(word.partition("=")[2]) for word in request.argv if word.startswith("--requirement="))
        written = next(Path(word.partition("=")[2]) for word in request.argv if word.startswith("--output="))
        told: list[dict[str, Any]] = []
        for line in lock.read_text(encoding="utf-8").splitlines():
            name, _, version = line.split(" ")[0].partition("==")
            known = [{"id": f"PYSEC-{name}", "aliases": [], "fix_versions": ["9"], "description": "Bad."}]
            told.append({"name": name, "version": version, "vulns": known if name in vulnerable else []})
        if skip:
            told[0] = {"name": told[0]["name"], "skip_reason": "not found on PyPI"}
        written.write_text(json.dumps({"dependencies": told}), encoding="utf-8")
        return outcome(int(any(item.get("vulns") for item in told)))

    return step


def test_online_the_service_is_asked_with_a_planted_package(tmp_path: Path) -> None:
    unlocked = (package("pip", "25.0"), package("jinja2", "3.0"))
    made = context(tmp_path, Settings(), answering("pip", "jinja2"), answering("jinja2"))
    known = python_vulnerabilities(made, unlocked)
    assert [(f.rule, f.version) for f in known.findings] == [("PYSEC-pip", "25.0"), ("PYSEC-jinja2", "3.0")]
    assert known.checked == expected(unlocked, (), debian=False)
    assert ([control.caught for control in known.controls], known.doubts) == ([True], ())


def test_a_service_that_knows_nothing_is_not_believed(tmp_path: Path) -> None:
    known = python_vulnerabilities(context(tmp_path, Settings(), answering()), (package("pip", "25.0"),))
    assert (known.findings, [control.caught for control in known.controls]) == ((), [False])


def test_a_package_that_the_service_skips_leaves_doubt(tmp_path: Path) -> None:
    unlocked = (package("own", "1"),)
    known = python_vulnerabilities(context(tmp_path, Settings(), answering("jinja2", skip=True)), unlocked)
    assert known.doubts == ("pip-audit skipped own (not found on PyPI) of the image.",)
    assert known.checked == frozenset()


def test_a_service_that_can_t_be_reached_leaves_doubt(tmp_path: Path) -> None:
    failing = outcome(1, "", "no route to host")
    known = python_vulnerabilities(context(tmp_path, Settings(), failing), (package("pip", "25.0"),))
    assert known.doubts[0].startswith("Known vulnerabilities of pip 25.0 in the image could not be looked up: ")


def test_a_result_holds_for_the_very_snapshot_that_it_was_made_with(tmp_path: Path) -> None:
    made = debian(tmp_path, record("A", {"introduced": "0"}))
    build = made.settings.build
    metrics = dict(debian_vulnerabilities(made, [LIBSSL], "13").metrics)
    assert still_that(build, metrics) and not still_that(build, {}) and not still_that(Build(), metrics)
    check_there(build)
    (tmp_path / "debian.zip").unlink()
    assert not still_that(build, metrics) and still_that(Build(), {})
    with pytest.raises(ConfigurationError, match="there is no such file"):
        check_there(build)
