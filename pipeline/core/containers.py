"""Container engines and registries as the stages see them: values, and the Protocols that adapters fulfil.

Images are named by id (the digest of their configuration) inside an engine and by manifest digest in a registry; the
two are never mixed, and a tag is only ever a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pipeline.core.container import Container, ContainerEnded, ContainerRequest, ContainerState, Executed, Usage
from pipeline.errors import RegistryTrouble, TargetFault

if TYPE_CHECKING:
    from pipeline.core.oci_manifest import Descriptor

__all__ = [
    "OWNER_LABEL",
    "RUN_LABEL",
    "BuildFault",
    "BuildRequest",
    "Container",
    "ContainerEnded",
    "ContainerEngine",
    "ContainerRequest",
    "ContainerState",
    "Executed",
    "Holder",
    "Image",
    "Layer",
    "Manifest",
    "ManifestChanged",
    "Ownership",
    "Registries",
    "Registry",
    "Usage",
]

OWNER_LABEL = "pipeline.owner"
RUN_LABEL = "pipeline.run"
"""The labels of everything that a run starts in an engine; their values say whose it is (see :class:`Ownership`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Whose a container, network or image is: the checkout (a digest of its path, not the path) and the run."""

    checkout: str
    run: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels that mark it."""
        return {OWNER_LABEL: self.checkout, RUN_LABEL: self.run}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of an image as its history tells: what made it, and its uncompressed size in bytes."""

    created_by: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as the engine describes it. ``configuration`` is the engine's own ``Config`` object.

    ``layers`` are the steps of its history that hold something; ``diff_ids`` name its layers from the base upwards, by
    the digest of each uncompressed tar.
    """

    id: str
    size_bytes: int
    layers: tuple[Layer, ...]
    user: str
    labels: Mapping[str, str]
    architecture: str
    configuration: Mapping[str, Any]
    diff_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """A classic build: ``context`` is a tar file. The network is off unless ``network`` says otherwise. ``tag`` may be
    empty. Without ``use_cache`` every step is carried out anew.

    Whatever stands in ``labels`` becomes part of the image, and so of its digest: nothing of a single run belongs
    there.
    """

    context: Path
    dockerfile: str
    tag: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    timeout_s: float
    network: str = "none"
    use_cache: bool = True


class BuildFault(TargetFault):
    """The recipe is at fault; ``log`` is all that the build said."""

    def __init__(self, what: str, *, why: str = "", advice: str = "", log: str = "") -> None:
        super().__init__(what, why=why, advice=advice)
        self.log = log


class ContainerEngine(Protocol):
    """A container engine. Every method raises EngineTrouble when the engine does not do its part."""

    @property
    def name(self) -> str:
        """What engine it is, like ``docker``."""
        ...

    @property
    def version(self) -> str:
        """Its version."""
        ...

    @property
    def architecture(self) -> str:
        """The architecture that it runs, in Go's words: ``amd64``, ``arm64``."""
        ...

    def build(self, request: BuildRequest) -> tuple[str, str]:
        """Build; the image id and the build's log. Raises BuildFault when the recipe is at fault."""
        ...

    def load(self, archive: Path) -> None:
        """Load a docker-archive."""
        ...

    def image(self, reference: str) -> Image | None:
        """The image with this id or tag, or none."""
        ...

    def export(self, reference: str, target: Path) -> None:
        """Write the image as a docker-archive (``docker save``) to ``target``."""
        ...

    def tag(self, image: str, reference: str) -> None:
        """Give an image a name of its own."""
        ...

    def start(self, request: ContainerRequest) -> Container:
        """Create and start a hardened container. Raises TargetFault when the image has nothing that can be started."""
        ...

    def pull(self, reference: str, credentials: Mapping[str, str], *, timeout_s: float = 600.0) -> str:
        """Pull by ``name@digest``; the image id. Raises RegistryTrouble."""
        ...

    def names(self, reference: str) -> Sequence[str]:
        """Every name of the image with this name, those by digest too; nothing when there is no such image."""
        ...

    def untag(self, name: str) -> bool:
        """Take a name away, and with its last name an image that no container uses; whether it was taken away."""
        ...

    def remove_nameless(self, label: str, seconds: float) -> int:
        """Remove the images without a name that have the label and are so many seconds old; how many that were.

        An image that a container uses stays.
        """
        ...

    def remove_leftovers(self, ownership: Ownership) -> Sequence[str]:
        """Remove the containers and networks that this checkout's earlier runs left; the names of what was removed."""
        ...

    def close(self) -> None:
        """Give its sockets back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as a registry holds it: its exact bytes, media type and digest (``sha256:…``)."""

    digest: str
    media_type: str
    body: bytes


class ManifestChanged(RegistryTrouble):
    """A tag was not replaced, because it names another manifest by now than the one that was to be replaced."""


class Holder(Protocol):
    """Where an image, and what is said of it, can be read. Every method raises RegistryTrouble."""

    @property
    def reference(self) -> str:
        """``host/repository`` as an engine needs it, or where else it is."""
        ...

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest with this tag or digest, its body verified against the digest; none when there is none."""
        ...

    def blob(self, blob: Descriptor) -> bytes:
        """A small blob, verified against its digest and size."""
        ...

    def referrers(self, digest: str) -> Manifest | None:
        """The index of what refers to ``digest``, where one is kept by itself."""
        ...


class Registry(Holder, Protocol):
    """One repository of a registry, spoken to over its HTTP API. Every method raises RegistryTrouble."""

    @property
    def rehearsal(self) -> bool:
        """Whether this is the loopback rehearsal and not a registry that anybody pulls from."""
        ...

    @property
    def credentials(self) -> Mapping[str, str]:
        """What an engine needs to push (``username``, ``password``), or nothing."""
        ...

    def put_manifest(self, reference: str, manifest: Manifest, *, replacing: str | None = None) -> None:
        """Bring a manifest there by its digest, or give its bytes a tag, which has the digest ``replacing`` until then.

        Raises ManifestChanged where the registry notices that it has another by now.
        """
        ...

    def upload(self, blob: Descriptor, content: Callable[[], BinaryIO]) -> int:
        """Bring a blob there; the bytes that were sent for it, 0 if it was there already."""
        ...

    def verify_blobs(self, manifest: Manifest) -> int:
        """Read back every blob that the manifest names and compare its digest and size; the number of bytes read."""
        ...


class Registries(Protocol):
    """Opens the registry that the settings name, or the rehearsal."""

    def open(self) -> Registry:
        """The repository to push to."""
        ...

    def current_release(self) -> str | None:
        """``host/repository@sha256:…`` of what was last released from this checkout to this registry, or none."""
        ...
