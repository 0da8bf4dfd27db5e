"""Parts of a run become the run again, whatever their order; what does not belong together is refused."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.change import entry_of
from pipeline.core.evidence import Evidence
from pipeline.core.gate import check_gate
from pipeline.core.merging import MISSING, Brought, Merged, Part, merge
from pipeline.core.plan import NEVER_RUN, NOT_SELECTED
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.stage import Artifact, Examination, StageResult, Status, Tool, not_run
from pipeline.core.verdict import conclude
from pipeline.core.waiver_standing import UNUSED, unused_gate
from pipeline.errors import ConfigurationError
from pipeline.reporters import FORMATS, json_report
from tests.samples import EVIDENCE, FINDINGS, GATES, RECORD, TEXT, passed, report
from tests.waivers import make_waiver

STAGES = ("lint", "scan", "audit", "test")
ALL: frozenset[str] = frozenset(STAGES)
WHOLE = replace(RECORD, stages=STAGES, required=("lint", "test"))
FINISHED = "2026-01-01T00:00:09.000Z"


def of_run(result: StageResult, record: RunRecord = WHOLE) -> StageResult:
    raw = tuple(
        replace(artifact, path=f"stages/{result.name}/raw/{number}") for number, artifact in enumerate(result.artifacts)
    )
    examined = result.status is not Status.NOT_RUN
    return replace(
        result, snapshot=record.snapshot, policy=record.policy_digest, artifacts=raw, notes=result.reasons * examined
    )


@st.composite
def consistent(draw: st.DrawFn, name: str) -> StageResult:
    """A result whose status and reasons follow from what it shows, as a run makes them."""
    if draw(st.booleans()):
        return of_run(not_run(name, draw(st.sampled_from([NOT_SELECTED, "The run was interrupted."]))))
    gates = tuple(draw(st.lists(GATES, max_size=2)))
    doubts, notes = (tuple(draw(st.lists(TEXT, max_size=2))) for _ in range(2))
    examination = Examination(evidence=draw(EVIDENCE), gates=gates, doubts=doubts, notes=notes)
    status, reasons = conclude(examination)
    made = replace(of_run(passed(name)), status=status, reasons=reasons, evidence=examination.evidence, gates=gates)
    return replace(
        made,
        findings=tuple(draw(st.lists(FINDINGS, max_size=2))),
        doubts=doubts,
        notes=notes,
        cached=draw(st.booleans()),
    )


def brought(*results: StageResult) -> dict[str, Brought]:
    return {r.name: Brought(result=r, digest=json_report.digest(json_report.render_stage(r))) for r in results}


def part(*results: StageResult, title: str = "part", record: RunRecord | None = WHOLE, **values: Any) -> Part:
    return Part(title=title, results=brought(*results), record=record, **{"finished": FINISHED, **values})


def whole(*results: StageResult) -> Report:
    return Report(record=WHOLE, results=results, finished=FINISHED)


def lint(**values: Any) -> StageResult:
    return replace(of_run(passed()), **values)


def rest(*without: str) -> tuple[StageResult, ...]:
    return tuple(of_run(passed(name)) for name in STAGES if name not in without)


def merged(*parts: Part, allowed: frozenset[str] = frozenset()) -> Merged:
    return merge(parts, allowed)


@given(
    st.tuples(*(consistent(name) for name in STAGES)),
    st.lists(st.frozensets(st.sampled_from(STAGES)), max_size=4),
    st.randoms(use_true_random=False),
)
def test_the_parts_of_one_run_are_that_run_again_byte_for_byte(
    results: tuple[StageResult, ...], cuts: list[frozenset[str]], source: random.Random
) -> None:
    run = whole(*results)
    # Whatever the other parts leave out lies in the last one; some stages lie in several.
    cuts = [*cuts, ALL - frozenset().union(*cuts)]
    parts = [part(*(r for r in results if r.name in cut), title=str(number)) for number, cut in enumerate(cuts)]
    again = merge(source.sample(parts, len(parts)), ALL).report
    assert again == run
    for made in FORMATS.values():
        assert made.files(again) == made.files(run)


@given(
    st.lists(st.tuples(consistent("lint"), consistent("scan")), min_size=2, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_parts_does_not_matter(pairs: list[tuple[StageResult, ...]], source: random.Random) -> None:
    parts = [
        part(
            *pair,
            title=str(number),
            record=replace(WHOLE, run_id=f"{number}", started=f"2026-01-0{source.randint(1, 2)}T00:00:00.000Z"),
            finished=f"2026-01-03T00:00:0{source.randint(0, 9)}.000Z",
        )
        for number, pair in enumerate(pairs)
    ]
    outcomes: list[Report | None] = []
    for _ in range(3):
        source.shuffle(parts)
        try:
            outcomes.append(merge(parts, ALL).report)
        except ConfigurationError:
            outcomes.append(None)
    assert outcomes[1:] == outcomes[:-1]


def test_several_machines_make_one_run_that_says_so() -> None:
    other = replace(WHOLE, run_id="2-def", started="2026-01-01T00:00:05.000Z", python="3.13.1", actor="you", branch="")
    made = merged(
        part(lint(), record=other, finished="2026-01-01T00:01:00.000Z"), part(*rest("lint")), part(record=other)
    ).report
    record = made.record
    assert (record.started, made.finished) == (WHOLE.started, "2026-01-01T00:01:00.000Z")
    assert (record.run_id, record.python, record.actor) == ("1-abc+2-def", "3.11.7, 3.13.1", "me, you")
    assert (record.platform, record.branch) == ("Linux", "main")
    assert made.verdict is Status.PASS


def test_what_was_merged_can_be_merged_again() -> None:
    records = [replace(WHOLE, run_id=f"{number}-x", python=f"3.1{number}.0") for number in range(3)]
    parts = [part(r, record=record) for r, record in zip(rest("test"), records, strict=True)]
    first = merge(parts[:2], ALL).report
    again = merge([part(*first.results, record=first.record), parts[2]], ALL).report
    assert again == merge(parts, ALL).report


def test_the_latest_of_the_last_green_runs_is_known() -> None:
    entries = [
        replace(entry_of(report(passed())), run=name, started=f"2025-01-0{name}T00:00:00.000Z") for name in ("1", "2")
    ]
    parts = [part(*rest(), record=replace(WHOLE, last_green=known)) for known in (*entries[::-1], None)]
    assert merged(*parts).report.record.last_green == entries[1]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("snapshot", "t" * 64, "content"),
        ("commit", "d" * 40, "commit: "),
        ("dirty", True, "uncommitted changes"),
        ("policy_digest", "q" * 64, "policy"),
        ("generator", "other 2.0", "release"),
        ("stages", STAGES[1:], "stages"),
        ("required", (), "required"),
        ("approval", "x", "approve"),
    ],
)
def test_parts_that_are_not_about_the_same_are_refused(field: str, value: Any, words: str) -> None:
    other = replace(WHOLE, **{field: value})
    mine, other_part = part(*rest("lint"), title="one"), part(lint(), title="two", record=other)
    for pair in ([mine, other_part], [other_part, mine]):
        with pytest.raises(ConfigurationError, match=f"differ in their .*{words}"):
            merge(pair, ALL)


@pytest.mark.parametrize(("field", "words"), [("snapshot", "other content"), ("policy", "another policy")])
def test_a_result_of_something_else_is_refused(field: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        merged(part(*rest("lint")), part(lint(**{field: "x"}), record=None))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"status": Status.FAIL, "reasons": ("faults: allowed 0, found 1.",)}, "evidence and gates make it pass"),
        ({"reasons": ("Something else.",)}, "reasons of lint"),
        ({"artifacts": (Artifact(path="stages/scan/raw/x", sha256="0" * 64),)}, "lies outside"),
        ({"artifacts": (Artifact(path="stages/lint/raw/../../x", sha256="0" * 64),)}, "lies outside"),
    ],
)
def test_a_result_that_contradicts_itself_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        merged(part(*rest("lint")), part(lint(**values)))


RED = check_gate(False, what="faults", allowed="0", found="1")


def failed() -> StageResult:
    return lint(gates=(RED,), status=Status.FAIL, reasons=(RED.sentence, "Score 10."))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (failed(), r"about lint: they differ in their status \((pass and fail|fail and pass)\)"),
        (lint(tools=(Tool(name="ruff", version="0.15"),)), "they differ in their tools"),
        (lint(metrics={"image_id": "sha256:1"}), "they differ in their image"),
        (lint(evidence=Evidence.of("files", expected="ab", checked="ab")), "they differ in their evidence"),
    ],
)
def test_duplicates_that_disagree_are_refused(other: StageResult, words: str) -> None:
    for pair in ([part(*rest()), part(other)], [part(other), part(*rest())]):
        with pytest.raises(ConfigurationError, match=words):
            merge(pair, ALL)


def test_of_duplicates_that_agree_the_earliest_counts() -> None:
    later = lint(started="2026-01-01T00:00:05.000Z", duration_s=3.0, metrics={"score_previous": 10.0})
    reused = lint(started="2025-01-01T00:00:00.000Z", cached=True)
    for order in ([later, reused, lint()], [lint(), later, reused]):
        made = merge([*(part(one) for one in order), part(*rest("lint"))], frozenset())
        assert made.report.results[0] == lint()
        assert order[made.sources["lint"]] == lint()


@pytest.mark.parametrize("reason", [NOT_SELECTED, NEVER_RUN])
def test_a_stage_that_nobody_ran_is_missing(reason: str) -> None:
    blanks = tuple(of_run(not_run(name, reason)) for name in ("scan", "audit"))
    parts = [part(*rest("scan", "audit", "test"), *blanks)]
    with pytest.raises(ConfigurationError, match="a result of scan, audit, test"):
        merge(parts, frozenset())
    made = merge(parts, frozenset({"scan", "audit", "test"}))
    assert [result.reasons for result in made.report.results[1:]] == [(reason,), (reason,), (MISSING,)]
    assert "test" not in made.sources
    assert made.report.verdict is Status.NOT_RUN, "test is required, and leave to be missing makes nothing green"


def test_a_missing_optional_stage_leaves_the_verdict_alone() -> None:
    assert merged(part(*rest("scan")), allowed=frozenset({"scan"})).report.verdict is Status.PASS


def test_a_stage_that_could_not_run_is_not_missing() -> None:
    waiting = of_run(not_run("test", "test needs lint to pass, and lint is fail."))
    selected_elsewhere = of_run(not_run("test", NOT_SELECTED))
    made = merged(part(failed(), *rest("lint", "test")), part(selected_elsewhere), part(waiting)).report
    assert made.results[3] == waiting
    assert made.verdict is Status.FAIL


def test_a_result_goes_before_one_that_did_not_run() -> None:
    interrupted = of_run(not_run("lint", "The run was interrupted before this stage had ended."))
    assert merged(part(interrupted), part(*rest()), part(interrupted)).report.results[0] == lint()


def test_an_image_that_was_not_the_one_built_is_refused() -> None:
    names = ("build", "smoke")
    record = replace(WHOLE, stages=names, required=names)
    parts = [
        part(replace(of_run(passed(name)), metrics={"image_id": f"sha256:{name}"}), record=record) for name in names
    ]
    with pytest.raises(ConfigurationError, match="smoke passed the image sha256:smoke, and build made sha256:build"):
        merge(parts, frozenset())


def test_folders_without_any_merged_report_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="None of the folders has a merged report"):
        merged(part(*rest(), record=None))


def test_a_folder_with_results_alone_joins_those_that_have_a_merged_report() -> None:
    assert merged(part(lint(), record=None), part(*rest("lint"))).report == whole(*rest())


def test_stages_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no stage 'tset' that could be missing"):
        merged(part(*rest()), allowed=frozenset({"tset"}))
    with pytest.raises(ConfigurationError, match="has a stage 'own'"):
        merged(part(*rest()), part(of_run(passed("own")), record=None))


WAIVER = make_waiver(tool="pytest", expires=date(2026, 2, 1), stages=("lint", "test"))


def test_a_waiver_that_no_part_could_judge_fails_the_last_of_its_stages() -> None:
    """In one run the last stage of a tool judges; where the stages ran apart, none of them does."""
    record = replace(WHOLE, waivers=(WAIVER,))
    apart = [replace(result, gates=(*result.gates, unused_gate(()))) for result in rest()]
    made = merge([part(result, record=record) for result in apart], frozenset()).report
    assert [result.status for result in made.results] == [Status.PASS, Status.PASS, Status.PASS, Status.FAIL]
    (gate,) = [gate for gate in made.results[3].gates if gate.what == UNUSED]
    assert gate.found == f"1 (remove {WAIVER.place}: {WAIVER.title})"
    assert merge([part(*made.results, record=record)], frozenset()).report == made, "it is told already"
