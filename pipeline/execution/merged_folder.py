"""The stages of a merged report on disk: put together beside the old ones, then in their place in one step."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import ConfigurationError, StorageTrouble
from pipeline.execution.report_files import made_room, write_below

STAGES = "stages"
_BLOCK = 1 << 20
# Without O_NONBLOCK a pipe that takes a file's place after the walk would hold us for ever.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFiles:
    """A stage's ``result.json`` as ``text``, and the SHA-256 of its raw outputs by their path below ``source``."""

    name: str
    text: str
    source: Path
    artifacts: Mapping[str, str] = field(default_factory=dict)


def refuse_other_folders(target: Path, ours: Iterable[str]) -> None:
    """Nothing is replaced in a folder that holds something else than a report; ``ours`` are names that may be there.

    Raises:
        ConfigurationError: it does, or it is a file.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise ConfigurationError(f"{target} is no folder.", advice="Name a folder for the merged report.")
    names = {entry.name for entry in target.iterdir()}
    strangers = sorted(name for name in names - {*ours, STAGES} if not name.startswith("."))
    if strangers:
        raise ConfigurationError(
            f"{target} holds {strangers[0]!r}, which is no part of a report.", advice="Name an empty folder."
        )


def replace_stages(target: Path, stages: Iterable[StageFiles], first_gone: str) -> None:
    """Make ``target/stages`` hold these stages and nothing else, once all of them are there and whole.

    The file ``first_gone`` of the target, the old merged report, is removed before that: from then until the new one is
    written there is no report, rather than one that is not true.

    Raises:
        StorageTrouble: a raw output is not the one that its result names, or something can't be written.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".merge-", ignore_cleanup_errors=True) as place:
            new, old = Path(place) / "new", Path(place) / "old"
            new.mkdir()
            for stage in stages:
                _put(stage, new)
            (target / first_gone).unlink(missing_ok=True)
            if os.path.lexists(target / STAGES):
                os.rename(target / STAGES, old)
            os.rename(new / STAGES, target / STAGES)
            if old.is_symlink():
                old.unlink()
    except ValueError as error:
        # A name that somebody else has given.
        raise StorageTrouble(f"The merged report could not be written: {error}.") from error
    except OSError as error:
        raise StorageTrouble(
            f"The merged report could not be written: {error.strerror or error}.",
            advice=f"Free space in {target} or make it writable, then merge again.",
        ) from error


def _put(stage: StageFiles, new: Path) -> None:
    for path, digest in stage.artifacts.items():
        made_room(new, path)
        _copy(stage.source / path, new / path, path, digest)
    write_below(new, f"{STAGES}/{stage.name}/result.json", stage.text)


def _copy(source: Path, target: Path, path: str, digest: str) -> None:
    total = hashlib.sha256()
    with os.fdopen(os.open(source, _FLAGS), "rb") as reader, target.open("xb") as writer:
        while piece := reader.read(_BLOCK):
            total.update(piece)
            writer.write(piece)
    if total.hexdigest() != digest:
        raise StorageTrouble(f"{path} was changed while it was copied.")
