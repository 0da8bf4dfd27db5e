"""``pipeline.junit.xml``: a suite a stage, a case a gate or finding, in a dialect that CI systems share.

A gate that is not met is a ``<failure>``, what could not be told an ``<error>``, an optional stage that did not run a
``<skipped>``. CI systems read a skip as green, so a required stage that did not run is an ``<error>``. The reason
stands in ``message`` (Jenkins) and in the text (GitLab).
"""

from __future__ import annotations

import itertools
import re

from lxml import etree

from pipeline.core.finding import Finding, State
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status
from pipeline.core.waiver_standing import Standing

# What XML 1.0 allows (section 2.2), less the control characters that it discourages; everything else is shown as an
# escape.
_FORBIDDEN = re.compile("[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Parsers refuse values of some megabytes, and one such text would take the whole report along.
MOST_NAME = 500
MOST_TEXT = 20_000


def render(report: Report) -> str:
    """The merged report as JUnit XML."""
    suites = [_suite(result, report) for result in report.results]
    root = etree.Element("testsuites", name="pipeline")
    # The schema of Jenkins knows no "skipped" here, only on a suite.
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(result.duration_s for result in report.results):.3f}")
    root.extend(suites)
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return text.decode()


def _suite(result: StageResult, report: Report) -> etree._Element:
    suite = etree.Element("testsuite", name=clean(result.name))
    names: set[str] = set()

    def case(name: str, *, file: str = "", line: int = 0, time: float = 0.0) -> etree._Element:
        unique = _unique(clean(name, MOST_NAME), names)
        element = etree.SubElement(suite, "testcase", classname=f"pipeline.{clean(result.name)}", name=unique)
        element.set("time", f"{time:.3f}")
        if file:
            element.set("file", clean(file))
        if line:
            element.set("line", str(line))
        return element

    whole = case("stage", time=result.duration_s)
    _outcome(whole, result, required=result.name in report.record.required)
    for gate in result.gates:
        element = case(f"gate: {gate.what}")
        if not gate.passed:
            _add(element, "failure", gate.sentence)
    for finding in result.findings:
        element = case(f"{finding.tool} {finding.rule} {finding.id}", file=finding.path, line=finding.line)
        _finding(element, finding, report.waived_by(finding))
    children = [child.tag for element in suite for child in element]
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(children.count("failure")))
    suite.set("errors", str(children.count("error")))
    suite.set("skipped", str(children.count("skipped")))
    suite.set("time", f"{result.duration_s:.3f}")
    if result.started:
        suite.set("timestamp", result.started.removesuffix("Z").split(".")[0])
    return suite


def _unique(name: str, taken: set[str]) -> str:
    """Readers drop a second case of the same name, so it gets a number."""
    numbered = (name if number == 1 else f"{name} #{number}" for number in itertools.count(1))
    unique = next(candidate for candidate in numbered if candidate not in taken)
    taken.add(unique)
    return unique


def _outcome(element: etree._Element, result: StageResult, *, required: bool) -> None:
    text = "\n".join(result.reasons)
    if result.status is Status.FAIL:
        _add(element, "failure", text)
    elif result.status is Status.INCONCLUSIVE or (result.status is Status.NOT_RUN and required):
        _add(element, "error", text, kind=str(result.status))
    elif result.status is Status.NOT_RUN:
        _add(element, "skipped", text)


def _finding(element: etree._Element, finding: Finding, waived: Standing | None) -> None:
    text = f"{finding.severity}: {finding.message}\n{finding.place}\n{finding.snippet}".strip()
    if waived is not None:
        by = waived.waiver
        _add(element, "skipped", f"waived: {by.reason} ({by.owner}, {waived.days_left} days left)\n{text}")
    elif finding.state is not State.NEW:
        _add(element, "skipped", f"{finding.state}: {text}")
    elif finding.counted:
        _add(element, "failure", text, kind=str(finding.severity))
    else:
        # Below the gate: shown, but a reader that counts failures must come to the pipeline's own verdict.
        etree.SubElement(element, "system-out").text = clean(f"below the gate: {text}")


def _add(element: etree._Element, tag: str, text: str, kind: str = "") -> None:
    child = etree.SubElement(element, tag, message=clean(text.split("\n", 1)[0], MOST_NAME))
    if kind:
        child.set("type", kind)
    child.text = clean(text)


def clean(text: str, longest: int = MOST_TEXT) -> str:
    """Text that XML can carry, bounded; what XML forbids is a visible escape, since the target may have written it."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return _FORBIDDEN.sub(lambda match: match.group().encode("unicode_escape", "surrogatepass").decode("ascii"), cut)
