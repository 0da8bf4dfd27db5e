"""The findings as the page lists them: in their order, each in full, and packed as data for its script.

The script filters and shows what it is given here; every text is made visible and every link is judged on this side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from pipeline.core.finding import Finding, Severity, State
from pipeline.core.links import advisory_link, cwe_link, link_of
from pipeline.core.run_record import Report
from pipeline.core.safe_text import cut, json_document, visible, web_link
from pipeline.reporters.page_text import counted, number

LONGEST_LINE = 400
"""Characters of a source line that are shown; minified files have lines of a megabyte."""
LONGEST_TEXT = 4000
"""Characters of a message or fix that are shown; the whole text is in pipeline.json."""
_WORD = re.compile(r"\w+|.", re.DOTALL)
_STATES = (State.NEW, State.EXISTING, State.WAIVED)


class Fact(NamedTuple):
    """A line below a finding: what it is, its text, and where a click on it leads ("": nowhere)."""

    term: str
    text: str
    address: str = ""


class Source(NamedTuple):
    """The lines around a place: the number of the first, which of them is meant (0: none), and where in it.

    ``before``, ``marked`` and ``after`` are that line in three parts.
    """

    first: int
    lines: tuple[str, ...]
    line: int = 0
    before: str = ""
    marked: str = ""
    after: str = ""


class FindingView(NamedTuple):
    """A finding as it is shown; ``fails`` says that its stage's gate counts it."""

    severity: str
    state: str
    fails: bool
    stage: str
    tool: str
    rule: str
    path: str
    line: int
    place: str
    message: str
    owner: str
    facts: tuple[Fact, ...]
    source: Source | None


@dataclass(frozen=True, kw_only=True)
class Listed:
    """All findings of a report in the page's order, each with its stage. What is shown of one is made when it is asked
    for: of a hundred thousand, the page itself holds the first hundred.
    """

    report: Report
    pairs: tuple[tuple[str, Finding], ...]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def failing(self) -> int:
        """How many fail their gate."""
        return sum(_fails(finding) for _, finding in self.pairs)

    @property
    def headline(self) -> str:
        """How many there are and what becomes of them, in a sentence."""
        if not self.pairs:
            return "No stage that ran has found anything."
        failing, states = self.failing, self.numbers("state")
        told = [counted(failing, "fails its gate", "fail their gates")]
        told += [f"{number(count)} {state}" for state, count in states.items() if state != State.NEW]
        if below := states.get(State.NEW, 0) - failing:
            told.append(counted(below, "is new and below the gate", "are new and below the gates"))
        return f"{counted(len(self), 'finding')}: {', '.join(told)}."

    def numbers(self, name: str) -> Mapping[str, int]:
        """How many findings there are of each stage, or value of an attribute; severities and states in their order."""
        counts = Counter(stage if name == "stage" else str(getattr(finding, name)) for stage, finding in self.pairs)
        ordered = [*map(str, (*Severity, *_STATES)), *sorted(counts)]
        return {value: counts[value] for value in ordered if counts[value]}

    def views(self, most: int | None = None) -> Iterator[FindingView]:
        """What is shown of each, or of the first ``most``."""
        return (_view(stage, finding, self.report) for stage, finding in self.pairs[:most])

    def packed(self) -> str:
        """The findings as JSON that may stand in a script element: every text once, the findings by their numbers.

        A finding is severity, state, fails, stage, tool, rule, path, line, place, message, owner, facts (term, text and
        address of each in a row), source (first line, lines, line meant, before, marked, after).
        """
        strings: dict[str, int] = {}
        encode = msgspec.json.Encoder().encode
        # One after the other: so many small values at once would keep the garbage collector busy for longer.
        rows = b",".join(
            encode(_packed(view, lambda text: strings.setdefault(text, len(strings)))) for view in self.views()
        )
        shown = encode([visible(text, keep="\n\t") for text in strings])
        return json_document(f'{{"findings":[{rows.decode()}],"strings":{shown.decode()}}}')


def listed(report: Report) -> Listed:
    """All findings: those that fail their gate first, then by severity, new ones first, waived ones last."""
    pairs = ((result.name, finding) for result in report.results for finding in result.findings)
    return Listed(report=report, pairs=tuple(sorted(pairs, key=lambda pair: _order(pair[1]))))


