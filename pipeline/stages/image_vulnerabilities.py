"""Known vulnerabilities of what is in an image: its Python packages that no lock covers, and its Debian packages.

The locked packages are ``audit``'s: that they and no others are in the image is checked beside this, so its result
holds for the image. Asked is what is there besides, of the same advisories: the offline snapshot, else the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from pipeline.core.advisories import Vulnerability
from pipeline.core.component import Component, ComponentKind
from pipeline.core.evidence import Control, listed
from pipeline.core.finding import Confidence, Finding
from pipeline.core.lock import Pin
from pipeline.core.ports import Request
from pipeline.core.stage import Metric, NotChecked, Tool
from pipeline.errors import CouldNotTell
from pipeline.images.packages import PythonPackage
from pipeline.stages.context import Context
from pipeline.tools import pip_audit

_LONGEST_TEXT = 300
_NO_HASH = f"sha256:{'0' * 64}"
_DEBIAN = "known vulnerabilities of the Debian packages in the image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known: findings without a place, what could not be told, what was looked up (``name version``)."""

    findings: tuple[Finding, ...] = ()
    controls: tuple[Control, ...] = ()
    doubts: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: tuple[tuple[str, Metric], ...] = ()
    tools: tuple[Tool, ...] = ()
    checked: frozenset[str] = frozenset()

    def __or__(self, other: Known) -> Known:
        """What two look-ups know together."""
        return Known(
            findings=(*self.findings, *other.findings), controls=(*self.controls, *other.controls),
            doubts=(*self.doubts, *other.doubts), not_checked=(*self.not_checked, *other.not_checked),
            notes=(*self.notes, *other.notes), metrics=(*self.metrics, *other.metrics),
            tools=(*self.tools, *other.tools), checked=self.checked | other.checked,
        )  # fmt: skip


def expected(unlocked: Iterable[PythonPackage], components: Iterable[Component], *, debian: bool) -> frozenset[str]:
    """The names of the look-ups that must be made."""
    python = {f"advisories for {package.name} {package.version}" for package in unlocked}
    return frozenset(python | ({_looked_up(c) for c in _of_debian(components)} if debian else set()))


def python_vulnerabilities(context: Context, unlocked: tuple[PythonPackage, ...]) -> Known:
    """Those of the packages that no lock covers; of no packages none."""
    if not unlocked:
        return Known()
    try:
        if context.settings.audit.advisories:
            return _offline(context, unlocked)
        return _online(context, unlocked)
    except CouldNotTell as trouble:
        names = listed(f"{package.name} {package.version}" for package in unlocked)
        return Known(doubts=(f"Known vulnerabilities of {names} in the image could not be looked up: {trouble}",))


def debian_vulnerabilities(context: Context, components: Iterable[Component], release: str) -> Known:
    """Those of the Debian packages, by their source packages, where a snapshot of Debian's advisories is given."""
    export = context.settings.build.debian_advisories
    if not export:
        reason = "No snapshot of Debian's advisories is given: set build.debian_advisories to OSV's export for Debian."
        return Known(not_checked=(NotChecked(what=_DEBIAN, reason=reason),))
    try:
        index = context.ports.debian_advisories(Path(export))
    except CouldNotTell as trouble:
        return Known(doubts=(str(trouble),))
    packages = tuple(_of_debian(components))
    sources: dict[tuple[str, str], list[Component]] = {}
    for component in packages:
        name, _, version = component.source.rpartition(" ")
        sources.setdefault((name, version), []).append(component)
    findings = tuple(
        _finding(source, version, told, f" (in {listed(sorted(c.name for c in having))})")
        for (source, version), having in sorted(sources.items())
        for told in index.vulnerabilities(source, version, release)
    )
    sample = index.sample(release)
    planted = f"Debian package {' '.join(sample)}" if sample else f"Debian package: the snapshot has none of {release}"
    age = (context.ports.clock.now() - index.newest) / timedelta(days=1)
    most = context.settings.audit.max_age_days
    stale = f"The snapshot of Debian's advisories is {age:.0f} days old, and audit.max_age_days allows {most}."
    return Known(
        findings=findings,
        controls=(Control(tool="the look-up of Debian's advisories", planted=planted, caught=sample is not None),),
        doubts=(stale,) if not -1 <= age <= most else (),
        notes=(
            f"{len(packages)} Debian packages looked up in {index.count} advisories of {index.newest:%Y-%m-%d} "
            f"(sha256 {index.sha256[:12]}…).",
        ),
        metrics=(("debian_advisories_sha256", index.sha256), ("debian_advisories_date", index.newest.isoformat())),
        checked=frozenset(_looked_up(component) for component in packages),
    )


