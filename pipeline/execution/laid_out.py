"""The snapshot laid out as a tree of its own, in which the stages work.

The stages never see the working tree: an edit during the run, an ignored file or a left-over cache can't change a
result. A tree is made once for each content, and from the last one where there is one: what differs is copied, and
every other file has been held against its digest again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.core.snapshot import Entry, Kind, Snapshot
from pipeline.errors import StorageTrouble
from pipeline.execution.checkout import behind_link, entry_at

_COMPLETE = ".complete"
_MODES = {Kind.FILE: 0o644, Kind.EXECUTABLE: 0o755}
_FOLDER = 0o755


def lay_out(snapshot: Snapshot, source: Path, trees: Path, *, alone: bool = False) -> Path:
    """The snapshot's files as a tree below ``trees``, made once for each content.

    Its modes are those that git knows, whatever the working tree's are. ``alone`` says that no other process of this
    run is at work in the tree: then what an earlier run's stages left in it is cleared away.

    Raises:
        StorageTrouble: there is no room, or a file changed between hashing and copying.
    """
    tree = trees / snapshot.digest[:16]
    complete = trees / f"{tree.name}{_COMPLETE}"
    try:
        # The workers of one run begin at the same moment.
        with (trees / ".lock").open("w", encoding="ascii") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if complete.exists() and not altered(snapshot, tree) and not (alone and any(_strays(snapshot, tree))):
                return tree
            changed = _from_earlier(snapshot, source, tree)
            if changed is None:
                _copy(snapshot, source, tree)
                changed = altered(snapshot, tree)
            if changed:
                raise StorageTrouble(
                    f"{changed[0]} changed while the snapshot was taken.",
                    advice="Run again when nothing edits the files.",
                )
            _forget_others(trees, tree)
            complete.touch()
    except OSError as error:
        raise StorageTrouble(
            f"The snapshot could not be laid out: {error.strerror or error} ({error.filename}).",
            advice="If files are being edited right now, run again; else free some space.",
        ) from error
    return tree


def _copy(snapshot: Snapshot, source: Path, tree: Path) -> None:
    if tree.exists():
        _remove(tree)
    tree.mkdir()
    _put(snapshot.entries, source, tree)


def _put(entries: Iterable[Entry], source: Path, tree: Path) -> None:
    for entry in entries:
        target = tree / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind is Kind.SUBMODULE:
            target.mkdir(exist_ok=True)
        else:
            shutil.copyfile(source / entry.path, target, follow_symlinks=False)
            if entry.kind in _MODES:
                target.chmod(_MODES[entry.kind])


def _from_earlier(snapshot: Snapshot, source: Path, tree: Path) -> tuple[str, ...] | None:
    """Make the tree out of a complete one: which paths are then still not what they should be.

    None where that can't be done: then nothing may be believed of what lies at ``tree``.
    """
    complete = [path.with_suffix("") for path in sorted(tree.parent.glob(f"*{_COMPLETE}"))]
    if not complete:
        return None
    last = tree if tree in complete else complete[0]
    # A kill from here on leaves trees that nobody takes for complete.
    for path in complete:
        path.with_suffix(_COMPLETE).unlink()
    try:
        if last != tree:
            shutil.rmtree(tree, ignore_errors=True)
            last.rename(tree)
        _open_folders(snapshot, tree)
        for stray in _strays(snapshot, tree):
            _remove(stray)
        # Of a submodule's place nothing is said by ``altered``.
        again = {*altered(snapshot, tree)}
        copied = [entry for entry in snapshot.entries if entry.path in again or entry.kind is Kind.SUBMODULE]
        # Through a link in the place of a folder something elsewhere would be removed, and a copy would land there.
        if any(behind_link(tree, entry.path) for entry in copied):
            return None
        for entry in copied:
            _remove(tree / entry.path)
        _put(copied, source, tree)
        for entry in snapshot.entries:
            mode = _MODES.get(entry.kind)
            if mode is not None and stat.S_IMODE((tree / entry.path).lstat().st_mode) != mode:
                (tree / entry.path).chmod(mode)
    except OSError:
        # A file where a folder should be, say: all is copied, and that tells what is wrong.
        return None
    return altered(replace(snapshot, entries=tuple(copied)), tree)


def _open_folders(snapshot: Snapshot, tree: Path) -> None:
    """Give the snapshot's folders the modes of new ones, as a stage may have taken from them what they need."""
    for folder in ("", *sorted(_folders(snapshot))):
        path = tree / folder
        # In the place of one there may be anything, or nothing.
        if path.is_dir() and not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) != _FOLDER:
            path.chmod(_FOLDER)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.chmod(_FOLDER)
        for folder, names, _ in os.walk(path):
            for name in names:
                below = Path(folder, name)
                if not below.is_symlink():
                    below.chmod(_FOLDER)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def altered(snapshot: Snapshot, tree: Path) -> tuple[str, ...]:
    """The paths that are in ``tree`` not what the snapshot says: another content, another kind, or gone."""
    changed, folders = [], dict[str, bool]()
    for entry in snapshot.entries:
        try:
            found = entry if entry.kind is Kind.SUBMODULE else entry_at(tree, entry.path, folders)
        except OSError:
            found = None
        if found != entry:
            changed.append(entry.path)
    return tuple(changed)


def _strays(snapshot: Snapshot, tree: Path) -> Iterator[Path]:
    """What ``tree`` holds and the snapshot does not, of a folder nothing but itself."""
    known = {"", *snapshot.by_path, *_folders(snapshot)}
    for folder, names, files in os.walk(tree):
        below = os.path.relpath(folder, tree)
        for name in (*names, *files):
            if (name if below == "." else f"{below}/{name}") not in known:
                names[:] = [other for other in names if other != name]
                yield Path(folder, name)


def _folders(snapshot: Snapshot) -> set[str]:
    """All folders above the snapshot's files, but for the root."""
    folders = set()
    for path in snapshot.by_path:
        while path := path.rpartition("/")[0]:
            folders.add(path)
    return folders


def _forget_others(trees: Path, keep: Path) -> None:
    """Earlier trees are of no use to a run that holds the lock."""
    for path in trees.iterdir():
        if path.is_dir() and path != keep:
            (trees / f"{path.name}{_COMPLETE}").unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)
