"""Whether exactly the locked Python packages are in an image, and whether their files are those of their wheels.

A wheel was verified against the lock's hash before it was installed, so its RECORD says what each of its files must be;
of a package whose wheel is not known the image's own RECORD is all there is. Format: PyPA specifications, "Recording
installed projects" and "Binary distribution format".
"""

from __future__ import annotations

import csv
import io
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_version, parse_wheel_filename

from pipeline.core.image_rules import Hit
from pipeline.core.image_tree import ImageTree, Node
from pipeline.core.lock import Pin
from pipeline.images.packages import PythonPackage
from pipeline.stages.components import recorded

# What installers write into a distribution's folder besides what its wheel lists.
_BY_INSTALLERS = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "RECORD.jws", "RECORD.p7s"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """The image's Python packages, the pins that hold for its platform, and the wheels that it was given.

    ``may_also_hold`` are distributions that are no strangers, and None when the base may hold any. ``own`` are the
    SHA-256 of the snapshot's files, which may lie beside a package's.
    """

    found: tuple[PythonPackage, ...]
    pins: tuple[Pin, ...]
    wheels: tuple[Path, ...]
    may_also_hold: frozenset[str] | None
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a package's files must be: SHA-256 by path in the image; ``vouched`` when a verified wheel says it."""

    package: PythonPackage
    root: str
    files: Mapping[str, str]
    vouched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What is not as locked; the files (by path) that a verified wheel vouches for; the packages that no lock covers;
    those whose files could not be compared, by name and version.
    """

    hits: tuple[Hit, ...]
    vouched: frozenset[str]
    listings: tuple[Listing, ...]
    unlocked: tuple[PythonPackage, ...]
    unlisted: tuple[str, ...]


def is_record(path: str) -> bool:
    """Whether the file lists an installed distribution's files."""
    return path.endswith(".dist-info/RECORD")


def compare(packages: Packages, tree: ImageTree) -> Compared:
    """Hold the image's packages against the lock, and each one's files against its wheel."""
    locked = {(pin.name, canonicalize_version(pin.version)): pin for pin in packages.pins}
    pins = {pin.name: pin for pin in packages.pins}
    there = {(p.name, canonicalize_version(p.version)): p for p in packages.found}
    hits = [
        Hit(rule="IMG-PACKAGE-MISSING", message=f"{pin.name} {pin.version} is locked, and is not in the image.",
            lock=pin.line, package=pin.name, version=pin.version)
        for key, pin in sorted(locked.items()) if key not in there
    ]  # fmt: skip
    strangers = [package for key, package in sorted(there.items()) if key not in locked]
    for package in strangers:
        if package.name in pins or (packages.may_also_hold is not None and package.name not in packages.may_also_hold):
            hits.append(_stranger(package, pins.get(package.name), tree))
    files = _files(packages, tree)
    hits.extend(_altered(files, tree))
    hits.extend(_unlisted(files, tree, packages.own))
    return Compared(
        hits=tuple(hits),
        vouched=frozenset(
            path for listing in files if listing.vouched for path, digest in listing.files.items()
            if (node := tree.nodes.get(path)) is not None and node.sha256 == digest
        ),
        listings=tuple(files),
        unlocked=tuple(p for p in strangers if p.name not in (packages.may_also_hold or ())),
        unlisted=tuple(f"{listing.package.name} {listing.package.version}" for listing in files if not listing.files),
    )  # fmt: skip


def _stranger(package: PythonPackage, pin: Pin | None, tree: ImageTree) -> Hit:
    node = tree.nodes.get(package.place)
    what = f"locked is {pin.version}" if pin is not None else "the lock does not name it"
    return Hit(
        rule="IMG-PACKAGE-EXTRA", message=f"{package.name} {package.version} is in the image, and {what}.",
        path=package.place, layer=node.layer if node else 0, package=package.name, version=package.version,
    )  # fmt: skip


def _files(packages: Packages, tree: ImageTree) -> list[Listing]:
    wheels = {key: path for path in packages.wheels if (key := _wheel_key(path)) is not None}
    listings = []
    for package in packages.found:
        folder = package.place.rpartition("/")[0]
        root = folder.rpartition("/")[0]
        wheel = wheels.get((package.name, canonicalize_version(package.version)))
        listed = recorded(wheel) if wheel is not None else {}
        vouched = package.place.removeprefix(f"{root}/") in listed
        if not vouched:
            listed = dict(_own_record(tree.text(f"{folder}/RECORD")))
        files = {f"{root}/{path}".lstrip("/"): digest for path, digest in listed.items()}
        listings.append(Listing(package=package, root=root, files=files, vouched=vouched))
    return listings


def _own_record(text: str) -> Iterator[tuple[str, str]]:
    try:
        for row in csv.reader(io.StringIO(text)):
            algorithm, _, value = row[1].partition("=") if len(row) > 1 else ("", "", "")
            if algorithm == "sha256":
                yield row[0], urlsafe_b64decode(f"{value}==").hex()
    except (csv.Error, ValueError):
        # What follows is lost, so that its files are unlisted ones, which are found.
        yield from ()


def _altered(listings: Iterable[Listing], tree: ImageTree) -> Iterator[Hit]:
    """A listed file may be gone, since an image leaves out what it does not need; it may not be another."""
    for listing in listings:
        for path, digest in sorted(listing.files.items()):
            node = tree.nodes.get(path)
            if node is not None and node.sha256 != digest:
                yield _of_package(listing.package, node, f"{node.shown} is not the file that its wheel lists.")


def _unlisted(listings: Iterable[Listing], tree: ImageTree, own: frozenset[str]) -> Iterator[Hit]:
    """Files in a package's folders that no package lists; bytecode, which installers make, has a rule of its own."""
    listed = {path for listing in listings for path in listing.files}
    folders: dict[str, PythonPackage] = {}
    for listing in listings:
        for path in listing.files:
            inside = path.removeprefix(f"{listing.root}/" if listing.root else "")
            if "/" in inside and not inside.startswith("../"):
                top = f"{listing.root}/{inside.partition('/')[0]}/".lstrip("/")
                folders.setdefault(top, listing.package)
    for node in tree.files:
        name = node.path.rpartition("/")[2]
        if node.path in listed or name.endswith(".pyc") or node.sha256 in own:
            continue
        top = next((folder for folder in folders if node.path.startswith(folder)), "")
        if top and not (".dist-info/" in node.path and name in _BY_INSTALLERS):
            yield _of_package(folders[top], node, f"{node.shown} lies in a package's folder, and no package lists it.")


def _of_package(package: PythonPackage, node: Node, message: str) -> Hit:
    return Hit(
        rule="IMG-PACKAGE-ALTERED", message=message, path=node.path, layer=node.layer, package=package.name,
        version=package.version,
    )  # fmt: skip


def _wheel_key(path: Path) -> tuple[str, str] | None:
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return None
    return str(name), canonicalize_version(version)
