"""How large an image is, uncompressed and as a registry stores it, and how it has grown since the last release."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.core.component import Component
from pipeline.core.gate import Gate, ceiling_gate
from pipeline.core.image_details import PACKAGE_SIZES, PackageSize
from pipeline.core.releases import place_name
from pipeline.core.stage import NotChecked
from pipeline.errors import StorageTrouble
from pipeline.images.contents import ImageContents
from pipeline.images.whole_file import appearing
from pipeline.settings import Settings
from pipeline.stages.context import Context

GROWTH = "growth of the image against the last release"
_FILE = "image-sizes.json"
_MOST_KEPT = 200
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes: of the layers' files as the engine counts them, of what a registry stores, and of the last release's files
    (none: not known), whose manifest is ``released`` (empty: nothing was released from here).
    """

    plain: int
    compressed: int
    before: int | None = None
    released: str = ""


def measured(context: Context, manifest: str, plain: int, compressed: int) -> Sizes:
    """The sizes of the image with this manifest, which are remembered for the day on which it is the last release.

    Raises:
        StorageTrouble: the record can't be written, or the one of releases is damaged.
    """
    push = context.settings.push
    released = context.ports.releases.last(place_name(push.registry, push.repository)) or ""
    path = context.state / _FILE
    known = _read(path)
    before = known.get(released)
    known.pop(manifest, None)
    known[manifest] = plain
    # The release's own must stay, however many images were built since.
    kept = dict([*known.items()][-_MOST_KEPT:]) | ({released: before} if before is not None else {})
    try:
        with appearing(path) as unfinished:
            unfinished.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageTrouble(f"{_FILE} could not be written: {error.strerror or error}.") from error
    return Sizes(plain=plain, compressed=compressed, before=before, released=released)


def size_gates(sizes: Sizes, settings: Settings) -> tuple[Gate, ...]:
    """What the settings demand of the sizes; that of the uncompressed image alone is among the image's own gates."""
    build, gates = settings.build, []
    if build.max_compressed_mb is not None:
        gates.append(
            ceiling_gate(
                sizes.compressed / _MB,
                build.max_compressed_mb,
                what="compressed size of the image",
                unit=" MB",
                digits=1,
            )
        )
    if sizes.before:
        growth = (sizes.plain - sizes.before) / sizes.before * 100
        gates.append(ceiling_gate(growth, build.max_growth_percent, what=GROWTH, unit=" %", digits=1))
    return tuple(gates)


def left_open(sizes: Sizes) -> tuple[NotChecked, ...]:
    """What can't be compared, and why."""
    if sizes.before:
        return ()
    reason = (
        f"The last release, {sizes.released}, was not built on this machine, so its size is not known here."
        if sizes.released
        else "This is the first release, so there is nothing to compare with."
    )
    return (NotChecked(what=GROWTH, reason=reason),)


def sizes_by_package(components: Iterable[Component], contents: ImageContents) -> dict[str, Any]:
    """The bytes of each package's files, the largest first, as JSON values under their name.

    A component lists its files as sha256sum(1) writes them; what is nobody's is a component too.
    """
    counted = [
        (sum(contents.files[path].size for path in _paths(item) if path in contents.files), item) for item in components
    ]
    largest_first = sorted(counted, key=lambda pair: (-pair[0], pair[1].name))
    told = (
        PackageSize(kind=item.kind, name=item.name, version=item.version, size_bytes=size)
        for size, item in largest_first
        if size
    )
    return {PACKAGE_SIZES: [{**asdict(one), "kind": str(one.kind)} for one in told]}


def _paths(component: Component) -> Iterator[str]:
    return (line.partition("  ")[2].lstrip("/") for line in component.files)


def _read(path: Path) -> dict[str, int]:
    """What is remembered; a damaged record is begun anew, as it decides nothing by itself."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): size for name, size in found.items() if isinstance(size, int)}
