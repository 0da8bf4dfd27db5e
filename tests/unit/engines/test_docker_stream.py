"""Pieces of a long answer joined to fewer: the same bytes, whatever sizes an engine sends them in."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.docker_stream import joined


@given(st.lists(st.binary(max_size=20)), st.integers(min_value=1, max_value=50))
def test_joined_pieces_are_the_same_bytes_and_all_but_the_last_are_large_enough(pieces: list[bytes], size: int) -> None:
    found = list(joined(pieces, size))
    assert b"".join(found) == b"".join(pieces)
    assert all(len(piece) >= size for piece in found[:-1])


def test_a_piece_is_handed_on_as_soon_as_it_is_large_enough() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"ab"
        yield b"cd"
        raise AssertionError("nothing more is read before the first piece is taken")

    assert next(joined(pieces(), 3)) == b"abcd"
