"""A stage's result of an earlier run in the place of a new one, where nothing has changed that it rests on.

Put together from the inputs that a stage declares (:mod:`pipeline.stages.inputs`), their manifest, and the folder of
kept results. Whatever is in doubt is a miss: a miss costs a run, a wrong hit costs the promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import cache_rules
from pipeline.core.cache_inputs import Inputs, Lasting
from pipeline.core.input_manifest import Manifest, changes, parsed, told
from pipeline.core.run_record import RunRecord
from pipeline.core.stage import Examination, StageResult, Status
from pipeline.errors import CouldNotTell, PipelineError, StorageTrouble
from pipeline.execution.identities import package_digest
from pipeline.execution.result_cache import Damaged, Kept, ResultCache, holds_any_of
from pipeline.reporters import json_reading, json_report
from pipeline.result_inputs import PACKAGE, declared_by
from pipeline.settings import Settings
from pipeline.stages.context import Context, Stage
from pipeline.stages.inputs import Declaring
from pipeline.workplace import Workplace

NOT_DECLARED = "{} does not declare what its result rests on, so it can't be told whether that has changed."
BROUGHT_ALONG = "cache.dir is {!r}, and files of the project lie there, so a change of them could bring a pass along."
NOTHING_KEPT = "No earlier pass of {} is kept."
_MEGABYTE = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What came of looking for an earlier result: the ``result``, or none, and then the reason as a full sentence.

    ``inputs`` is what the stage declares, and ``manifest`` how that is now, none where it can't be told. ``kept`` is
    the entry that was found, ``damage`` what is wrong with one that can't be used.
    """

    reason: str = ""
    result: StageResult | None = None
    inputs: Inputs | None = None
    manifest: Manifest | None = None
    kept: Kept | None = None
    damage: str = ""


