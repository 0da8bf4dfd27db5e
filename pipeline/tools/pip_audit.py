"""pip-audit: which locked packages have known vulnerabilities.

Its exit code 1 stands for findings and for any crash alike, and 0 also for "skipped all of them": so what counts is a
whole JSON file of this very run, and the packages that it lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from pipeline.core.advisories import Vulnerability
from pipeline.core.lock import Pin
from pipeline.core.ports import Outcome
from pipeline.core.version_order import normal
from pipeline.errors import ToolTrouble

OFFLINE_ADVICE = (
    "Where the advisory service can't be reached, set PIPELINE_AUDIT_ADVISORIES to an OSV export zip of PyPI."
)

CONTROL_PIN = Pin(
    name="jinja2",
    version="2.10",
    hashes=(
        "sha256:74c935a1b8bb9a3947c50a54766a969d4846290e1e788ea44c1392163723c3bd",
        "sha256:f84be1bb0040caca4cea721fcbbbbd61f9be9464ca236387158b0feea01914a4",
    ),
    line=1,
)
"""A package that every online advisory service has known to be vulnerable since 2019 (CVE-2019-10906)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One vulnerability of a package's version, as pip-audit tells it."""

    package: str
    version: str
    vulnerability: Vulnerability

    @property
    def unit(self) -> str:
        """The package as ``name==version``."""
        return unit(self.package, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a run looked up, as ``name==version``; what it skipped, with its reason; and what it found."""

    audited: frozenset[str]
    skipped: tuple[tuple[str, str], ...] = ()
    found: tuple[Reported, ...] = ()

    def __or__(self, other: Output) -> Output:
        """What two runs did together."""
        return Output(
            audited=self.audited | other.audited,
            skipped=(*self.skipped, *other.skipped),
            found=(*self.found, *other.found),
        )


def unit(name: str, version: str) -> str:
    """A package and its version in their normal spellings, as one name."""
    return f"{canonicalize_name(name)}=={normal(version)}"


def command(program: str, lock: Path, output: Path, cache: Path, osv_url: str = "") -> tuple[str, ...]:
    """The command line for a hashed lock, against PyPI's own advisories or, with ``osv_url``, an OSV query endpoint.

    ``cache`` is an empty folder, so that no earlier answer is taken for today's; ``--disable-pip`` because nothing is
    installed.
    """
    service = ("--vulnerability-service=osv", f"--osv-url={osv_url}") if osv_url else ("--vulnerability-service=pypi",)
    return (
        program, "--require-hashes", "--disable-pip", *service, f"--requirement={lock}", "--format=json",
        f"--output={output}", "--progress-spinner=off", "--desc=on", "--aliases=on", f"--cache-dir={cache}",
    )  # fmt: skip


def environment(osv_url: str) -> dict[str, str | None]:
    """What the process needs besides: a query on loopback must not go to a proxy."""
    proxies = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return dict.fromkeys(proxies) if osv_url else {}


def lock_text(pins: Iterable[Pin]) -> str:
    """A lock with these pins, without their markers: what pip-audit must look up wherever it runs."""
    return "".join(f"{pin.name}=={pin.version} {' '.join(f'--hash={h}' for h in pin.hashes)}\n" for pin in pins)


def parse(outcome: Outcome, text: str | None) -> Output:
    """Read the JSON that a run wrote, none when it left no file.

    Raises:
        ToolTrouble: pip-audit failed, or its output is missing, not whole, or contradicts its exit code.
    """
    if outcome.exit_code not in (0, 1) or not text:
        raise ToolTrouble(
            f"pip-audit ended with exit code {outcome.exit_code} and left no result.",
            why=_said(outcome),
            advice=OFFLINE_ADVICE,
        )
    try:
        dependencies: list[dict[str, Any]] = json.loads(text)["dependencies"]
        output = Output(
            audited=frozenset(unit(d["name"], d["version"]) for d in dependencies if "skip_reason" not in d),
            skipped=tuple((d["name"], d["skip_reason"]) for d in dependencies if "skip_reason" in d),
            found=tuple(_reported(d, v) for d in dependencies if "skip_reason" not in d for v in d["vulns"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolTrouble(
            "pip-audit's output is not whole, so it proves nothing.", why=f"{error!r} {_said(outcome)}"
        ) from error
    if bool(output.found) != (outcome.exit_code == 1):
        raise ToolTrouble(
            f"pip-audit's exit code {outcome.exit_code} contradicts its {len(output.found)} findings.",
            why=_said(outcome),
        )
    return output


def _reported(dependency: dict[str, Any], told: dict[str, Any]) -> Reported:
    return Reported(
        package=canonicalize_name(dependency["name"]),
        version=dependency["version"],
        vulnerability=Vulnerability(
            id=str(told["id"]),
            aliases=tuple(sorted(map(str, told["aliases"]))),
            fixed=tuple(map(str, told["fix_versions"])),
            text=str(told["description"]),
        ),
    )


def _said(outcome: Outcome) -> str:
    """The last line: of a traceback the error itself."""
    last = outcome.tail(1).strip()
    return f"It says: {last}" if last else ""
