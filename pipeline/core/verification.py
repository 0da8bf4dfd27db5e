"""What a verification of a finished report says: statements, each confirmed, open, outdated or contradicted.

Pure: a report is a value here. Who reads the folder is :mod:`pipeline.execution.report_folder`; what a stage's raw
outputs amount to is :mod:`pipeline.rederivation`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.core.stage import Status

UNSIGNED = (
    "No signature was checked, so this finds accidents and inconsistencies, "
    "and not a forger who has recomputed everything."
)


class Answer(StrEnum):
    """Whether what a report says was confirmed, can't be told from it alone, is true no longer, or is contradicted."""

    CONFIRMED = "confirmed"
    OPEN = "not confirmed"
    OUTDATED = "outdated"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One full sentence about a stage, a file or the ``report`` as a whole."""

    about: str
    answer: Answer
    text: str


def confirmed(about: str, text: str) -> Statement:
    """Derived again, and equal."""
    return Statement(about=about, answer=Answer.CONFIRMED, text=text)


def left_open(about: str, text: str) -> Statement:
    """What rests on the report's own word."""
    return Statement(about=about, answer=Answer.OPEN, text=text)


def outdated(about: str, text: str) -> Statement:
    """True on the day of the run, and not today."""
    return Statement(about=about, answer=Answer.OUTDATED, text=text)


def contradicted(about: str, text: str) -> Statement:
    """Derived again, and different; or damaged, or not where it must be."""
    return Statement(about=about, answer=Answer.CONTRADICTED, text=text)


def is_contradicted(statements: Iterable[Statement]) -> bool:
    """Whether any of the statements contradicts the report."""
    return any(statement.answer is Answer.CONTRADICTED for statement in statements)


def standing(statements: Iterable[Statement], verdict: Status) -> Status:
    """What a reader may take the report for today: the verdict, unless something contradicts it or has run out."""
    against = {statement.answer for statement in statements} & {Answer.CONTRADICTED, Answer.OUTDATED}
    return Status.FAIL if against else verdict


def conclusion(statements: Iterable[Statement], verdict: Status) -> str:
    """The last line for people."""
    found = Counter(statement.answer for statement in statements)
    number = found[Answer.CONTRADICTED]
    if number:
        return f"The report is not to be believed: {number} contradiction{'s' if number > 1 else ''} found."
    if found[Answer.OUTDATED]:
        return f"The report is consistent, and its verdict {verdict} does not hold today."
    return f"The report is consistent, and its verdict is {verdict}."
