"""``sbom/*.cdx.json``: what the locked Python environment and the image are made of, as CycloneDX 1.6 JSON.

What a bill says is decided here; ``cyclonedx_bill`` puts it into the words of the format.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.core.component import Component, package_url
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult
from pipeline.reporters.bill import Bill, dated

PYTHON = "sbom/python.cdx.json"
IMAGE = "sbom/image.cdx.json"
PLACES = (PYTHON, IMAGE)

_AUDIT = "audit"
_BUILD = "build"


def render(report: Report) -> dict[str, str]:
    """The bills as texts."""
    return {place: dated(undated(bill), bill.made) for place, bill in bills(report).items()}


def bills(report: Report) -> dict[str, Bill]:
    """The bills of the stages that know components. An empty one would be untrue: without components there is none."""
    results = {result.name: result for result in report.results if result.components}
    found = {}
    if _AUDIT in results:
        found[PYTHON] = _of_python(report, results[_AUDIT])
    if _BUILD in results:
        found[IMAGE] = _of_image(report, results[_BUILD])
    return found


def undated(bill: Bill) -> str:
    """The text of a bill as if it were made at no time, for :func:`pipeline.reporters.bill.dated`."""
    # pylint: disable-next=import-outside-toplevel  # the library takes 0.2 s to import, not wanted in most processes
    from pipeline.reporters.cyclonedx_bill import text

    return text(bill.undated)


def _of_python(report: Report, result: StageResult) -> Bill:
    policy = report.record.policy
    known = {c.purl: c for r in report.results for c in r.components if c.purl and (c.licences or c.licence_names)}
    return Bill(
        name=str(policy.get("name") or "the project"),
        version=str(policy.get("version") or ""),
        purl="",
        is_image=False,
        made=_made(report),
        generator=report.record.generator,
        remarks=_remarks(report, result),
        components=tuple(_with_licences(component, known.get(component.purl)) for component in result.components),
    )


def _with_licences(component: Component, known: Component | None) -> Component:
    """A lock knows no licences, and the metadata of the same release in the image do."""
    if component.licences or component.licence_names or known is None:
        return component
    return replace(component, licences=known.licences, licence_names=known.licence_names)


def _of_image(report: Report, result: StageResult) -> Bill:
    name, _, tag = str(result.metrics.get("tag") or "").rpartition(":")
    image_id = str(result.metrics.get("image_id") or "")
    namespace, _, last = name.rpartition("/")
    return Bill(
        name=name or "the image",
        version=tag,
        # purl-spec, type docker: the version is the image's id; the manifest's digest comes with the push.
        purl=package_url("docker", last, image_id, namespace=namespace) if last and image_id else "",
        is_image=True,
        made=_made(report),
        generator=report.record.generator,
        remarks=(("image-id", image_id), *_remarks(report, result)),
        components=result.components,
    )


def _remarks(report: Report, result: StageResult) -> tuple[tuple[str, str], ...]:
    """Where the bill comes from, and what it can't speak of."""
    gaps = tuple(("not-checked", f"{item.what}: {item.reason}") for item in result.not_checked)
    return (("commit", report.record.commit), ("snapshot", report.record.snapshot), *gaps)


def _made(report: Report) -> datetime:
    """The run's time, so that the same report gives the same bill."""
    return datetime.fromisoformat(report.record.started)
