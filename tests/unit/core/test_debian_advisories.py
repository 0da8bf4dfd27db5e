"""Debian's advisories: which versions of a source package they are about, in dpkg's order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.core.debian_advisories import DebianIndex, debian_index
from pipeline.core.finding import Severity
from pipeline.core.osv import Record
from pipeline.images.versions import debian_order
from tests.advisory_exports import HIGH_VECTOR


def record(
    name: str, *events: dict[str, str], release: str = "13", package: str = "openssl", **more: Any
) -> dict[str, Any]:
    """A record about a source package in a release, affected between these events."""
    affected = {
        "package": {"ecosystem": f"Debian:{release}", "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": list(events)}],
        **more.pop("affected", {}),
    }
    return {"id": name, "modified": "2026-01-01T00:00:00Z", "affected": [affected], **more}


def index(*records: dict[str, Any]) -> DebianIndex:
    """The index of these."""
    return debian_index(msgspec.convert(list(records), list[Record]), sha256="0" * 64, order=debian_order)


FIXED = index(record("DEBIAN-CVE-1", {"introduced": "0"}, {"fixed": "3.5.1-1+deb13u1"}))


@pytest.mark.parametrize("version", ["3.5.1-1", "3.5.1~rc1-1", "3.5.1-1+deb13u1~bpo1", "1:0.1-1~", "not a version"])
def test_an_older_version_is_affected_and_one_without_a_place_too(version: str) -> None:
    affected = [v.id for v in FIXED.vulnerabilities("openssl", version, "13")]
    assert affected == ([] if version.startswith("1:") else ["DEBIAN-CVE-1"])


@pytest.mark.parametrize("version", ["3.5.1-1+deb13u1", "3.5.1-1+deb13u2", "3.5.10-1", "1:0-1"])
def test_a_fixed_version_is_not(version: str) -> None:
    assert not FIXED.vulnerabilities("openssl", version, "13")


def test_another_release_or_package_is_not_meant() -> None:
    assert FIXED.vulnerabilities("openssl", "1", "12") == () == FIXED.vulnerabilities("curl", "1", "13")


def test_a_version_that_is_listed_is_affected_and_a_withdrawn_record_is_not() -> None:
    listed = record("A", affected={"versions": ["1-1"], "ranges": []})
    known = index(listed, record("B", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z"))
    assert [v.id for v in known.vulnerabilities("openssl", "1-1", "13")] == ["A"]
    assert not known.vulnerabilities("openssl", "2-1", "13")


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({}, Severity.UNKNOWN),
        ({"affected": {"ecosystem_specific": {"urgency": "unimportant"}}}, Severity.INFO),
        ({"affected": {"ecosystem_specific": {"urgency": "high"}}}, Severity.HIGH),
        ({"affected": {"ecosystem_specific": {"urgency": "not yet assigned"}}}, Severity.UNKNOWN),
        ({"severity": [{"type": "CVSS_V3", "score": HIGH_VECTOR}]}, Severity.HIGH),
    ],
)
def test_how_bad_it_is_told_by_a_vector_or_debians_own_word(more: dict[str, Any], severity: Severity) -> None:
    (found,) = index(record("A", {"introduced": "0"}, **more)).vulnerabilities("openssl", "1", "13")
    assert found.severity is severity


def test_records_that_share_a_name_are_one_vulnerability() -> None:
    known = index(
        record("DSA-1", {"introduced": "0"}, {"fixed": "9"}, aliases=["CVE-1"], summary="A fault."),
        record("DEBIAN-CVE-1", {"introduced": "0"}, {"fixed": "9"}, aliases=["CVE-1"]),
    )
    (found,) = known.vulnerabilities("openssl", "1", "13")
    assert (found.id, found.text, found.fixed) == ("CVE-1", "A fault.", ("9",))


def test_the_sample_is_one_that_it_knows() -> None:
    assert FIXED.sample("13") == ("openssl", "0") and FIXED.sample("12") is None
