"""A finished report, checked against itself: its files, what its stages recorded, and what their raw outputs amount to.

Composes the pure parts: what is wrong with a report becomes a statement, never an error, since whoever gets a damaged
or a hostile report wants to know all that is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipeline.against import POLICY
from pipeline.core.history import FILE, before, shown
from pipeline.core.run_record import Report, RunRecord
from pipeline.core.secret_forms import MASK
from pipeline.core.stage import StageResult, Status
from pipeline.core.verification import Statement, confirmed, contradicted, left_open
from pipeline.core.verification_files import REPORT, compared_files, misplaced, named_files
from pipeline.core.verification_history import history_told
from pipeline.core.verification_raw import compared
from pipeline.core.verification_results import joined, judged_again, states_told, verdict_again
from pipeline.core.verification_waivers import waivers_today
from pipeline.errors import ConfigurationError, PipelineError, StorageTrouble
from pipeline.execution.history_file import HistoryFile
from pipeline.execution.report_folder import ReportFolder
from pipeline.recorded_policy import digest_of, settings_of
from pipeline.rederivation import DERIVATIONS, Kept
from pipeline.release import release
from pipeline.reporters import FORMATS, json_reading
from pipeline.settings import Settings

MERGED = "pipeline.json"
BESIDE = frozenset({"README.md", "live"})
"""Top-level names that are no part of a report: our note on the folder, and a live run, a report of its own."""

_MOST_DIFFERENCES = 5
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading somebody else's JSON as ours can raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found. ``verdict`` is the one that the results amount to; none when they can't be read.

    ``record`` is what the report says of its run, none when that can't be read either.
    """

    statements: tuple[Statement, ...]
    verdict: Status | None = None
    record: RunRecord | None = None


def verify(folder: ReportFolder, today: date) -> Verification:
    """Everything that can be told of the report in ``folder`` by itself; waivers are held against ``today`` (UTC).

    Raises:
        ConfigurationError: there is no report.
    """
    if MERGED not in folder.files:
        raise ConfigurationError(
            f"There is no report in {folder.root}: it has no {MERGED}.", advice="Run the pipeline."
        )
    statements = [contradicted(REPORT, trouble) for trouble in folder.troubles]
    try:
        text = folder.text(MERGED)
        record, finished = json_reading.parse_record(text)
        document: dict[str, Any] = json.loads(text)
    except (StorageTrouble, *DAMAGED) as error:
        fault = str(error) if isinstance(error, StorageTrouble) else f"{MERGED} is no report or is damaged: {error}."
        return Verification(statements=(*statements, contradicted(REPORT, fault)))
    results, unread = _results(folder, record)
    entries, notes = HistoryFile(folder.root).read() if FILE in folder.files else ((), ())
    earlier = shown(before(entries, run=record.run_id, started=record.started))
    report = Report(record=record, results=tuple(results.values()), finished=finished, history=earlier)
    statements += [*unread, *_checksum(text), *_files(folder, document, report), *_policy(record)]
    for result in report.results:
        statements += judged_again(result)
    statements += joined(record, report.results)
    statements += states_told(report.results)
    if not unread:
        statements += [verdict_again(report, str(document.get("verdict")))]
        statements += _guarded(lambda: waivers_today(report, today))
        statements += _guarded(lambda: history_told(entries, notes, report))
        statements += _rendered_again(folder, report)
    statements += _rederived(folder, report)
    statements += [left_open(REPORT, f"{name} was passed over; it is no part of this report.") for name in folder.aside]
    return Verification(statements=tuple(statements), verdict=report.verdict, record=record)


def _results(folder: ReportFolder, record: RunRecord) -> tuple[dict[str, StageResult], tuple[Statement, ...]]:
    """The stages' own results, in order, and what is wrong with those that can't be read."""
    results: dict[str, StageResult] = {}
    unread = []
    for name in record.stages:
        path = _result_file(name)
        try:
            result = json_reading.read_stage(folder.text(path))
        except StorageTrouble as trouble:
            unread.append(contradicted(name, str(trouble)))
        except DAMAGED as error:
            unread.append(contradicted(name, f"{path} is damaged: {error}."))
        else:
            if result.name != name or name in results:
                unread.append(contradicted(name, f"{path} holds the result of {result.name}, or is named twice."))
            results[name] = result
    return results, tuple(unread)


def _checksum(text: str) -> tuple[Statement, ...]:
    try:
        told, derived = json_reading.checksum(text)
    except ValueError as error:
        return (contradicted(REPORT, f"{MERGED} was changed: {error}."),)
    if told != derived:
        return (contradicted(REPORT, f"{MERGED} was changed: its checksum is not that of what it says."),)
    return (confirmed(REPORT, f"{MERGED} is as it was written, by its own checksum."),)


def _files(folder: ReportFolder, document: Mapping[str, Any], report: Report) -> Iterator[Statement]:
    told = document.get("results")
    digests = told if isinstance(told, dict) else {}
    for result in report.results:
        yield from misplaced(result)
    if set(digests) != set(report.record.stages):
        yield contradicted(REPORT, f"{MERGED} does not name the digest of each of its stages' results.")
    named = {_result_file(name): str(digest) for name, digest in digests.items()}
    made = [file for file in folder.files if any(item.claims(file) for item in FORMATS.values())]
    yield from compared_files({**named_files(report.results), **named}, folder.files, [*made, FILE])


