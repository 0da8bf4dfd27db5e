"""What a key of the settings is made of: its default, its help, and the limits of its value.

``low`` and ``high`` bound a number, ``one_of`` lists the allowed words, ``path`` says that it names places below the
project's root, and ``pattern`` is what the whole text must match, with ``like`` an example of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.core.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a key's value must keep to, as the module's docstring explains."""

    low: float | None = None
    high: float | None = None
    one_of: tuple[str, ...] = ()
    path: bool = False
    pattern: str = ""
    like: str = ""


def key(default: Any, help_text: str, **limits: Any) -> Any:
    """A dataclass field with what is needed to check a value for it (see :class:`Limits`) and to explain it."""
    metadata = {"help": help_text, "limits": Limits(**limits)}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)  # pylint: disable=invalid-field-call  # this is its helper
    return field(default=default, metadata=metadata)  # pylint: disable=invalid-field-call  # this is its helper


PYTHON = r"3\.[0-9]{1,2}(\.[0-9]{1,2})?"
"""A version of Python, like 3.13."""
_SENTENCE = r"\S+(\s+\S+){2,}"


def most(what: str) -> Any:
    """The key for the most suppressions of a kind."""
    return key(None, f"the most {what} that pass; default: any number, each listed", low=0)


def expected_none(units: str) -> Any:
    """The key that says, with the reason, that a stage has nothing to check."""
    return key(
        "",
        f"why there are no {units} to check, as a sentence; without it nothing to check is inconclusive",
        pattern=_SENTENCE,
        like="This service has no dependencies.",
    )


def _most_findings(severity: str) -> Any:
    """The key for the most findings of one severity."""
    return key(None, f"the most findings of severity {severity} that pass; default: any number below fail_on", low=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maxima:
    """What may be found of severities that do not fail by themselves."""

    max_high: int | None = _most_findings("high")
    max_medium: int | None = _most_findings("medium")
    max_low: int | None = _most_findings("low")
    max_info: int | None = _most_findings("info")

    @property
    def maxima(self) -> dict[Severity, int]:
        """The maxima that are set."""
        every = {
            Severity.HIGH: self.max_high, Severity.MEDIUM: self.max_medium,
            Severity.LOW: self.max_low, Severity.INFO: self.max_info,
        }  # fmt: skip
        return {severity: most for severity, most in every.items() if most is not None}
