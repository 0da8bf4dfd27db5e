"""What the page tells of the image: what it is, its layers and packages, its canary, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from pipeline.core.canary_details import CANARY, CanaryDetails
from pipeline.core.component import Component
from pipeline.core.image_details import IMAGE, PACKAGE_SIZES, ImageDetails, PackageSize
from pipeline.core.run_record import Report
from pipeline.core.stage import StageResult, Status
from pipeline.reporters import sbom
from pipeline.reporters.page_charts import Histogram, Share, histogram, shares
from pipeline.reporters.page_stages import RawFile, raw_files
from pipeline.reporters.page_text import counted, short, size

_AUDIT, _BUILD, _CANARY, _PUSH = "audit", "build", "canary", "push"
_SIGNED = ("provenance", "attestation", ".intoto.", ".sigstore", ".dsse")
_Details = TypeVar("_Details")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """The image: facts as pairs, the share of each layer in its size, its packages.

    ``parts`` are (what it was made by, its bytes, its digest) for each layer, from the base upwards.
    """

    details: ImageDetails
    facts: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, str, str, Share], ...]


def image(report: Report) -> ImageView | None:
    """What ``build`` told of the image; none when it built none."""
    build = _result(report, _BUILD)
    details = _read(build, IMAGE, ImageDetails)
    if details is None:
        return None
    return ImageView(
        details=details,
        facts=tuple((term, text) for term, text in _facts(details, report) if text),
        parts=tuple(
            (layer.created_by or "the base", size(layer.size_bytes), layer.digest, share)
            for layer, share in zip(details.layers, shares([one.size_bytes for one in details.layers]), strict=True)
        ),
    )


def packages(report: Report) -> tuple[tuple[Component, str], ...]:
    """What was found in the image, each with the size of its files in words, the largest first."""
    build = _result(report, _BUILD)
    found = build.components if build is not None else ()
    told = _read(build, PACKAGE_SIZES, tuple[PackageSize, ...])
    if told is None:
        return tuple((item, "not known") for item in found)
    # What has no files of its own is not told.
    sizes = {(one.kind, one.name, one.version): one.size_bytes for one in told}
    sized = [(sizes.get((item.kind, item.name, item.version), 0), item) for item in found]
    return tuple((item, size(count)) for count, item in sorted(sized, key=lambda pair: -pair[0]))


def canary(report: Report) -> tuple[CanaryDetails, tuple[Histogram, ...]] | None:
    """What ``canary`` measured, and its charts; none when it measured nothing."""
    details = _read(_result(report, _CANARY), CANARY, CanaryDetails)
    return None if details is None else (details, tuple(map(histogram, details.endpoints)))


def provenance(report: Report) -> tuple[RawFile, ...]:
    """Files of any stage that say, by their names, where the image came from."""
    every = (file for result in report.results for file in raw_files(result))
    return tuple(file for file in every if any(word in file.name.lower() for word in _SIGNED))


def bills(report: Report) -> tuple[str, ...]:
    """The places of the bills of materials that the run wrote: there is one for each stage that has listed parts."""
    places = {_AUDIT: sbom.PYTHON, _BUILD: sbom.IMAGE}
    listed = {result.name for result in report.results if result.components}
    return tuple(place for stage, place in places.items() if stage in listed)


def _facts(details: ImageDetails, report: Report) -> Iterator[tuple[str, str]]:
    push = _result(report, _PUSH)
    pushed: Mapping[str, Any] = push.metrics if push is not None and push.status is Status.PASS else {}
    lock = f", lock {short(details.base_lock)}" if details.base_lock else ""
    yield "Image", details.id
    yield "Manifest", str(pushed.get("manifest_digest", "")) or "not pushed"
    rehearsal = " (a rehearsal: nobody else can pull it)" if pushed.get("registry") == "rehearsal" else ""
    yield "Reference", f"{pushed.get('reference', '')}{rehearsal}"
    yield "Tag here", details.tag
    yield "Base", f"{details.base}{lock}"
    yield "User", details.user or "root (none is set)"
    yield "Starts with", " ".join((*details.entrypoint, *details.command))
    yield "Health check", " ".join(details.health_check) or "none"
    yield "Ports", ", ".join(details.ports)
    yield "Architecture", details.architecture
    yield "Size", f"{size(details.size_bytes)} in {counted(len(details.layers), 'layer')}"
    yield "Packages", f"{details.debian_packages} of Debian, {details.python_packages} of Python"


def _result(report: Report, name: str) -> StageResult | None:
    return next((result for result in report.results if result.name == name), None)


def _read(result: StageResult | None, name: str, kind: type[_Details]) -> _Details | None:
    """The details as the value that they were made from; a foreign report may hold anything in that place."""
    if result is None or name not in result.details:
        return None
    try:
        return msgspec.convert(result.details[name], kind)
    except (msgspec.ValidationError, ValueError):
        return None
