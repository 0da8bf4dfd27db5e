"""A waiver: the decision, by name, with an owner and until a date, that certain findings do not fail their stage.

It hides what its ``id``, its ``tool`` and its ``scope`` all name, and nothing else. The file is read by
:mod:`pipeline.core.waiver_file`; what became of each waiver in a run is :mod:`pipeline.core.waiver_standing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from pipeline.core.disposition import Disposition
from pipeline.core.finding import Finding, State
from pipeline.core.package_names import canonical_name

FILE = "waivers.toml"
WARNING_DAYS = 30
"""From so many days before its end the report says that a waiver is about to expire."""

JUSTIFICATIONS = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)
"""Why a product is not affected by a vulnerability of a component (OpenVEX 0.2.0, "Status Justifications")."""

_ANY_FOLDERS = "**"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One entry of ``waivers.toml``.

    ``id`` is a rule, an advisory or an alias of one, or a fingerprint. ``scope`` is a package for a finding about a
    package, and else a path glob (see :func:`covers_path`). ``expires`` is the last day, in UTC, on which it holds.
    ``until_fixed``: it also ends as soon as there is a version of the package without the vulnerability.
    ``justification`` is why the product is not affected, in OpenVEX's words, where its owner claims so much. ``line``
    to ``last_line`` is where it stands, 1-based. ``stages`` are the stages known to report this tool's findings; none
    when only a project's own stage can know.
    """

    id: str
    tool: str
    scope: str
    reason: str
    owner: str
    created: date
    expires: date
    until_fixed: bool = False
    justification: str = ""
    line: int = 0
    last_line: int = 0
    stages: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is about, for a sentence."""
        return f"{self.id} of {self.tool} in {self.scope}"

    @property
    def place(self) -> str:
        """The lines to remove, to be rid of it."""
        lines = f"line {self.line}" if self.last_line <= self.line else f"lines {self.line}-{self.last_line}"
        return f"{lines} of {FILE}"

    def demand(self) -> dict[str, str | bool]:
        """What it asks for, as JSON knows it; not where it stands in its file."""
        return {
            "id": self.id, "tool": self.tool, "scope": self.scope, "reason": self.reason, "owner": self.owner,
            "created": self.created.isoformat(), "expires": self.expires.isoformat(),
            "until_fixed": self.until_fixed, "justification": self.justification,
        }  # fmt: skip

    def days_left(self, today: date) -> int:
        """Days until its last one: 0 on the last day, negative once it has expired."""
        return (self.expires - today).days

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is one that it names, by id, tool and scope, be it still in force or not."""
        named = self.id in (finding.rule, finding.id, *finding.aliases)
        return named and self.tool == finding.tool and self._holds_place(finding)

    def ended_by_fix(self, finding: Finding) -> bool:
        """Whether it was to last only until there is a fix for this finding about a package, and there is one."""
        return self.until_fixed and bool(finding.package and finding.fix)

    def hides(self, finding: Finding, today: date) -> bool:
        """Whether the finding does not count because of it."""
        return self.covers(finding) and self.days_left(today) >= 0 and not self.ended_by_fix(finding)

    def _holds_place(self, finding: Finding) -> bool:
        if finding.package:
            return canonical_name(finding.package) == canonical_name(self.scope)
        return bool(finding.path) and covers_path(self.scope, finding.path)


def covers_path(glob: str, path: str) -> bool:
    """Whether the glob names the path, which is relative to the root.

    Part by part: ``*``, ``?`` and ``[…]`` stand for characters of one part (as in :mod:`fnmatch`), a part ``**`` for
    any number of folders. So ``src/*.py`` names no file in a folder below ``src``, and ``src/**`` every file there.
    """
    parts = glob.split("/")
    reached = _with_empty(parts, {0})
    for name in path.split("/"):
        # Sets of places in the glob, not a regular expression: nobody can write one that takes for ever.
        stay = {at for at in reached if at < len(parts) and parts[at] == _ANY_FOLDERS}
        step = {at + 1 for at in reached - stay if at < len(parts) and fnmatchcase(name, parts[at])}
        reached = _with_empty(parts, stay | step)
    return len(parts) in reached


def _with_empty(parts: Sequence[str], reached: set[int]) -> set[int]:
    """The places reached, and those behind them for which ``**`` stands for no folder."""
    every = set(reached)
    for at, part in enumerate(parts):
        if at in every and part == _ANY_FOLDERS:
            every.add(at + 1)
    return every


def hiding(waivers: Iterable[Waiver], today: date) -> Disposition:
    """The disposition by which a finding is waived when a waiver hides it."""
    kept = tuple(waivers)

    def state(finding: Finding) -> State:
        return State.WAIVED if any(waiver.hides(finding, today) for waiver in kept) else State.NEW

    return state
