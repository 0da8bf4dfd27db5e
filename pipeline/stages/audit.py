"""``audit``: known vulnerabilities in the locked dependencies, and a bill of materials of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.advisories import AdvisorySource
from pipeline.core.evidence import Control, Evidence
from pipeline.core.exploitation import NOTHING_KNOWN, Exploitation
from pipeline.core.gate import Gate
from pipeline.core.lock import Pin, parse_lock
from pipeline.core.ports import Request, ToolEnvironment
from pipeline.core.stage import Examination
from pipeline.errors import CouldNotTell
from pipeline.stages.audit_assessment import UNIT, Observed, assess, units
from pipeline.stages.audit_declared import DeclaredAudit
from pipeline.stages.components import locked
from pipeline.stages.context import Context
from pipeline.stages.exploitation_files import read_files
from pipeline.stages.lock_currency import lock_gate, read_text
from pipeline.stages.restraints import nothing_to_check, with_expectation
from pipeline.tools import cyclonedx, pip_audit

_SAMPLE_HASH = f"sha256:{'0' * 64}"


@dataclass(frozen=True, slots=True)
class AuditStage(DeclaredAudit):
    """Unit of work: locked packages. Expected: our own reading of the lock. Checked: what pip-audit says it looked up
    and, offline, what the snapshot was really asked for.

    Every pin is looked up, also where its marker is false: it is locked, so somebody installs it.
    """

    def run(self, context: Context) -> Examination:
        """Hold the lock against its requirements, look up all that it pins, and a planted package."""
        lock = context.settings.audit.lock
        pins = parse_lock(read_text(context, lock), lock)
        current, not_checked = lock_gate(context, pins)
        if not pins:
            examined = nothing_to_check(context, "audit", UNIT, left_out=not_checked)
            return replace(examined, gates=(current, *examined.gates))
        try:
            tools = context.environment("audit")
            examined = _look_up_all(context, tools, pins, current)
        except CouldNotTell as trouble:
            if current.passed:
                raise
            # That the lock is not current is certain, whatever else could not be told.
            evidence = Evidence.of(UNIT, expected=units(pins), checked=())
            return Examination(
                evidence=evidence,
                gates=(current,),
                doubts=(str(trouble),),
                not_checked=not_checked,
                components=locked(pins, lock),
            )
        examined = replace(examined, not_checked=(*examined.not_checked, *not_checked), components=locked(pins, lock))
        return context.with_tools(with_expectation(context, "audit", examined), tools, "pip-audit", "cyclonedx-bom")


def _look_up_all(context: Context, tools: ToolEnvironment, pins: tuple[Pin, ...], current: Gate) -> Examination:
    with _advisories(context) as source:
        desk = _Desk(context=context, tools=tools, url=source.url if source else "")
        output, doubts = _audit(desk, pins)
        answered = source.answered if source else None
        control, trouble = _control(desk, source)
        faults = source.faults if source else ()
    exploitation, refused = _exploitation(context)
    observed = Observed(
        output=output,
        controls=(control,),
        index=source.index if source else None,
        answered=answered,
        exploitation=exploitation,
        doubts=(*doubts, *trouble, *faults, *refused, *_bill_of_materials(context, tools, pins)),
    )
    return assess(context.settings.audit, pins, observed, current, context.ports.clock.now())


def _exploitation(context: Context) -> tuple[Exploitation, tuple[str, ...]]:
    """What the named files say, or nothing and why: a vulnerability that was found stays found without them."""
    try:
        return read_files(context.settings.audit), ()
    except CouldNotTell as trouble:
        return NOTHING_KNOWN, (str(trouble),)


@contextmanager
def _advisories(context: Context) -> Iterator[AdvisorySource | None]:
    """The offline snapshot, opened; none when the online service is to be asked."""
    path = context.settings.audit.advisories
    if not path:
        yield None
        return
    with context.ports.advisories(Path(path)) as source:
        yield source


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """Where pip-audit is asked: the same environment and the same source for the lock and for the control."""

    context: Context
    tools: ToolEnvironment
    url: str

    def ask(self, lock: Path, title: str) -> pip_audit.Output:
        """Run pip-audit over one lock. Raises ToolTrouble."""
        context, folder = self.context, self.context.scratch / title
        folder.mkdir(parents=True)
        written = folder / "out.json"
        program = self.tools.program("pip-audit")
        outcome = context.run(
            Request(
                argv=pip_audit.command(program, lock, written, folder / "cache", self.url),
                cwd=context.tree,
                timeout_s=context.settings.audit.timeout_s,
                env=pip_audit.environment(self.url),
                title="pip-audit",
            )
        )
        context.keep(f"{title}.log", outcome.stderr)
        text = _text(written)
        if text is not None:
            context.keep(f"{title}.json", text)
        return pip_audit.parse(outcome, text)

    def ask_pins(self, pins: Iterable[Pin], title: str) -> pip_audit.Output:
        """Run pip-audit over a lock of just these pins, whatever their markers. Raises ToolTrouble."""
        lock = self.context.scratch / f"{title}.txt"
        lock.write_text(pip_audit.lock_text(pins), encoding="utf-8")
        return self.ask(lock, title)


def _audit(desk: _Desk, pins: tuple[Pin, ...]) -> tuple[pip_audit.Output, tuple[str, ...]]:
    """Look up the project's own lock, to hold pip-audit's reading against ours; then what its markers left out."""
    output = desk.ask(desk.context.tree / desk.context.settings.audit.lock, "pip-audit")
    doubts = []
    for number, group in enumerate(_without_a_place(pins, output), 2):
        try:
            output |= desk.ask_pins(group, f"pip-audit-{number}")
        except CouldNotTell as trouble:
            # What the first run found must not be lost; that this one looked at nothing is in the evidence.
            doubts.append(str(trouble))
    return output, tuple(doubts)


def _without_a_place(pins: tuple[Pin, ...], output: pip_audit.Output) -> list[list[Pin]]:
    """The pins that were left out because of their markers, in groups that hold each package once."""
    groups: list[list[Pin]] = []
    skipped = {name for name, _ in output.skipped}
    for pin in pins:
        if pin.marker and pip_audit.unit(pin.name, pin.version) not in output.audited and pin.name not in skipped:
            free = next((group for group in groups if pin.name not in {other.name for other in group}), None)
            if free is None:
                groups.append([pin])
            else:
                free.append(pin)
    return groups


def _control(desk: _Desk, source: AdvisorySource | None) -> tuple[Control, tuple[str, ...]]:
    """Look up a package that the very source in use knows to be vulnerable."""
    pin = pip_audit.CONTROL_PIN
    if source is not None:
        sample = source.index.sample()
        if sample is None:
            return Control(tool="pip-audit", planted="package: the advisory snapshot names none", caught=False), ()
        pin = Pin(name=sample[0], version=sample[1], hashes=(_SAMPLE_HASH,), line=1)
    wanted = pip_audit.unit(pin.name, pin.version)
    planted = f"package {pin.name} {pin.version}, which is known to be vulnerable"
    try:
        output = desk.ask_pins([pin], "pip-audit-control")
    except CouldNotTell as trouble:
        return Control(tool="pip-audit", planted=planted, caught=False), (str(trouble),)
    return Control(tool="pip-audit", planted=planted, caught=any(found.unit == wanted for found in output.found)), ()


def _bill_of_materials(context: Context, tools: ToolEnvironment, pins: tuple[Pin, ...]) -> tuple[str, ...]:
    """Write it to ``raw/python.cdx.json``; what it lacks is returned, each a full sentence."""
    written = context.scratch / "python.cdx.json"
    argv = cyclonedx.command(tools.program("cyclonedx-py"), context.tree / context.settings.audit.lock, written)
    try:
        outcome = context.run(
            Request(argv=argv, cwd=context.tree, timeout_s=context.settings.audit.timeout_s, title="cyclonedx-py")
        )
        text = _text(written)
        if text is not None:
            context.keep("python.cdx.json", text)
        return cyclonedx.doubts(outcome, text, units(pins))
    except CouldNotTell as trouble:
        # A vulnerability that was found stays found without the bill.
        return (str(trouble),)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="backslashreplace") if path.is_file() else None