def _of_debian(components: Iterable[Component]) -> Iterator[Component]:
    return (component for component in components if component.kind is ComponentKind.DEBIAN)


def _looked_up(component: Component) -> str:
    return f"advisories for Debian package {component.name} {component.version}"


def _offline(context: Context, unlocked: tuple[PythonPackage, ...]) -> Known:
    with context.ports.advisories(Path(context.settings.audit.advisories)) as source:
        index = source.index
    sample = index.sample()
    age = (context.ports.clock.now() - index.newest) / timedelta(days=1)
    most = context.settings.audit.max_age_days
    return Known(
        findings=tuple(
            _finding(package.name, package.version, told, " (no lock names it)")
            for package in unlocked
            for told in index.vulnerabilities(package.name, package.version)
        ),
        controls=(
            Control(
                tool="the look-up of Python advisories",
                planted=f"package {' '.join(sample)}" if sample else "package: the snapshot names none",
                caught=sample is not None,
            ),
        ),
        doubts=(f"The advisory snapshot is {age:.0f} days old, and audit.max_age_days allows {most}.",)
        if not -1 <= age <= most
        else (),
        checked=expected(unlocked, (), debian=False),
    )


def _online(context: Context, unlocked: tuple[PythonPackage, ...]) -> Known:
    """Ask the service that ``audit`` asks, in the way in which it does, and for its planted package too."""
    tools = context.environment("audit")
    control = pip_audit.CONTROL_PIN
    pins = [Pin(name=p.name, version=p.version, hashes=(_NO_HASH,), line=1) for p in unlocked if p.name != control.name]
    own = [Pin(name=p.name, version=p.version, hashes=(_NO_HASH,), line=1) for p in unlocked if p.name == control.name]
    output = pip_audit.Output(audited=frozenset())
    for number, group in enumerate(filter(None, ([*pins, control], own))):
        folder = context.scratch / f"image-audit-{number}"
        folder.mkdir()
        (folder / "lock.txt").write_text(pip_audit.lock_text(group), encoding="utf-8")
        argv = pip_audit.command(tools.program("pip-audit"), folder / "lock.txt", folder / "out.json", folder / "cache")
        outcome = context.run(
            Request(argv=argv, cwd=folder, timeout_s=context.settings.audit.timeout_s, title="pip-audit")
        )
        written = folder / "out.json"
        output |= pip_audit.parse(outcome, written.read_text(encoding="utf-8") if written.is_file() else None)
    planted = pip_audit.unit(control.name, control.version)
    named = {pip_audit.unit(package.name, package.version): package for package in unlocked}
    looked_up = [package for unit, package in named.items() if unit in output.audited]
    skipped = tuple(f"{name} ({reason})" for name, reason in output.skipped)
    return Known(
        findings=tuple(
            _finding(named[told.unit].name, named[told.unit].version, told.vulnerability, " (no lock names it)")
            for told in output.found
            if told.unit in named
        ),
        controls=(
            Control(
                tool="the look-up of Python advisories",
                planted=f"package {control.name} {control.version} beside the image's own",
                caught=any(told.unit == planted for told in output.found),
            ),
        ),
        doubts=(f"pip-audit skipped {listed(skipped)} of the image.",) if skipped else (),
        tools=(Tool(name="pip-audit", version=tools.packages.get("pip-audit", "unknown")),),
        checked=expected(looked_up, (), debian=False),
    )


def _finding(name: str, version: str, told: Vulnerability, remark: str) -> Finding:
    text = " ".join(told.text.split())
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
    return Finding(
        rule=told.id,
        tool="image check",
        severity=told.severity,
        confidence=Confidence.HIGH,
        message=f"{name} {version} in the image{remark} is known to be vulnerable: {shown or told.id}",
        snippet=f"{name}=={version}",
        package=name,
        version=version,
        cwe=told.cwe,
        aliases=told.aliases,
        fix=", ".join(told.fixed),
        cvss=told.cvss,
    )


def placed(finding: Finding, path: str, line: int) -> Finding:
    """The finding with the instruction that answers for it."""
    return replace(finding, path=path, line=line)
