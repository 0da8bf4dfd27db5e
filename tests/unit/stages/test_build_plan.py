"""Which recipes come to the same image on the outline of the runtime as on the runtime itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.stages.build_plan import stands_on_outline

ROOT = Path(__file__).parents[3]
BEFORE = "ARG BUILDER_IMAGE\nARG RUNTIME_IMAGE=python:3\nFROM ${BUILDER_IMAGE} AS made\nRUN make\n"
LAST = 'FROM ${RUNTIME_IMAGE}\nARG A=1\nENV B=$A\nUSER 1\nCOPY --from=made /image /\nWORKDIR /app\nCMD ["a"]\n'


@pytest.mark.parametrize("path", ["Dockerfile", "tests/fixtures/adopter/Dockerfile"])
def test_the_recipes_of_this_repository_do(path: str) -> None:
    assert stands_on_outline((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("recipe", [BEFORE + LAST, BEFORE + LAST.replace("${RUNTIME_IMAGE}", "$RUNTIME_IMAGE")])
def test_a_last_stage_that_copies_and_configures_does(recipe: str) -> None:
    assert stands_on_outline(recipe)


@pytest.mark.parametrize(
    "recipe",
    [
        "",
        "FROM scratch\nCOPY a /\n",
        # Something of the base is run, or reads what is in its files.
        BEFORE + LAST + 'RUN ["python3", "-c", "1"]\n',
        BEFORE + LAST + "ADD a.tar /\n",
        BEFORE + LAST + "ONBUILD RUN a\n",
        BEFORE + LAST + "SOMETHING new\n",
        # Another stage stands on the runtime or takes files out of it, or its name shows in the image.
        BEFORE.replace("BUILDER", "RUNTIME") + LAST,
        BEFORE + "FROM ${RUNTIME_IMAGE} AS other\nRUN a\n" + LAST,
        BEFORE + "COPY --from=${RUNTIME_IMAGE} /a /a\n" + LAST,
        BEFORE + LAST.replace("ARG A=1", "ARG RUNTIME_IMAGE"),
        BEFORE.replace("ARG BUILDER_IMAGE", "ARG BUILDER_IMAGE=${RUNTIME_IMAGE}") + LAST,
        BEFORE + "ARG RUNTIME_IMAGE\nRUN env\n" + LAST,
        # What an engine reads otherwise than line by line.
        BEFORE + "FROM ${RUNTIME\\\n_IMAGE} AS tools\n" + LAST,
        BEFORE + LAST + 'LABEL usage="a <<EOF"\nRUN ["a"]\n',
        "# escape=`\n" + BEFORE + LAST,
        # The last stage stands on something else.
        BEFORE + LAST.replace("${RUNTIME_IMAGE}", "made"),
        BEFORE + LAST.replace("${RUNTIME_IMAGE}", "${RUNTIME_IMAGE} AS last"),
        BEFORE + LAST.replace("${RUNTIME_IMAGE}", "--platform=linux/arm64 ${RUNTIME_IMAGE}"),
        BEFORE + LAST.replace("${RUNTIME_IMAGE}", "${RUNTIME_IMAGE}-slim"),
    ],
)
def test_others_are_built_on_the_runtime_itself(recipe: str) -> None:
    assert not stands_on_outline(recipe)
