"""Taking the snapshot from git: the files of a checkout as they are now, and what git says of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.ports import Outcome, ProcessRunner, Request
from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.errors import ConfigurationError, StorageTrouble, ToolTrouble
from pipeline.execution.files import sha256_of

_GIT_TIMEOUT_S = 60.0
_SUBMODULE = "160000"
_OTHER = "?"
_PATHS_AT_ONCE = 500
OWN_FOLDER = ".pipeline"
"""The folder that no commit may have."""


class Checkout:
    """A git checkout at ``root``."""

    def __init__(self, root: Path, processes: ProcessRunner) -> None:
        self.root = root
        self._processes = processes

    def snapshot(self) -> Snapshot:
        """The tracked and the untracked, not ignored files as they are now.

        Raises:
            ConfigurationError: not a git repository, one without a commit, or one that tracks our own folder.
            StorageTrouble: a file can't be read.
        """
        branch = self._branch()
        head = self.git("-c", "log.showSignature=false", "log", "-1", "--format=%H %ct")
        if head.exit_code != 0:
            raise ConfigurationError(
                "The git repository has no commit yet.",
                why=f"git says: {head.tail(1)}.",
                advice="Commit something: git add . && git commit",
            )
        commit, seconds = head.stdout.split()
        listing = self._must("ls-files", "-z", "-v", "--stage", "--cached", "--others", "--exclude-standard", "--", ".")
        records = _records(listing.stdout)
        submodules = {path: object_id for _, mode, object_id, path in records if mode == _SUBMODULE}
        hushed = any(tag == "S" or tag.islower() for tag, *_ in records)
        _require_own_folder(path for tag, *_, path in records if tag != _OTHER)
        folders: dict[str, bool] = {}
        try:
            entries = [
                entry
                for path in sorted({record[-1] for record in records})
                if (entry := self._entry(path, submodules, folders)) is not None
            ]
        except OSError as error:
            raise StorageTrouble(
                f"{error.filename} can't be read: {error.strerror or error}.", advice="Make it readable, or ignore it."
            ) from error
        status = self._must("status", "--porcelain", "--untracked-files=normal", "--", ".").stdout
        return Snapshot(
            entries=tuple(entries),
            commit=commit,
            branch=branch,
            # What git was told not to look at may differ from the commit without its saying so.
            dirty=bool(status.strip()) or hushed,
            committed=datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z"),
        )

    def last_change(self, paths: Sequence[str]) -> str:
        """When the last commit that touched any of the paths was made, ISO 8601 in UTC.

        Nothing when there is none, or the history is cut off there: a shallow clone's first commit seems to have made
        every file.
        """
        newest, commit, parents = 0, "", ""
        for start in range(0, len(paths), _PATHS_AT_ONCE):
            some = paths[start : start + _PATHS_AT_ONCE]
            found = self._must(
                "--literal-pathspecs", "-c", "log.showSignature=false", "log", "-1", "--format=%ct %H %P", "--", *some
            )
            seconds, name, before = [*found.stdout.rstrip("\n").split(" ", 2), "", ""][:3]
            newest, commit, parents = max((newest, commit, parents), (int(seconds or 0), name, before))
        # Where it is cut off, git knows of no parents, as of the very first commit.
        if not newest or (not parents and commit in self._cut_off()):
            return ""
        return datetime.fromtimestamp(newest, UTC).isoformat().replace("+00:00", "Z")

    def _cut_off(self) -> list[str]:
        """The commits at which a shallow clone ends."""
        return _lines(self.root / self._must("rev-parse", "--git-path", "shallow").stdout.strip())

    def _branch(self) -> str:
        """The branch, empty for none. Raises ConfigurationError where there is no repository that could have one."""
        top = self.git("rev-parse", "--show-toplevel", "--abbrev-ref=loose", "HEAD")
        if top.exit_code == 0:
            branch = top.stdout.rstrip("\n").rpartition("\n")[2]
            if branch.startswith("/"):
                # Only the folder, since another ref is called HEAD too; no branch's name begins so.
                branch = self.git("symbolic-ref", "--quiet", "--short", "HEAD").stdout.strip()
            return "" if branch == "HEAD" else branch
        if top.stdout:
            # It knows the folder, and no commit in it.
            return ""
        if "not a git repository" in top.stderr or "must be run in a work tree" in top.stderr:
            raise ConfigurationError(
                f"{self.root} is not a git repository, so there is nothing to say what a run is about.",
                advice="Run 'git init', add the files and commit them.",
            )
        # Another user's checkout ("dubious ownership"), say; git's own words hold the remedy.
        raise ConfigurationError(f"git can't read {self.root}.", why=f"It says: {top.tail(6)}")

    def _entry(self, path: str, submodules: dict[str, str], folders: dict[str, bool]) -> Entry | None:
        trimmed = path.rstrip("/")
        if trimmed in submodules:
            return Entry(path=trimmed, kind=Kind.SUBMODULE, digest=submodules[trimmed])
        return None if trimmed != path else entry_at(self.root, path, folders)

    def git(self, *arguments: str, cwd: Path | None = None, index: Path | None = None) -> Outcome:
        """Run git in the root (or in ``cwd``, with another ``index`` than the checkout's own).

        Raises:
            ConfigurationError: there is no git.
            ToolTrouble: it was stopped because its time was up.
        """
        # A git hook sets GIT_DIR and its like for its children, which would point this at another repository; none of
        # them is among the variables that a process inherits.
        request = Request(
            argv=("git", *arguments), cwd=cwd or self.root, timeout_s=_GIT_TIMEOUT_S,
            env={"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_INDEX_FILE": str(index) if index else None},
            undecodable="surrogateescape",
        )  # fmt: skip
        try:
            outcome = self._processes.run(request)
        except ToolTrouble as error:
            raise ConfigurationError(error.what, advice="Install git, then run again.") from error
        if outcome.timed_out:
            raise ToolTrouble(f"git {arguments[0]} was stopped after {_GIT_TIMEOUT_S:.0f} seconds without an end.")
        if outcome.exit_code < 0:
            # It has said nothing, which must not be taken for an answer.
            raise ToolTrouble(f"git {arguments[0]} was ended by signal {-outcome.exit_code}.")
        return outcome

    def _must(self, *arguments: str) -> Outcome:
        outcome = self.git(*arguments)
        if outcome.exit_code != 0:
            raise ConfigurationError(f"git {arguments[0]} failed.", why=f"It says: {outcome.tail(2)}")
        return outcome


def _require_own_folder(tracked: Iterable[str]) -> None:
    """Raises ConfigurationError where the commit brings along what the pipeline believes to be its own.

    Environments, laid out trees and kept results lie there: who may propose a change could propose a pass with it.
    """
    for path in tracked:
        # Whatever the case: on some file systems it is the same folder.
        if path.partition("/")[0].casefold() == OWN_FOLDER:
            raise ConfigurationError(
                f"git tracks {path}, and {OWN_FOLDER} is where the pipeline keeps what it has made itself.",
                advice=f"Take it out of git: git rm -r --cached {OWN_FOLDER}; and add /{OWN_FOLDER}/ to .gitignore.",
            )


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").split() if path.is_file() else []


def _records(listing: str) -> list[tuple[str, str, str, str]]:
    """What ``git ls-files -z -v --stage`` says of each file: tag, mode, object (a submodule's is a commit), path.

    The tag is ``H`` for an ordinary file, in lower case when git assumes it unchanged, ``S`` when git leaves it out of
    the working tree, ``?`` for one that it does not track and says no more of (git-ls-files(1), ``-t`` and ``-v``).
    """
    records = []
    for record in listing.split("\0"):
        if record.startswith(f"{_OTHER} "):
            records.append((_OTHER, "", "", record[2:]))
        elif record:
            facts, _, path = record.partition("\t")
            tag, mode, object_id, _ = facts.split()
            records.append((tag, mode, object_id, path))
    return records


def entry_at(root: Path, path: str, folders: dict[str, bool] | None = None) -> Entry | None:
    """What lies at ``path`` below ``root``; none without a file or link there, or behind a linked folder.

    ``folders`` is filled with what has been found out about the folders on the way, so that a pass over many files
    looks at each once.

    Raises:
        OSError: it is there and can't be read.
    """
    if behind_link(root, path, folders):
        return None
    full = os.path.join(root, path)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        info = os.lstat(full)
        if stat.S_ISLNK(info.st_mode):
            target = os.fsencode(os.readlink(full))
            return Entry(path=path, kind=Kind.LINK, digest=hashlib.sha256(target).hexdigest(), size=len(target))
        if stat.S_ISREG(info.st_mode):
            kind = Kind.EXECUTABLE if info.st_mode & stat.S_IXUSR else Kind.FILE
            return Entry(path=path, kind=kind, digest=sha256_of(Path(full)), size=info.st_size)
    return None


def behind_link(root: Path, path: str, folders: dict[str, bool] | None = None) -> bool:
    """Whether a folder on the way is a link: behind it lies another place, perhaps outside the checkout.

    ``folders`` says it of those that have been looked at, and of this one from now on.
    """
    folder = path.rpartition("/")[0]
    if not folder:
        return False
    known = {} if folders is None else folders
    if folder not in known:
        known[folder] = os.path.islink(os.path.join(root, folder)) or behind_link(root, folder, known)
    return known[folder]
