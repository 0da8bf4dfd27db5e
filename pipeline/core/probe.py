"""What one story of the smoke stage amounts to; the stage joins those of all its stories into its examination."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.core.evidence import Control
from pipeline.core.finding import Finding
from pipeline.core.gate import Gate
from pipeline.core.stage import Metric, NotChecked


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The parts of an examination (see :class:`pipeline.core.stage.Examination`) that one story is the source of."""

    expected: frozenset[str] = frozenset()
    checked: frozenset[str] = frozenset()
    gates: tuple[Gate, ...] = ()
    findings: tuple[Finding, ...] = ()
    controls: tuple[Control, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)


def joined(probes: Iterable[Probe]) -> Probe:
    """All of them as one, in their order."""
    every = tuple(probes)
    return Probe(
        expected=frozenset().union(*(probe.expected for probe in every)),
        checked=frozenset().union(*(probe.checked for probe in every)),
        gates=tuple(gate for probe in every for gate in probe.gates),
        findings=tuple(finding for probe in every for finding in probe.findings),
        controls=tuple(control for probe in every for control in probe.controls),
        doubts=tuple(doubt for probe in every for doubt in probe.doubts),
        notes=tuple(note for probe in every for note in probe.notes),
        not_checked=tuple(left for probe in every for left in probe.not_checked),
        metrics={name: value for probe in every for name, value in probe.metrics.items()},
    )