class CachedResults:
    """The kept results as a run in ``place`` uses them."""

    def __init__(self, place: Workplace) -> None:
        settings = place.settings.cache
        folder = Path(settings.dir).expanduser() if settings.dir else Path(".pipeline/cache/results")
        self._place = place
        self._cache = ResultCache(place.root / folder, settings.max_mb * _MEGABYTE)
        self._before: dict[str, tuple[RunRecord, Manifest | None]] = {}

    def take(self, stage: Stage, context: Context, record: RunRecord) -> StageResult | None:
        """The earlier result with its raw files back in their place, marked as cached; none where there is none."""
        if not isinstance(stage, Declaring) or why_fresh(self._place):
            return None
        found = self.look_up(stage, context, record)
        if found.result is None or found.kept is None:
            return None
        try:
            self._restore(found.result, found.kept)
        except (StorageTrouble, UnicodeDecodeError, ValueError):
            # The stage itself will say what is the matter with the disk.
            return None
        self._cache.touch(stage.name, found.kept.key)
        return replace(
            found.result,
            snapshot=record.snapshot,
            policy=record.policy_digest,
            command=self._place.command(stage.name),
            cached=True,
            reused=self._place.timestamp(),
        )

    def noted(self, stage: Stage, context: Context, record: RunRecord) -> Callable[[Examination], Examination]:
        """Remember the inputs of a stage that is about to run; what comes of it is passed through the answer.

        That adds a note where an entry for these inputs is damaged, so that it can't be used.
        """
        found = self._inputs(stage, context, record)
        self._before[stage.name] = (record, found.manifest)
        if found.manifest is None:
            return lambda examination: examination
        try:
            self._cache.get(stage.name, found.manifest.digest)
        except Damaged as damage:
            note = _told_damage(stage.name, damage)
            return lambda examination: replace(examination, notes=(*examination.notes, note))
        return lambda examination: examination

    def keep(self, stage: Stage, context: Context, result: StageResult) -> None:
        """Keep what came of a stage for later runs, if it is a pass; a failure takes away the pass of the same inputs.

        Inputs that are others by the time the stage has ended are not known to be those that it saw. That a result
        can't be kept costs a later run, and never this one.
        """
        record, manifest = self._before.pop(stage.name, (None, None))
        if record is None or manifest is None or context.arguments or not may_write(self._place):
            return
        if result.status is Status.FAIL:
            # The same inputs have passed and failed, so a pass says nothing of them.
            self._cache.drop(stage.name, manifest.digest)
        if result.status is not Status.PASS or result.cached:
            return
        # Parts of this package are loaded when they are wanted: it must be the same until the stage has ended. Of what
        # this process runs the first digest tells, which is never replaced.
        if package_digest.__wrapped__(PACKAGE) != package_digest(PACKAGE):
            return
        try:
            after = self._inputs(stage, context, record).manifest
            if after is not None and after.digest == manifest.digest:
                self._cache.put(stage.name, self._entry(manifest, result, record.run_id))
        except (PipelineError, OSError, ValueError) as trouble:
            self._place.console.line(f"{stage.name}: its result is not kept: {trouble}")

    def look_up(self, stage: Stage, context: Context, record: RunRecord) -> Lookup:
        """The earlier result for the inputs as they are now, if it still holds; else why there is none."""
        found = self._inputs(stage, context, record)
        if found.manifest is None or found.inputs is None:
            return found
        try:
            kept = self._cache.get(stage.name, found.manifest.digest)
        except Damaged as damage:
            sentence = _told_damage(stage.name, damage)
            return replace(found, reason=sentence, damage=sentence)
        if kept is None:
            return replace(found, reason=self._missing(found.manifest))
        result = json_reading.parse_stage(kept.result)
        if result is None or result.name != stage.name or result.status is not Status.PASS:
            sentence = _told_damage(stage.name, "its status does not follow from what it shows")
            return replace(found, reason=sentence, damage=sentence)
        reason = self._lapsed(stage, found.inputs, context, result)
        return replace(found, reason=reason, result=None if reason else result, kept=kept)

    def _inputs(self, stage: Stage, context: Context, record: RunRecord) -> Lookup:
        if not isinstance(stage, Declaring):
            return Lookup(reason=NOT_DECLARED.format(stage.name))
        if (named := context.settings.cache.dir) and holds_any_of(self._place.root, named, context.snapshot.by_path):
            return Lookup(reason=BROUGHT_ALONG.format(named))
        inputs, manifest, reason = declared_by(stage, context, record, self._place.environ)
        return Lookup(inputs=inputs, manifest=manifest, reason=reason)

    def _lapsed(self, stage: Stage, inputs: Inputs, context: Context, result: StageResult) -> str:
        """Why a result for the very same inputs is one no more; empty when it is one."""
        limit = longest(context.settings, inputs.lasting)
        if not timedelta(0) <= _age(result, context.ports.clock.now()) <= limit:
            return f"The kept result of {stage.name} is of {result.started}, and only {_words(limit)} count."
        try:
            if inputs.engine and (engine := _engine(context)) not in {(t.name, t.version) for t in result.tools}:
                return f"The container engine is now {engine[0]} {engine[1]}, and it was another."
            if not stage.still_holds(context, result):
                return f"What the kept result of {stage.name} is about is not there any more, or has been replaced."
        except CouldNotTell as trouble:
            return f"Whether the kept result of {stage.name} still holds can't be told: {trouble}"
        return ""

    def _missing(self, manifest: Manifest) -> str:
        """What has changed since the entry that is nearest to the inputs."""
        earlier = [changes(parsed(text), self._shown(manifest)) for text in self._cache.manifests(manifest.stage)]
        if not earlier:
            return NOTHING_KEPT.format(manifest.stage)
        nearest = min(earlier, key=len)
        what = told(nearest) if nearest else "something changed that is not shown, since it is a secret"
        return f"Since the kept result of {manifest.stage}: {what}."

    def _shown(self, manifest: Manifest) -> Manifest:
        """The manifest without the secrets that a setting or a variable may hold."""
        mask = self._place.redact
        parts = {part: {n: mask(value) for n, value in values.items()} for part, values in manifest.parts.items()}
        return replace(manifest, parts=parts)

    def _entry(self, manifest: Manifest, result: StageResult, run: str) -> Kept:
        below = f"stages/{result.name}/raw/"
        raw = {
            artifact.path.removeprefix(below): (self._place.store.reports / artifact.path).read_bytes()
            for artifact in result.artifacts
        }
        return Kept(
            key=manifest.digest, manifest=self._shown(manifest).text, result=json_report.render_stage(result), raw=raw,
            made=self._place.timestamp(), run=run,
        )  # fmt: skip

    def _restore(self, result: StageResult, kept: Kept) -> None:
        """Put the raw files back, unless they are there still; what is secret today is masked in them, too."""
        store = self._place.store
        if store.is_intact(result):
            return
        store.fresh_raw(result.name)
        for name, content in kept.raw.items():
            store.keep(result.name, name, self._place.redact(content.decode("utf-8")))


def why_fresh(place: Workplace) -> str:
    """Why a run uses no kept result, as a full sentence; empty when it may."""
    return cache_rules.why_fresh(place.settings)


def may_write(place: Workplace) -> bool:
    """Whether a run may keep results: in a change request not, unless somebody else than the change itself says so."""
    return cache_rules.may_write(place.settings, place.environ)


def longest(settings: Settings, lasting: Lasting) -> timedelta:
    """The age up to which a result is used again."""
    if lasting is Lasting.SHORT:
        return timedelta(hours=settings.cache.max_age_hours)
    return timedelta(days=settings.cache.max_age_days)


def _age(result: StageResult, now: datetime) -> timedelta:
    try:
        return now - datetime.fromisoformat(result.started).astimezone(UTC)
    except ValueError:
        return timedelta.max


def _words(limit: timedelta) -> str:
    hours = limit / timedelta(hours=1)
    return f"those of the last {hours:g} hours" if hours <= 48 else f"those of the last {hours / 24:g} days"


def _engine(context: Context) -> tuple[str, str]:
    engine = context.ports.engine()
    return engine.name, engine.version


def _told_damage(stage: str, why: object) -> str:
    return f"The kept result of {stage} was damaged and was not used: {why}."
