"""A docker-archive without the layers that an engine has already: everything else in it stays as it is."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from pipeline.images.archive import Layer, abridged, hashed, write_configured
from tests.docker_archives import layer

TARS = [layer((name, name.encode() * 1000, 0o644)) for name in ("base", "dependencies", "application")]
DIFF_IDS = [hashed(io.BytesIO(tar)).diff_id for tar in TARS]


def whole() -> io.BytesIO:
    layers = [Layer(facts=hashed(io.BytesIO(tar)), content=io.BytesIO(tar)) for tar in TARS]
    out = io.BytesIO()
    write_configured(out, b"{}", layers, "sample:1", 315532800)
    return io.BytesIO(out.getvalue())


def members(data: bytes) -> dict[str, tuple[bytes, float, int]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {info: tar.extractfile(info) for info in tar}
        return {info.name: (file.read() if file else b"", info.mtime, info.mode) for info, file in files.items()}


@given(st.sets(st.sampled_from(DIFF_IDS)))
def test_only_the_files_of_known_layers_are_left_out(known: set[str]) -> None:
    out = io.BytesIO()
    assert abridged(whole(), out, known.__contains__) == known
    gone = {f"{diff_id.removeprefix('sha256:')}.tar" for diff_id in known}
    before = members(whole().getvalue())
    assert members(out.getvalue()) == {name: held for name, held in before.items() if name not in gone}


def test_an_archive_of_which_nothing_is_known_stays_the_same_bytes() -> None:
    out = io.BytesIO()
    assert not abridged(whole(), out, lambda _: False)
    assert out.getvalue() == whole().getvalue()
