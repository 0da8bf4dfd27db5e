"""Contexts made by hand for tests of stages: a folder as the tree, real or scripted processes, no other effect."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.file_results import FileResults, NothingKept
from pipeline.core.ports import Environments, Outcome, ProcessRunner, ToolEnvironment
from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.core.stage import StageResult
from pipeline.execution.environments import UvEnvironments
from pipeline.execution.files import sha256_of
from pipeline.execution.processes import LocalProcesses
from pipeline.execution.redaction import SecretRedactor
from pipeline.execution.report_files import write_below
from pipeline.settings import Settings
from pipeline.stages.context import Context, Ports
from pipeline.testing import FixedClock, ScriptedRunner, SilentProgress
from pipeline.testing import outcome as make_outcome

FIXTURES = Path(__file__).parent / "fixtures"
# Credentials of nobody, put together here: written out, they would be findings of the repository's own secrets stage.
PASSWORD = "-".join(("s3cr3t", "Pa55w0rd"))
KEY_ID = "AK" + "IA" + "QWERTYUIOPASDF24"

# Comments that the secret scanner obeys, put together for the same reason.
ALLOW = "pragma: " + "allowlist secret"
ALLOW_NEXT = "pragma: " + "allowlist nextline secret"


def recorded(tool: str, case: str, tree: Path) -> tuple[Outcome, dict[str, str]]:
    """What a real tool printed, as if it had run in ``tree``, and its other files (``regenerate_static_tools``)."""
    text = (FIXTURES / tool / f"{case}.json").read_text(encoding="utf-8")
    text = text.replace("<<password>>", PASSWORD).replace("<<key>>", KEY_ID).replace("/tree", str(tree))
    document: dict[str, Any] = json.loads(text)
    ended = make_outcome(document.pop("exit_code"), document.pop("stdout"), document.pop("stderr"))
    return ended, document


@dataclass(frozen=True)
class FakeEnvironments:
    """Environments that exist on paper; ``wanted`` are the titles that were asked for."""

    packages: Mapping[str, str] = field(default_factory=dict)
    wanted: list[str] = field(default_factory=list)

    def ensure(self, title: str, locks: Sequence[Path]) -> ToolEnvironment:
        """An environment at a place that does not exist."""
        del locks
        self.wanted.append(title)
        root = Path("/environments") / title
        return ToolEnvironment(
            root=root, python=root / "bin/python", version="3.11.7", site_packages=root / "lib", packages=self.packages
        )


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The folder with these files in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def snapshot_of(folder: Path, extra: Iterable[Entry] = ()) -> Snapshot:
    """A snapshot of all regular files and links below a folder, without git, and of ``extra`` entries."""
    entries = [*extra]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            entries.append(Entry(path=name, kind=Kind.LINK, digest=os.readlink(path)))
        elif path.is_file():
            entries.append(Entry(path=name, kind=Kind.FILE, digest=sha256_of(path), size=path.stat().st_size))
    return Snapshot(
        entries=tuple(entries), commit="c" * 40, branch="main", dirty=False, committed="2026-01-01T00:00:00Z"
    )


class RememberedReleases:
    """Releases in memory, of which there are none yet."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}

    def last(self, place: str) -> str | None:
        """The last one there."""
        return self._digests.get(place)

    def record(self, place: str, digest: str) -> None:
        """Remember it."""
        self._digests[place] = digest


def make_context(
    folder: Path,
    tree: Path,
    settings: Settings,
    *,
    processes: ProcessRunner | None = None,
    environments: Environments | None = None,
    snapshot: Snapshot | None = None,
    previous: StageResult | None = None,
    file_results: FileResults | None = None,
) -> Context:
    """A Context for ``tree``, its own folders below ``folder``; an effect that was not given can't be used."""
    effects: Any = {
        "processes": processes or ScriptedRunner([]),
        "environments": environments or FakeEnvironments(),
        "clock": FixedClock(),
        "progress": SilentProgress(),
        "redact": SecretRedactor({}),
        "last_change": lambda paths: "2025-12-31T00:00:00Z",
        "releases": RememberedReleases(),
        "file_results": file_results or NothingKept(),
    }
    ports: dict[str, Any] = {part.name: effects.get(part.name) for part in fields(Ports)}
    for name in ("scratch", "raw", "state"):
        (folder / name).mkdir(parents=True)
    return Context(
        settings=settings,
        snapshot=snapshot or snapshot_of(tree),
        tree=tree,
        scratch=folder / "scratch",
        raw=folder / "raw",
        keeper=partial(write_below, folder / "raw"),
        state=folder / "state",
        ports=Ports(**ports),
        results={},
        previous=previous,
    )


def real_processes() -> LocalProcesses:
    """Processes of this machine, with its package index settings."""
    return LocalProcesses(os.environ)


def real_environments(folder: Path, processes: ProcessRunner) -> UvEnvironments:
    """Environments made by uv below ``folder``."""
    return UvEnvironments(folder, processes, SilentProgress(), python="3", environ=os.environ)
