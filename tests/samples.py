"""Values for tests of what is made from results: a report, and Hypothesis strategies for hostile text in results."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from pipeline.core.component import Component, ComponentKind
from pipeline.core.evidence import Control, Evidence
from pipeline.core.finding import Confidence, Finding, Severity, State
from pipeline.core.gate import Gate
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import Artifact, Examination, NotChecked, StageResult, Status, Suppression, Tool
from pipeline.core.verdict import conclude
from tests.hostile import PAYLOADS

HOSTILE = PAYLOADS
"""What somebody may plant in a file name or a source line in the hope that a report carries it on."""

TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.text(st.characters(), max_size=6))
WORDS = TEXT.filter(bool)
NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
_FINDINGS = st.builds(
    Finding,
    rule=WORDS,
    tool=WORDS,
    severity=st.sampled_from(list(Severity)),
    confidence=st.sampled_from(list(Confidence)),
    message=WORDS,
    path=st.sampled_from(["", "a.py", "b/c\n.py", "caf\udce9.py", "]]>.py"]),
    line=st.integers(0, 5000),
    column=st.integers(0, 200),
    snippet=TEXT,
    package=TEXT,
    version=TEXT,
    cwe=st.lists(st.integers(1, 2000), max_size=2).map(tuple),
    aliases=st.lists(TEXT, max_size=2).map(tuple),
    fix=TEXT,
    state=st.sampled_from(list(State)),
    counted=st.booleans(),
    id=st.sampled_from(["", "0123"]),
    owner=TEXT,
    exploited=st.sampled_from(["", "2024-02-29"]),
    cvss=st.one_of(st.none(), st.floats(0, 10)),
    epss=st.one_of(st.none(), st.floats(0, 1)),
)
FINDINGS = st.one_of(
    _FINDINGS,
    st.builds(
        lambda finding, lines, first: replace(finding, context=tuple(lines), context_start=first),
        _FINDINGS,
        st.lists(TEXT, min_size=1, max_size=7),
        st.integers(1, 5000),
    ),
)
VALUES = st.recursive(
    NUMBERS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
COMPONENTS = st.builds(
    Component,
    kind=st.sampled_from(list(ComponentKind)),
    name=WORDS,
    version=TEXT,
    purl=TEXT,
    licences=st.lists(TEXT, max_size=2).map(tuple),
    licence_names=st.lists(TEXT, max_size=2).map(tuple),
    hashes=st.lists(TEXT, max_size=2).map(tuple),
    supplier=TEXT,
    source=TEXT,
    place=TEXT,
    marker=TEXT,
    files=st.lists(st.one_of(TEXT, st.just(f"{'0' * 64}  /app/a.py")), max_size=2).map(tuple),
)
GATES = st.builds(Gate, what=TEXT, allowed=TEXT, found=TEXT, passed=st.booleans())
EVIDENCE = st.builds(
    Evidence,
    unit=st.sampled_from(["files", "packages"]),
    expected=st.frozensets(TEXT, max_size=3),
    checked=st.frozensets(TEXT, max_size=3),
    controls=st.lists(st.builds(Control, tool=TEXT, planted=TEXT, caught=st.booleans()), max_size=2).map(tuple),
)


@st.composite
def results(draw: st.DrawFn, name: str = "lint") -> StageResult:
    """A result that a run could have made, with whatever text."""
    gates = tuple(draw(st.lists(GATES, max_size=3)))
    evidence = draw(EVIDENCE)
    status, reasons = conclude(Examination(evidence=evidence, gates=gates))
    return StageResult(
        name=name,
        status=status,
        reasons=(*reasons, *draw(st.lists(WORDS, max_size=2))),
        snapshot=draw(TEXT),
        policy=draw(TEXT),
        evidence=evidence,
        gates=gates,
        findings=tuple(draw(st.lists(FINDINGS, max_size=4))),
        tools=tuple(draw(st.lists(st.builds(Tool, name=TEXT, version=TEXT), max_size=2))),
        metrics=draw(st.dictionaries(TEXT, NUMBERS, max_size=3)),
        artifacts=tuple(draw(st.lists(st.builds(Artifact, path=TEXT, sha256=TEXT), max_size=2))),
        not_checked=tuple(draw(st.lists(st.builds(NotChecked, what=TEXT, reason=TEXT), max_size=2))),
        suppressions=tuple(
            draw(
                st.lists(
                    st.builds(Suppression, kind=TEXT, path=TEXT, line=st.integers(0, 9), text=TEXT, reason=TEXT),
                    max_size=2,
                )
            )
        ),
        started=draw(st.sampled_from(["", "2026-01-01T00:00:00.123Z"])),
        duration_s=draw(st.integers(0, 10_000_000)) / 1000,
        cached=draw(st.booleans()),
        command=draw(TEXT),
        details=draw(st.dictionaries(TEXT, VALUES, max_size=2)),
        components=tuple(draw(st.lists(COMPONENTS, max_size=2))),
    )


RECORD = RunRecord(
    run_id="1-abc",
    snapshot="s" * 64,
    commit="c" * 40,
    branch="main",
    dirty=False,
    started="2026-01-01T00:00:00.000Z",
    actor="me",
    python="3.11.7",
    platform="Linux",
    stages=("lint", "scan"),
    required=("lint",),
    policy_digest="p" * 64,
    policy={"lint.score_floor": 10.0},
)
EVERYTHING = Evidence.of(
    "files", expected=("a.py",), checked=("a.py",), controls=(Control(tool="ruff", planted="fault", caught=True),)
)
MET = Gate(what="lint findings of severity medium or worse", allowed="0", found="0", passed=True)


def passed(name: str = "lint") -> StageResult:
    """A green result."""
    return StageResult(
        name=name,
        status=Status.PASS,
        reasons=("Score 10.",),
        evidence=EVERYTHING,
        gates=(MET,),
        duration_s=1.5,
        started="2026-01-01T00:00:00.123Z",
        tools=(Tool(name="ruff", version="0.14"),),
        metrics={"score": 10.0},
        artifacts=(Artifact(path="stages/lint/raw/ruff.json", sha256="0" * 64),),
        command="nox -s lint",
    )


def report(*results_of_stages: StageResult, required: tuple[str, ...] = ("lint",)) -> Report:
    """A report of these results."""
    return Report(
        record=replace(RECORD, required=required), results=results_of_stages, finished="2026-01-01T00:00:09.000Z"
    )
