"""What a project says, in its sources and in its tools' configuration, to have a stage look at less.

Read from the tree here, judged by the functions of ``core``; every stage that checks files adds it to what it saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pipeline.core.configuration_texts import FILE_ENDINGS
from pipeline.core.emptied_gates import excludes_everything, with_configuration
from pipeline.core.evidence import Evidence
from pipeline.core.gate import Gate, check_gate
from pipeline.core.skip_marks import skips_of
from pipeline.core.stage import Examination, NotChecked, Suppression
from pipeline.core.suppressions import SuppressionKind, comments_of
from pipeline.stages.context import Context

OWN_FILE = "pyproject.toml"


def commented(context: Context, files: Iterable[str], kinds: tuple[SuppressionKind, ...]) -> tuple[Suppression, ...]:
    """The suppressions of these kinds in the comments of Python files."""
    return tuple(found for path in files for found in comments_of(path, (context.tree / path).read_bytes(), kinds))


def skipping(context: Context, files: Iterable[str]) -> tuple[Suppression, ...]:
    """The skips and expected failures in Python files."""
    return tuple(found for path in files for found in skips_of(path, (context.tree / path).read_bytes()))


def configuration(context: Context) -> dict[str, str]:
    """The texts of the snapshot's files that may configure a tool, by path."""
    return {path: _text(context, path) for path in context.snapshot.files() if path.endswith(FILE_ENDINGS)}


def own_text(context: Context) -> str:
    """The text of the project's pyproject.toml; empty when it is not part of the snapshot."""
    return _text(context, OWN_FILE) if OWN_FILE in context.snapshot.by_path else ""


def nothing_to_check(
    context: Context, stage: str, unit: str, *, left_out: tuple[NotChecked, ...] = (), excluded: bool = False
) -> Examination:
    """There was nothing: no pass, unless the configuration says in so many words that it is expected.

    ``excluded`` tells that there is something, and that the stage's own exclusions take all of it.
    """
    reason = _expected(context, stage)
    evidence = Evidence(unit=unit, expected=frozenset(), checked=frozenset(), nothing_expected=reason)
    if reason:
        return Examination(
            evidence=evidence,
            gates=(_gate(stage, unit, 0),),
            notes=(f"There are no {unit} to check, which {stage}.expect_nothing gives the reason for: {reason}",),
            not_checked=(*left_out, NotChecked(what=f"{unit} (there are none)", reason=reason)),
        )
    blank = Examination(evidence=evidence, not_checked=left_out)
    own = (excludes_everything(f"{stage}.exclude", own_text(context)),) if excluded else ()
    return with_configuration(blank, own)


def with_expectation(context: Context, stage: str, examination: Examination) -> Examination:
    """The examination; with a gate that is not met where nothing was expected and there is something."""
    if not _expected(context, stage):
        return examination
    evidence = examination.evidence
    return replace(examination, gates=(*examination.gates, _gate(stage, evidence.unit, len(evidence.expected))))


def _gate(stage: str, unit: str, found: int) -> Gate:
    allowed = f"0 ({stage}.expect_nothing)"
    return check_gate(not found, what=f"{unit} to check", allowed=allowed, found=str(found))


def _expected(context: Context, stage: str) -> str:
    # Of its own section alone: what a stage reads of the settings is what it declares.
    reason: str = getattr(context.settings, stage).expect_nothing
    return reason


def _text(context: Context, path: str) -> str:
    return (context.tree / path).read_text(encoding="utf-8", errors="replace")
