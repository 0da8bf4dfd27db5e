"""Whether the lock is up to date: what it pins is held against the requirements that it was made from, offline."""

from __future__ import annotations

import posixpath

from packaging.requirements import Requirement

from pipeline.core.gate import Gate, check_gate
from pipeline.core.lock import Pin, check_satisfies, linux_markers, parse_requirements
from pipeline.core.lock_lines import included_files
from pipeline.core.stage import NotChecked
from pipeline.errors import ConfigurationError, TargetFault
from pipeline.stages.context import Context

WHAT = "lock against its requirements"


def lock_gate(context: Context, pins: tuple[Pin, ...]) -> tuple[Gate, tuple[NotChecked, ...]]:
    """The gate, judged for the image's Python on Linux; or what was not checked where there are no requirements.

    Raises:
        ConfigurationError: the requirements can't be understood, or take in a file that the checkout lacks.
    """
    lock, source = context.settings.audit.lock, context.settings.audit.requirements
    allowed = f"every requirement of {source} pinned"
    if source not in context.snapshot.by_path:
        reason = f"There is no {source}, so whether {lock} is up to date was not checked."
        return check_gate(True, what=WHAT, allowed=allowed, found="no requirements"), (
            NotChecked(what=lock, reason=reason),
        )
    requirements = _requirements(context, source, ())
    try:
        check_satisfies(pins, requirements, lock, source, linux_markers(context.settings.build.python))
    except TargetFault as fault:
        return check_gate(False, what=WHAT, allowed=allowed, found=fault.what.rstrip(".")), ()
    return check_gate(True, what=WHAT, allowed=allowed, found=f"{len(requirements)} pinned as asked"), ()


def read_text(context: Context, name: str) -> str:
    """The text of a file of the snapshot. Raises ConfigurationError when it is not UTF-8."""
    try:
        return (context.tree / name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name} is not UTF-8 text.", why=str(error)) from error


def _requirements(context: Context, name: str, parents: tuple[str, ...]) -> tuple[Requirement, ...]:
    if name not in context.snapshot.by_path:
        raise ConfigurationError(f"{parents[-1]} takes in {name}, and the checkout has no such file.")
    if name in parents:
        raise ConfigurationError(f"{name} takes in itself, by way of {parents[-1]}.")
    text = read_text(context, name)
    beside = posixpath.dirname(name)
    parts = (posixpath.normpath(posixpath.join(beside, other)) for other in included_files(text))
    return (*parse_requirements(text), *(r for part in parts for r in _requirements(context, part, (*parents, name))))
