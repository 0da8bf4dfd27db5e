"""What a stage shows for its green: what it was to check, what it checked, that its tool catches a planted sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A positive control: a planted sample that ``tool`` must catch for the stage to be green."""

    tool: str
    planted: str
    caught: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``unit`` names what is counted (files, packages, tests, …); the sets hold the names themselves.

    ``expected`` is established independently of the tool; ``checked`` is what the tool's own output shows it worked on.
    ``unit`` is a plural noun. ``nothing_expected`` is the reason that the configuration gives for an empty expected
    set; without one, nothing to check is no pass.
    """

    unit: str
    expected: frozenset[str]
    checked: frozenset[str]
    controls: tuple[Control, ...] = ()
    nothing_expected: str = ""

    @classmethod
    def of(
        cls, unit: str, *, expected: Iterable[str], checked: Iterable[str], controls: Iterable[Control] = ()
    ) -> Evidence:
        """The evidence from any iterables of names."""
        return cls(unit=unit, expected=frozenset(expected), checked=frozenset(checked), controls=tuple(controls))

    @property
    def missing(self) -> tuple[str, ...]:
        """What should have been checked and was not, sorted."""
        return tuple(sorted(self.expected - self.checked))

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why this evidence does not carry a green, each a full sentence; empty when it does."""
        sentences = []
        if not self.expected and not self.nothing_expected:
            sentences.append(f"There were no {self.unit} to check, and nothing to check is not a pass.")
        if self.missing:
            sentences.append(
                f"{len(self.missing)} of {len(self.expected)} {self.unit} were not checked: {listed(self.missing)}."
            )
        sentences.extend(
            f"{control.tool} did not catch the planted {control.planted}, so its silence proves nothing."
            for control in self.controls
            if not control.caught
        )
        return tuple(sentences)


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first names as text, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
