"""A part that something is made of, as the bills of materials list it: a locked package, or one found in an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

# ECMA-427, 5.4: everything in a name or a version but these is percent-encoded; the colon of Debian's epochs stays.
_PLAIN = ".-_~:"


class ComponentKind(StrEnum):
    """What a component is, by the type of its package URL; ``SYSTEM`` is a distribution and
    ``FILE`` are files of no package, which have none.
    """

    PYTHON = "pypi"
    DEBIAN = "deb"
    SYSTEM = "os"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part by its own name and exact version. Whatever its metadata do not tell is empty, and unknown.

    ``licences`` are licence identifiers or expressions of SPDX, where the metadata name one with certainty;
    ``licence_names`` are others, in the metadata's own words. ``hashes`` are ``sha256:<hex>`` of the archive it comes
    from: of several, it is one of them that was or will be installed. ``source`` is the source package and its version.
    ``place`` is the file that names the component, a lock or a path in the image. ``marker`` is the condition (PEP 508)
    under which a lock installs it. ``files`` are those that it has in an image, as sha256sum(1) writes them: digest,
    two spaces, path.
    """

    kind: ComponentKind
    name: str
    version: str
    purl: str = ""
    licences: tuple[str, ...] = ()
    licence_names: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    supplier: str = ""
    source: str = ""
    place: str = ""
    marker: str = ""
    files: tuple[str, ...] = ()


def package_url(
    kind: str, name: str, version: str, *, namespace: str = "", qualifiers: Mapping[str, str] | None = None
) -> str:
    """The package URL (ECMA-427) of what is a ``kind`` of package. ``qualifiers`` without a value are left out."""
    path = "/".join(_quoted(part) for part in (*namespace.split("/"), name) if part)
    told = "&".join(f"{key}={_quoted(value)}" for key, value in sorted((qualifiers or {}).items()) if value)
    return f"pkg:{kind}/{path}@{_quoted(version)}{f'?{told}' if told else ''}"


def _quoted(text: str) -> str:
    return quote(text, safe=_PLAIN, errors="backslashreplace")
