"""The results of a run on disk: one file a stage, each replaced atomically, and the record of their run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from pipeline.core.run_record import RunRecord
from pipeline.core.stage import Artifact, StageResult, Status
from pipeline.errors import StorageTrouble
from pipeline.execution.files import sha256_of, write_atomically


class ResultStore:
    """Stage results below ``reports``, and what is remembered between runs below ``state``.

    ``encode`` turns a result into the JSON text of ``result.json`` and ``decode`` reads it back; both are a reporter's
    and are passed in, because an execution module does not know formats.
    """

    def __init__(
        self,
        reports: Path,
        state: Path,
        *,
        encode: Callable[[StageResult], str],
        decode: Callable[[str], StageResult | None],
    ) -> None:
        self.reports = reports
        self._state = state
        self._encode = encode
        self._decode = decode

    def stage_folder(self, name: str) -> Path:
        """Where a stage's result and raw outputs lie."""
        return self.reports / "stages" / name

    def fresh_raw(self, name: str) -> Path:
        """An empty folder for the stage's raw outputs.

        Raises:
            StorageTrouble: it can't be made, or what an earlier run left there can't be removed.
        """
        raw = self.stage_folder(name) / "raw"
        try:
            if raw.is_symlink() or raw.is_file():
                raw.unlink()
            elif raw.exists():
                shutil.rmtree(raw)
            raw.mkdir(parents=True)
        except OSError as error:
            raise StorageTrouble(
                f"The folder for the raw outputs of {name} could not be emptied: {error.strerror or error}.",
                advice=f"Remove {raw} or make it writable, then run again.",
            ) from error
        return raw

    def write(self, result: StageResult) -> StageResult:
        """Put the result in its place, with the digests of every raw file; a result that ran is also remembered."""
        ran = result.status is not Status.NOT_RUN
        complete = replace(result, artifacts=self._artifacts(result.name) if ran else ())
        write_atomically(self.stage_folder(result.name) / "result.json", self._encode(complete))
        if complete.evidence is not None and not complete.cached:
            write_atomically(self._state / "previous" / f"{result.name}.json", self._encode(complete))
        return complete

    def read(self, name: str) -> StageResult | None:
        """The stage's result, or none when there is none that can be read."""
        return self._load(self.stage_folder(name) / "result.json")

    def previous(self, name: str) -> StageResult | None:
        """The stage's last result that ran to its end, of whatever snapshot."""
        return self._load(self._state / "previous" / f"{name}.json")

    def is_intact(self, result: StageResult) -> bool:
        """Whether the raw files that the result names are still there, byte for byte, and no others."""
        return result.artifacts == self._artifacts(result.name)

    def results(self, names: tuple[str, ...], snapshot: str) -> dict[str, StageResult]:
        """The results for this snapshot by stage; results for any other are passed over."""
        found = {name: self.read(name) for name in names}
        return {name: result for name, result in found.items() if result is not None and result.snapshot == snapshot}

    def put(self, name: str, text: str) -> None:
        """Put a report of the whole run in its place; one that has nothing to say is no file.

        Raises:
            StorageTrouble: it can't be written, or what an earlier run said can't be removed.
        """
        path = self.reports / name
        if text:
            write_atomically(path, text)
            return
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageTrouble(f"{name} could not be removed: {error.strerror or error}.") from error

    def clear(self, stages: tuple[str, ...], ran: frozenset[str]) -> None:
        """Remove raw outputs of ``stages`` that did not run, and folders of stages that there are no more.

        ``ran`` are those that did. What can't be removed stays, and ``pipeline verify`` names it.
        """
        for folder in (self.reports / "stages").iterdir():
            if folder.name not in stages:
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.name not in ran:
                shutil.rmtree(folder / "raw", ignore_errors=True)

    def write_record(self, record: RunRecord) -> None:
        """Remember what the current run is about."""
        # ASCII, so that a name that is not UTF-8 (a branch's, a user's) can be written at all.
        write_atomically(self._state / "run.json", json.dumps(msgspec.to_builtins(record)))

    def read_record(self) -> RunRecord | None:
        """The current run's record, or none."""
        path = self._state / "run.json"
        try:
            return msgspec.convert(json.loads(path.read_bytes()), RunRecord)
        except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
            # Damaged, or not there. A record of another version of ours is as good as none: the run writes its own.
            return None

    def _load(self, path: Path) -> StageResult | None:
        try:
            return self._decode(path.read_text(encoding="utf-8", errors="replace"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _artifacts(self, name: str) -> tuple[Artifact, ...]:
        raw = self.stage_folder(name) / "raw"
        return tuple(
            Artifact(path=path.relative_to(self.reports).as_posix(), sha256=sha256_of(path))
            for path in sorted(raw.rglob("*"))
            if path.is_file() and not path.is_symlink()
        )
