"""What a build is asked for: the bases, the wheels, the context, the arguments, the time that the image bears."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from pipeline.core.bases import BUILDER_ARGUMENT, RUNTIME_ARGUMENT, BaseSet
from pipeline.core.containers import BuildRequest, ContainerEngine
from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.core.image_inputs import ImageInput, InputKind, source_digest
from pipeline.core.lock import Pin, parse_lock
from pipeline.core.snapshot import Entry
from pipeline.errors import ConfigurationError
from pipeline.images.compression import compressor, compressor_digest
from pipeline.stages.build_context import IGNORE_FILE, admitted, text_of, write_context
from pipeline.stages.context import Context
from pipeline.stages.image_assembly import Plan
from pipeline.stages.image_sources import Moment, changed_last, image_sources
from pipeline.stages.wheelhouse import Target, ensure_wheels

EPOCH_ARGUMENT = "SOURCE_DATE_EPOCH"
_VERSION_ARGUMENT = "IMAGE_VERSION"
_DIGITS = 12
_CARRIES_OUT_NOTHING = (
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "USER", "VOLUME",
    "WORKDIR",
)  # fmt: skip
"""What reads no file of the image that it stands on. ADD unpacks archives, and is left out to be on the safe side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that a build needs, ready. ``context`` are the entries in the build context, ``sources`` those of them
    that go into the image; ``pins`` are the locked packages of the image's platform.
    """

    plan: Plan
    bases: BaseSet | None
    context: tuple[Entry, ...]
    sources: tuple[Entry, ...]
    wheels: Mapping[str, Path]
    pins: tuple[Pin, ...]
    moment: Moment

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why another machine may come to another image: full sentences."""
        replaced = self.bases.replaced if self.bases else ()
        reasons = [self.moment.doubt] if self.moment.doubt else []
        if replaced:
            reasons.append(
                "The Debian archive has lost locked packages, and newer ones were taken "
                f"({'; '.join(replaced)}); `pipeline base-lock` renews the lock."
            )
        if self.bases is None:
            reasons.append("The base is whatever the recipe names; no lock of ours holds it.")
        return tuple(reasons)

    def inputs(self) -> Iterator[ImageInput]:
        """Everything that goes into the image, by its digest."""
        yield ImageInput(kind=InputKind.SOURCE, name="image sources", sha256=source_digest(self.sources))
        if self.bases:
            yield from self.bases.inputs
        for name, path in sorted(self.wheels.items()):
            project, version, _, _ = parse_wheel_filename(name)
            yield ImageInput(
                kind=InputKind.WHEEL,
                name=name,
                version=str(version),
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                uri=f"pkg:pypi/{project}@{version}?file_name={name}",
            )
        package, number, level = compressor().split("-")
        yield ImageInput(
            kind=InputKind.COMPRESSOR,
            name=f"{package}, level {level}",
            version=number,
            sha256=compressor_digest(),
            uri=f"pkg:pypi/{package}@{number}",
        )


def prepared(context: Context, engine: ContainerEngine) -> Prepared:
    """Fetch what is missing and put the build together.

    Raises:
        ConfigurationError: the recipe, the lock or the settings can't be right.
        FetchTrouble: a package can't be had, or is not the locked one.
    """
    settings = context.settings
    pins = _pins(context)
    bases = _bases(context, engine)
    target = Target(python=settings.build.python, architecture=bases.architecture if bases else engine.architecture)
    entries = admitted(context.snapshot, text_of(context, IGNORE_FILE), settings.build.dockerfile)
    text = text_of(context, settings.build.dockerfile)
    sources = image_sources(parse_recipe(text), settings.build.dockerfile, entries)
    moment = changed_last(context, sources)
    wheels = ensure_wheels(context, pins, target)
    tar = context.scratch / "context.tar"
    write_context(tar, context.tree, entries, wheels)
    request = BuildRequest(
        context=tar,
        dockerfile=settings.build.dockerfile,
        tag=image_tag(context),
        arguments=_arguments(context, bases, moment),
        labels={},
        timeout_s=settings.build.timeout_s,
    )
    labels = {
        "org.opencontainers.image.title": settings.project.name,
        "org.opencontainers.image.version": settings.project.version,
        "org.opencontainers.image.base.name": bases.name if bases else "",
    }
    stands_on = tuple(bases.arguments.values()) if bases else ()
    return Prepared(
        plan=Plan(
            request=request,
            recipe=text,
            created=moment.seconds,
            bases=stands_on,
            labels=labels,
            outline=bases.outline if bases and stands_on_outline(text) else None,
        ),
        bases=bases,
        context=entries,
        sources=sources,
        wheels=wheels,
        pins=tuple(pin for pin in pins if pin.applies(target.markers)),
        moment=moment,
    )


def stands_on_outline(text: str) -> bool:
    """Whether a recipe comes to the same on the outline of the runtime as on the runtime: nothing of it is run, and
    no other stage takes files out of it or is told its name.
    """
    recipe = parse_recipe(text)
    base, *steps = recipe.last_stage or (None,)
    if base is None or base.value not in (f"${{{RUNTIME_ARGUMENT}}}", f"${RUNTIME_ARGUMENT}"):
        return False
    # What an engine may read otherwise than we do: here-documents, and lines that go on after another sign.
    if "<<" in text or re.search(r"^#\s*escape\s*=", text, re.M | re.I):
        return False
    first = min(step.line for step in recipe.instructions if step.keyword == "FROM")
    declared = re.compile(rf"{RUNTIME_ARGUMENT}(=[^$\s]*)?")
    told = [s for s in recipe.instructions if s.line < first and s.keyword == "ARG" and declared.fullmatch(s.value)]
    # A name may go on in the next line.
    joined = re.sub(r"\\[ \t]*\r?\n", "", re.sub(r"^\s*#.*\n", "", text, flags=re.M))
    return joined.count(RUNTIME_ARGUMENT) == 1 + len(told) and all(
        step.keyword in _CARRIES_OUT_NOTHING for step in steps
    )


def image_tag(context: Context) -> str:
    """The image's local name: it changes with the snapshot, and with nothing else."""
    return f"{context.settings.build.image.lower()}:{context.snapshot.digest[:_DIGITS]}"


def _arguments(context: Context, bases: BaseSet | None, moment: Moment) -> dict[str, str]:
    """The build arguments that the recipe declares; an engine complains about others."""
    known = {
        _VERSION_ARGUMENT: context.settings.project.version,
        EPOCH_ARGUMENT: str(moment.seconds),
        **(bases.arguments if bases else {}),
    }
    if bases is None:
        known = {name: value for name, value in known.items() if name not in (RUNTIME_ARGUMENT, BUILDER_ARGUMENT)}
    declared = _declared(context)
    return {name: value for name, value in known.items() if name in declared}


def _pins(context: Context) -> tuple[Pin, ...]:
    lock = context.settings.audit.lock
    return parse_lock(text_of(context, lock), lock)


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
    text = text_of(context, context.settings.build.dockerfile)
    return frozenset(re.findall(r"^[ \t]*ARG[ \t]+([A-Za-z_][A-Za-z0-9_]*)", text, re.M | re.I))
