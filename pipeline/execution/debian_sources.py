"""Where this host would take Debian packages from: apt's configuration, or a tool that knows an address.

Reading only; which of the addresses really is Debian's archive is asked of the archive itself, in ``debian_archive``.
No address is known to this project: Debian's mirrors are many, and behind a firewall there is one that only the host
knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_ONE_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s*)?(?P<uri>\S+)\s+\S+")
_DEBOOTSTRAP = re.compile(r"""^\s*(?:DEF_MIRROR=|default_mirror\s+)["']?(?P<uri>[^"'\s]+)""", re.MULTILINE)
_TEMPLATE = re.compile(r"^BaseURI:\s*(?P<uri>\S+)", re.MULTILINE)
_MMDEBSTRAP = re.compile(r"""\$(?:sec)?mirror\s*=\s*["'](?P<uri>[^"']+)""")
_LIST_METHOD = "mirror+file:"
_FETCHED = ("http://", "https://")

#: Tools that carry an address of Debian's archive: files below the root, and how the address is written in them.
_KNOWING_TOOLS = (
    ("debootstrap", ("usr/sbin/debootstrap", "usr/share/debootstrap/scripts/sid"), _DEBOOTSTRAP),
    ("mmdebstrap", ("usr/bin/mmdebstrap",), _MMDEBSTRAP),
    ("python-apt", ("usr/share/python-apt/templates/Debian.info",), _TEMPLATE),
)


def apt_addresses(root: Path = Path("/")) -> list[str]:
    """Return the HTTP addresses of binary packages in apt's configuration, in its order, once each (sources.list(5)).

    Both formats are read; disabled entries, source packages and methods that are no HTTP are left out. A file that
    can't be read counts as empty.
    """
    folder = root / "etc/apt"
    files = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    found: list[str] = []
    for file in files:
        if file.suffix == ".list":
            found += one_line_addresses(_text(file))
        elif file.suffix == ".sources":
            found += deb822_addresses(_text(file))
    return _usable(found, root)


def tool_addresses(root: Path = Path("/")) -> dict[str, list[str]]:
    """Return the addresses that installed tools carry, by tool: debootstrap, mmdebstrap, python-apt's templates."""
    found: dict[str, list[str]] = {}
    for tool, files, pattern in _KNOWING_TOOLS:
        texts = (_text(root / file) for file in files)
        addresses = _usable((match["uri"] for text in texts for match in pattern.finditer(text)), root)
        if addresses:
            found[tool] = addresses
    return found


def one_line_addresses(text: str) -> Iterator[str]:
    """Yield the addresses of ``deb [option=value …] uri suite …`` lines."""
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match:
            yield match["uri"]


def deb822_addresses(text: str) -> Iterator[str]:
    """Yield the addresses of the enabled stanzas whose types include ``deb``."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", lines):
        fields = _stanza_fields(stanza)
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "without", "off", "disable", "0")
        if enabled and "deb" in fields.get("types", "").split():
            yield from fields.get("uris", "").split()


def _stanza_fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = fields.get(name, "") + " " + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _usable(addresses: Iterable[str], root: Path) -> list[str]:
    """Follow ``mirror+file:`` lists (apt-transport-mirror(1)), keep what HTTP can fetch, drop repetitions."""
    flat: list[str] = []
    for address in addresses:
        if address.startswith(_LIST_METHOD):
            lines = _text(root / address.removeprefix(_LIST_METHOD).lstrip("/")).splitlines()
            flat += [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
        else:
            flat.append(address)
    return list(dict.fromkeys(address.rstrip("/") for address in flat if address.startswith(_FETCHED)))


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
