"""Wheels are fetched for the image's platform, held against the lock, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.lock import Pin
from pipeline.core.ports import Outcome, Request
from pipeline.errors import FetchTrouble, StorageTrouble
from pipeline.settings import Settings
from pipeline.stages.context import Context
from pipeline.stages.wheelhouse import Target, ensure_wheels
from pipeline.testing import ScriptedRunner, outcome
from tests.support import make_context, write_files

TARGET = Target(python="3.13", architecture="amd64")
WHEEL = "sample_pkg-1.0-py3-none-any.whl"


def pin(content: str = "wheel", **changes: str) -> Pin:
    """The lock's line for a wheel with this content."""
    digest = "sha256:" + hashlib.sha256(content.encode()).hexdigest()
    plain = Pin(name="sample-pkg", version="1.0", hashes=(digest,), line=1)
    return replace(plain, **changes)  # type: ignore[arg-type]  # what a test gives


def pip(files: dict[str, str]) -> Callable[[Request], Outcome]:
    """A pip that fetches these files."""

    def run(request: Request) -> Outcome:
        folder = Path(request.argv[request.argv.index("--dest") + 1])
        write_files(folder, dict(files))
        return outcome()

    return run


@pytest.fixture(name="runner")
def _runner() -> ScriptedRunner:
    return ScriptedRunner([pip({WHEEL: "wheel"})])


@pytest.fixture(name="context")
def _context(tmp_path: Path, runner: ScriptedRunner) -> Context:
    tree = write_files(tmp_path / "tree", {"Dockerfile": "x"})
    context = make_context(tmp_path, tree, Settings(), processes=runner)
    return replace(context, ports=replace(context.ports, cache=tmp_path / "cache"))


def test_wheels_are_asked_for_the_images_python_and_platform(context: Context, runner: ScriptedRunner) -> None:
    wheels = ensure_wheels(context, [pin()], TARGET)
    assert {name: path.read_text() for name, path in wheels.items()} == {WHEEL: "wheel"}
    words = runner.requests[0].argv
    assert {"--require-hashes", "--no-deps", "manylinux_2_17_x86_64", "manylinux2014_x86_64"} <= set(words)
    assert words[words.index("--only-binary") + 1] == ":all:"
    assert words[words.index("--python-version") + 1] == "3.13"


def test_fetched_wheels_are_kept(context: Context, runner: ScriptedRunner) -> None:
    assert ensure_wheels(context, [pin()], TARGET) == ensure_wheels(context, [pin()], TARGET)
    assert len(runner.requests) == 1


def test_a_damaged_wheel_in_the_cache_is_fetched_again(context: Context, tmp_path: Path) -> None:
    (kept,) = ensure_wheels(context, [pin()], TARGET).values()
    kept.write_text("spoilt", encoding="utf-8")
    runner = ScriptedRunner([pip({WHEEL: "wheel"})])
    again = replace(context, ports=replace(context.ports, processes=runner))
    (fetched,) = ensure_wheels(again, [pin()], TARGET).values()
    assert fetched.read_text() == "wheel"
    assert [path.name for path in (tmp_path / "cache" / "wheels").iterdir()] == [fetched.parent.name]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({WHEEL: "other"}, "SHA-256 that the lock does not name"),
        ({}, "sample-pkg 1.0 is missing"),
        ({WHEEL: "wheel", "more-1.0-py3-none-any.whl": "x"}, "more-1.0-py3-none-any.whl is not locked"),
        ({WHEEL: "wheel", "sample.tar.gz": "x"}, "is no wheel"),
        ({"sample_pkg-1.1-py3-none-any.whl": "wheel"}, "sample-pkg 1.0 is missing"),
    ],
)
def test_what_is_not_exactly_the_lock_is_refused(context: Context, files: dict[str, str], complaint: str) -> None:
    other = replace(context, ports=replace(context.ports, processes=ScriptedRunner([pip(files)])))
    with pytest.raises(FetchTrouble, match=complaint):
        ensure_wheels(other, [pin()], TARGET)


def test_a_package_without_a_wheel_is_said_with_pips_own_words(context: Context) -> None:
    said = "WARNING: noise\nERROR: No matching distribution found for sample-pkg==1.0\n"
    runner = ScriptedRunner([outcome(1, stderr=said)])
    with pytest.raises(FetchTrouble) as caught:
        ensure_wheels(replace(context, ports=replace(context.ports, processes=runner)), [pin()], TARGET)
    assert caught.value.why == "pip says: ERROR: No matching distribution found for sample-pkg==1.0"
    assert "offered as a wheel" in caught.value.advice
    assert (context.raw / "wheels.log").exists()


def test_markers_are_judged_for_the_image_and_not_for_this_machine(context: Context, runner: ScriptedRunner) -> None:
    for marker in ('python_version < "3.13"', 'sys_platform == "win32"', 'platform_machine == "aarch64"'):
        assert ensure_wheels(context, [pin(marker=marker)], TARGET) == {}
    assert not runner.requests
    assert ensure_wheels(context, [pin(marker='python_full_version >= "3.13"')], TARGET)


def test_other_platforms_have_other_wheels(context: Context, tmp_path: Path) -> None:
    runner = ScriptedRunner([pip({WHEEL: "wheel"})] * 2)
    both = replace(context, ports=replace(context.ports, processes=runner))
    ensure_wheels(both, [pin()], TARGET)
    ensure_wheels(both, [pin()], Target(python="3.13", architecture="arm64"))
    assert "manylinux_2_17_aarch64" in runner.requests[1].argv
    assert len(list((tmp_path / "cache" / "wheels").iterdir())) == 2


def test_a_cache_that_can_not_be_written_is_said(context: Context, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(StorageTrouble):
        ensure_wheels(context, [pin()], TARGET)
