"""``build``: the container image from the root Dockerfile, hermetic, and a look at what really is in it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core.bases import BUILDER_ARGUMENT, RUNTIME_ARGUMENT, BaseSet
from pipeline.core.containers import BuildFault, BuildRequest, ContainerEngine, Image
from pipeline.core.evidence import Evidence
from pipeline.core.image_details import described
from pipeline.core.lock import Pin, parse_lock
from pipeline.core.snapshot import Entry, Snapshot
from pipeline.core.stage import Examination, Metric, NotChecked, StageResult, Tool
from pipeline.errors import ConfigurationError, EngineTrouble
from pipeline.images.contents import ImageContents, read_contents
from pipeline.settings import Settings
from pipeline.stages.build_context import IGNORE_FILE, admitted, write_context
from pipeline.stages.components import installed
from pipeline.stages.context import Context
from pipeline.stages.image_checks import content_gates, controls, image_gates
from pipeline.stages.image_parts import Found, Parts, find, project_parts
from pipeline.stages.wheelhouse import Target, ensure_wheels

_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_DIGITS = 12
_NO_RECORDS = NotChecked(
    what="the operating system's packages in the image",
    reason="The image has no records of Debian's package manager, so its bill of materials does not list them.",
)


@dataclass(frozen=True, slots=True)
class BuildStage:
    """Unit of work: parts of the image. Expected: the service's files, the locked packages, the base's. Checked: those
    in its layers.
    """

    name: str = "build"
    summary: str = (
        "Build the container image from the root Dockerfile, with the network off, and look at what is in it."
    )
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("container",)

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Raises ConfigurationError when the recipe or the lock is missing, or the image's name is none."""
        if settings.build.dockerfile not in snapshot.by_path:
            raise ConfigurationError(
                f"build.dockerfile names {settings.build.dockerfile!r}, and the checkout has no such file.",
                advice="Only files that git tracks, or that are new and not ignored, count.",
            )
        if settings.audit.lock not in snapshot.by_path:
            raise ConfigurationError(
                f"The lock file {settings.audit.lock} does not exist.",
                advice="Make it with: uv pip compile --generate-hashes requirements.in -o requirements.txt",
            )
        if not _NAME.fullmatch(settings.build.image.lower()):
            raise ConfigurationError(
                f"{settings.build.image!r} can't be the name of an image.",
                advice="Set build.image to lower-case words.",
            )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """Whether the engine still has the image; an engine that can't say so does not."""
        try:
            return context.ports.engine().image(str(result.metrics.get("image_id"))) is not None
        except EngineTrouble:
            return False

    def run(self, context: Context) -> Examination:
        """Build, export, examine."""
        pins = _pins(context)
        engine = context.ports.engine()
        bases = _bases(context, engine)
        architecture = bases.architecture if bases else engine.architecture
        target = Target(python=context.settings.build.python, architecture=architecture)
        rules = _text(context, IGNORE_FILE)
        entries = admitted(context.snapshot, rules, context.settings.build.dockerfile)
        tar = context.scratch / "context.tar"
        wheels = ensure_wheels(context, pins, target)
        write_context(tar, context.tree, entries, wheels, context.snapshot.committed)
        image = _build(context, engine, tar, bases)
        built = Built(
            image=image,
            contents=_contents(context, engine, image),
            parts=_parts(context, entries, tuple(pin for pin in pins if pin.applies(target.markers)), bases),
            bases=bases,
            tag=image_tag(context),
            wheels=tuple(wheels.values()),
        )
        keep(context, built)
        tool = Tool(name=engine.name, version=engine.version)
        return assess(built, tool, max_size_mb=context.settings.build.max_size_mb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image, what is in it, what should be, and what it was built on; ``bases`` is none where the recipe names its
    own; ``wheels`` are what it was given to install.
    """

    image: Image
    contents: ImageContents
    parts: Parts
    bases: BaseSet | None
    tag: str
    wheels: tuple[Path, ...] = ()

    @property
    def base(self) -> str:
        """The base in a few words."""
        return f"locked Debian {self.bases.release}" if self.bases else "what the recipe names"


def assess(built: Built, tool: Tool, *, max_size_mb: float | None) -> Examination:
    """What the image's configuration and files amount to; ``max_size_mb`` is in 10^6 bytes."""
    image, bases = built.image, built.bases
    found = find(built.parts, built.contents)
    debian = built.contents.debian_packages()
    metrics: dict[str, Metric] = {
        "image_id": image.id,
        "manifest_digest": "",
        "size_bytes": image.size_bytes,
        "tag": built.tag,
        "layers": len(image.diff_ids) or len(image.layers),
        "base": built.base,
        "base_lock": bases.lock_digest if bases else "",
        "base_packages": len(debian),
        "python_packages": len(built.contents.python_packages()),
    }
    lock = f", lock {bases.lock_digest[:_DIGITS]}" if bases else ""
    return Examination(
        evidence=Evidence.of(
            "parts of the image", expected=built.parts.expected, checked=found.checked, controls=controls()
        ),
        gates=(
            *image_gates(image, built.contents, max_size_mb=max_size_mb),
            *content_gates(found.strangers),
        ),
        tools=(tool,),
        metrics=metrics,
        notes=(
            f"Image {image.id}, {image.size_bytes / 1e6:.1f} MB in {metrics['layers']} layers.",
            f"Its base is {built.base} with {len(debian)} Debian packages{lock}: {_sentence(debian)}.",
        ),
        not_checked=_not_checked(found, bases, debian),
        components=installed(built.contents, built.wheels, bases.archives if bases else {}),
        details=described(
            image,
            tag=built.tag,
            base=built.base,
            base_lock=bases.lock_digest if bases else "",
            debian_packages=len(debian),
            python_packages=len(built.contents.python_packages()),
        ),
    )


def _parts(context: Context, entries: tuple[Entry, ...], pins: tuple[Pin, ...], bases: BaseSet | None) -> Parts:
    """What the image should be made of."""
    service = context.settings.project.service
    files, tests = project_parts(context.snapshot, entries, service, context.settings.test.paths)
    itself = re.sub(r"[-_.]+", "-", context.settings.project.name).lower()
    return Parts(
        service=service,
        files=files,
        tests=tests,
        pins=pins,
        base_packages=bases.packages if bases else (),
        may_also_hold=frozenset({itself}) if bases else None,
    )


def image_tag(context: Context) -> str:
    """The image's local name: it changes with the snapshot, and with nothing else."""
    return f"{context.settings.build.image.lower()}:{context.snapshot.digest[:_DIGITS]}"


def _pins(context: Context) -> tuple[Pin, ...]:
    lock = context.settings.audit.lock
    return parse_lock(_text(context, lock), lock)


def _bases(context: Context, engine: ContainerEngine) -> BaseSet | None:
    """The bases that the settings ask for; none when the recipe names its own."""
    settings = context.settings.build
    if settings.base != "locked":
        return None
    if RUNTIME_ARGUMENT not in _declared(context):
        raise ConfigurationError(
            f"{settings.dockerfile} has no 'ARG {RUNTIME_ARGUMENT}', so it can't be built on the locked base.",
            advice=f"Begin it with 'ARG {RUNTIME_ARGUMENT}=…' and 'FROM ${{{RUNTIME_ARGUMENT}}}', "
            'or set build.base to "dockerfile".',
        )
    bases = context.ports.bases.ensure(engine, context.ports.progress)
    if bases.python != settings.python:
        raise ConfigurationError(
            f"build.python is {settings.python}, and the locked base has Python {bases.python}.",
            advice=f'Set build.python to {bases.python}, or build.base to "dockerfile".',
        )
    return bases


def _declared(context: Context) -> frozenset[str]:
    """The build arguments that the recipe declares; an engine complains about others."""
    text = _text(context, context.settings.build.dockerfile)
    return frozenset(re.findall(r"^[ \t]*ARG[ \t]+([A-Za-z_][A-Za-z0-9_]*)", text, re.M | re.I))


def _build(context: Context, engine: ContainerEngine, tar: Path, bases: BaseSet | None) -> Image:
    settings = context.settings
    arguments = {"IMAGE_VERSION": settings.project.version, **(bases.arguments if bases else {})}
    if bases is None:
        arguments = {
            name: value for name, value in arguments.items() if name not in (RUNTIME_ARGUMENT, BUILDER_ARGUMENT)
        }
    declared = _declared(context)
    request = BuildRequest(
        context=tar,
        dockerfile=settings.build.dockerfile,
        tag=image_tag(context),
        arguments={name: value for name, value in arguments.items() if name in declared},
        labels={},
        timeout_s=settings.build.timeout_s,
    )
    context.ports.progress.say("build: sending the context to the engine")
    try:
        identity, log = engine.build(request)
    except BuildFault as fault:
        context.keep("build.log", fault.log)
        raise
    context.keep("build.log", log)
    image = engine.image(identity)
    if image is None:
        raise EngineTrouble(f"The engine built {identity} and does not have it.")
    return image


def _contents(context: Context, engine: ContainerEngine, image: Image) -> ImageContents:
    context.ports.progress.say("build: looking at what is in the image")
    archive = context.scratch / "image.tar"
    engine.export(image.id, archive)
    with archive.open("rb") as stream:
        contents = read_contents(stream)
    archive.unlink()
    return contents


def keep(context: Context, built: Built) -> None:
    """Keep the image's configuration and the lists of its packages."""
    image = {**asdict(built.image), "tag": built.tag, "layer_tar_bytes": built.contents.layer_sizes}
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


def _text(context: Context, path: str) -> str:
    return (
        (context.tree / path).read_text(encoding="utf-8", errors="replace") if path in context.snapshot.by_path else ""
    )
