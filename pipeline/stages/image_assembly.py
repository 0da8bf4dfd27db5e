"""An image made so that anybody can make it again: built by the engine from the recipe, put together anew, compressed.

The engine carries out the recipe, because any recipe must work and its Python is the one that compiles the bytecode;
what it makes of it is taken apart and put together in the canonical form, whose id and manifest depend on the inputs
only. Needs no Context, so that ``build --verify`` can do it again in another process, elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.core.containers import BuildRequest, ContainerEngine, Image, Manifest
from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.errors import EngineTrouble, StorageTrouble
from pipeline.images.canonical_configuration import Origin
from pipeline.images.pushable import PushableImage, pushable
from pipeline.images.reassembly import base_layers, reassembled


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be made. ``request`` is what the engine is asked for; its tag is the image's name here.

    ``recipe`` is the text of the Dockerfile; ``bases`` are the images that it may stand on, by id or name, none when it
    names them itself; ``created`` is in seconds since 1970; ``labels`` stand in where the recipe gives none.
    """

    request: BuildRequest
    recipe: str
    created: int
    bases: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


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
    # The name is given to what comes out in the end; what the engine makes on the way stays in its cache, nameless.
    identity, log = engine.build(replace(plan.request, tag=""))
    built = _image(engine, identity)
    say("build: putting the image together")
    try:
        blobs.mkdir(parents=True, exist_ok=True)
        archive = scratch / "image.tar"
        expected = _reassemble(plan, engine, built, archive)
        if load and engine.image(expected) is None:
            engine.load(archive)
        elif load:
            engine.tag(expected, plan.request.tag)
        say("build: compressing what is new")
        with archive.open("rb") as stream:
            ready = pushable(stream, blobs)
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


def _reassemble(plan: Plan, engine: ContainerEngine, built: Image, archive: Path) -> str:
    recipe = parse_recipe(plan.recipe)
    bases = [engine.image(name) for name in plan.bases or [name for _, name in recipe.bases()]]
    stands_on = max(
        (base for base in bases if base is not None),
        key=lambda base: base_layers(built.diff_ids, base.diff_ids),
        default=None,
    )
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
        identity = reassembled(stream, out, origin, plan.request.tag)
    exported.unlink()
    return identity


def _image(engine: ContainerEngine, identity: str) -> Image:
    image = engine.image(identity)
    if image is None:
        raise EngineTrouble(f"The engine built {identity} and does not have it.")
    return image
