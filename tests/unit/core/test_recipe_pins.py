"""What a recipe names without a digest."""

from __future__ import annotations

import pytest

from pipeline.core.recipe_pins import unpinned

PIN = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"FROM python:3.13{PIN}\n",
        f"FROM --platform=linux/amd64 python{PIN} AS builder\nFROM scratch\nCOPY --from=builder /a /a\n",
        f"FROM python{PIN}\nFROM debian{PIN}\nCOPY --from=0 /a /a\n",
        f"ARG RUNTIME=python:3.13{PIN}\nFROM ${{RUNTIME}}\n",
        f'ARG RUNTIME="python{PIN}"\nFROM $RUNTIME\nRUN --mount=type=bind,from=runtime,target=/a true\n'.replace(
            "FROM $RUNTIME\n", "FROM $RUNTIME AS runtime\nFROM runtime\n"
        ),
        f"FROM \\\n  python{PIN}\nADD service /app\n",
        "",
    ],
)
def test_a_recipe_of_digests_is_pinned(text: str) -> None:
    assert not unpinned(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("FROM python:3.13\n", "python:3.13"),
        ("from python:latest as builder\n", "python:latest"),
        ("ARG RUNTIME\nFROM ${RUNTIME}\n", "${RUNTIME}"),
        ("ARG RUNTIME=python\nFROM ${RUNTIME:-x}\n", "${RUNTIME:-x}"),
        (f"FROM python{PIN}\nCOPY --from=nginx:latest /a /a\n", "nginx:latest"),
        (f"FROM python{PIN}\nRUN --mount=type=bind,from=nginx,target=/a true\n", "nginx"),
        (f"FROM python{PIN}\nADD https://example.org/a.tar /a\n", "https://example.org/a.tar"),
        (f"FROM python{PIN}\nARG LATER=x\nFROM $LATER\n", "$LATER"),
        ("FROM python@sha256:0123\n", "python@sha256:0123"),
        ("FROM\n", ""),
    ],
)
def test_what_is_not_a_digest_is_named(text: str, named: str) -> None:
    assert unpinned(text) == (named,)
