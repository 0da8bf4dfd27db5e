"""``metrics.prom``: the run in numbers, as OpenMetrics text.

Specification: https://prometheus.io/docs/specs/om/open_metrics_spec/ (1.0). Every family is a gauge, though some could
be an info or a state set: so the older Prometheus text format reads the same file, which is what the textfile collector
of node_exporter wants of a ``.prom``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.core.finding import Severity, State
from pipeline.core.run_record import Report
from pipeline.core.safe_text import cut, for_log
from pipeline.core.stage import StageResult, Status

PLACE = "metrics.prom"
LONGEST_LABEL = 200
"""Characters of a label's value; they are held in memory by whoever collects them."""

Labels = Mapping[str, str]

# Section "Escaping" of the specification knows these; control characters have been written out before.
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_EXACT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A gauge whose samples are told apart by their labels. Its name ends with its ``unit``, if it has one."""

    name: str
    help: str
    samples: tuple[tuple[Labels, float], ...]
    unit: str = ""


def render(report: Report) -> str:
    """The metrics of a run and its stages. What was not measured is left out: a stage that did not run has no zeros."""
    families = (*_of_run(report), *_of_stages(report.results), *_of_examined(report.results))
    return "".join(f"{line}\n" for family in families if family.samples for line in _lines(family)) + "# EOF\n"


def _of_run(report: Report) -> Iterator[Family]:
    record = report.record
    about = {
        "commit": record.commit,
        "branch": record.branch,
        "snapshot": record.snapshot,
        "dirty": str(record.dirty).lower(),
        "generator": record.generator,
    }
    yield Family(name="pipeline_run_info", help="What the run is about.", samples=((about, 1),))
    yield Family(
        name="pipeline_verdict",
        help="1 for the verdict of the run, 0 for the others.",
        samples=tuple(({"verdict": status}, report.verdict is status) for status in Status),
    )
    for moment, text in (("started", record.started), ("finished", report.finished)):
        yield Family(
            name=f"pipeline_run_{moment}_timestamp_seconds",
            help=f"When the run was {moment}, in seconds since 1970.",
            samples=(({}, datetime.fromisoformat(text).timestamp()),),
            unit="seconds",
        )
    yield Family(
        name="pipeline_waivers",
        help="Waivers by what became of them.",
        samples=_counted({"state": standing.state} for standing in report.waivers),
    )
    yield Family(
        name="pipeline_stage_required",
        help="1 for a stage that the verdict needs, 0 for another.",
        samples=tuple(({"stage": result.name}, result.name in record.required) for result in report.results),
    )


def _of_stages(results: tuple[StageResult, ...]) -> Iterator[Family]:
    """What can be said of every stage."""
    yield Family(
        name="pipeline_stage_status",
        help="1 for the status of the stage, 0 for the others.",
        samples=tuple(({"stage": r.name, "status": status}, r.status is status) for r in results for status in Status),
    )
    ran = [result for result in results if result.started]
    yield Family(
        name="pipeline_stage_duration_seconds",
        help="How long the stage took, when it ran.",
        samples=tuple(({"stage": result.name}, result.duration_s) for result in ran),
        unit="seconds",
    )
    yield Family(
        name="pipeline_stage_reused",
        help="1 for a stage whose earlier result was reused, 0 for one that ran.",
        samples=tuple(({"stage": result.name}, result.cached) for result in ran),
    )
    yield Family(
        name="pipeline_stage_measurement",
        help="Numbers that the stage itself measured, such as a score, a coverage or a size.",
        samples=tuple(
            ({"stage": result.name, "measurement": name}, value)
            for result in ran
            for name, value in result.metrics.items()
            if isinstance(value, int | float) and abs(value) <= _EXACT
        ),
    )


def _of_examined(results: tuple[StageResult, ...]) -> Iterator[Family]:
    """What can be said of the stages that came to an end: theirs is the evidence, and a zero is one."""
    examined = [(result, result.evidence) for result in results if result.evidence is not None]
    yield Family(
        name="pipeline_stage_evidence_expected",
        help="How many units of work there were to check.",
        samples=tuple(({"stage": r.name, "unit": e.unit}, len(e.expected)) for r, e in examined),
    )
    yield Family(
        name="pipeline_stage_evidence_checked",
        help="How many of the units of work that there were to check have been checked.",
        samples=tuple(({"stage": r.name, "unit": e.unit}, len(e.expected & e.checked)) for r, e in examined),
    )
    yield Family(
        name="pipeline_stage_controls",
        help="Planted faults, by whether the tool has caught them.",
        samples=tuple(
            ({"stage": r.name, "caught": _word(caught)}, sum(control.caught is caught for control in e.controls))
            for r, e in examined
            for caught in (True, False)
        ),
    )
    yield Family(
        name="pipeline_stage_gates",
        help="Gates, by whether they are met.",
        samples=tuple(
            ({"stage": r.name, "passed": _word(passed)}, sum(gate.passed is passed for gate in r.gates))
            for r, _ in examined
            for passed in (True, False)
        ),
    )
    yield Family(
        name="pipeline_stage_findings",
        help="Findings, by how bad they are and whether they are new.",
        samples=tuple(
            ({"stage": r.name, "severity": severity, "state": state}, found[severity, state])
            for r, _ in examined
            for found in [Counter((finding.severity, finding.state) for finding in r.findings)]
            for severity in Severity
            for state in State
        ),
    )
    yield from _of_lists([result for result, _ in examined])


def _of_lists(examined: Iterable[StageResult]) -> Iterator[Family]:
    results = list(examined)
    yield Family(
        name="pipeline_stage_not_checked",
        help="What the stage has not looked at, each with its reason in the report.",
        samples=tuple(({"stage": result.name}, len(result.not_checked)) for result in results),
    )
    yield Family(
        name="pipeline_stage_suppressions",
        help="Comments and marks in the sources that tell a tool to keep quiet.",
        samples=_counted({"stage": r.name, "kind": item.kind} for r in results for item in r.suppressions),
    )
    yield Family(
        name="pipeline_stage_components",
        help="Parts that the bill of materials lists.",
        samples=_counted({"stage": r.name, "kind": item.kind} for r in results for item in r.components),
    )


def _counted(labels: Iterable[Labels]) -> tuple[tuple[Labels, float], ...]:
    counts = Counter(tuple(item.items()) for item in labels)
    return tuple((dict(item), number) for item, number in counts.items())


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}"
    yield f"# TYPE {family.name} gauge"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    # Two series with equal labels would make the whole file invalid; only what was cut short can be equal here.
    series: dict[str, float] = {}
    for labels, value in family.samples:
        series.setdefault(",".join(f'{name}="{_label(text)}"' for name, text in labels.items()), value)
    for labelled, value in series.items():
        yield f"{family.name}{f'{{{labelled}}}' if labelled else ''} {_number(value)}"


def _label(text: str) -> str:
    return for_log(cut(str(text), LONGEST_LABEL)).translate(_ESCAPES)


def _number(value: float) -> str:
    return str(int(value)) if value == math.floor(value) else repr(float(value))


def _word(truth: bool) -> str:
    return str(truth).lower()
