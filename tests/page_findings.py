"""Findings and waivers for the reports of :mod:`tests.page_samples`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from pipeline.core.finding import Confidence, Finding, Severity, State, with_fingerprints
from pipeline.core.waiver import Waiver

SOURCE = (
    "",
    "def greet(name: str) -> str:",
    '    """Answer with the name."""',
    "    query = \"SELECT greeting FROM words WHERE name = '%s'\" % name",
    "    return database.execute(query).one()",
    "",
    "",
)


def finding(rule: str, severity: Severity, message: str, **more: Any) -> Finding:
    """One of bandit's."""
    return replace(Finding(rule=rule, tool="bandit", severity=severity, message=message), **more)


def findings() -> tuple[Finding, ...]:
    """New ones and known ones, with and without source lines."""
    page = "https://bandit.readthedocs.io/en/1.9.4/plugins/b608_hardcoded_sql_expressions.html"
    message = "A subprocess is started with shell=True, which lets words of the input become commands."
    return (
        finding(
            "B608",
            Severity.HIGH,
            "Possible SQL injection vector through string-based query construction.",
            path="service/greetings.py",
            line=4,
            column=13,
            cwe=(89,),
            confidence=Confidence.MEDIUM,
            context=SOURCE,
            context_start=1,
            owner="@echo/core",
            fix=f"See {page}",
        ),
        finding(
            "B602",
            Severity.HIGH,
            message,
            path="service/tools/export.py",
            line=118,
            column=5,
            cwe=(78,),
            owner="@echo/tools",
            snippet='    subprocess.run(f"convert {path} out.png", shell=True, check=False)',
            confidence=Confidence.HIGH,
        ),
        finding(
            "B324",
            Severity.MEDIUM,
            "Use of weak MD5 hash for security.",
            path="service/cache.py",
            line=12,
            column=12,
            cwe=(327,),
            state=State.EXISTING,
            owner="@echo/core",
            context=("import hashlib", "", "def key(path):", "    return hashlib.md5(path.encode()).hexdigest()"),
            context_start=9,
        ),
        finding(
            "B311",
            Severity.LOW,
            "Standard pseudo-random generators are not for security.",
            path="service/app.py",
            line=77,
            counted=False,
            state=State.EXISTING,
        ),
    )


def advisories() -> tuple[Finding, ...]:
    """A known vulnerability of a package."""
    found = Finding(
        rule="GHSA-2g68-c3qc-8985",
        tool="pip-audit",
        severity=Severity.CRITICAL,
        message="The debugger of werkzeug runs code of whoever can lead a developer to a page of theirs.",
        package="werkzeug",
        version="3.0.2",
        aliases=("CVE-2024-34069", "PYSEC-2024-55"),
        cwe=(352,),
        fix="3.0.3",
        path="service/requirements.txt",
        line=31,
        owner="@echo/core",
        exploited="2025-11-04",
        epss=0.4312,
    )
    return with_fingerprints((found,))


def waivers() -> tuple[Waiver, ...]:
    """One that hides a finding and ends soon, one that hides nothing, and one that has expired."""
    used = Waiver(
        id="B101",
        tool="bandit",
        scope="service/app.py",
        reason="The assertion states what the type checker already knows.",
        owner="ada@example.org",
        created=date(2026, 1, 10),
        expires=date(2026, 3, 11),
        line=3,
        last_line=10,
        stages=("scan",),
    )
    unused = replace(
        used,
        id="PYSEC-2023-221",
        tool="pip-audit",
        scope="werkzeug",
        reason="The service never parses multipart forms.",
        justification="vulnerable_code_not_in_execute_path",
        expires=date(2026, 6, 30),
        until_fixed=True,
        stages=("audit",),
    )
    reason = "The passwords of the tests are nobody's."
    return (used, unused, replace(used, id="B105", scope="service/tests/**", reason=reason, expires=date(2026, 2, 1)))
