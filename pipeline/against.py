"""Which earlier revision a run is compared with: asked for, set, or in a pull request the point where it branched off.

What a change says about itself is not asked where a trusted side can be: in a pull request the setting in its own
``pyproject.toml`` does not choose, and a revision that is asked for must be one of the base branch.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.run_record import Against
from pipeline.errors import ConfigurationError
from pipeline.execution.revisions import Revision, Revisions
from pipeline.settings import Settings
from pipeline.settings_loading import FILE

OPTION = "--against"
POLICY = "policy"
"""The name under which the comparison of the policies stands among the stages."""
BASE_VARIABLE = "GITHUB_BASE_REF"
"""In a pull request GitHub gives the branch into which it is to go (GitHub's documentation, "Variables reference")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The ``revision`` that was asked for, by ``source``; none to take the merge base with the branch ``base``."""

    revision: str
    source: str
    base: str = ""

    @property
    def named(self) -> str:
        """The option that makes the same choice, for a shell; empty where the environment makes it."""
        return f"{OPTION} {shlex.quote(self.revision)}" if self.source == OPTION else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What became of a choice. Without a ``revision`` nothing can be compared, and ``trouble`` says why.

    ``trusted`` is the base branch's own newest revision, where there is one.
    """

    against: Against
    revision: Revision | None = None
    trusted: Revision | None = None
    trouble: str = ""


def taken(arguments: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The revision that the arguments name with ``--against``, and the other arguments.

    Raises:
        ConfigurationError: the option has no value, or stands there twice.
    """
    named: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == OPTION:
            named.append(next(rest, ""))
        elif word.startswith(f"{OPTION}="):
            named.append(word.removeprefix(f"{OPTION}="))
        else:
            others.append(word)
    if len(named) > 1 or "" in named:
        raise ConfigurationError(f"{OPTION} names one revision, like {OPTION} main.")
    return (named[0] if named else None), tuple(others)


def chosen(option: str | None, settings: Settings, environ: Mapping[str, str]) -> Choice | None:
    """What to compare with; none to compare with nothing."""
    base = environ.get(BASE_VARIABLE, "")
    if option:
        return Choice(revision=option, source=OPTION, base=base)
    source = settings.sources.get("against", "default")
    asked = settings.project.against
    if asked and (source != FILE or not base):
        return Choice(revision=asked, source=source, base=base)
    if base:
        return Choice(revision="", source=BASE_VARIABLE, base=base)
    return None


def resolved(choice: Choice, revisions: Revisions) -> Resolved:
    """The commits that the choice means.

    Raises:
        ConfigurationError: a whole clone has no such revision.
        ToolTrouble: git did not answer.
    """
    branch = f"origin/{choice.base}" if choice.base else ""
    trusted = revisions.find(branch) if branch else None
    name = choice.revision or f"the merge base with {branch}"
    wanted = choice.revision or (revisions.merge_base("HEAD", branch) if trusted else "")
    revision = revisions.find(wanted) if wanted else None
    against = Against(revision=name, source=choice.source, commit=revision.commit if revision else "")
    if branch and trusted is None:
        trouble = (
            f"This clone has no {branch}, so what the change is to be compared with is not known. {_fetch(choice)}"
        )
        return Resolved(against=against, trouble=trouble)
    if revision is None:
        if not revisions.is_shallow and choice.revision:
            raise ConfigurationError(
                f"There is no revision {choice.revision!r} in this repository ({choice.source}).",
                advice="Name a commit, a tag or a branch that 'git log' shows.",
            )
        kind = "shallow clone" if revisions.is_shallow else "clone"
        return Resolved(against=against, trouble=f"This {kind} does not have {name}. {_fetch(choice)}")
    if trusted is not None and not revisions.holds(trusted.commit, revision.commit):
        trouble = f"{name} is not a revision of {branch}, and a change is not compared with what it brings itself."
        return Resolved(against=against, trouble=trouble)
    return Resolved(against=against, revision=revision, trusted=trusted)


def _fetch(choice: Choice) -> str:
    branch = f" origin {choice.base}:refs/remotes/origin/{choice.base}" if choice.base else ""
    return (
        f"Fetch more: git fetch --unshallow{branch} (without --unshallow where the clone is whole); in GitHub Actions "
        "give actions/checkout fetch-depth: 0."
    )
