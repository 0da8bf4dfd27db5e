"""What is said of two images that should be one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.errors import EngineTrouble
from pipeline.images.canonical_configuration import Origin
from pipeline.images.difference import differences
from pipeline.images.reassembly import reassembled
from tests.docker_archives import Member, archive, layer

SAME: tuple[Member, ...] = (("app/a", b"a", 0o644), ("app/link", "a"))


def image(*members: Member, config: Mapping[str, Any] | None = None, created: int = 0) -> io.BytesIO:
    out = io.BytesIO()
    data = archive([layer(*SAME, *members)], {"config": config or {}})
    with reassembled(io.BytesIO(data), Origin(created=created)) as found:
        found.write(out, "x:1")
    out.seek(0)
    return out


def test_the_same_image_has_no_difference() -> None:
    assert not differences(image(), image())


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ((), (("b", b"", 0o644),), "layer 1: /b is in the second image only."),
        ((("b", b"", 0o644),), (), "layer 1: /b is in the first image only."),
        ((("b", b"", 0o644),), (("b", b"", 0o755),), "layer 1: the mode of /b is 0644 in one, and 0755 in the other."),
        ((("b", "x"),), (("b", "y"),), "layer 1: the linkname of /b is x in one, and y in the other."),
        (
            (("b", b"1", 0o644),),
            (("b", b"2", 0o644),),
            "layer 1: the content of /b is 6b86b273… in one, and d4735e3a… in the other.",
        ),
    ],
)
def test_each_file_that_differs_is_named(one: tuple[Member, ...], other: tuple[Member, ...], said: str) -> None:
    assert said in differences(image(*one), image(*other))


def test_the_configuration_is_compared_value_by_value() -> None:
    found = differences(image(config={"Env": ["A=1"]}), image(config={"Env": ["A=2"], "User": "1"}, created=60))
    assert found == (
        'configuration, config, Env, item 1: "A=1" in one, and "A=2" in the other.',
        'configuration, config, User: null in one, and "1" in the other.',
        'configuration, created: "1970-01-01T00:00:00Z" in one, and "1970-01-01T00:01:00Z" in the other.',
        'configuration, history, item 1, created: "1970-01-01T00:00:00Z" in one, and "1970-01-01T00:01:00Z" '
        "in the other.",
    )


def test_a_layer_with_the_same_files_and_other_bytes_is_said() -> None:
    def named(name: str, *members: Member) -> io.BytesIO:
        manifest = json.dumps([{"Config": "c.json", "Layers": [name]}]).encode()
        whole = layer(("manifest.json", manifest, 0o644), ("c.json", b"{}", 0o644), (name, layer(*members), 0o644))
        return io.BytesIO(whole)

    assert differences(named("1.tar", *SAME), named("2.tar", *SAME[::-1])) == (
        "layer 1: the same files, in another order or with other headers.",
    )


def test_another_number_of_layers_is_said() -> None:
    one, two = archive([layer(*SAME)]), archive([layer(*SAME), layer(("c", b"", 0o644))])
    assert "One has 1 layers, and the other 2." in differences(io.BytesIO(one), io.BytesIO(two))


def test_what_is_no_image_is_trouble() -> None:
    with pytest.raises(EngineTrouble, match="can't be read"):
        differences(io.BytesIO(b"x"), image())