def _packed(view: FindingView, at: Callable[[str], int]) -> tuple[Any, ...]:
    return (
        at(view.severity), at(view.state), int(view.fails), at(view.stage), at(view.tool), at(view.rule),
        at(view.path), view.line, at(view.place), at(view.message), at(view.owner),
        [at(text) for fact in view.facts for text in (fact.term, fact.text, fact.address)],
        _packed_source(view.source, at) if view.source else (),
    )  # fmt: skip


def _packed_source(source: Source, at: Callable[[str], int]) -> tuple[Any, ...]:
    return (
        source.first, [at(line) for line in source.lines], source.line,
        at(source.before), at(source.marked), at(source.after),
    )  # fmt: skip


def _order(finding: Finding) -> tuple[Any, ...]:
    return (
        finding.state is State.WAIVED,
        not _fails(finding),
        -finding.severity.rank,
        _STATES.index(finding.state),
        finding.tool,
        finding.path,
        finding.line,
        finding.rule,
    )


def _fails(finding: Finding) -> bool:
    return finding.counted and finding.state is State.NEW


def _view(stage: str, finding: Finding, report: Report) -> FindingView:
    return FindingView(
        severity=str(finding.severity),
        state=str(finding.state),
        fails=_fails(finding),
        stage=stage,
        tool=finding.tool,
        rule=finding.rule,
        path=finding.path,
        line=finding.line,
        place=finding.place,
        message=cut(finding.message, LONGEST_TEXT),
        owner=finding.owner,
        facts=tuple(_facts(finding, stage, report)),
        source=_source(finding),
    )


def _facts(finding: Finding, stage: str, report: Report) -> Iterable[Fact]:
    yield Fact(term="Rule", text=f"{finding.rule} of {finding.tool}", address=_address(link_of(finding)))
    for weakness in finding.cwe:
        yield Fact(term="Weakness", text=f"CWE-{weakness}", address=_address(cwe_link(weakness)))
    for alias in finding.aliases:
        yield Fact(term="Also known as", text=alias, address=_address(advisory_link(alias)))
    for term, text in (
        ("Also reported by", ", ".join(finding.sources)),
        ("Package", " ".join(filter(None, (finding.package, finding.version)))),
        ("CVSS", "" if finding.cvss is None else f"{finding.cvss:.1f}"),
        ("Known to be exploited", f"since {finding.exploited}" if finding.exploited else ""),
        ("Likelihood of exploitation", _likelihood(finding.epss)),
        ("Fix", cut(finding.fix, LONGEST_TEXT)),
        ("Owner", finding.owner or "nobody is named"),
        ("Confidence", str(finding.confidence)),
        ("Stage", stage),
    ):
        if text:
            yield Fact(term=term, text=text)
    if (standing := report.waived_by(finding)) is not None:
        waiver = standing.waiver
        left = counted(standing.days_left, "day")
        yield Fact(term="Waived", text=f"{waiver.reason} ({waiver.owner}, {left} left)")
    if finding.id:
        yield Fact(term="Fingerprint", text=finding.id)


@lru_cache(maxsize=1024)
def _address(link: str) -> str:
    """Judged once: there are far fewer rules and weaknesses than findings."""
    return web_link(link)


def _likelihood(epss: float | None) -> str:
    return "" if epss is None else f"{epss:.1%} within 30 days (EPSS)"


def _source(finding: Finding) -> Source | None:
    """The context of the snapshot, or else the tool's own snippet."""
    if finding.context:
        first, lines = finding.context_start, finding.context
    elif finding.snippet.strip():
        first, lines = finding.line, tuple(finding.snippet.rstrip("\n").split("\n"))
    else:
        return None
    shown = tuple(cut(line, LONGEST_LINE) for line in lines)
    if not (finding.line and 0 <= finding.line - first < len(shown)):
        return Source(first=first, lines=shown)
    before, marked, after = _parts(shown[finding.line - first], finding.column)
    return Source(first=first, lines=shown, line=finding.line, before=before, marked=marked, after=after)


def _parts(text: str, column: int) -> tuple[str, str, str]:
    """A line in three: the second is the word or character at ``column``, 1-based, or empty where there is none."""
    if not 0 < column <= len(text):
        return text, "", ""
    match = _WORD.match(text, column - 1)
    end = match.end() if match else column
    return text[: column - 1], text[column - 1 : end], text[end:]
