"""``pipeline.junit.xml`` and ``junit/<stage>.xml``: a suite a stage, a case a gate or finding, as CI systems read it.

A gate that is not met is a ``<failure>``, what could not be told an ``<error>``, an optional stage that did not run a
``<skipped>``. CI systems read a skip as green, so a required stage that did not run is an ``<error>``. The reason
stands in ``message`` (Jenkins) and in the text (GitLab). A case has the same name in every run: it is made of what is
examined, and for a finding of its fingerprint.

Written with lxml itself and no JUnit library: junitparser knows neither ``file`` nor ``line`` of a case, from which
GitLab and GitHub's test reporters make links, and junit-xml has had no release since 2020.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from lxml import etree

from pipeline.core.finding import Finding, State
from pipeline.core.run_record import Report
from pipeline.core.safe_text import for_xml, xml_document
from pipeline.core.stage import StageResult, Status
from pipeline.core.waiver_standing import Standing
from pipeline.reporters.file_names import file_names

MERGED, OF_A_STAGE = "pipeline.junit.xml", "junit/<stage>.xml"
MOST_FINDINGS = 10_000
"""Findings with a case of their own in a file. GitLab refuses a file of 30 MB, and one of more than 250,000 objects, of
which a case is about 15; https://docs.gitlab.com/ci/testing/unit_test_reports."""
MOST_NAME = 500
MOST_TEXT = 20_000
"""Parsers refuse values of some megabytes, and one such text would take the whole report along."""
_MOST_TEXTS = 10_000_000
"""Characters of all findings' texts together, twice as many of which stand in a file."""
_COUNTED = ("tests", "failures", "errors")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.A)


def render(report: Report) -> dict[str, str]:
    """The files by path, the merged one first."""
    most = _shares([len(result.findings) for result in report.results])
    suites = [_suite(result, report, share) for result, share in zip(report.results, most, strict=True)]
    names = file_names(result.name for result in report.results)
    files = {MERGED: _document(suites, report.results)}
    for result, suite, share in zip(report.results, suites, most, strict=True):
        # A stage alone has the room of the whole file.
        alone = suite if share >= min(len(result.findings), MOST_FINDINGS) else _suite(result, report, MOST_FINDINGS)
        files[OF_A_STAGE.replace("<stage>", names[result.name])] = _document([alone], [result])
    return files


def _shares(numbers: Sequence[int]) -> list[int]:
    """How many findings of each stage the merged file takes: all of the small ones, the rest equally of the others."""
    shares = [0] * len(numbers)
    left = MOST_FINDINGS
    for position, index in enumerate(sorted(range(len(numbers)), key=lambda i: numbers[i])):
        shares[index] = min(numbers[index], left // (len(numbers) - position))
        left -= shares[index]
    return shares


def _document(suites: Sequence[etree._Element], results: Sequence[StageResult]) -> str:
    root = etree.Element("testsuites", name="pipeline")
    # The schema of Jenkins knows no "skipped" here, only on a suite.
    for name in _COUNTED:
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(result.duration_s for result in results):.3f}")
    # An element has one place in one tree, and a suite stands in two files.
    head: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    begin = head.decode().replace("/>", ">")
    texts = (etree.tostring(suite, encoding="unicode", pretty_print=True) for suite in suites)
    return xml_document(f"{begin}\n{''.join(texts)}</testsuites>\n")


