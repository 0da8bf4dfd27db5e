"""Which files of a checkout go into its image: those alone may change the time that it bears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.core.snapshot import Entry, Kind
from pipeline.settings import Settings
from pipeline.stages.image_sources import changed_last, image_sources
from tests.support import make_context, write_files

PATHS = ("Dockerfile", "README.md", "lib/a.py", "lib/deep/b.py", "requirements.txt", "service/app.py")
ENTRIES = tuple(Entry(path=path, kind=Kind.FILE, digest=path) for path in PATHS)


@pytest.mark.parametrize(
    ("recipe", "found"),
    [
        ("COPY service /app\n", ("service/app.py",)),
        ("COPY ./service/ /app/\n", ("service/app.py",)),
        ("COPY --chown=1:1 requirements.txt lib/*.py /app/\n", ("lib/a.py", "requirements.txt")),
        ('ADD ["lib", "/app"]\n', ("lib/a.py", "lib/deep/b.py")),
        ("COPY --from=builder /x /y\nCOPY --chmod=644 --from=0 lib /y\n", ()),
        ("COPY <<EOF /x\nlib\nEOF\nADD https://example.org/x /y\n", ()),
        ("COPY requirements.txt wheelhouse* /w/\n", ("requirements.txt",)),
    ],
)
def test_what_the_recipe_copies_is_a_source_and_nothing_else(recipe: str, found: tuple[str, ...]) -> None:
    sources = image_sources(parse_recipe(f"FROM x\n{recipe}"), "Dockerfile", ENTRIES)
    assert tuple(entry.path for entry in sources) == ("Dockerfile", *found)


@pytest.mark.parametrize("recipe", ["COPY . /app\n", "COPY ${PART} /app\n", "COPY / /app\n"])
def test_a_source_that_may_be_anything_is_everything(recipe: str) -> None:
    assert image_sources(parse_recipe(f"FROM x\n{recipe}"), "Dockerfile", ENTRIES) == ENTRIES


def test_the_time_is_that_of_the_sources_and_a_history_that_does_not_say_is_doubted(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def last_change(paths: Sequence[str]) -> str:
        asked.append(list(paths))
        return "2026-03-01T00:00:00Z"

    context = make_context(tmp_path, write_files(tmp_path / "tree", {"a": ""}), Settings())
    known = replace(context, ports=replace(context.ports, last_change=last_change))
    moment = changed_last(known, ENTRIES[:2])
    assert (moment.time, moment.seconds, moment.doubt) == ("2026-03-01T00:00:00Z", 1772323200, "")
    assert asked == [["Dockerfile", "README.md"]]
    unknown = changed_last(replace(context, ports=replace(context.ports, last_change=lambda _: "")), ENTRIES)
    assert unknown.time == context.snapshot.committed
    assert "shallow clone" in unknown.doubt
