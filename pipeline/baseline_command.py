"""``pipeline baseline``: the finding baseline from the last report. It only shrinks, or is told why it may grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.core.baseline import Known, counted, matched, prints
from pipeline.core.emptied_gates import TOOL as OWN_TOOL
from pipeline.core.finding import State
from pipeline.core.policy_files import BASELINE as FILE
from pipeline.core.stage import StageResult, Status
from pipeline.core.verdict import EXIT_CODES
from pipeline.earlier import texts_of
from pipeline.errors import ConfigurationError
from pipeline.execution.files import write_atomically
from pipeline.finding_baseline import STAGES, FindingBaseline, amount, read, render
from pipeline.workplace import Workplace

FEWEST_WORDS = 3
"""Words from which a reason is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A stage's part of the baseline: what is ``kept`` of it, how many are ``gone``, and what is ``new``."""

    kept: tuple[Known, ...]
    gone: int
    new: tuple[Known, ...]


def carry_out(place: Workplace, *, check: bool, reason: str) -> int:
    """Write the baseline, or check that it is as small as it can be; the exit code.

    Raises:
        ConfigurationError: the options do not go together, or the baseline can't be used.
    """
    if check and reason:
        raise ConfigurationError("--check writes nothing, so --grow can't go with it.")
    if reason and len(reason.split()) < FEWEST_WORDS:
        raise ConfigurationError(
            f"The reason {reason!r} is none.", advice="Say in a sentence why the findings may stay."
        )
    snapshot = place.checkout.snapshot()
    known = read(place.root, snapshot)
    results = place.store.results(STAGES, snapshot.digest)
    whole = {name: result for name, result in results.items() if is_whole(result)}
    begins = FILE not in snapshot.by_path
    unknown = [name for name in STAGES if name not in whole and (known.get(name) or begins)]
    if unknown and not (begins and whole):
        print(
            f"The last report does not tell everything about {', '.join(unknown)} of this content, so nothing is known."
        )
        print(f"Run it first: pipeline run {' '.join(unknown)}")
        return EXIT_CODES[Status.INCONCLUSIVE]
    counts = {}
    for name, result in whole.items():
        texts = texts_of(result.findings, snapshot, place.root)
        counts[name] = count(result, known.get(name, ()), texts)
    return _check(counts) if check else _write(place, known, counts, reason, begins=begins)


def count(result: StageResult, known: tuple[Known, ...], texts: Mapping[str, str]) -> Count:
    """Today's findings against the known ones; only those that count are let in, and no waived one."""
    findings = [finding for finding in result.findings if finding.counted and finding.tool != OWN_TOOL]
    found = prints(findings, texts)
    matching = matched(found, known)
    pairs = list(zip(findings, found, matching.accounted, strict=True))
    # Seen anew: what stands around a finding may have changed while it stayed known.
    reasons = sorted({item.reason for item in known})
    kept = [
        part
        for why in reasons
        for part in counted((mark for _, mark, by in pairs if by is not None and by.reason == why), why)
    ]
    new = counted(mark for finding, mark, by in pairs if by is None and finding.state is not State.WAIVED)
    return Count(kept=tuple(kept), gone=amount(matching.gone), new=new)


def is_whole(result: StageResult) -> bool:
    """Whether the stage ran to its end and saw everything, so that what it did not find is not there."""
    return result.evidence is not None and not (result.doubts or result.evidence.doubts)


def _check(counts: Mapping[str, Count]) -> int:
    too_large = {name: found.gone for name, found in counts.items() if found.gone}
    for name, gone in too_large.items():
        print(f"{name}: {gone} known findings are gone; 'pipeline baseline' takes them out of {FILE}.")
    if not too_large:
        print(f"{FILE} is as small as it can be.")
    return EXIT_CODES[Status.FAIL if too_large else Status.PASS]


def _write(place: Workplace, known: FindingBaseline, counts: Mapping[str, Count], reason: str, *, begins: bool) -> int:
    left_out = 0
    updated = dict(known)
    for name, found in counts.items():
        let_in: tuple[Known, ...] = ()
        if begins or reason:
            let_in = tuple(replace(item, reason=reason) for item in found.new)
        else:
            left_out += amount(found.new)
        updated[name] = (*found.kept, *let_in)
        change = f"{amount(updated[name])} findings, {found.gone} taken out, {amount(let_in)} let in"
        print(f"{name}: {change}")
    write_atomically(place.root / FILE, render(updated))
    if left_out:
        print(f"{left_out} new findings were not let in. Mend them, or say why they may stay: --grow 'REASON'")
    return EXIT_CODES[Status.FAIL if left_out else Status.PASS]
