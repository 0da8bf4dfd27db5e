"""Licences are SPDX where the metadata are certain, and names where they are not."""

from __future__ import annotations

from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from pipeline.images.licences import Licences, debian_licences, python_licences

FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"


def metadata(*fields: tuple[str, str]) -> Message:
    """Core metadata of these fields."""
    message = Message()
    for name, value in fields:
        message[name] = value
    return message


def trove(name: str) -> tuple[str, str]:
    """A classifier for a licence."""
    return ("Classifier", f"License :: OSI Approved :: {name}")


@pytest.mark.parametrize(
    ("fields", "known", "names"),
    [
        ([("License-Expression", "MIT")], ("MIT",), ()),
        ([("License-Expression", "mit or apache-2.0"), ("License", "GPL")], ("MIT OR Apache-2.0",), ()),
        ([("License-Expression", "LicenseRef-Own AND MIT")], ("LicenseRef-Own AND MIT",), ()),
        ([("License-Expression", "What I say")], (), ("What I say",)),
        ([("License", "BSD-3-Clause"), trove("BSD License")], ("BSD-3-Clause",), ()),
        ([("License", "BSD"), trove("MIT License")], ("MIT",), ()),
        ([trove("BSD License")], (), ("BSD License",)),
        ([trove("Apache Software License"), trove("MIT License")], ("MIT",), ("Apache Software License",)),
        ([("Classifier", "License :: OSI Approved"), ("License", "BSD")], (), ("BSD",)),
        ([("License", "The Text\n\nof a whole licence\n")], (), ("The Text",)),
        ([("License", "x" * 500)], (), ("x" * 200,)),
        ([("License", "  ")], (), ()),
        ([], (), ()),
    ],
)
def test_what_core_metadata_say(fields: list[tuple[str, str]], known: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert python_licences(metadata(*fields)) == (known, names)


@pytest.mark.parametrize(
    ("short", "known", "names"),
    [
        ("GPL-2", ("GPL-2.0-only",), ()),
        ("GPL-2+", ("GPL-2.0-or-later",), ()),
        ("LGPL-2.1+", ("LGPL-2.1-or-later",), ()),
        ("AGPL-3.0", ("AGPL-3.0-only",), ()),
        ("GFDL-NIV-1.3+", ("GFDL-1.3-no-invariants-or-later",), ()),
        ("Expat", ("MIT",), ()),
        ("BSD-3-clause", ("BSD-3-Clause",), ()),
        ("zlib", ("Zlib",), ()),
        ("GPL-2 and ISC", ("GPL-2.0-only", "ISC"), ()),
        ("GPL-2 and IBM", ("GPL-2.0-only",), ("IBM",)),
        ("GPL-2+ or Apache-2.0 and ISC", ("GPL-2.0-or-later OR Apache-2.0 AND ISC",), ()),
        ("Artistic or GPL-1+", (), ("Artistic or GPL-1+",)),
        ("GPL-2+ and ISC, or Apache-2.0", (), ("GPL-2+ and ISC, or Apache-2.0",)),
        ("GPL-2+ with OpenSSL exception", (), ("GPL-2+ with OpenSSL exception",)),
        ("GPL", (), ("GPL",)),
        ("MIT", (), ("MIT",)),
        ("GPL-9", (), ("GPL-9",)),
        ("public-domain", (), ("public-domain",)),
    ],
)
def test_debian_s_short_names(short: str, known: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert debian_licences(f"{FORMAT}\nFiles: *\nCopyright: me\nLicense: {short}\n text\n") == (known, names)


def test_paragraphs_of_files_and_the_header_count_and_those_of_a_licence_alone_do_not() -> None:
    text = (
        f"{FORMAT}License: ISC\n\nFiles: *\nLicense: GPL-2+ or Expat\n\n \t\nFiles: b\nLicense:\n a text alone\n"
        "\nFiles: c\nLicense: ISC\n\nLicense: Apache-2.0\n The text of another.\n"
    )
    assert debian_licences(text) == (("GPL-2.0-or-later OR MIT", "ISC"), ())


@pytest.mark.parametrize("text", ["", "This package was put together by\n\nLicense: MIT\n", "License: ISC\n"])
def test_free_text_is_not_guessed_at(text: str) -> None:
    assert debian_licences(text) == ((), ())


SAID = st.one_of(
    st.text(max_size=30), st.lists(st.sampled_from(["MIT", "and", "or", "GPL-2+", "(", ",", "x"])).map(" ".join)
)


def held(licences: Licences) -> None:
    """What is said to be SPDX is, and a name says something."""
    known, names = licences
    assert all(canonicalize_license_expression(text) == text for text in known)
    assert all(name.strip() for name in names)


@given(SAID)
def test_any_text_is_spdx_or_a_name(said: str) -> None:
    held(debian_licences(f"{FORMAT}\nFiles: *\nLicense: {said}\n"))
    one_line = " ".join(said.splitlines())
    held(python_licences(metadata(("License", one_line))))
    held(python_licences(metadata(("License-Expression", one_line))))
    held(python_licences(metadata(trove(one_line))))
