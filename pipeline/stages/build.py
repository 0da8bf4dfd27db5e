"""``build``: the container image from the root Dockerfile, hermetic, and a look at what really is in it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace

from pipeline.core.bases import BaseSet
from pipeline.core.containers import BuildFault, ContainerEngine, Image
from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.core.evidence import Evidence
from pipeline.core.image_details import described
from pipeline.core.image_inputs import Making, as_details
from pipeline.core.stage import Examination, Metric, NotChecked, Tool
from pipeline.images.compression import compressor
from pipeline.images.contents import ImageContents, read_contents
from pipeline.settings import Settings
from pipeline.stages.build_declared import DeclaredBuild
from pipeline.stages.build_plan import Prepared, prepared
from pipeline.stages.components import installed
from pipeline.stages.context import Context
from pipeline.stages.image_assembly import Made, assemble, held
from pipeline.stages.image_checks import Inspected, judge, layers_of_base
from pipeline.stages.image_judgement import image_gates, joined
from pipeline.stages.image_parts import Found, Parts, find, project_parts
from pipeline.stages.image_size import Sizes, left_open, measured, size_gates, sizes_by_package

_DIGITS = 12
BLOBS = "blobs"
"""The folder of compressed layers in the cache."""

_NO_RECORDS = NotChecked(
    what="the operating system's packages in the image",
    reason="The image has no records of Debian's package manager, so its bill of materials does not list them.",
)


@dataclass(frozen=True, slots=True)
class BuildStage(DeclaredBuild):
    """Unit of work: parts of the image. Expected: the service's files, the locked packages, the base's. Checked: those
    in its layers.
    """

    def run(self, context: Context) -> Examination:
        """Build, export, examine."""
        engine = context.ports.engine()
        ready = prepared(context, engine)
        made = _made(context, engine, ready)
        image = held(engine, made)
        say = context.ports.progress.say
        say("build: looking at what is in the image")
        with made.archive.open("rb") as stream:
            contents = read_contents(stream)
        sizes = measured(context, made.manifest.digest, image.size_bytes, made.ready.compressed_bytes)
        built = Built(image=image, contents=contents, parts=_parts(context, ready), made=made, ready=ready, sizes=sizes)
        keep(context, built)
        for doubt in ready.doubts if ready.bases else ():
            say(f"NOT REPRODUCIBLE: {doubt}")
        examined = assess(built, Tool(name=engine.name, version=engine.version), context.settings)
        whole = joined(examined, judge(context, _inspected(engine, built, examined)), context.settings.build)
        return replace(whole, details={**whole.details, **sizes_by_package(whole.components, contents)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image, what is in it, what should be, how it was made of what, and how large it is."""

    image: Image
    contents: ImageContents
    parts: Parts
    made: Made
    ready: Prepared
    sizes: Sizes

    @property
    def bases(self) -> BaseSet | None:
        """What it was built on; none where the recipe names its own."""
        return self.ready.bases

    @property
    def tag(self) -> str:
        """Its name in the engine."""
        return self.ready.plan.request.tag

    @property
    def base(self) -> str:
        """The base in a few words."""
        return f"locked Debian {self.bases.release}" if self.bases else "what the recipe names"

    @property
    def making(self) -> Making:
        """How it was made."""
        return Making(
            created=self.ready.moment.time,
            compressor=compressor(),
            compressed_bytes=self.sizes.compressed,
            not_reproducible=self.ready.doubts,
        )


