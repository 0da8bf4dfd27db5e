"""An image that an engine has built, put together anew so that its id is the same wherever it is built.

In: a docker-archive, as the engine exports it. Out: a docker-archive with the same files, whose layers above the base
and whose configuration depend on the recipe and its inputs only. The engine that loads it gives it the id that was
computed here.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from pipeline.errors import EngineTrouble
from pipeline.images.archive import Layer, hashed, image_id, member, write_configured
from pipeline.images.canonical_configuration import Origin, canonical
from pipeline.images.canonical_layers import LayersBelow
from pipeline.images.outline import WholeBase, traits_of
from pipeline.images.rootfs import LayerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassembled:
    """An image in its canonical form: its configuration, and its layers as long as the context that gave it lasts."""

    config: bytes
    layers: tuple[Layer, ...]

    @property
    def id(self) -> str:
        """The id that an engine will give it."""
        return image_id(self.config)

    def write(self, out: BinaryIO, tag: str, *, without: Collection[str] = ()) -> None:
        """Write its docker-archive, named ``tag``, but for the layers in ``without``, by diff id."""
        for layer in self.layers:
            layer.content.seek(0)
        write_configured(out, self.config, self.layers, tag, without=without)


@contextmanager
def reassembled(archive: BinaryIO, origin: Origin, base: WholeBase | None = None) -> Iterator[Reassembled]:
    """The image in ``archive`` (seekable) in its canonical form.

    With ``base`` the image stands on the outline of that base, whose own layers take its place.

    Raises:
        EngineTrouble: it is not a whole docker-archive of one image, or a layer is not the one that it names.
        TargetFault: the image holds what no image should, like a device.
    """
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(fileobj=archive, mode="r:"))
            found = _taken_apart(tar, origin, base, lambda: stack.enter_context(tempfile.TemporaryFile()))
        except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
            raise EngineTrouble("The engine exported an image that can't be read.", why=f"{error}.") from error
        yield found


def _taken_apart(
    tar: tarfile.TarFile, origin: Origin, base: WholeBase | None, scratch_file: Callable[[], IO[bytes]]
) -> Reassembled:
    (image,) = json.loads(member(tar, "manifest.json").read())
    engines: dict[str, Any] = json.loads(member(tar, image["Config"]).read())
    if base is not None and len(base.layers) != origin.base_layers:
        raise ValueError("the engine has not built on the outline of the base")
    folders = LayersBelow() if base is None else base.folders
    layers: list[Layer] = []
    kept: list[bool] = []
    for number, source in enumerate(member(tar, name) for name in image["Layers"]):
        with tarfile.open(fileobj=source, mode="r:*") as layer:
            if number < origin.base_layers:
                if base is not None:
                    layers.append(_in_place_of(layer, base, number))
                    continue
                folders.take_in(layer)
                layers.append(Layer(facts=_as_named(source, engines, number), content=source))
                continue
            scratch = scratch_file()
            facts = folders.rewrite(layer, scratch)
        kept.append(facts is not None)
        if facts is not None:
            layers.append(Layer(facts=facts, content=scratch))
    config = canonical(engines, kept, [layer.facts.diff_id for layer in layers], origin)
    return Reassembled(config=config, layers=tuple(layers))


def base_layers(image: Sequence[str], base: Sequence[str]) -> int:
    """How many of an image's layers (by their diff ids) are those of its base; none when it stands on another."""
    return len(base) if list(image[: len(base)]) == list(base) else 0


def _in_place_of(outline: tarfile.TarFile, base: WholeBase, number: int) -> Layer:
    """The layer of the base, if what the engine has built on is just its outline."""
    if len(base.traits) <= number or traits_of(outline) != base.traits[number]:
        raise ValueError("the engine has built on something else than the outline of the base")
    return base.layers[number]


def _as_named(source: IO[bytes], engines: dict[str, Any], number: int) -> LayerFacts:
    """The facts of a layer that stays as it is, if it is what the configuration says."""
    source.seek(0)
    facts = hashed(source)
    source.seek(0)
    if facts.diff_id != engines["rootfs"]["diff_ids"][number]:
        raise ValueError("a layer of the base is not the one that the configuration names")
    return facts
