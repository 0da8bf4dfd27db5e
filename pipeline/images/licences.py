"""Licences as package metadata tell them: as SPDX where that is certain, else in the metadata's own words.

Nothing is guessed from a licence's text, and what the metadata leave open ("BSD", "GPL") stays a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.message import Message
from itertools import zip_longest

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

Licences = tuple[tuple[str, ...], tuple[str, ...]]
"""Identifiers or expressions of SPDX, and names that are none; each sorted, without doubles."""

_LONGEST = 200
_TROVE = "License :: "
# The classifiers that mean one licence in one version; "BSD License" and "Apache Software License" do not.
_CLASSIFIERS = {
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zero-Clause BSD (0BSD)": "0BSD",
}
# DEP 5, "Short name": GPL-2+ is version 2 or any later one; NIV is a GFDL without invariant sections.
_GNU = re.compile(r"(?P<family>GPL|LGPL|AGPL|GFDL)(?P<niv>-NIV)?-(?P<major>\d)(?:\.(?P<minor>\d))?(?P<later>\+)?", re.I)
_DEP5 = re.compile(r"Format(-Specification)?:[ \t]", re.I)


def python_licences(metadata: Message) -> Licences:
    """What a distribution's core metadata say (PEP 639, and what was there before it).

    ``License-Expression`` stands alone. Without one ``License`` counts when it is an identifier of SPDX, else the
    classifiers, else the first line of ``License``, which may be a whole text.
    """
    stated = str(metadata.get("License-Expression", "")).strip()
    if stated:
        return _divided([stated], _expression)
    text = str(metadata.get("License", "")).strip()
    if _expression(text):
        return _divided([text], _expression)
    classifiers = [str(value).strip() for value in metadata.get_all("Classifier", [])]
    names = [value.rpartition(" :: ")[2] for value in classifiers if value.startswith(_TROVE)]
    named = [name for name in names if name != "OSI Approved"]
    return _divided(named or text.splitlines()[:1], lambda name: _CLASSIFIERS.get(name, ""))


def debian_licences(text: str) -> Licences:
    """What a machine-readable ``debian/copyright`` says of the package's files; nothing of one that is free text.

    Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ (DEP 5), "License" in the header and in
    the paragraphs with ``Files``. A paragraph of a licence alone holds its text, and of an "or" only one side.
    """
    if not _DEP5.match(text.removeprefix("\ufeff")):
        return (), ()
    paragraphs = [_fields(paragraph) for paragraph in re.split(r"\n[ \t]*\n", text)]
    told = [fields["license"] for fields in paragraphs if fields.keys() & {"files", "format"} and "license" in fields]
    return _divided([part for synopsis in told for part in _conjuncts(synopsis)], _debian_expression)


def _fields(paragraph: str) -> dict[str, str]:
    """The first line of each field that has one, by the field's name in lower case."""
    found = re.findall(r"^([A-Za-z-]+):[ \t]*(\S.*)$", paragraph, re.M)
    return {name.lower(): value.strip() for name, value in found}


def _conjuncts(synopsis: str) -> list[str]:
    """A licence that is "A and B" is both, like two paragraphs; one with an "or", or a comma that groups, is one."""
    return [synopsis] if re.search(r"\bor\b|,", synopsis) else re.split(r"\s+and\s+", synopsis)


def _debian_expression(synopsis: str) -> str:
    """DEP 5 binds "and" closer than "or", as SPDX does; its comma has no like there."""
    words = re.split(r"\s+(and|or)\s+", synopsis)
    names = [_debian_identifier(word) for word in words[::2]]
    operators = [f" {word.upper()} " for word in words[1::2]]
    return "".join(map("".join, zip_longest(names, operators, fillvalue=""))) if all(names) else ""


def _debian_identifier(name: str) -> str:
    if match := _GNU.fullmatch(name):
        version = f"{match['major']}.{match['minor'] or '0'}"
        invariants = "-no-invariants" if match["niv"] else ""
        return _expression(f"{match['family']}-{version}{invariants}-{'or-later' if match['later'] else 'only'}")
    # Expat is Debian's name for what SPDX calls MIT; of "MIT" DEP 5 warns that it stands for many licences.
    known = {"expat": "MIT", "mit": ""}
    return known[name.lower()] if name.lower() in known else _expression(name)


def _expression(text: str) -> str:
    """The text as an SPDX expression of known identifiers in its canonical form; empty when it is none."""
    if len(text) > _LONGEST:
        # packaging lets Python parse it, whose stack is bounded.
        return ""
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""


def _divided(said: Iterable[str], expression: Callable[[str], str]) -> Licences:
    known: set[str] = set()
    named: set[str] = set()
    for text in filter(None, (text.strip() for text in said)):
        (known if expression(text) else named).add(expression(text) or text[:_LONGEST])
    return tuple(sorted(known)), tuple(sorted(named))
