"""Reports of several machines read, joined and written as one. What is joined with what is decided in the core."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.change import entry_of
from pipeline.core.history import FILE, before, shown, union
from pipeline.core.merging import Brought, Merged, Part, merge
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult
from pipeline.core.verification_files import misplaced
from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.history_file import HistoryFile
from pipeline.execution.merged_folder import StageFiles, refuse_other_folders, replace_stages
from pipeline.execution.report_folder import ReportFolder, read_folder
from pipeline.execution.store import ResultStore
from pipeline.reporters import FORMATS, json_reading, json_report
from pipeline.verification import BESIDE, DAMAGED, MERGED

# A stage is a folder below reports/stages/, and its name comes from files that somebody else may have written.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_RESULT = re.compile(r"stages/(?P<name>[^/]+)/result\.json")


def merged(folders: Sequence[Path], target: Path, allowed: frozenset[str], tell: Callable[[str], None]) -> Merged:
    """Join the reports in ``folders`` and leave the whole in ``target``, which may be one of them.

    ``tell`` gets a full sentence for whatever of the histories could not be read.

    Raises:
        ConfigurationError: they don't belong together, one of them is no report or leads out of its folder.
        StorageTrouble: a file is damaged, or can't be written.
    """
    sources = [read_folder(folder, BESIDE) for folder in folders]
    parts = [_part(folder) for folder in sources]
    whole = merge(parts, allowed)
    report = whole.report
    refuse_other_folders(target, _ours())
    histories = [HistoryFile(folder).read() for folder in (*(source.root for source in sources), target)]
    entries = union(entries for entries, _ in histories)
    earlier = before(entries, run=report.record.run_id, started=report.record.started)
    report = replace(report, history=shown(earlier))
    roots = {name: sources[place].root for name, place in whole.sources.items()}
    replace_stages(target, [_files_of(result, roots.get(result.name, target)) for result in report.results], MERGED)
    _write(target, report)
    notes = HistoryFile(target).add(*entries, entry_of(report))
    for note in sorted({*notes, *(note for _, told in histories for note in told)}):
        tell(note)
    return replace(whole, report=report)


def _files_of(result: StageResult, source: Path) -> StageFiles:
    artifacts = {artifact.path: artifact.sha256 for artifact in result.artifacts}
    return StageFiles(name=result.name, text=json_report.render_stage(result), source=source, artifacts=artifacts)


def _write(target: Path, report: Report) -> None:
    """Every format, the merged report last, so that there is none until all of them are there."""
    store = ResultStore(target, target, encode=json_report.render_stage, decode=json_reading.parse_stage)
    for made in sorted(FORMATS.values(), key=lambda made: MERGED in made.places):
        store.put(made.files(report), made.globs)


def _ours() -> frozenset[str]:
    """The top-level names that a report can have."""
    places = (place for made in FORMATS.values() for place in made.globs)
    return frozenset({*(place.partition("/")[0] for place in places), *BESIDE, FILE})


def _part(folder: ReportFolder) -> Part:
    """What one folder holds, once it is known to hold together.

    Raises:
        ConfigurationError: there are links or other things that no report holds, or no stages.
        StorageTrouble: a file is damaged.
    """
    title = str(folder.root)
    if folder.troubles:
        raise ConfigurationError(f"{title} is no report that could be merged: {folder.troubles[0]}")
    if MERGED not in folder.files:
        names = sorted(match["name"] for path in folder.files if (match := _RESULT.fullmatch(path)))
        if not names:
            raise ConfigurationError(f"There is no report in {title}.", advice=f"It has no {MERGED} and no stages.")
        return Part(title=title, results=_results(folder, names, {}))
    try:
        text = folder.text(MERGED)
        told, derived = json_reading.checksum(text)
        document: dict[str, Any] = json.loads(text)
        record, finished = json_reading.parse_record(text)
        digests = dict(document["results"])
    except DAMAGED as error:
        raise StorageTrouble(f"{MERGED} in {title} is no report or is damaged: {error}.") from error
    if told != derived:
        raise StorageTrouble(f"{MERGED} in {title} was changed: its checksum is not that of what it says.")
    if len(set(record.stages)) < len(record.stages):
        raise ConfigurationError(f"{MERGED} in {title} names a stage twice.")
    results = _results(folder, record.stages, digests)
    return Part(title=title, results=results, record=record, finished=finished, digest=derived)


def _results(folder: ReportFolder, names: Sequence[str], digests: dict[str, Any]) -> dict[str, Brought]:
    found = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{folder.root} has a stage called {name!r}, which can't be a folder of a report.")
        path = f"stages/{name}/result.json"
        if path not in folder.files:
            continue
        digest = folder.files[path]
        if digests.get(name, digest) != digest:
            raise StorageTrouble(f"{path} in {folder.root} was changed: its digest is not the one that was recorded.")
        try:
            result = json_reading.read_stage(folder.text(path))
        except DAMAGED as error:
            raise StorageTrouble(f"{path} in {folder.root} is damaged: {error}.") from error
        if result.name != name:
            raise ConfigurationError(f"{path} in {folder.root} holds the result of {result.name!r}.")
        for artifact in result.artifacts:
            if not misplaced(result) and folder.files.get(artifact.path) != artifact.sha256:
                raise StorageTrouble(f"{artifact.path} in {folder.root} is missing or was changed.")
        found[name] = Brought(result=result, digest=digest)
    return found
