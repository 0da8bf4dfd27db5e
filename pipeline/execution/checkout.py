"""Taking the snapshot from git, and laying it out as a tree of its own in which the stages work.

The stages never see the working tree: an edit during the run, an ignored file or a left-over cache can't change a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.ports import Outcome, ProcessRunner, Request
from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.errors import ConfigurationError, StorageTrouble, ToolTrouble
from pipeline.execution.files import sha256_of

_GIT_TIMEOUT_S = 60.0
_SUBMODULE = "160000"
_COMPLETE = ".complete"


class Checkout:
    """A git checkout at ``root``."""

    def __init__(self, root: Path, processes: ProcessRunner) -> None:
        self.root = root
        self._processes = processes

    def snapshot(self) -> Snapshot:
        """The tracked and the untracked, not ignored files as they are now.

        Raises:
            ConfigurationError: not a git repository, or one without a commit.
        """
        top = self._git("rev-parse", "--show-toplevel")
        if top.exit_code != 0:
            raise ConfigurationError(
                f"{self.root} is not a git repository, so there is nothing to say what a run is about.",
                why=f"git says: {top.tail(1)}" if "not a git repository" not in top.stderr else "",
                advice="Run 'git init', add the files and commit them.",
            )
        head = self._git("log", "-1", "--format=%H %ct")
        if head.exit_code != 0:
            raise ConfigurationError(
                "The git repository has no commit yet.", advice="Commit something: git add . && git commit"
            )
        commit, seconds = head.stdout.split()
        branch = self._git("symbolic-ref", "--quiet", "--short", "HEAD").stdout.strip()
        listing = self._must("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".")
        staged = self._must("ls-files", "-z", "--stage", "--", ".")
        submodules = dict(_submodules(staged.stdout))
        entries = [
            entry
            for path in sorted(set(listing.stdout.split("\0")) - {""})
            if (entry := self._entry(path, submodules)) is not None
        ]
        return Snapshot(
            entries=tuple(entries), commit=commit, branch=branch,
            dirty=bool(self._must("status", "--porcelain", "--untracked-files=normal", "--", ".").stdout.strip()),
            committed=datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z"),
        )  # fmt: skip

    def _entry(self, path: str, submodules: dict[str, str]) -> Entry | None:
        """The entry for a listed path; none for one that is deleted in the working tree or is neither file nor link."""
        if path.rstrip("/") in submodules:
            return Entry(path=path.rstrip("/"), kind=Kind.SUBMODULE, digest=submodules[path.rstrip("/")])
        full = self.root / path
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            info = full.lstat()
            if stat.S_ISLNK(info.st_mode):
                target = os.readlink(full).encode("utf-8", "surrogateescape")
                return Entry(path=path, kind=Kind.LINK, digest=hashlib.sha256(target).hexdigest(), size=len(target))
            if stat.S_ISREG(info.st_mode):
                kind = Kind.EXECUTABLE if info.st_mode & 0o100 else Kind.FILE
                return Entry(path=path, kind=kind, digest=sha256_of(full), size=info.st_size)
        return None

    def _git(self, *arguments: str) -> Outcome:
        # A git hook sets GIT_DIR and its like for its children; they would point this at another repository.
        env: dict[str, str | None] = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        request = Request(argv=("git", *arguments), cwd=self.root, timeout_s=_GIT_TIMEOUT_S, env=env)
        try:
            return self._processes.run(request)
        except ToolTrouble as error:
            raise ConfigurationError(error.what, advice="Install git, then run again.") from error

    def _must(self, *arguments: str) -> Outcome:
        outcome = self._git(*arguments)
        if outcome.exit_code != 0:
            raise ConfigurationError(f"git {arguments[0]} failed.", why=f"It says: {outcome.tail(2)}")
        return outcome


def _submodules(listing: str) -> list[tuple[str, str]]:
    """Path and commit of each submodule in the output of ``git ls-files -z --stage``."""
    result = []
    for record in listing.split("\0"):
        if record.startswith(_SUBMODULE):
            facts, _, path = record.partition("\t")
            result.append((path, facts.split()[1]))
    return result


def lay_out(snapshot: Snapshot, source: Path, trees: Path) -> Path:
    """The snapshot's files as a tree below ``trees``, made once for each content.

    Raises:
        StorageTrouble: there is no room, or a file changed between hashing and copying.
    """
    tree = trees / snapshot.digest[:16]
    if (trees / f"{tree.name}{_COMPLETE}").exists() and not altered(snapshot, tree):
        return tree
    try:
        shutil.rmtree(tree, ignore_errors=True)
        for entry in snapshot.entries:
            target = tree / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if entry.kind is Kind.SUBMODULE:
                target.mkdir(exist_ok=True)
            else:
                shutil.copy2(source / entry.path, target, follow_symlinks=False)
    except OSError as error:
        raise StorageTrouble(
            f"The snapshot could not be laid out: {error.strerror or error} ({error.filename}).",
            advice="If files are being edited right now, run again; else free some space.",
        ) from error
    changed = altered(snapshot, tree)
    if changed:
        raise StorageTrouble(
            f"{changed[0]} changed while the snapshot was taken.", advice="Run again when nothing edits the files."
        )
    _forget_others(trees, tree)
    (trees / f"{tree.name}{_COMPLETE}").touch()
    return tree


def altered(snapshot: Snapshot, tree: Path) -> tuple[str, ...]:
    """The paths whose content in ``tree`` is not what the snapshot says."""
    changed = []
    for entry in snapshot.entries:
        path = tree / entry.path
        try:
            if entry.kind is Kind.LINK:
                digest = hashlib.sha256(os.readlink(path).encode("utf-8", "surrogateescape")).hexdigest()
            elif entry.kind is Kind.SUBMODULE:
                digest = entry.digest
            else:
                digest = sha256_of(path)
        except OSError:
            digest = ""
        if digest != entry.digest:
            changed.append(entry.path)
    return tuple(changed)


def _forget_others(trees: Path, keep: Path) -> None:
    """Earlier trees are of no use to a run that holds the lock."""
    for path in trees.iterdir():
        if path.is_dir() and path != keep:
            (trees / f"{path.name}{_COMPLETE}").unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)
