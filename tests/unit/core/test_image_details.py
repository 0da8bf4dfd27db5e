"""What is told of an image is what its configuration says, as JSON values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pipeline.core.containers import Layer
from pipeline.core.image_details import LONGEST_STEP, ImageDetails, ImageLayer, described
from tests.unit.stages.build_kit import SOUND


def told(**changes: Any) -> ImageDetails:
    """The details of the sound image with these changes, as they are read back from JSON."""
    details = described(
        replace(SOUND, **changes), tag="t:1", base="b", base_lock="", debian_packages=1, python_packages=2
    )
    assert json.loads(json.dumps(details)) == details
    return msgspec.convert(details["image"], ImageDetails)


def test_the_configuration_is_told_in_lists_of_words() -> None:
    configuration = {"Entrypoint": ["/init"], "Cmd": ["a", "b"], "ExposedPorts": {"80/tcp": {}, "443/tcp": {}}}
    details = told(configuration=configuration)
    assert (details.entrypoint, details.command, details.ports) == (("/init",), ("a", "b"), ("443/tcp", "80/tcp"))
    assert details.health_check == () and told().health_check == ("CMD", "true")


def test_a_layer_has_its_digest_where_the_history_has_as_many_layers() -> None:
    layers = (Layer(created_by="/bin/sh -c #(nop) COPY  a b", size_bytes=1), Layer(created_by="x" * 999, size_bytes=2))
    first, second = told(layers=layers, diff_ids=("a", "b")).layers
    assert (first.digest, first.created_by, first.size_bytes) == ("a", "COPY a b", 1)
    assert len(second.created_by) == LONGEST_STEP and second.created_by.endswith("…")
    assert [layer.digest for layer in told(layers=layers).layers] == ["", ""]


def test_a_layer_is_not_smaller_than_nothing() -> None:
    with pytest.raises(ValueError, match="not negative"):
        ImageLayer(digest="", size_bytes=-1, created_by="")
