"""An earlier revision of the repository: which commit a name means, its files, and its content as a tree of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.errors import StorageTrouble, ToolTrouble
from pipeline.execution.checkout import Checkout, entry_at

_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit, and the digest that git gives to the content of the project's folder in it."""

    commit: str
    content: str


class Revisions:
    """The revisions that a checkout's repository holds. The project may lie in a folder of its repository."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout

    def find(self, name: str) -> Revision | None:
        """The revision that ``name`` means, or none where this clone has no such commit or not its content.

        Raises:
            ConfigurationError, ToolTrouble: git can't be used.
        """
        commit = self._asked("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        content = commit and self._asked("rev-parse", "--verify", "--quiet", f"{commit}:{self._folder}")
        return Revision(commit=commit, content=content) if content else None

    def merge_base(self, one: str, other: str) -> str:
        """The commit from which both have come; empty where this clone shows none."""
        return self._asked("merge-base", "--end-of-options", one, other)

    def holds(self, later: str, earlier: str) -> bool:
        """Whether the history of ``later`` holds ``earlier``."""
        return self._checkout.git("merge-base", "--is-ancestor", earlier, later).exit_code == 0

    @property
    def is_shallow(self) -> bool:
        """Whether the clone was told to leave older commits behind."""
        return self._asked("rev-parse", "--is-shallow-repository") == "true"

    def files(self, revision: Revision) -> dict[str, str]:
        """The mode and object of each path of the revision. Raises ToolTrouble."""
        listing = self._must("ls-tree", "-r", "-z", "--full-tree", revision.content)
        records = (record.partition("\t") for record in listing.split("\0") if record)
        return {path: f"{facts.split()[0]} {facts.split()[2]}" for facts, _, path in records}

    def text(self, revision: Revision, path: str) -> str:
        """A file's content as git keeps it. Raises ToolTrouble where the revision has no such file."""
        return self._must("cat-file", "blob", f"{revision.content}:{path}")

    def lay_out(self, revision: Revision, folder: Path) -> tuple[Snapshot, Path]:
        """The revision as a snapshot, its files below ``folder``, which is empty, as a checkout would write them.

        Through an index of its own: ``git archive`` would leave out what ``.gitattributes`` tells it to.

        Raises:
            ToolTrouble: git can't write it.
            StorageTrouble: what it wrote can't be read.
        """
        index, tree = folder / "index", folder / "tree"
        tree.mkdir(parents=True)
        top = Path(self._must("rev-parse", "--show-toplevel").rstrip("\n"))
        self._must("read-tree", revision.content, index=index)
        self._must("checkout-index", "--all", f"--prefix={tree}/", cwd=top, index=index)
        committed = self._must("log", "-1", "--no-show-signature", "--format=%cI", revision.commit).strip()
        try:
            entries = [self._entry(tree, path, facts) for path, facts in sorted(self.files(revision).items())]
        except OSError as error:
            raise StorageTrouble(f"{error.filename} can't be read: {error.strerror or error}.") from error
        present = tuple(entry for entry in entries if entry is not None)
        snapshot = Snapshot(entries=present, commit=revision.commit, branch="", dirty=False, committed=committed)
        return snapshot, tree

    def _entry(self, tree: Path, path: str, facts: str) -> Entry | None:
        mode, _, content = facts.partition(" ")
        if mode == _SUBMODULE:
            return Entry(path=path, kind=Kind.SUBMODULE, digest=content)
        return entry_at(tree, path)

    @property
    def _folder(self) -> str:
        return self._asked("rev-parse", "--show-prefix")

    def _asked(self, *arguments: str) -> str:
        outcome = self._checkout.git(*arguments)
        return outcome.stdout.strip() if outcome.exit_code == 0 else ""

    def _must(self, *arguments: str, cwd: Path | None = None, index: Path | None = None) -> str:
        outcome = self._checkout.git(*arguments, cwd=cwd, index=index)
        if outcome.exit_code != 0:
            raise ToolTrouble(f"git {arguments[0]} failed.", why=f"It says: {outcome.tail(2)}")
        return outcome.stdout
