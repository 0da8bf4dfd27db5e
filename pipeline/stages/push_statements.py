"""What ``push`` says of an image and signs: what went into it, what it has passed, and that both were looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.attestation.predicates import (
    POLICY,
    Builder,
    Making,
    Material,
    image_url,
    provenance,
    test_result,
    verification_summary,
)
from pipeline.attestation.statement import PROVENANCE, SBOM, SUMMARY, TEST_RESULT, Statement
from pipeline.core.image_inputs import read_inputs
from pipeline.core.stage import StageResult
from pipeline.stages.context import Context

SBOM_FILE = "sbom/image.cdx.json"
"""The SBOM of the image, where there is one, below the reports folder."""


def statements(
    context: Context, reference: str, digest: str, builder: Builder, passed: tuple[str, ...]
) -> tuple[Statement, ...]:
    """The statements about the image ``digest``, which was built for this snapshot; ``passed`` are its stages."""

    def said(predicate_type: str, predicate: Mapping[str, Any]) -> Statement:
        return Statement(name=reference, digest=digest, predicate_type=predicate_type, predicate=predicate)

    build = context.results["build"]
    policy = Material(name="policy", uri=POLICY, digest={"sha256": build.policy})
    first = [
        said(PROVENANCE, provenance(_making(context, build, builder), builder)),
        said(TEST_RESULT, test_result(passed, (policy, _snapshot(context)))),
    ]
    bill = image_sbom(context)
    if bill is not None:
        first.append(said(SBOM, bill))
    summary = verification_summary(
        image_url(reference, digest), build.policy, map(_looked_at, first), builder, _now(context)
    )
    return (*first, said(SUMMARY, summary))


def image_sbom(context: Context) -> dict[str, Any] | None:
    """The SBOM among the reports, if it says that it is about this very image."""
    path = context.raw.parents[2] / SBOM_FILE
    image = str(context.results["build"].metrics.get("image_id", "")).removeprefix("sha256:")
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError):
        return None
    sound = isinstance(document, dict) and document.get("bomFormat") == "CycloneDX"
    return document if sound and image and image in text else None


def _looked_at(statement: Statement) -> Material:
    digest = hashlib.sha256(statement.render()).hexdigest()
    return Material(name=statement.title, uri=statement.predicate_type, digest={"sha256": digest})


def _making(context: Context, build: StageResult, builder: Builder) -> Making:
    settings = context.settings
    parameters = {
        "source": builder.source,
        "commit": context.snapshot.commit,
        "dirty": context.snapshot.dirty,
        "name": settings.build.image,
        "version": settings.project.version,
        "dockerfile": settings.build.dockerfile,
        "base": settings.build.base,
        "python": settings.build.python,
    }
    return Making(
        parameters=parameters,
        internal={"policy": build.policy, "image_id": str(build.metrics.get("image_id", ""))},
        materials=tuple(materials(context, builder)),
        started=build.started,
        finished=_end(build),
    )


def materials(context: Context, builder: Builder) -> Iterator[Material]:
    """Every input with its digest: the source, and what the build has listed of its own."""
    yield _snapshot(context)
    if not context.snapshot.dirty:
        where = f"git+{builder.source}@{context.snapshot.commit}" if builder.source else ""
        yield Material(name="commit", uri=where, digest={"gitCommit": context.snapshot.commit})
    yield from _inputs(context.results["build"])


def _snapshot(context: Context) -> Material:
    return Material(name="snapshot", uri="urn:proven-pipeline:snapshot:v1", digest={"sha256": context.snapshot.digest})


def _inputs(build: StageResult) -> Iterator[Material]:
    """What build has listed: base packages, wheels, the bases, the files that went in, the compressor."""
    for item in read_inputs(build.details):
        yield Material(name=item.name, uri=item.uri, digest={"sha256": item.sha256})


def _end(result: StageResult) -> str:
    """When a stage ended, as far as its result tells."""
    try:
        end = datetime.fromisoformat(result.started) + timedelta(seconds=result.duration_s)
    except ValueError:
        return ""
    return _shown(end)


def _now(context: Context) -> str:
    return _shown(context.ports.clock.now())


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
