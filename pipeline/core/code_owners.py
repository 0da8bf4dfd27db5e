"""Who answers for a file, by the CODEOWNERS file of the snapshot.

The rules are GitHub's ("About code owners", docs.github.com): patterns as in a ``.gitignore``, but without ``!`` and
``[…]``; the last one that matches decides, also one that names nobody; a line that is not understood is passed over.
GitLab's sections ("Code Owners syntax", docs.gitlab.com) are understood too: in each the last match decides, an entry
without owners has those of its section's heading, and a file is owned by all that its sections name. A file without
sections means the same to both, but for ``docs/*`` and the like, where GitHub's meaning is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline.core.waiver import covers_path

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where it may lie; the first that is there counts. GitHub's places in its order, then the one that GitLab adds."""
LARGEST_BYTES = 3 * 2**20
"""A larger one is not read by GitHub, which then knows no owners."""

_MOST_RULES = 20_000
_MOST_PARTS = 100
_SECTION = re.compile(r"\^?\[(?P<name>[^\]]+)\](?:\[\d+\])?(?P<owners>(?:\s+\S+)*)\s*")
_OWNER = re.compile(r"@\S+|[^\s@]+@[^\s@]+")
_TOKEN = re.compile(r"(?:\\.|[^\s\\])+")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: the globs that it stands for (see :func:`pipeline.core.waiver.covers_path`), and its owners.

    ``literals`` are texts that every path holds which it matches: most rules are ruled out by them, at once.
    """

    globs: tuple[str, ...]
    owners: tuple[str, ...]
    literals: tuple[str, ...] = ()

    def matches(self, path: str) -> bool:
        """Whether it is about this file."""
        return all(text in path for text in self.literals) and any(covers_path(glob, path) for glob in self.globs)


@dataclass(frozen=True)
class CodeOwners:
    """The rules of a file by section, in order; of GitHub's there is one section."""

    sections: tuple[tuple[Rule, ...], ...] = ()

    def of(self, path: str) -> tuple[str, ...]:
        """The owners of the file at ``path``, relative to the root; none where nobody is named."""
        named = (self._last(rules, path) for rules in self.sections)
        return tuple(dict.fromkeys(owner for rule in named if rule is not None for owner in rule.owners))

    @staticmethod
    def _last(rules: tuple[Rule, ...], path: str) -> Rule | None:
        return next((rule for rule in reversed(rules) if rule.matches(path)), None)


def parse(text: str) -> CodeOwners:
    """The rules of a CODEOWNERS file. Nothing in it is an error: see the module."""
    sections: dict[str, list[Rule]] = {}
    rules = sections.setdefault("", [])
    inherited: tuple[str, ...] = ()
    for line in islice(_lines(text), _MOST_RULES):
        heading = _SECTION.fullmatch(line)
        if heading:
            # GitLab joins sections of one name, in whatever case it is written.
            rules = sections.setdefault(heading["name"].strip().lower(), [])
            inherited = tuple(owner for owner in heading["owners"].split() if _OWNER.fullmatch(owner))
            continue
        rule = _rule(line, inherited)
        if rule is not None:
            rules.append(rule)
    return CodeOwners(tuple(tuple(found) for found in sections.values() if found))


def _lines(text: str) -> Iterator[str]:
    """What stands on each line before a comment, which begins with ``#`` at its beginning or behind white space."""
    for line in text.replace("\r\n", "\n").split("\n"):
        body = re.split(r"(?:^|(?<=\s))#", line, maxsplit=1)[0].strip()
        if body:
            yield body


def _rule(line: str, inherited: tuple[str, ...]) -> Rule | None:
    """One rule; none for a line that GitHub would pass over, because its pattern or an owner is none."""
    pattern, *owners = _TOKEN.findall(line) or [""]
    globs = _globs(pattern) if all(_OWNER.fullmatch(owner) for owner in owners) else ()
    # A rule without owners is one too: what it matches is nobody's.
    return Rule(globs, tuple(owners) or inherited, _literals(pattern)) if globs else None


def _literals(pattern: str) -> tuple[str, ...]:
    texts = re.findall(r"(?:\\.|[^*?/\\])+", pattern)
    return tuple(re.sub(r"\\(.)", r"\1", text) for text in texts)


def _globs(pattern: str) -> tuple[str, ...]:
    """What a pattern means, as globs over whole paths; none for one that means nothing."""
    if pattern.startswith("!") or "***" in pattern or re.search(r"(?<!\\)[\[\]]", pattern):
        return ()
    parts = pattern.split("/")
    folder = parts[-1] == ""
    body = [part for part in parts if part]
    if not body or len(body) > _MOST_PARTS:
        return ()
    # A slash at the beginning or inside ties a pattern to the root; without one it holds in every folder.
    anchored = "/" in pattern.rstrip("/")
    glob = "/".join([*([] if anchored else ["**"]), *map(_part, body)])
    below = f"{glob}/**/*"
    if folder:
        # Two stars stand for no folder too, and a slash behind them asks for one.
        return (f"{glob}/*/**/*" if body[-1] == "**" else below,)
    if body[-1] == "**":
        return (below,)
    # GitHub: "docs/*" matches the files of docs, and none in folders below. A name also matches all below it.
    return (glob,) if anchored and body[-1] == "*" else (glob, below)


def _part(part: str) -> str:
    """One part of a pattern as a glob's; ``\\`` takes the meaning from the character behind it."""
    if part == "**":
        return part
    literal = re.sub(r"\\(.)", lambda match: f"[{match[1]}]" if match[1] in "*?[" else match[1], part)
    # Two stars within a part are one.
    return literal.replace("**", "*")
