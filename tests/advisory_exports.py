"""OSV export zips for tests: small, made for one purpose each, in the layout of OSV's own."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REAL_EXPORT = Path(
    os.environ.get("PIPELINE_SELFTEST_ADVISORIES")
    or Path(__file__).resolve().parents[2] / "shared" / "advisories" / "PyPI-all.zip"
)
"""A real snapshot of the PyPA database, where this machine has it; tests that want it make do without."""

HIGH_VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
"""Base score 7.5."""


def advisory(name: str, package: str, *, fixed: str = "2.0", introduced: str = "0", **more: Any) -> dict[str, Any]:
    """A record about all versions of ``package`` from ``introduced`` up to ``fixed``, with further keys."""
    events = [{"introduced": introduced}, {"fixed": fixed}]
    affected = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {
        "id": name,
        "modified": "2026-01-01T00:00:00Z",
        "details": f"A fault in {package}.",
        "affected": [affected],
        **more,
    }


def write_export(path: Path, *records: Mapping[str, Any]) -> Path:
    """The records as an export at ``path``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    return path


def jinja_records(modified: str = "2026-01-01T00:00:00Z") -> tuple[dict[str, Any], ...]:
    """One vulnerability of jinja2 before 2.11.3, told by two databases under three names, and one of aaa-sample."""
    return (
        advisory("PYSEC-2021-66", "Jinja2", fixed="2.11.3", aliases=["CVE-2020-28493"], modified=modified),
        advisory(
            "GHSA-g3rq-g295-4j3m", "jinja2", fixed="2.11.3", aliases=["CVE-2020-28493"], modified=modified,
            summary="Slow pattern in urlize.", severity=[{"type": "CVSS_V3", "score": HIGH_VECTOR}],
            database_specific={"cwe_ids": ["CWE-400"], "severity": "MODERATE"},
        ),
        advisory("PYSEC-2020-1", "aaa-sample", fixed="1.5", modified=modified),
    )  # fmt: skip
