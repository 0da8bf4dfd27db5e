"""An image made so that anybody can make it again: built by the engine from the recipe, put together anew, compressed.

The engine carries out the recipe, because any recipe must work and its Python is the one that compiles the bytecode;
what it makes of it is taken apart and put together in the canonical form, whose id and manifest depend on the inputs
only. Needs no Context, so that ``build --verify`` can do it again in another process, elsewhere.
"""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.core.bases import RUNTIME_ARGUMENT, Outline
from pipeline.core.containers import BuildRequest, ContainerEngine, Image, Manifest
from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.errors import EngineTrouble, StorageTrouble
from pipeline.images.canonical_configuration import Origin
from pipeline.images.compression import Blob, blob_path, compressed
from pipeline.images.outline import WholeBase, whole_base
from pipeline.images.pushable import PushableImage, pushable
from pipeline.images.reassembly import Reassembled, base_layers, reassembled

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
    exported = scratch / "exported.tar"
    try:
        blobs.mkdir(parents=True, exist_ok=True)
        with ExitStack() as reading, ThreadPoolExecutor(1) as beside:
            # While the engine carries out the recipe there is time to look at what is known already.
            looking = beside.submit(_look_below, plan, engine, blobs, reading)
            identity, log = engine.build(_asked(plan))
            say("build: putting the image together")
            built = beside.submit(_image, engine, identity)
            engine.export(identity, exported)
            below = looking.result()
            image = reading.enter_context(
                reassembled(
                    reading.enter_context(exported.open("rb")), _origin(plan, built.result(), below), below.base
                )
            )
            say("build: compressing what is new")
            taking = _Taking(engine=engine, image=image, tag=plan.request.tag, beside=beside)
            ready = _written(taking, scratch / "image.tar", blobs, below, load=load)
        exported.unlink()
    except OSError as error:
        raise StorageTrouble(f"The image could not be written: {error.strerror or error}.") from error
    return Made(id=image.id, archive=scratch / "image.tar", ready=ready, log=log)


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


@dataclass(slots=True, kw_only=True)
class _Taking:
    """The engine takes an image while it is written and compressed here: neither waits for the other."""

    engine: ContainerEngine
    image: Reassembled
    tag: str
    beside: ThreadPoolExecutor
    first: Path | None = None
    under_way: Future[None] | None = None

    def begin(self, archive: Path, *, part: bool) -> None:
        """Let the engine have what is in the archive, or only the name if it has the image."""
        self.first, self.under_way = archive, self.beside.submit(self._take, archive, part)

    def end(self, whole: Path) -> None:
        """Let it have all of the image if it has lost a layer that was left out, or takes whole archives only."""
        if self.under_way is not None:
            self.under_way.result()
        if self.first != whole and self.engine.image(self.image.id) is None:
            self.engine.load(whole)

    def _take(self, archive: Path, part: bool) -> None:
        if self.engine.image(self.image.id) is not None:
            self.engine.tag(self.image.id, self.tag)
            return
        # What else may be wrong with a part is wrong with the whole archive too, and is told of that.
        with contextlib.suppress(EngineTrouble) if part else contextlib.nullcontext():
            self.engine.load(archive)


def _written(taking: _Taking, archive: Path, blobs: Path, below: _Below, *, load: bool) -> PushableImage:
    """Write the image's archive and its blobs. The engine is handed first what has no blob yet, and so is new to it."""
    image, tag = taking.image, taking.tag
    diff_ids = (layer.facts.diff_id for layer in image.layers)
    known = {diff_id for diff_id in diff_ids if blob_path(blobs, diff_id).exists()}
    if load and known:
        new = archive.with_name(NEW_LAYERS)
        with new.open("wb") as out:
            image.write(out, tag, without=known)
        taking.begin(new, part=True)
    with archive.open("wb") as out:
        image.write(out, tag)
    if load and not known:
        taking.begin(archive, part=False)
    with archive.open("rb") as stream:
        ready = pushable(stream, blobs, below.verified)
    if load:
        taking.end(archive)
    return ready


@dataclass(frozen=True, slots=True, kw_only=True)
class _Below:
    """What the image may stand on: the images, the base whose outline is built on, the base's blobs by diff id."""

    images: Sequence[Image]
    base: WholeBase | None = None
    verified: Mapping[str, Blob] = field(default_factory=dict)


def _asked(plan: Plan) -> BuildRequest:
    """What the engine is asked to carry out. The name is given to what comes out in the end; what the engine makes on
    the way stays in its cache, nameless.
    """
    instead = {RUNTIME_ARGUMENT: plan.outline.image} if plan.outline else {}
    return replace(plan.request, tag="", arguments={**plan.request.arguments, **instead})


def _look_below(plan: Plan, engine: ContainerEngine, blobs: Path, reading: ExitStack) -> _Below:
    """``reading`` keeps the archive of the base open."""
    if plan.outline is None:
        names = plan.bases or [name for _, name in parse_recipe(plan.recipe).bases()]
        return _Below(images=[image for image in map(engine.image, names) if image is not None])
    try:
        base = reading.enter_context(whole_base(plan.outline.base))
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise StorageTrouble("The base image in the cache can't be read.", why=f"{error}.") from error
    verified = {}
    for layer in base.layers:
        _, verified[layer.facts.diff_id] = compressed(layer.content, blobs)
        layer.content.seek(0)
    return _Below(images=[_image(engine, plan.outline.image)], base=base, verified=verified)


def _origin(plan: Plan, built: Image, below: _Below) -> Origin:
    stands_on = max(below.images, key=lambda image: base_layers(built.diff_ids, image.diff_ids), default=None)
    return Origin(
        created=plan.created,
        instructions=parse_recipe(plan.recipe).last_stage[1:],
        base_layers=base_layers(built.diff_ids, stands_on.diff_ids) if stands_on else 0,
        base_labels=stands_on.labels if stands_on else {},
        labels=plan.labels,
    )


def _image(engine: ContainerEngine, identity: str) -> Image:
    image = engine.image(identity)
    if image is None:
        raise EngineTrouble(f"The engine made {identity} and does not have it.")
    return image
