"""A project's tree, and the manifests of the stages in it: what a test changes, and whether that is another key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.core.run_record import Against, RunRecord
from pipeline.core.snapshot import Kind, Snapshot
from pipeline.core.stage import StageResult, not_run
from pipeline.core.waiver import Waiver
from pipeline.result_inputs import manifest_of
from pipeline.settings import Audit, Build, Settings
from pipeline.settings_loading import load
from pipeline.stages.audit import AuditStage
from pipeline.stages.build import BuildStage
from pipeline.stages.canary import CanaryStage
from pipeline.stages.context import Context
from pipeline.stages.inputs import Declaring
from pipeline.stages.lint import LintStage
from pipeline.stages.push import PushStage
from pipeline.stages.scan import ScanStage
from pipeline.stages.secrets import SecretsStage
from pipeline.stages.smoke import SmokeStage
from pipeline.stages.test import TestStage
from tests.support import make_context, snapshot_of, write_files

STAGES: dict[str, Declaring] = {
    stage.name: stage
    for stage in (
        LintStage(), ScanStage(), SecretsStage(), AuditStage(), TestStage(), BuildStage(), SmokeStage(), CanaryStage(),
        PushStage(needs=("lint", "build")),
    )
}  # fmt: skip
TREE = {
    "pyproject.toml": "[tool.pipeline]\n",
    "setup.cfg": "",
    "Dockerfile": "FROM x\n",
    ".dockerignore": "*\n!service\n",
    "service/app.py": "APP = 1\n",
    "service/tool": "#!/usr/bin/python3\n",
    "service/requirements.txt": "",
    "service/requirements.in": "-r more.in\n",
    "service/more.in": "",
    "service/tests/test_app.py": "",
    "docs/notes.md": "",
    "docs/CODEOWNERS": "",
}
RECORD = RunRecord(
    run_id="run", snapshot="s", commit="c", branch="main", dirty=False, started="2026-06-01T00:00:00Z", actor="a",
    python="3", platform="p", stages=(), required=(), policy_digest="p",
)  # fmt: skip
IMAGES = {name: replace(not_run(name, "Not."), metrics={"image_id": "sha256:1"}) for name in ("lint", "build", "smoke")}


def standard() -> Settings:
    """The settings of a project that says nothing."""
    made = load(None, {})
    return replace(made, audit=replace(made.audit, advisories=""), build=replace(made.build, base=Build().base))


@dataclass
class Released:
    """What was released last."""

    digest: str | None = None

    def last(self, place: str) -> str | None:
        """The same everywhere."""
        del place
        return self.digest

    def record(self, place: str, digest: str) -> None:
        """Nothing is remembered."""


@dataclass(frozen=True)
class World:
    """All that a manifest is made of; what a test changes, it replaces."""

    folder: Path
    files: Mapping[str, str] = field(default_factory=lambda: dict(TREE))
    executable: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=standard)
    environ: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, StageResult] = field(default_factory=lambda: dict(IMAGES))
    released: str = "sha256:r"
    committed: str = "2026-01-01T00:00:00Z"
    commit: str = "c" * 40
    record: RunRecord = RECORD

    def context(self) -> Context:
        """A context for it, in a folder of its own."""
        place = self.folder / f"{len(list(self.folder.iterdir())) if self.folder.exists() else 0}"
        tree = write_files(place / "tree", self.files)
        for name, target in self.links.items():
            (tree / name).symlink_to(target)
        context = make_context(place / "run", tree, self.settings, snapshot=self.snapshot(tree))
        ports = replace(context.ports, releases=Released(self.released), last_change=lambda _: self.committed)
        return replace(context, results=dict(self.results), ports=ports)

    def snapshot(self, tree: Path) -> Snapshot:
        """Its snapshot, with the modes and the commit that it is to have."""
        taken = snapshot_of(tree)
        entries = tuple(
            replace(entry, kind=Kind.EXECUTABLE) if entry.path in self.executable else entry for entry in taken.entries
        )
        return replace(taken, entries=entries, committed=self.committed, commit=self.commit)

    def key(self, stage: str) -> str:
        """The key of the stage's result; the reason where there is none."""
        return self.keys(stage)[stage]

    def keys(self, *stages: str) -> dict[str, str]:
        """The keys of these stages, or of all."""
        context = self.context()
        found = {n: manifest_of(STAGES[n], context, self.record, self.environ) for n in stages or STAGES}
        return {n: manifest.digest if manifest is not None else reason for n, (manifest, reason) in found.items()}

    def with_files(self, **files: str | None) -> World:
        """The same with these files, or without those that are none; ``__`` stands for ``/``, ``_dot_`` for a dot."""
        named = {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
        merged = {**self.files, **named}
        return replace(self, files={name: text for name, text in merged.items() if text is not None})

    def waived(self, *waivers: Waiver) -> World:
        """The same with waivers."""
        return replace(self, record=replace(self.record, waivers=waivers))

    def against(self, commit: str) -> World:
        """The same, compared with a revision."""
        return replace(self, record=replace(self.record, against=Against(revision="main", source="x", commit=commit)))


def with_advisories(world: World, path: Path) -> World:
    """The same with an export of advisories."""
    audit: Audit = replace(world.settings.audit, advisories=str(path))
    return replace(world, settings=replace(world.settings, audit=audit))
