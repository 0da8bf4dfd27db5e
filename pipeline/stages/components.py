"""What ``audit`` and ``build`` hand to the bills of materials: the locked packages, and those found in the image."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Mapping
from email.utils import getaddresses
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_version, parse_wheel_filename

from pipeline.core.component import Component, ComponentKind, package_url
from pipeline.core.lock import Pin
from pipeline.images.contents import ImageContents
from pipeline.images.licences import debian_licences, python_licences
from pipeline.images.packages import DebianPackage, PythonPackage

_UNREADABLE = (zipfile.BadZipFile, zlib.error, csv.Error, ValueError, RuntimeError, OSError, EOFError)
_LARGEST_RECORD = 16 << 20
"""Bytes; an archive may claim to hold anything."""
_AUTHORS = ("Maintainer", "Maintainer-email", "Author", "Author-email")


def locked(pins: Iterable[Pin], lock: str) -> tuple[Component, ...]:
    """The packages of the lock file called ``lock``, each release once, by name. Their licences are not in a lock."""
    found: dict[tuple[str, str], Component] = {}
    for pin in pins:
        purl = package_url(ComponentKind.PYTHON, pin.name, pin.version)
        component = Component(
            kind=ComponentKind.PYTHON,
            name=pin.name,
            version=pin.version,
            purl=purl,
            hashes=tuple(sorted(pin.hashes)),
            place=lock,
            marker=pin.marker,
        )
        found.setdefault((pin.name, pin.version), component)
    return tuple(found[key] for key in sorted(found))


def installed(contents: ImageContents, wheels: Iterable[Path], archives: Mapping[str, str]) -> tuple[Component, ...]:
    """What the image's own records name: its distribution, Debian packages and Python packages.

    ``wheels`` are what the build was given to install from, ``archives`` the SHA-256 of the base's packages by
    ``name version``; a package that came from elsewhere has no hash.
    """
    release = contents.release()
    debian = tuple(_debian(record, contents, release, archives) for record in contents.debian_records())
    known = {key: path for path in wheels if (key := _wheel_key(path)) is not None}
    python = tuple(_python(record, contents, known) for record in contents.python_records())
    system = (
        (Component(kind=ComponentKind.SYSTEM, name=release["ID"], version=release.get("VERSION_ID", "")),)
        if release.get("ID")
        else ()
    )
    return (*system, *debian, *python)


def _debian(
    record: DebianPackage, contents: ImageContents, release: Mapping[str, str], archives: Mapping[str, str]
) -> Component:
    licences, names = debian_licences(contents.copyright_of(record.name))
    source, source_version = record.source
    digest = archives.get(f"{record.name} {record.version}")
    return Component(
        kind=ComponentKind.DEBIAN,
        name=record.name,
        version=record.version,
        purl=debian_url(record, release),
        licences=licences,
        licence_names=names,
        hashes=(f"sha256:{digest}",) if digest else (),
        supplier=_name_of(record.maintainer),
        source=f"{source} {source_version}",
        place=record.place,
    )


def debian_url(record: DebianPackage, release: Mapping[str, str]) -> str:
    """The package URL, whose namespace is the distribution; empty when the image does not say which that is.

    ``distro`` is the distribution and its release, like ``debian-13``: what scanners read there.
    """
    namespace = release.get("ID", "")
    if not namespace:
        return ""
    distribution = "-".join(filter(None, (namespace, release.get("VERSION_ID", ""))))
    return package_url(
        ComponentKind.DEBIAN,
        record.name,
        record.version,
        namespace=namespace,
        qualifiers={"arch": record.architecture, "distro": distribution},
    )


def _python(record: PythonPackage, contents: ImageContents, wheels: Mapping[tuple[str, str], Path]) -> Component:
    licences, names = python_licences(record.metadata)
    wheel = wheels.get((record.name, canonicalize_version(record.version)))
    told = (_name_of(str(record.metadata.get(field, ""))) for field in _AUTHORS)
    return Component(
        kind=ComponentKind.PYTHON,
        name=record.name,
        version=record.version,
        purl=package_url(ComponentKind.PYTHON, record.name, record.version),
        licences=licences,
        licence_names=names,
        hashes=(_digest(wheel),) if wheel is not None and came_from(wheel, record, contents) else (),
        supplier=next(filter(None, told), ""),
        place=record.place,
    )


def came_from(wheel: Path, record: PythonPackage, contents: ImageContents) -> bool:
    """Whether the distribution in the image is that wheel's: its metadata are, and no file of it is another."""
    root = record.place.rpartition("/")[0].rpartition("/")[0]
    listed = recorded(wheel)
    there = {path: contents.files.get(f"{root}/{path}".lstrip("/")) for path in listed}
    metadata = record.place.removeprefix(f"{root}/")
    return metadata in listed and all(file is None or file.sha256 == listed[path] for path, file in there.items())


def recorded(wheel: Path) -> dict[str, str]:
    """The SHA-256 of each file that the wheel lists, by path; of what can't be read as a wheel nothing."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return dict(_recorded(archive))
    except _UNREADABLE:
        # It is no proof of anything.
        return {}


def _recorded(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Path and SHA-256 of each file that the wheel's RECORD lists with a hash (Binary distribution format)."""
    (record,) = (item for item in archive.infolist() if item.filename.endswith(".dist-info/RECORD"))
    if record.file_size > _LARGEST_RECORD:
        raise ValueError("no RECORD is that large")
    for path, digest, *_ in csv.reader(io.StringIO(archive.read(record).decode())):
        algorithm, _, value = digest.partition("=")
        if algorithm == "sha256":
            yield path, urlsafe_b64decode(f"{value}==").hex()


def _wheel_key(path: Path) -> tuple[str, str] | None:
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return None
    return str(name), canonicalize_version(version)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _name_of(person: str) -> str:
    """The name of the first of "Name <address>, …"; the address itself is nobody's business."""
    addresses = getaddresses([person])
    return addresses[0][0] if addresses else ""
