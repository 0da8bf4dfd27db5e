"""An image whose packages say of themselves whatever they like: the bills of materials and the page show it as text."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from pipeline.images.contents import read_contents
from pipeline.stages.components import installed
from tests.docker_archives import archive, layer
from tests.hostile import PAYLOADS, commands_in, unseen_in
from tests.page_samples import passing
from tests.report_readers import read_files

# Metadata are headers, each on one line.
_LINES = [text for text in PAYLOADS if (len(text.splitlines()) == 1 and text.isprintable()) or "\x1b" in text]


@pytest.mark.parametrize("turn", range(0, len(_LINES), 12))
def test_what_packages_say_of_themselves_is_shown_as_text(turn: int) -> None:
    one, two, three, four = (_LINES[(turn + number) % len(_LINES)].splitlines()[0] for number in range(4))
    python = f"Metadata-Version: 2.1\nName: thing {one}\nVersion: 1.0 {two}\nLicense: {three}\nAuthor: {four}\n"
    debian = (
        f"Package: x{one}\nVersion: 1{two}\nSource: {three}\nMaintainer: {four} <a@b.example>\nArchitecture: amd64\n"
    )
    contents = read_contents(
        io.BytesIO(
            archive(
                [
                    layer(
                        ("usr/lib/os-release", f"ID={one}\nVERSION_ID={two}\n".encode(), 0o644),
                        ("var/lib/dpkg/status.d/x", debian.encode(), 0o644),
                        ("usr/share/doc/x/copyright", f"License: {three}\n".encode(), 0o644),
                        ("app/thing-1.0.dist-info/METADATA", python.encode(), 0o644),
                    )
                ]
            )
        )
    )
    components = installed(contents, (), {})
    assert components
    report = passing()
    build = next(result for result in report.results if result.name == "build")
    results = tuple(replace(build, components=components) if result is build else result for result in report.results)
    places = set()
    for place, text, _ in read_files(replace(report, results=results)):
        assert (unseen_in(text), commands_in(text)) == ("", []), place
        places.add(place)
    assert {"index.html", "sbom/image.cdx.json"} <= places
