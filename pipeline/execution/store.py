"""The results of a run on disk: one file a stage, each replaced atomically, and the record of their run."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import msgspec

from pipeline.core.run_record import RunRecord
from pipeline.core.stage import Artifact, StageResult, Status
from pipeline.errors import StorageTrouble
from pipeline.execution.files import sha256_of, write_atomically
from pipeline.execution.report_files import cleared, emptied, made_room, removed, write_below


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
        self._decoded: dict[Path, tuple[bytes, StageResult | None]] = {}

    def stage_folder(self, name: str) -> Path:
        """Where a stage's result and raw outputs lie."""
        return self.reports / "stages" / name

    def fresh_raw(self, name: str) -> Path:
        """An empty folder for the stage's raw outputs.

        Raises:
            StorageTrouble: it can't be made, or what an earlier run left there can't be removed.
        """
        return emptied(self.reports, f"stages/{name}/raw")

    def keep(self, name: str, file: str, text: str) -> Path:
        """Put one of the stage's raw outputs in its place; its secrets have been masked.

        Raises:
            ValueError: it would lie outside of the stage's folder.
            StorageTrouble: it can't be written.
        """
        return write_below(self.reports, f"stages/{name}/raw/{file}", text)

    def write(self, result: StageResult) -> StageResult:
        """Put the result in its place, with the digests of every raw file; a result that ran is also remembered."""
        ran = result.status is not Status.NOT_RUN
        complete = replace(result, artifacts=self._artifacts(result.name) if ran else ())
        write_below(self.reports, f"stages/{result.name}/result.json", self._encode(complete))
        if not complete.cached:
            self.remember(complete)
        return complete

    def remember(self, result: StageResult) -> None:
        """Keep a result that ran to its end, for runs that may use it again or compare with it."""
        if result.evidence is not None:
            write_atomically(self._state / "previous" / f"{result.name}.json", self._encode(result))

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

    def put(self, files: Mapping[str, str], globs: Iterable[str]) -> None:
        """Put one format's reports of the whole run in their places, by their paths relative to the reports folder.

        Whatever else lies at the places that ``globs`` name is of an earlier run and is removed.

        Raises:
            StorageTrouble: one can't be written, or what an earlier run left can't be removed.
        """
        patterns = tuple(globs)
        for name in (*files, *(f"{PurePosixPath(pattern).parent / 'any'}" for pattern in patterns)):
            made_room(self.reports, name)
        for pattern in patterns:
            place = self.reports / pattern
            for path in sorted(place.parent.iterdir()) if place.parent.is_dir() else ():
                if fnmatchcase(path.name, place.name) and path.relative_to(self.reports).as_posix() not in files:
                    _remove(path)
        for name, text in files.items():
            # The disk is waited for at each file that is written, and after a stage most are what they were before.
            if not _holds(self.reports / name, text):
                write_below(self.reports, name, text)

    def clear(self, stages: tuple[str, ...], ran: frozenset[str]) -> None:
        """Remove raw outputs of ``stages`` that did not run, and folders of stages that there are no more.

        ``ran`` are those that did. What can't be removed stays, and ``pipeline verify`` names it.
        """
        cleared(self.reports, "stages", stages)
        for name in set(stages) - ran:
            removed(self.reports, f"stages/{name}/raw")

    def forget(self, name: str) -> None:
        """Remove all that an earlier run left of a stage, as far as that is possible."""
        removed(self.reports, f"stages/{name}")

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
            content = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        # Read each time, since other processes of the run write too; the same bytes are the same result, and a run asks
        # for each one dozens of times.
        earlier, result = self._decoded.get(path, (b"", None))
        if content != earlier:
            result = self._decode(content.decode("utf-8", "replace"))
            self._decoded[path] = (content, result)
        return result

    def _artifacts(self, name: str) -> tuple[Artifact, ...]:
        raw = self.stage_folder(name) / "raw"
        return tuple(
            Artifact(path=path.relative_to(self.reports).as_posix(), sha256=sha256_of(path))
            for path in sorted(raw.rglob("*"))
            if path.is_file() and not path.is_symlink()
        )


def _holds(path: Path, text: str) -> bool:
    """Whether an ordinary file holds exactly this text."""
    content = text.encode("utf-8", "backslashreplace")
    try:
        status = path.lstat()
        return stat.S_ISREG(status.st_mode) and status.st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise StorageTrouble(f"{path.name} could not be removed: {error.strerror or error}.") from error
