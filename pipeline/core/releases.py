"""What counts as the same place of release from run to run, and the Protocol of the memory of releases."""

from __future__ import annotations

from typing import Protocol

from pipeline.core.containers import Registry


class Releases(Protocol):
    """Remembers which image was released last to a place. Every method raises StorageTrouble."""

    def last(self, place: str) -> str | None:
        """The manifest digest that was released last to ``place``, or none."""
        ...

    def record(self, place: str, digest: str) -> None:
        """From now on ``digest`` is the current release in ``place``."""
        ...


def place_name(registry: str, repository: str) -> str:
    """A repository by a name that lasts; ``registry`` is its host, or nothing for the rehearsal, whose port changes."""
    return f"{registry or 'rehearsal'}/{repository}"


def place_of(registry: Registry) -> str:
    """The place that an opened repository is."""
    host, _, repository = registry.reference.partition("/")
    return place_name("" if registry.rehearsal else host, repository)