def _suite(result: StageResult, report: Report, most: int) -> etree._Element:
    suite = etree.Element("testsuite", name=for_xml(result.name, MOST_NAME))
    cases = _Cases(suite, f"pipeline.{for_xml(result.name, MOST_NAME)}")
    whole = cases.add("stage", time=result.duration_s)
    _outcome(whole, result, required=result.name in report.record.required)
    for gate in result.gates:
        element = cases.add(f"gate: {gate.what}")
        if not gate.passed:
            _add(element, "failure", gate.sentence)
    # Those that count come first, where there is not room for all.
    ordered = sorted(result.findings, key=_standing) if len(result.findings) > most else result.findings
    longest = min(MOST_TEXT, max(_MOST_TEXTS // max(len(result.findings), 1), MOST_NAME))
    for finding in ordered[:most]:
        element = cases.add(f"{finding.tool} {finding.rule} {finding.id}", file=finding.path, line=finding.line)
        _finding(element, finding, report.waived_by(finding), longest)
    if len(ordered) > most:
        _rest(cases.add("further findings"), ordered[most:])
    children = [child.tag for element in suite for child in element]
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(children.count("failure")))
    suite.set("errors", str(children.count("error")))
    suite.set("skipped", str(children.count("skipped")))
    suite.set("time", f"{result.duration_s:.3f}")
    if began := _TIMESTAMP.match(result.started):
        suite.set("timestamp", began[0])
    return suite


class _Cases:
    """The cases of a suite. Readers drop a second one of the same name, so it gets a number."""

    def __init__(self, suite: etree._Element, classname: str) -> None:
        self._suite = suite
        self._classname = classname
        self._next: dict[str, int] = {}

    def add(self, name: str, *, file: str = "", line: int = 0, time: float = 0.0) -> etree._Element:
        """A new case with a name that no other has."""
        element = etree.SubElement(
            self._suite, "testcase", classname=self._classname, name=self._unique(for_xml(name, MOST_NAME))
        )
        element.set("time", f"{time:.3f}")
        if file:
            element.set("file", for_xml(file))
        if line:
            element.set("line", str(line))
        return element

    def _unique(self, name: str) -> str:
        numbered = ((n, name if n == 1 else f"{name} #{n}") for n in itertools.count(self._next.get(name, 1)))
        number, unique = next((n, candidate) for n, candidate in numbered if candidate not in self._next)
        self._next[name] = number + 1
        self._next.setdefault(unique, 2)
        return unique


def _outcome(element: etree._Element, result: StageResult, *, required: bool) -> None:
    text = "\n".join(result.reasons)
    if result.status is Status.FAIL:
        _add(element, "failure", text)
    elif result.status is Status.INCONCLUSIVE or (result.status is Status.NOT_RUN and required):
        _add(element, "error", text, kind=str(result.status))
    elif result.status is Status.NOT_RUN:
        _add(element, "skipped", text)


def _standing(finding: Finding) -> tuple[bool, bool, int]:
    return (finding.state is not State.NEW, not finding.counted, -finding.severity.rank)


def _finding(element: etree._Element, finding: Finding, waived: Standing | None, longest: int) -> None:
    text = f"{finding.severity}: {finding.message}\n{finding.place}\n{finding.snippet}".rstrip(" \n")
    if waived is not None:
        by = waived.waiver
        _add(element, "skipped", f"waived: {by.reason} ({by.owner}, {waived.days_left} days left)\n{text}", longest)
    elif finding.state is not State.NEW:
        _add(element, "skipped", f"{finding.state}: {text}", longest)
    elif finding.counted:
        _add(element, "failure", text, longest, kind=str(finding.severity))
    else:
        # Below the gate: shown, but a reader that counts failures must come to the pipeline's own verdict.
        etree.SubElement(element, "system-out").text = for_xml(f"below the gate: {text}", longest)


def _rest(element: etree._Element, findings: Sequence[Finding]) -> None:
    """One case for all findings that have none of their own: a failure when one of them is."""
    text = f"{len(findings)} more findings are in pipeline.json."
    counted = sum(finding.state is State.NEW and finding.counted for finding in findings)
    if counted:
        _add(element, "failure", f"{text} {counted} of them count.")
    else:
        etree.SubElement(element, "system-out").text = text


def _add(element: etree._Element, tag: str, text: str, longest: int = MOST_TEXT, *, kind: str = "") -> None:
    child = etree.SubElement(element, tag, message=for_xml(text.split("\n", 1)[0], MOST_NAME))
    if kind:
        child.set("type", kind)
    child.text = for_xml(text, longest)