def _policy(record: RunRecord) -> tuple[Statement, ...]:
    policy = dict(record.policy)
    try:
        derived = digest_of(policy)
        masked = MASK in json.dumps(policy)
    except DAMAGED as error:
        return (contradicted("policy", f"The policy is no JSON that a run could have written: {error}."),)
    if masked:
        return (left_open("policy", "A value of the policy is masked, so its digest rests on the report's own word."),)
    if derived != record.policy_digest:
        return (contradicted("policy", "The digest of the policy is not that of the values that are shown."),)
    required = policy.get("required")
    # The comparison of the policies is required wherever there is one, whatever the policy says.
    wanted = [*([POLICY] if record.against else []), *(required if isinstance(required, list) else ())]
    if wanted != list(record.required):
        return (contradicted("policy", f"The policy requires {wanted}, and the report {list(record.required)}."),)
    return (confirmed("policy", f"The digest {derived[:12]} is that of the values that are shown."),)


def _rendered_again(folder: ReportFolder, report: Report) -> Iterator[Statement]:
    """The merged report in every format, made again from the stages' own results and compared byte for byte."""
    for name, made in FORMATS.items():
        try:
            again = made.files(report)
        except DAMAGED as error:
            yield contradicted(REPORT, f"The format {name} can't be made again from the stages' results: {error}.")
            continue
        there = [file for file in folder.files if made.claims(file)]
        for file in sorted({*again, *there}):
            yield _compared(folder, file, again.get(file, ""), report.record.generator)
        if not again and not there:
            yield confirmed(REPORT, f"Of {', '.join(made.places)} there is none, as must be.")


def _compared(folder: ReportFolder, file: str, again: str, made_by: str) -> Statement:
    try:
        found = folder.text(file)
        if again == found:
            return confirmed(REPORT, f"{file} is byte for byte what the stages' results amount to.")
        where = "; ".join(_differences(found, again)) if file == MERGED else "it differs"
    except StorageTrouble as trouble:
        return contradicted(REPORT, str(trouble))
    except DAMAGED as error:
        return contradicted(REPORT, f"{file} can't be read: {error}.")
    if made_by != release():
        return left_open(REPORT, f"{file} was made by {made_by!r} and can't be made again by {release()!r}.")
    return contradicted(REPORT, f"{file} is not what the stages' results amount to: {where}.")


def _differences(found: str, again: str) -> list[str]:
    """The first places in which two JSON texts differ, in words."""
    places = [place for place in _unlike(json.loads(found), json.loads(again), "") if place[0] != "checksum"]
    sentences = [f"{where} is {told}, and follows as {derived}" for where, told, derived in places[:_MOST_DIFFERENCES]]
    return sentences or ["it differs in its white space or in the order of its keys"]


def _unlike(told: Any, derived: Any, where: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(told, dict) and isinstance(derived, dict) and told.keys() == derived.keys():
        for name in told:
            yield from _unlike(told[name], derived[name], f"{where}.{name}".lstrip("."))
    elif isinstance(told, list) and isinstance(derived, list) and len(told) == len(derived):
        for number, pair in enumerate(zip(told, derived, strict=True)):
            yield from _unlike(*pair, f"{where}[{number}]")
    elif told != derived or type(told) is not type(derived):
        yield where, _short(told), _short(derived)


def _short(value: Any, longest: int = 60) -> str:
    text = json.dumps(value)
    return text if len(text) <= longest else f"{text[:longest]}…"


def _rederived(folder: ReportFolder, report: Report) -> Iterator[Statement]:
    """Each stage that ran, from its raw outputs and the recorded policy."""
    try:
        settings = settings_of(report.record.policy)
    except (PipelineError, *DAMAGED) as error:
        yield left_open("policy", f"No stage could be derived from its raw outputs again. {error}")
        return
    for result in report.results:
        if result.evidence is None:
            continue
        if not result.evidence.expected:
            text = f"That there was nothing to check for {result.name} rests on the report's own word."
            yield left_open(result.name, text)
        elif result.name not in DERIVATIONS:
            text = f"What the raw outputs of {result.name} amount to can't be told: it is a stage of the project's own."
            yield left_open(result.name, text)
        else:
            yield from _stage(folder, report.record, result, settings)


def _stage(folder: ReportFolder, record: RunRecord, result: StageResult, settings: Settings) -> tuple[Statement, ...]:
    """Outputs that can't be read again are no contradiction where a stage is not green: that may be why it is not."""
    start = f"stages/{result.name}/raw/"
    try:
        raw = {a.path.removeprefix(start): folder.text(a.path) for a in result.artifacts if a.path.startswith(start)}
        kept = Kept(result=result, raw=raw, settings=settings, record=record)
        return compared(result, DERIVATIONS[result.name](kept))
    except (PipelineError, *DAMAGED) as error:
        fault = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}."
        text = f"The raw outputs of {result.name} could not be read again. {fault}"
        # A mask may have taken a JSON text apart, and nothing else.
        excused = _is_no_json(error) and any(MASK in content for content in _texts(folder, result))
        green = result.status is Status.PASS and not excused
        return (contradicted(result.name, text) if green else left_open(result.name, text),)


def _is_no_json(error: BaseException | None) -> bool:
    return error is not None and (isinstance(error, json.JSONDecodeError) or _is_no_json(error.__cause__))


def _texts(folder: ReportFolder, result: StageResult) -> Iterator[str]:
    """The raw outputs of a result that can be read as text."""
    for artifact in result.artifacts:
        if artifact.path in folder.files:
            try:
                yield folder.text(artifact.path)
            except StorageTrouble:
                continue


def _guarded(derive: Callable[[], Iterable[Statement]]) -> tuple[Statement, ...]:
    try:
        return tuple(derive())
    except DAMAGED as error:
        return (contradicted(REPORT, f"What it says of its waivers or its times can't be read: {error}."),)


def _result_file(stage: str) -> str:
    return f"stages/{stage}/result.json"
