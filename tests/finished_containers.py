"""The container stages of a finished report, without an engine: raw outputs as the stages keep and judge them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pipeline.core.canary_judge import CANDIDATE, SIDES
from pipeline.core.canary_resources import Used
from pipeline.core.containers import BuildRequest, ContainerState, Image, Layer, Manifest
from pipeline.core.evidence import Control, Evidence
from pipeline.core.oci_manifest import IMAGE_TYPES, digest_of, image_content
from pipeline.core.stage import Examination, Tool
from pipeline.core.traffic import Sample, interleaved, parse_endpoint
from pipeline.images.contents import ImageContents, ImageFile
from pipeline.images.pushable import PushableImage
from pipeline.stages import build, canary_comparison, hardening, smoke
from pipeline.stages.build_plan import Prepared
from pipeline.stages.canary_limits import ABSOLUTE, assess_by_limits, limits_of
from pipeline.stages.canary_measurement import Measurement, keep, load_of
from pipeline.stages.context import Context
from pipeline.stages.image_assembly import Made, Plan
from pipeline.stages.image_checks import controls
from pipeline.stages.image_judgement import Judgement, joined
from pipeline.stages.image_judgement import keep as keep_judgement
from pipeline.stages.image_parts import Parts
from pipeline.stages.image_size import Sizes
from pipeline.stages.image_sources import Moment
from pipeline.stages.push import same_configuration
from pipeline.stages.readiness import Readiness
from pipeline.stages.smoke_stories import assess_stories
from pipeline.testing import outcome
from pipeline.tools import pytest as pytest_tool
from tests.finished_reports import TEST_NAMES, witness_record
from tests.projects import SampleStage
from tests.support import FIXTURES
from tests.told_stories import told

STATUS = b"Package: libc6\nStatus: install ok installed\nVersion: 2.41-12\n"
DPKG = "var/lib/dpkg/status"


def hardened() -> dict[str, Any]:
    """What an engine said of a hardened container."""
    document: dict[str, Any] = json.loads((FIXTURES / "docker" / "inspect_hardened.json").read_text(encoding="utf-8"))
    return document


IMAGE_ID = str(hardened()["Image"])


def build_examined(context: Context) -> Examination:
    """``build`` of an image with one Debian package."""
    image = Image(
        id=IMAGE_ID, size_bytes=1000, layers=(Layer(created_by="COPY", size_bytes=1000),), user="65532:65532",
        labels={}, architecture="amd64", configuration={"Healthcheck": {"Test": ["CMD", "true"]}, "Env": ["A=1"]},
        diff_ids=("sha256:a",),
    )  # fmt: skip
    status = ImageFile(path=DPKG, mode=0o644, uid=0, gid=0, size=len(STATUS), sha256="0" * 64, content=STATUS)
    built = build.Built(
        image=image,
        contents=ImageContents(files={DPKG: status}, folders=frozenset(), layer_sizes=(1000,)),
        parts=Parts(service="service", files=(), tests=(), pins=(), base_packages=("libc6 2.41-12",)),
        made=Made(id=IMAGE_ID, archive=Path("image.tar"), ready=PushableImage(manifest=_manifest(), blobs={}), log=""),
        ready=_prepared(),
        sizes=Sizes(plain=1000, compressed=900),
    )
    build.keep(context, built)
    examined = build.assess(built, Tool(name="docker", version="1"), context.settings)
    names = frozenset({"check CIS-DI-0001", "layer sha256:a"})
    judged = Judgement(expected=names, checked=names, controls=controls())
    keep_judgement(context, judged)
    return joined(examined, judged, context.settings.build)


def smoke_examined(context: Context) -> Examination:
    """``smoke`` of a container that was ready at once and passed two tests."""
    answer, record = hardened(), witness_record()
    state = {"Status": "exited", "ExitCode": 0, "OOMKilled": False}
    context.keep("container.json", json.dumps(answer))
    context.keep("container-end.json", json.dumps(state))
    context.keep("container.log", '{"level": "INFO", "msg": "ready"}\n')
    context.keep("tests-record.jsonl", record)
    settings = context.settings.smoke
    texts = told(settings)
    for name, text in texts.items():
        context.keep(name, text)
    trial = smoke.Trial(
        restrictions=hardening.restrictions(answer),
        readiness=Readiness(ready=True, after_s=0.4, found="0.4 s"),
        ran=pytest_tool.parse(outcome(0), record, context.tree),
        stopped=ContainerState(status="exited", exit_code=0, out_of_memory=False, health=""),
        log="",
        controls=(hardening.control(answer), Control(tool="the probe", planted="path", caught=True)),
        told=assess_stories(settings, texts),
    )
    return smoke.assess(settings, frozenset(TEST_NAMES), trial, IMAGE_ID)


def canary_examined(context: Context) -> Examination:
    """``canary`` by absolute limits: every request was answered within some milliseconds."""
    measurement = _measured(context, (CANDIDATE,))
    limits = limits_of(context.settings.canary)
    examined, checks = assess_by_limits(measurement, CANDIDATE, limits)
    keep(context, measurement, checks, {"mode": ABSOLUTE})
    return _about_image(examined)


def comparison_examined(context: Context) -> Examination:
    """``canary`` beside two containers of a release that are as fast."""
    measurement = _measured(context, SIDES)
    used = {side: Used(requests=100, cpu_s=0.1, memory_bytes=40_000_000) for side in SIDES}
    rules = canary_comparison.comparison(context.settings)
    examined, checks = canary_comparison.assess(measurement, rules, used, context.settings.canary.resource_tolerance)
    keep(context, measurement, checks, {"mode": canary_comparison.COMPARISON})
    context.keep("usage.json", json.dumps({side: asdict(one) for side, one in used.items()}))
    return _about_image(examined)


def push_examined(context: Context) -> Examination:
    """``push`` of the image with one layer."""
    body = manifest_body(IMAGE_ID)
    context.keep("manifest.json", body)
    manifest = Manifest(digest=digest_of(body.encode()), media_type=IMAGE_TYPES[0], body=body.encode())
    content = image_content(manifest)
    names = {manifest.digest, *(blob.digest for blob in content.blobs), "1.2.3"}
    return Examination(
        evidence=Evidence.of("blobs and tags", expected=names, checked=names),
        gates=(same_configuration(manifest, content, IMAGE_ID),),
        metrics={
            "manifest_digest": manifest.digest,
            "image_id": IMAGE_ID,
            "bytes_read_back": content.size + len(manifest.body),
        },
    )


CONTAINERS = (
    SampleStage("build", build_examined),
    SampleStage("smoke", smoke_examined),
    SampleStage("canary", canary_examined),
    SampleStage("push", push_examined),
)
COMPARISON = (SampleStage("canary", comparison_examined),)


def _manifest() -> Manifest:
    body = manifest_body(IMAGE_ID).encode()
    return Manifest(digest=digest_of(body), media_type=IMAGE_TYPES[0], body=body)


def _prepared() -> Prepared:
    """A build from a recipe that names its own base."""
    request = BuildRequest(
        context=Path("context.tar"), dockerfile="Dockerfile", tag="sample:0123", arguments={}, labels={}, timeout_s=1.0
    )
    return Prepared(
        plan=Plan(request=request, recipe="FROM x:1\n", created=0),
        bases=None,
        context=(),
        sources=(),
        wheels={},
        pins=(),
        moment=Moment(time="2026-01-01T00:00:00Z"),
    )


def manifest_body(image: str) -> str:
    """An OCI manifest whose configuration is the image."""
    layer = {"digest": f"sha256:{'1' * 64}", "size": 900}
    return json.dumps({"schemaVersion": 2, "config": {"digest": image, "size": 100}, "layers": [layer]})


def _measured(context: Context, sides: tuple[str, ...]) -> Measurement:
    settings = context.settings.canary
    load = load_of(settings, context.snapshot.digest)
    plan = interleaved(sides, tuple(parse_endpoint(text) for text in settings.paths), load)
    # Spread a little and alike, so that the judge has something to compare.
    samples = tuple(
        Sample(request=request, at_s=number / 100, latency_ms=5.0 + request.number % 7 / 10, status=200)
        for number, request in enumerate(plan.requests)
    )
    return Measurement(planned=plan.judged, samples=samples, rounds=1, seed=load.seed)


def _about_image(examined: Examination) -> Examination:
    return replace(examined, metrics={**examined.metrics, "image_id": IMAGE_ID})
