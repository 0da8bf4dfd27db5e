"""trivy reads what we write: it finds a vulnerability by our bill of materials, and our OpenVEX document hides it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.finding import State
from pipeline.core.lock import Pin
from pipeline.core.run_record import Report
from pipeline.core.waiver import JUSTIFICATIONS
from pipeline.reporters import openvex, sbom
from pipeline.stages.components import locked
from tests.trivy_database import write_database
from tests.waivers import DAY, VULNERABILITY, make_waiver, waived_report

TRIVY = Path(sys.executable).with_name("trivy")
HASHES = tuple(f"sha256:{digit * 64}" for digit in "12")


def waived(justification: str) -> Report:
    """A report of an audit that found a vulnerable package, which is waived."""
    waiver = make_waiver(
        id="CVE-2024-1", tool="pip-audit", scope="flask-thing", stages=("audit",), created=DAY,
        expires=DAY + timedelta(days=90), justification=justification,
    )  # fmt: skip
    made = waived_report(waiver, findings=(replace(VULNERABILITY, state=State.WAIVED),))
    pins = (Pin(name="flask-thing", version="1.0", hashes=HASHES, line=1),)
    return replace(made, results=(replace(made.results[0], name="audit", components=locked(pins, "requirements.txt")),))


def scanned(folder: Path, made: Report, *options: str) -> dict[str, Any]:
    """What trivy says of the report's bill of materials, with a database of one advisory and no network."""
    write_database(folder, package="flask-thing", advisory="CVE-2024-1", vulnerable="<1.1", patched="1.1")
    (folder / "python.cdx.json").write_text(sbom.render(made)[sbom.PYTHON], encoding="utf-8")
    (folder / "openvex.json").write_text(openvex.render(made), encoding="utf-8")
    command = [
        str(TRIVY), "sbom", "python.cdx.json", f"--cache-dir={folder}", "--skip-db-update", "--offline-scan",
        "--skip-version-check", "--format=json", "--show-suppressed", "--quiet", *options,
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (result,) = json.loads(ended.stdout)["Results"]
    return dict(result)


def test_a_scanner_finds_a_vulnerability_by_the_bill_of_materials(tmp_path: Path) -> None:
    result = scanned(tmp_path, waived(""))
    assert [(package["Name"], package["Version"]) for package in result["Packages"]] == [("flask-thing", "1.0")]
    (found,) = result["Vulnerabilities"]
    assert (found["VulnerabilityID"], found["FixedVersion"]) == ("CVE-2024-1", "1.1")
    assert found["PkgIdentifier"]["PURL"] == "pkg:pypi/flask-thing@1.0"


def test_a_waived_vulnerability_stays_one_to_a_scanner(tmp_path: Path) -> None:
    """A waiver is a decision, and what it is about stays affected."""
    result = scanned(tmp_path, waived(""), "--vex=openvex.json")
    assert [found["VulnerabilityID"] for found in result["Vulnerabilities"]] == ["CVE-2024-1"]


@pytest.mark.parametrize("justification", sorted(JUSTIFICATIONS))
def test_a_scanner_obeys_the_claim_that_nobody_is_affected(tmp_path: Path, justification: str) -> None:
    """By an alias, since the finding's first name is another one."""
    result = scanned(tmp_path, waived(justification), "--vex=openvex.json")
    assert "Vulnerabilities" not in result
    (hidden,) = result["ExperimentalModifiedFindings"]
    assert (hidden["Status"], hidden["Statement"]) == ("not_affected", justification)
