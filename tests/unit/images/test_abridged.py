"""A docker-archive without the layers that an engine has already: everything else in it stays as it is."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from pipeline.images.archive import Layer, hashed, write_configured
from tests.docker_archives import layer

TARS = [layer((name, name.encode() * 1000, 0o644)) for name in ("base", "dependencies", "application")]
DIFF_IDS = [hashed(io.BytesIO(tar)).diff_id for tar in TARS]


def written(*, without: set[str]) -> bytes:
    layers = [Layer(facts=hashed(io.BytesIO(tar)), content=io.BytesIO(tar)) for tar in TARS]
    out = io.BytesIO()
    write_configured(out, b"{}", layers, "sample:1", 315532800, without=without)
    return out.getvalue()


def members(data: bytes) -> dict[str, tuple[bytes, float, int]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {info: tar.extractfile(info) for info in tar}
        return {info.name: (file.read() if file else b"", info.mtime, info.mode) for info, file in files.items()}


@given(st.sets(st.sampled_from(DIFF_IDS)))
def test_only_the_files_of_known_layers_are_left_out(known: set[str]) -> None:
    gone = {f"{diff_id.removeprefix('sha256:')}.tar" for diff_id in known}
    before = members(written(without=set()))
    assert len(before) == len(TARS) + 2
    assert members(written(without=known)) == {name: held for name, held in before.items() if name not in gone}