def assess(built: Built, tool: Tool, settings: Settings) -> Examination:
    """What the image's configuration and files amount to."""
    image, bases = built.image, built.bases
    found = find(built.parts, built.contents)
    debian = built.contents.debian_packages()
    metrics: dict[str, Metric] = {
        "image_id": image.id,
        "manifest_digest": built.made.manifest.digest,
        "size_bytes": image.size_bytes,
        "compressed_bytes": built.sizes.compressed,
        "last_release": built.sizes.released or "none",
        "created": built.ready.moment.time,
        "reproducible": "no" if built.ready.doubts else "yes",
        "tag": built.tag,
        "layers": len(image.diff_ids) or len(image.layers),
        "base": built.base,
        "base_lock": bases.lock_digest if bases else "",
        "base_packages": len(debian),
        "python_packages": len(built.contents.python_packages()),
    }
    lock = f", lock {bases.lock_digest[:_DIGITS]}" if bases else ""
    return Examination(
        evidence=Evidence.of("parts of the image", expected=built.parts.expected, checked=found.checked),
        gates=(
            *image_gates(image, max_size_mb=settings.build.max_size_mb),
            *size_gates(built.sizes, settings),
        ),
        tools=(tool,),
        metrics=metrics,
        notes=(
            f"Image {image.id}, {image.size_bytes / 1e6:.1f} MB in {metrics['layers']} layers, "
            f"{built.sizes.compressed / 1e6:.1f} MB compressed, manifest {built.made.manifest.digest}.",
            f"Its base is {built.base} with {len(debian)} Debian packages{lock}: {_sentence(debian)}.",
            *(f"This image can't be counted on to be made again: {doubt}" for doubt in built.ready.doubts),
        ),
        not_checked=(*_not_checked(found, bases, debian), *left_open(built.sizes)),
        components=installed(built.contents, tuple(built.ready.wheels.values()), bases.archives if bases else {}),
        details=as_details(built.ready.inputs(), built.making)
        | described(
            image,
            tag=built.tag,
            base=built.base,
            base_lock=bases.lock_digest if bases else "",
            debian_packages=len(debian),
            python_packages=len(built.contents.python_packages()),
        ),
    )


def _inspected(engine: ContainerEngine, built: Built, examined: Examination) -> Inspected:
    """What the image checks need to know of it."""
    plan = built.ready.plan
    names = plan.bases or [name for _, name in parse_recipe(plan.recipe).bases()]
    return Inspected(
        image=built.image,
        archive=built.made.archive,
        contents=built.contents,
        components=examined.components,
        pins=built.parts.pins,
        wheels=tuple(built.ready.wheels.values()),
        may_also_hold=built.parts.may_also_hold,
        strangers=find(built.parts, built.contents).strangers,
        base_layers=layers_of_base(built.image, engine, names),
    )


def _parts(context: Context, ready: Prepared) -> Parts:
    """What the image should be made of."""
    service, bases = context.settings.project.service, ready.bases
    files, tests = project_parts(context.snapshot, ready.context, service, context.settings.test.paths)
    itself = re.sub(r"[-_.]+", "-", context.settings.project.name).lower()
    return Parts(
        service=service,
        files=files,
        tests=tests,
        pins=ready.pins,
        base_packages=bases.packages if bases else (),
        may_also_hold=frozenset({itself}) if bases else None,
    )


def _made(context: Context, engine: ContainerEngine, ready: Prepared) -> Made:
    """The image, built and put together; what the engine says is kept, also when it fails."""
    say = context.ports.progress.say
    say("build: sending the context to the engine")
    try:
        made = assemble(ready.plan, engine, scratch=context.scratch, blobs=context.ports.cache / BLOBS, say=say)
    except BuildFault as fault:
        context.keep("build.log", fault.log)
        raise
    context.keep("build.log", made.log)
    return made


def keep(context: Context, built: Built) -> None:
    """Keep the image's configuration and the lists of its packages."""
    image = {
        **asdict(built.image),
        "tag": built.tag,
        "layer_tar_bytes": built.contents.layer_sizes,
        "compressed_bytes": built.sizes.compressed,
        "released_bytes": built.sizes.before,
    }
    context.keep("manifest.json", built.made.manifest.body.decode("ascii"))
    context.keep("image.json", json.dumps(image, indent=2, sort_keys=True, default=str) + "\n")
    packages = {
        "base_lock": built.bases.lock_digest if built.bases else "",
        "debian": [{"name": name, "version": version} for name, version in built.contents.debian_packages()],
        "python": [{"name": name, "version": version} for name, version in built.contents.python_packages()],
    }
    context.keep("packages.json", json.dumps(packages, indent=2) + "\n")


def _not_checked(found: Found, bases: BaseSet | None, debian: tuple[tuple[str, str], ...]) -> tuple[NotChecked, ...]:
    unlocked = tuple(
        NotChecked(what=f"{package} in the image", reason="It came with the base image, and the lock does not name it.")
        for package in found.unlocked
    )
    if not debian:
        unlocked = (_NO_RECORDS, *unlocked)
    if bases:
        return unlocked
    reason = "It is whatever the recipe names; no lock says what must be in it."
    return (NotChecked(what="the base image", reason=reason), *unlocked)


def _sentence(packages: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages) or "it has no records of Debian packages"
