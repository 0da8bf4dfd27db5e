"""Which files of a checkout go into its image, and when one of them was changed last.

Only these decide the time that the image bears (SOURCE_DATE_EPOCH, https://reproducible-builds.org/specs/), so that a
commit that touches none of them leaves the image as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline.core.dockerfile_lines import Instruction, Recipe
from pipeline.core.snapshot import Entry
from pipeline.stages.build_context import path_pattern
from pipeline.stages.context import Context

_FROM_ELSEWHERE = re.compile(r"^(--\S+\s+)*--from=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The time that an image bears, ISO 8601 in UTC, and why it may be another one elsewhere; nothing if it may not."""

    time: str
    doubt: str = ""

    @property
    def seconds(self) -> int:
        """Since 1970."""
        return int(datetime.fromisoformat(self.time).timestamp())


def image_sources(recipe: Recipe, dockerfile: str, admitted: Iterable[Entry]) -> tuple[Entry, ...]:
    """Of the build context's entries the recipe itself and those that a COPY or ADD of any stage names.

    A source that can't be told from the text, as it holds a variable, may be any of them.
    """
    entries = tuple(admitted)
    named = [i for i in recipe.instructions if i.keyword in ("COPY", "ADD") and not _FROM_ELSEWHERE.match(i.value)]
    patterns = [source for instruction in named for source in _sources(instruction)]
    if any("$" in pattern for pattern in patterns):
        return entries
    wanted = [path_pattern(pattern) for pattern in patterns]
    return tuple(
        entry
        for entry in entries
        if entry.path == dockerfile or any(p is None or _is_named(entry.path, p) for p in wanted)
    )


def changed_last(context: Context, sources: Iterable[Entry]) -> Moment:
    """When the last commit that touched any of the sources was made."""
    time = context.ports.last_change([entry.path for entry in sources])
    if time:
        return Moment(time=time)
    return Moment(
        time=context.snapshot.committed,
        doubt="The checkout's history is cut off (a shallow clone), so the image bears the time of the last commit, "
        "which need not be the last one that touched it.",
    )


def _sources(instruction: Instruction) -> tuple[str, ...]:
    return tuple(word for word in instruction.words[:-1] if not word.startswith("<<") and "://" not in word)


def _is_named(path: str, pattern: re.Pattern[str]) -> bool:
    """Whether a pattern matches the path, or a folder above it."""
    parts = path.split("/")
    return any(pattern.fullmatch("/".join(parts[: depth + 1])) for depth in range(len(parts)))
