"""The error tree: every failure that a person can meet says what happened, why, and what to do next.

Library code raises these and never exits the process or prints; the edge (``pipeline.cli`` and the Nox integration)
turns a class into an exit code or a stage status, once. Exit codes are the contract of the command line: 1 the target
is at fault, 2 usage or configuration, 3 could not tell, 130 interrupted.
"""

from __future__ import annotations


class PipelineError(Exception):
    """What happened, why, and what to do next.

    ``what`` is a full sentence. ``why`` and ``advice`` are full sentences too, or empty. ``str()`` joins them, so that
    an error which nobody renders is still readable.
    """

    exit_code = 3

    def __init__(self, what: str, *, why: str = "", advice: str = "") -> None:
        super().__init__(what, why, advice)
        self.what = what
        self.why = why
        self.advice = advice

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.advice) if part)


class ConfigurationError(PipelineError):
    """The settings, the arguments or the checkout can't be used as they are (exit 2)."""

    exit_code = 2


class TargetFault(PipelineError):
    """What is being checked is at fault, and the fault is certain (stage ``fail``, exit 1)."""

    exit_code = 1


class CouldNotTell(PipelineError):
    """A stage can't say pass or fail (stage ``inconclusive``, exit 3)."""


class ToolTrouble(CouldNotTell):
    """A tool crashed, timed out, is missing, or left output that is not its own, not whole or not readable."""


class EnvironmentTrouble(CouldNotTell):
    """A tool's environment could not be made."""


class EngineTrouble(CouldNotTell):
    """No container engine answers, or it stopped answering, or it reported a fault of its own."""


class RegistryTrouble(CouldNotTell):
    """A registry refused, failed, or does not hold what was sent to it."""


class StorageTrouble(CouldNotTell):
    """A file could not be written or read: a full disk, a missing permission."""


class FetchTrouble(CouldNotTell):
    """Something that must be downloaded could not be, or is not what the lock says."""
