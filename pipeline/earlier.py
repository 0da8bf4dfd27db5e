"""What a stage finds in an earlier revision: the same tools, today's policy, that revision's files. It is kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import msgspec

from pipeline.core.baseline import Known, counted, prints
from pipeline.core.evidence import listed
from pipeline.core.finding import Finding
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, Metric
from pipeline.errors import ConfigurationError, TargetFault
from pipeline.execution.files import sha256_of, write_atomically
from pipeline.execution.report_files import write_below
from pipeline.execution.revisions import Revision, Revisions
from pipeline.settings import Settings
from pipeline.settings_loading import policy
from pipeline.stages.context import Context, Stage

MOST_KEPT = 64
"""Answers that the cache holds; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a stage found there. ``score`` is pylint's, ``coverage`` in percent; none where it measured none.

    ``remark`` is a full sentence where the revision could not be examined whole: what is not known of it counts as new.
    """

    known: tuple[Known, ...] = ()
    score: float | None = None
    coverage: float | None = None
    remark: str = ""


class EarlierRuns:
    """Runs stages on ``revision``; its answers are kept below ``cache``."""

    def __init__(self, revisions: Revisions, revision: Revision, cache: Path) -> None:
        self._revisions = revisions
        self._revision = revision
        self._cache = cache

    @property
    def short(self) -> str:
        """The commit as people write it."""
        return self._revision.commit[:12]

    def of(self, stage: Stage, context: Context) -> Earlier:
        """What ``stage`` finds in the revision; ``context`` is that of today's run.

        Raises:
            CouldNotTell: a tool or git did not do its work there.
        """
        place = self._place(stage, context.settings)
        kept = _read(place) if place is not None else None
        if kept is not None:
            return kept
        context.ports.progress.say(f"{stage.name} of {self.short}, to compare with")
        earlier = self._run(stage, context)
        if place is not None and not earlier.remark:
            told = json.dumps(msgspec.to_builtins(earlier))
            write_atomically(place, f"{_seal(place, told)}\n{told}")
            _forget_oldest(place.parent)
        return earlier

    def _run(self, stage: Stage, context: Context) -> Earlier:
        folder = context.scratch / "against"
        snapshot, tree = self._revisions.lay_out(self._revision, folder)
        (folder / "scratch").mkdir()
        there = replace(
            context, snapshot=snapshot, tree=tree, scratch=folder / "scratch", raw=folder / "raw", results={},
            keeper=partial(write_below, folder / "raw"), previous=None, arguments=(),
        )  # fmt: skip
        try:
            return self._seen(stage, stage.run(there), there)
        except (ConfigurationError, TargetFault) as fault:
            # Of the revision itself, whose settings were others. Nothing is known of it, so nothing is forgiven.
            return Earlier(remark=f"{stage.name} can't examine {self.short}, so everything counts as new: {fault}")

    def _seen(self, stage: Stage, examination: Examination, there: Context) -> Earlier:
        found = prints(examination.findings, texts_of(examination.findings, there.snapshot, there.tree))
        doubts = (*examination.doubts, *examination.evidence.doubts)
        remark = f"{stage.name} could not tell everything of {self.short}: {listed(doubts, 2)}" if doubts else ""
        metrics = examination.metrics
        return Earlier(
            known=counted(found), score=number(metrics.get("score")), coverage=coverage_of(examination), remark=remark
        )

    def _place(self, stage: Stage, settings: Settings) -> Path | None:
        """Where the answer is kept; none for one that depends on more than files: an online service's."""
        advisories = ""
        if stage.name == "audit":
            if not settings.audit.advisories:
                return None
            advisories = sha256_of(Path(settings.audit.advisories))
        facts = [
            self._revision.content,
            stage.name,
            policy(settings),
            advisories,
            platform.python_version(),
            self._tools,
        ]
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return self._cache / f"{hashlib.sha256(text.encode()).hexdigest()}.json"

    @cached_property
    def _tools(self) -> str:
        """The digest of this package: its locks name the tools, and its code what is made of their outputs."""
        total = hashlib.sha256()
        package = Path(__file__).parent
        for path in sorted((*package.rglob("*.py"), *package.glob("locks/*.txt"))):
            total.update(f"{path.relative_to(package)} {sha256_of(path)}\n".encode())
        return total.hexdigest()


def texts_of(findings: Iterable[Finding], snapshot: Snapshot, tree: Path) -> dict[str, str]:
    """The contents of the files in which there are findings, by path."""
    wanted = {finding.path for finding in findings} & set(snapshot.files())
    return {path: (tree / path).read_bytes().decode("utf-8", "surrogateescape") for path in wanted}


def coverage_of(examination: Examination) -> float | None:
    """The line coverage in percent, not rounded; none where none was measured."""
    covered, statements = (number(examination.metrics.get(name)) for name in ("covered", "statements"))
    return 100.0 * covered / statements if covered is not None and statements else None


def number(value: Metric) -> float | None:
    """The value as a number; none for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read(place: Path) -> Earlier | None:
    try:
        seal, _, told = place.read_text(encoding="ascii").partition("\n")
        return msgspec.convert(json.loads(told), Earlier) if seal == _seal(place, told) else None
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        # Not there, or damaged: it is found out again.
        return None


def _seal(place: Path, told: str) -> str:
    """What an answer that was changed, or that is another revision's or policy's, no longer has."""
    return hashlib.sha256(f"{place.name}\n{told}".encode()).hexdigest()


def _forget_oldest(folder: Path) -> None:
    kept = []
    for path in folder.glob("*.json"):
        # Stages have processes of their own, and another one may be at the same.
        with contextlib.suppress(FileNotFoundError):
            kept.append((path.stat().st_mtime, path))
    for _, path in sorted(kept, reverse=True)[MOST_KEPT:]:
        path.unlink(missing_ok=True)
