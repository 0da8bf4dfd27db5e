"""An image made so that anybody can make it again: built by the engine from the recipe, put together anew, compressed.

The engine carries out the recipe, because any recipe must work and its Python is the one that compiles the bytecode;
what it makes of it is taken apart and put together in the canonical form, whose id and manifest depend on the inputs
only. Needs no Context, so that ``build --verify`` can do it again in another process, elsewhere.
"""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.core.bases import RUNTIME_ARGUMENT, Outline
from pipeline.core.containers import BuildRequest, ContainerEngine, Image, Manifest
from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.errors import EngineTrouble, StorageTrouble
from pipeline.images.archive import abridged
from pipeline.images.canonical_configuration import Origin
from pipeline.images.compression import blob_path
from pipeline.images.outline import WholeBase, whole_base
from pipeline.images.pushable import PushableImage, pushable
from pipeline.images.reassembly import base_layers, reassembled

NEW_LAYERS = "new-layers.tar"
"""The archive, beside the image's own, of the layers that the engine is not known to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be made. ``request`` is what the engine is asked for; its tag is the image's name here.

    ``recipe`` is the text of the Dockerfile; ``bases`` are the images that it may stand on, by id or name, none when it
    names them itself; ``created`` is in seconds since 1970; ``labels`` stand in where the recipe gives none. With an
    ``outline`` the engine builds on that in the runtime's place, since the recipe comes to the same on it.
    """

    request: BuildRequest
    recipe: str
    created: int
    bases: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    outline: Outline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An image: its id, its docker-archive, its manifest and blobs, and what the engine said."""

    id: str
    archive: Path
    ready: PushableImage
    log: str

    @property
    def manifest(self) -> Manifest:
        """What a registry will hold."""
        return self.ready.manifest


def assemble(
    plan: Plan, engine: ContainerEngine, *, scratch: Path, blobs: Path, say: Callable[[str], None], load: bool = True
) -> Made:
    """Make the image; the archive is in ``scratch``. The engine holds it then under its name, unless ``load`` is off.

    ``blobs`` is a folder for compressed layers, which may hold those of earlier images.

    Raises:
        BuildFault: the recipe is at fault.
        EngineTrouble: the engine fails.
        StorageTrouble: there is no room.
    """
    try:
        blobs.mkdir(parents=True, exist_ok=True)
        archive = scratch / "image.tar"
        expected, log = _put_together(plan, engine, archive, say)
        say("build: compressing what is new")
        # Which layers are new is to be seen before they are compressed.
        new = _new_layers(archive, blobs) if load else None
        with ThreadPoolExecutor(1) as beside:
            # The engine takes the image while it is compressed here: neither waits for the other.
            taken = beside.submit(_hand_over, engine, (new, archive), expected, plan.request.tag) if new else None
            with archive.open("rb") as stream:
                ready = pushable(stream, blobs)
            if taken is not None:
                taken.result()
    except OSError as error:
        raise StorageTrouble(f"The image could not be written: {error.strerror or error}.") from error
    return Made(id=expected, archive=archive, ready=ready, log=log)


def held(engine: ContainerEngine, made: Made) -> Image:
    """The image as the engine has it.

    Raises:
        EngineTrouble: it has none under this id, or one of other layers.
    """
    image = engine.image(made.id)
    if image is None or image.diff_ids != tuple(layer.diff_id for layer in made.ready.layers):
        raise EngineTrouble(
            "The engine took the image and does not hold it under its id.",
            why=f"Its id is {made.id}, the digest of its configuration.",
            advice="An engine that names images by their manifests (containerd's image store) can't be used yet.",
        )
    return image


def _new_layers(archive: Path, blobs: Path) -> Path:
    """The archive without the layers that were compressed for an earlier image; the archive itself if all are new."""
    new = archive.with_name(NEW_LAYERS)
    with archive.open("rb") as whole, new.open("wb") as out:
        left_out = abridged(whole, out, lambda diff_id: blob_path(blobs, diff_id).exists())
    return new if left_out else archive


def _hand_over(engine: ContainerEngine, archives: tuple[Path, Path], expected: str, tag: str) -> None:
    """Let the engine have the image under its name: from its new layers, and from all if it has lost the others or is
    one that takes whole archives only.
    """
    new, whole = archives
    if engine.image(expected) is not None:
        engine.tag(expected, tag)
        return
    if new != whole:
        # What else may be wrong is wrong with the whole archive too, and is told of that.
        with contextlib.suppress(EngineTrouble):
            engine.load(new)
    if new == whole or engine.image(expected) is None:
        engine.load(whole)


def _put_together(plan: Plan, engine: ContainerEngine, archive: Path, say: Callable[[str], None]) -> tuple[str, str]:
    """Have the recipe carried out and write the canonical archive; the image's id and what the engine said."""
    request, outline = plan.request, plan.outline
    if outline is not None:
        request = replace(request, arguments={**request.arguments, RUNTIME_ARGUMENT: outline.image})
    # The name is given to what comes out in the end; what the engine makes on the way stays in its cache, nameless.
    request = replace(request, tag="")
    with ThreadPoolExecutor(1) as beside, ExitStack() as reading:
        # While the engine works there is time to look at what is known already.
        bases = beside.submit(_bases, plan, engine)
        below = beside.submit(_whole, outline, reading) if outline else None
        identity, log = engine.build(request)
        built = _image(engine, identity)
        say("build: putting the image together")
        stands_on = max(bases.result(), key=lambda base: base_layers(built.diff_ids, base.diff_ids), default=None)
        return _reassemble(plan, engine, built, archive, stands_on, below.result() if below else None), log


def _bases(plan: Plan, engine: ContainerEngine) -> list[Image]:
    """What the image may stand on, as far as the engine has it."""
    names = plan.bases or [name for _, name in parse_recipe(plan.recipe).bases()]
    found = [engine.image(name) for name in ((plan.outline.image,) if plan.outline else names)]
    return [image for image in found if image is not None]


def _whole(outline: Outline, reading: ExitStack) -> WholeBase:
    try:
        return reading.enter_context(whole_base(outline.base))
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise StorageTrouble("The base image in the cache can't be read.", why=f"{error}.") from error


def _reassemble(
    plan: Plan, engine: ContainerEngine, built: Image, archive: Path, stands_on: Image | None, below: WholeBase | None
) -> str:
    recipe = parse_recipe(plan.recipe)
    origin = Origin(
        created=plan.created,
        instructions=recipe.last_stage[1:],
        base_layers=base_layers(built.diff_ids, stands_on.diff_ids) if stands_on else 0,
        base_labels=stands_on.labels if stands_on else {},
        labels=plan.labels,
    )
    exported = archive.with_name("exported.tar")
    engine.export(built.id, exported)
    with exported.open("rb") as stream, archive.open("wb") as out:
        identity = reassembled(stream, out, origin, plan.request.tag, below)
    exported.unlink()
    return identity


def _image(engine: ContainerEngine, identity: str) -> Image:
    image = engine.image(identity)
    if image is None:
        raise EngineTrouble(f"The engine built {identity} and does not have it.")
    return image
