"""A Dockerfile's instructions with their lines, and which one answers for a file."""

from __future__ import annotations

import pytest

from pipeline.core.dockerfile_lines import parse_recipe

TWO_STAGES = """# syntax=docker/dockerfile:1
ARG BASE=python:3.13
ARG OTHER
FROM ${BASE} AS deps
RUN echo \\
    # a comment between
    one \\

    two
FROM ${OTHER:-debian:13}
env A=1
WORKDIR /app
COPY --from=deps --chown=1 /x ./lib/
COPY ["a file", "/etc/"]
RUN touch /made
USER 65532
USER 1000
"""


def test_every_instruction_has_its_first_line() -> None:
    found = [(i.line, i.keyword, i.value) for i in parse_recipe(TWO_STAGES).instructions]
    assert found == [
        (2, "ARG", "BASE=python:3.13"),
        (3, "ARG", "OTHER"),
        (4, "FROM", "${BASE} AS deps"),
        (5, "RUN", "echo one two"),
        (10, "FROM", "${OTHER:-debian:13}"),
        (11, "ENV", "A=1"),
        (12, "WORKDIR", "/app"),
        (13, "COPY", "--from=deps --chown=1 /x ./lib/"),
        (14, "COPY", '["a file", "/etc/"]'),
        (15, "RUN", "touch /made"),
        (16, "USER", "65532"),
        (17, "USER", "1000"),
    ]


def test_the_last_instruction_of_the_last_stage_answers() -> None:
    recipe = parse_recipe(TWO_STAGES)
    assert (recipe.line_of("USER"), recipe.line_of("HEALTHCHECK"), recipe.from_line) == (17, 10, 10)
    assert (recipe.line_naming("ENV", "A"), recipe.line_naming("USER", "65532"), recipe.line_naming("USER", "5")) == (
        11, 16, 17,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "layer", "layers", "line"),
    [
        ("app/lib/a", 0, 9, 10),
        ("app/lib/a", 1, 9, 13),
        ("etc/passwd", 1, 9, 14),
        ("somewhere", 1, 9, 15),
        ("somewhere", 1, 4, 13),
        ("somewhere", 3, 4, 15),
        ("somewhere", 1, 5, 12),
    ],
)
def test_a_file_is_its_layers_instruction_or_the_one_whose_target_it_is_in(
    path: str, layer: int, layers: int, line: int
) -> None:
    assert parse_recipe(TWO_STAGES).line_of_file(path, layer, base_layers=1, layers=layers) == line


def test_bases_are_told_with_their_defaults_and_without_stages() -> None:
    text = f"{TWO_STAGES}FROM deps\nFROM ${{NO:+x}}a:1 AS last\nFROM last\n"
    assert [image for _, image in parse_recipe(text).bases()] == ["python:3.13", "debian:13", "a:1"]


def test_another_escape_character_continues_lines() -> None:
    recipe = parse_recipe("# escape=`\nFROM x\nRUN a `\n  b\nRUN c \\\n")
    assert [(i.line, i.value) for i in recipe.instructions] == [(2, "x"), (3, "a b"), (5, "c \\")]


def test_a_here_document_is_no_instruction() -> None:
    recipe = parse_recipe("FROM x\nRUN <<EOT\nUSER root\nEOT\nUSER 1\n")
    assert [(i.line, i.keyword) for i in recipe.instructions] == [(1, "FROM"), (2, "RUN"), (5, "USER")]


def test_words_leave_flags_out_and_read_json() -> None:
    (copy,) = parse_recipe('COPY --chmod=1 --link ["a b", "c"]').instructions
    (odd,) = parse_recipe("COPY [a b").instructions
    assert (copy.words, odd.words) == (("a b", "c"), ("[a", "b"))


def test_an_empty_recipe_answers_with_its_first_line() -> None:
    recipe = parse_recipe("")
    assert (recipe.line_of("USER"), list(recipe.bases()), recipe.line_of_file("a", 3, base_layers=0, layers=4)) == (
        1, [], 1,
    )  # fmt: skip
