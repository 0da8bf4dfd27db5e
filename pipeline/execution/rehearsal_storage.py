"""The rehearsal registry's storage, made smaller: the newest images stay with all that is attached to them.

Source of the layout: the distribution project, ``registry/storage/paths.go`` (release 2.8). Its own garbage collection
is not used: with ``--delete-untagged`` it takes the children of an index away, which are our attestations.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.oci_manifest import is_digest
from pipeline.errors import StorageTrouble
from pipeline.execution.processes import process_started

_ROOT = Path("docker/registry/v2")
_ATTACHED = "sha256-"
"""How the tags begin under which signatures, attestations and referrers lie."""


def is_served(state: Path) -> bool:
    """Whether a living process has the rehearsal registry running, by the records that it keeps in the state folder."""
    for path in (state / "rehearsal").glob("child-*.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            owner, started = int(record["owner"]), str(record["owner_started"])
        except (OSError, ValueError, KeyError, TypeError):
            # A damaged record may be anybody's.
            return True
        if started and process_started(owner) == started:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Removed:
    """``images`` are the digests that are gone; ``size`` are the bytes that were freed."""

    images: tuple[str, ...] = ()
    size: int = 0


@dataclass
class RehearsalStorage:
    """The storage below ``folder``. Nobody may push to it meanwhile."""

    folder: Path
    _marked: set[str] = field(default_factory=set)

    def prune(self, keep: int, always: Collection[str]) -> Removed:
        """Leave the newest ``keep`` images of each repository, and those whose digest is among ``always``.

        Raises:
            StorageTrouble: it can't be read or changed; what was not reached yet is as it was.
        """
        try:
            return self._pruned(keep, always)
        except OSError as error:
            raise StorageTrouble(
                f"The storage of the rehearsal could not be pruned: {error.strerror or error}.",
                advice=f"It may be removed as a whole: {self.folder}; the next canary then judges a first release.",
            ) from error

    def _pruned(self, keep: int, always: Collection[str]) -> Removed:
        self._marked = set()
        gone: list[str] = []
        repositories = sorted(path.parent for path in (self.folder / _ROOT / "repositories").rglob("_manifests"))
        kept = {repository: self._kept(repository, keep, always) for repository in repositories}
        for repository, images in kept.items():
            for digest in self._heads(repository, images):
                self._mark(digest)
        for repository, images in kept.items():
            gone += self._swept(repository, images)
        return Removed(images=tuple(gone), size=self._freed())

    def _kept(self, repository: Path, keep: int, always: Collection[str]) -> set[str]:
        """The digests of the images that stay."""
        tagged = {digest for tag, digest in _tags(repository) if not tag.startswith(_ATTACHED)}
        newest = sorted(tagged, key=lambda digest: _revision(repository, digest).stat().st_mtime, reverse=True)
        return {*newest[:keep], *(tagged & set(always))}

    def _heads(self, repository: Path, images: set[str]) -> Iterator[str]:
        """What stays by itself: the images, and what lies under the tags that belong to them."""
        yield from images
        for tag, digest in _tags(repository):
            if _about(tag) in images:
                yield digest

    def _mark(self, digest: str) -> None:
        """It, and all that it names, stays."""
        if digest in self._marked:
            return
        self._marked.add(digest)
        try:
            document: dict[str, Any] = json.loads(self._data(digest).read_bytes())
            named = [item["digest"] for item in (document.get("config"), *document.get("layers", ())) if item]
            children = [item["digest"] for item in document.get("manifests", ())]
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            # Not a manifest of a form that is known, or one that was never there: nothing hangs on it.
            return
        self._marked.update(named)
        for child in children:
            self._mark(child)

    def _swept(self, repository: Path, images: set[str]) -> list[str]:
        """Take the rest out of a repository: tags before what they name. The images that are gone."""
        gone = []
        for tag, digest in _tags(repository):
            if (_about(tag) or digest) not in images:
                shutil.rmtree(repository / "_manifests" / "tags" / tag)
                gone += [] if tag.startswith(_ATTACHED) else [digest]
        for links in (repository / "_manifests" / "revisions" / "sha256", repository / "_layers" / "sha256"):
            for link in _entries(links):
                if f"sha256:{link.name}" not in self._marked:
                    shutil.rmtree(link)
        return sorted(set(gone))

    def _freed(self) -> int:
        """Remove the blobs that nothing names any more; the bytes that they had."""
        freed = 0
        for prefix in _entries(self.folder / _ROOT / "blobs" / "sha256"):
            for blob in _entries(prefix):
                if f"sha256:{blob.name}" not in self._marked:
                    with contextlib.suppress(FileNotFoundError):
                        freed += (blob / "data").stat().st_size
                    shutil.rmtree(blob)
        return freed

    def _data(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        return self.folder / _ROOT / "blobs" / "sha256" / name[:2] / name / "data"


def _tags(repository: Path) -> list[tuple[str, str]]:
    """Each tag with the digest that it names now."""
    found = []
    for tag in _entries(repository / "_manifests" / "tags"):
        with contextlib.suppress(FileNotFoundError):
            digest = (tag / "current" / "link").read_text(encoding="ascii").strip()
            if is_digest(digest) and _revision(repository, digest).exists():
                found.append((tag.name, digest))
    return found


def _revision(repository: Path, digest: str) -> Path:
    return repository / "_manifests" / "revisions" / "sha256" / digest.removeprefix("sha256:") / "link"


def _about(tag: str) -> str:
    """The digest that a tag of attachments belongs to; empty for the tag of an image."""
    digest = tag.replace("sha256-", "sha256:", 1).partition(".")[0]
    return digest if tag.startswith(_ATTACHED) and is_digest(digest) else ""


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
