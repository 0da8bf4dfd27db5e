"""What stands around a finding: the source lines beside its place, and who owns the file.

The lines are copied into reports, and nobody looked at them for credentials before: what looks like one is masked here,
on top of what the redactor knows. Rather a harmless text too many than a password.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.core.code_owners import CodeOwners
from pipeline.core.finding import Finding
from pipeline.core.secret_forms import MASK

BEFORE = AFTER = 3
"""Lines shown on each side of a finding's own."""
LONGEST_LINE = 200
"""Characters of a line that are shown; it is as much as our adapters keep of a snippet."""

# As much of a line is looked at; what is cut off is not shown either.
_LOOKED_AT = 2 * LONGEST_LINE
_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)|pwd|secret|token|credential|(?:api|access|private|signing|auth)[_-]?key", re.I
)
_LITERAL = re.compile(r"(?P<mark>['\"])(?P<text>(?:\\.|(?!(?P=mark)).)*)(?P=mark)?")
# Behind such a name without quotes, as in a .env file, an INI file, YAML or a shell script.
_BARE = re.compile(rf"(?P<before>(?:{_NAME.pattern})[\w.\]'\"-]*\s*[:=]\s*)(?P<text>[^\s'\"].*)", re.I)
# Keys that need no name beside them, by the beginning that their makers gave them (AWS, GitHub, GitLab, Slack, Stripe,
# PyPI, Google), and JSON Web Tokens.
_TOKEN = re.compile(
    r"\b(?:A[KS]IA[0-9A-Z]{12,}|gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}"
    r"|[rs]k_(?:live|test)_\w{10,}|pypi-[\w-]{16,}|AIza[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
_KEY_BEGINS, _KEY_ENDS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"), re.compile(r"-----END [A-Z ]*PRIVATE KEY")


def with_surroundings(findings: Iterable[Finding], texts: Mapping[str, str], owners: CodeOwners) -> tuple[Finding, ...]:
    """The findings with their context and owner, where they have none; ``texts`` are the files' contents by path."""
    every = tuple(findings)
    masked: dict[str, dict[int, str]] = defaultdict(dict)
    for finding in every:
        if MASK in finding.snippet:
            masked[finding.path][finding.line] = finding.snippet
    sources = {path: _Source.of(path, text, masked[path]) for path, text in texts.items()}
    owned = {path: " ".join(owners.of(path)) for path in {finding.path for finding in every if finding.path}}
    return tuple(_surrounded(finding, sources.get(finding.path), owned.get(finding.path, "")) for finding in every)


def _surrounded(finding: Finding, source: _Source | None, owner: str) -> Finding:
    if owner and not finding.owner:
        finding = replace(finding, owner=owner)
    if finding.context or source is None or not 0 < finding.line <= len(source.lines):
        return finding
    first = max(finding.line - BEFORE, 1)
    last = min(finding.line + AFTER, len(source.lines))
    context = tuple(source.shown(number) for number in range(first, last + 1))
    return replace(finding, context=context, context_start=first)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file's lines, those of a private key by their numbers, and those that a tool has masked, as it shows them."""

    lines: Sequence[str]
    of_key: frozenset[int]
    masked: Mapping[int, str]
    in_code: bool
    known: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: str, text: str, masked: Mapping[int, str]) -> _Source:
        """The lines numbered as Python and the tools do: by line feeds and returns."""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if lines[-1] == "":
            lines.pop()
        of_key = frozenset(_of_keys(lines)) if _KEY_BEGINS.search(text) else frozenset[int]()
        return cls(lines, of_key, masked, path.endswith((".py", ".pyi")))

    def shown(self, number: int) -> str:
        """The line with this number, as a report shows it; findings stand close together, so it is made once."""
        if number not in self.known:
            self.known[number] = self._shown(number)
        return self.known[number]

    def _shown(self, number: int) -> str:
        if number in self.of_key:
            return MASK
        line = self.masked.get(number) or without_credentials(self.lines[number - 1], in_code=self.in_code)
        return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _of_keys(lines: Iterable[str]) -> Iterator[int]:
    """The lines of private keys (RFC 7468), from the one that begins it; a key without an end goes on to the last."""
    inside = False
    for number, line in enumerate(lines, 1):
        inside = inside or _KEY_BEGINS.search(line) is not None
        if inside:
            yield number
        inside = inside and _KEY_ENDS.search(line) is None


def without_credentials(line: str, *, in_code: bool) -> str:
    """A source line with the texts masked that look like credentials, by a name before them or by their own beginning.

    ``in_code`` says that what stands without quotes is an expression of Python, and no text.
    """
    line = _TOKEN.sub(MASK, line[:_LOOKED_AT])
    name = _NAME.search(line)
    if name is None:
        return line
    if not in_code or line.lstrip().startswith("#"):
        line = _BARE.sub(rf"\g<before>{MASK}", line)
    return _LITERAL.sub(lambda found: _quoted(found, name.end()), line)


def _quoted(found: re.Match[str], after: int) -> str:
    """A literal in quotes, masked where it stands behind the name; the one that holds the name is not its value."""
    if found.start() < after or not found["text"]:
        return found[0]
    return f"{found['mark']}{MASK}{found['mark']}"
