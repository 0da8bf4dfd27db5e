"""The package records that an image holds: dpkg's, and the metadata of Python distributions. Text in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from email.message import Message

from packaging.utils import canonicalize_name

DPKG_STATUS = "var/lib/dpkg/status"
DPKG_FOLDER = "var/lib/dpkg/status.d/"
"""Where images without dpkg itself have a file a package."""

_DIST_INFO = re.compile(r"(?:^|/)(?P<name>[A-Za-z0-9._]+)-(?P<version>[^/-]+)\.dist-info/METADATA$")
# What setuptools left before there were wheels, and Debian's own Python packages have: a folder, or just the file.
_EGG_INFO = re.compile(r"(?:^|/)(?P<name>[A-Za-z0-9._]+)-(?P<version>[^/-]+)(-py[\d.]+)?\.egg-info(/PKG-INFO)?$")
_FIELD = re.compile(r"^(Package|Version|Status|Architecture|Source|Maintainer):[ \t]*(.*)$", re.M)
# deb-src-control(5): "Source: name (version)" where the version differs from the binary package's.
_SOURCE = re.compile(r"(?P<name>\S+)(?:\s+\((?P<version>[^)]+)\))?")
# dpkg(1), "Package states": of these two nothing is installed, or only configuration is left.
_GONE = frozenset({"not-installed", "config-files"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """An installed Debian package; ``source`` is the source package and its version, ``place`` the record's path."""

    name: str
    version: str
    architecture: str
    source: tuple[str, str]
    maintainer: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPackage:
    """An installed distribution, its name as PEP 503 has it; ``metadata`` are the core metadata."""

    name: str
    version: str
    metadata: Message
    place: str


def is_dpkg_record(path: str) -> bool:
    """Whether a file of an image tells of installed Debian packages."""
    return path == DPKG_STATUS or (path.startswith(DPKG_FOLDER) and not path.endswith(".md5sums"))


def is_python_record(path: str) -> bool:
    """Whether a file of an image tells of an installed Python distribution."""
    return _python_match(path) is not None


def debian_packages(path: str, text: str) -> Iterator[DebianPackage]:
    """The installed packages that dpkg's record at ``path`` names (deb-control(5), dpkg(1))."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = {name: value.strip() for name, value in _FIELD.findall(paragraph)}
        if not {"Package", "Version"} <= fields.keys() or fields.get("Status", "").split(" ")[-1] in _GONE:
            continue
        source = _SOURCE.match(fields.get("Source", "")) or _SOURCE.match(fields["Package"])
        yield DebianPackage(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields.get("Architecture", ""),
            source=(source["name"], source["version"] or fields["Version"]) if source else ("", ""),
            maintainer=fields.get("Maintainer", ""),
            place=path,
        )


def python_package(path: str, text: str) -> PythonPackage | None:
    """The distribution whose metadata lie at ``path``; what they leave open is told by the path. None: it is none."""
    match = _python_match(path)
    if match is None:
        return None
    metadata = message_from_string(text)
    return PythonPackage(
        name=canonicalize_name(str(metadata.get("Name", "")).strip() or match["name"]),
        version=str(metadata.get("Version", "")).strip() or match["version"],
        metadata=metadata,
        place=path,
    )


def _python_match(path: str) -> re.Match[str] | None:
    return _DIST_INFO.search(path) or _EGG_INFO.search(path)
