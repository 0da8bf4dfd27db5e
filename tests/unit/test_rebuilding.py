"""The process that builds an image again: it takes its inputs along, takes on the surroundings, and says what came."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import base_images, engine_opening, rebuilding
from pipeline.core.bases import BaseSet
from pipeline.core.containers import BuildFault, BuildRequest
from pipeline.images.baselock import render_lock, shipped_lock
from pipeline.rebuilding import OUTCOME, Order, Surroundings, main, ordered, read_order
from pipeline.stages.build_plan import Prepared
from pipeline.stages.image_assembly import Plan
from pipeline.stages.image_sources import Moment
from pipeline.testing import FakeEngine
from tests.docker_archives import archive, layer
from tests.support import snapshot_of, write_files
from tests.unit.stages.build_kit import BASES, ID, SOUND


@pytest.fixture(name="order")
def _order(tmp_path: Path) -> Order:
    tree = write_files(tmp_path / "in" / "tree", {"Dockerfile": "FROM x\n", "service/app.py": "APP = 1\n"})
    (tree / "link").symlink_to("Dockerfile")
    wheel = write_files(tmp_path / "in", {"a.whl": "wheel"}) / "a.whl"
    request = BuildRequest(
        context=tmp_path / "gone", dockerfile="Dockerfile", tag="sample:1", labels={}, timeout_s=5,
        arguments={"RUNTIME_IMAGE": "sha256:r", "IMAGE_VERSION": "1"},
    )  # fmt: skip
    ready = Prepared(
        plan=Plan(request=request, recipe="FROM x\n", created=60, bases=("sha256:r",), labels={"a": "b"}),
        bases=BASES,
        context=snapshot_of(tree).entries,
        sources=(),
        wheels={"a.whl": wheel},
        pins=(),
        moment=Moment(time="1970-01-01T00:01:00Z"),
    )
    around = Surroundings(folder=str(tmp_path / "out"), umask=0o077)
    return ordered(ready, tree, tmp_path / "debs", None, around, "unix:///x")


@pytest.fixture(name="engine")
def _engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine(built=ID, images={ID: SOUND}, archive=archive([layer(("a", b"x", 0o644))]))
    monkeypatch.setattr(engine_opening, "open_engine", lambda *_: engine)
    # The test's own process goes on afterwards.
    monkeypatch.setattr(os, "umask", lambda _: 0)
    return engine


def carried_out(tmp_path: Path, order: Order) -> tuple[int, dict[str, Any]]:
    """The exit code and the outcome of an order."""
    (tmp_path / "out").mkdir(exist_ok=True)
    file = tmp_path / "order.json"
    file.write_text(json.dumps(asdict(order)), encoding="utf-8")
    code = main(str(file))
    found = tmp_path / "out" / OUTCOME
    return code, json.loads(found.read_text(encoding="utf-8")) if found.exists() else {}


def test_an_order_survives_its_way_to_the_process(order: Order) -> None:
    assert asdict(read_order(json.dumps(asdict(order)))) == json.loads(json.dumps(asdict(order)))


def test_the_image_is_built_without_any_cache_from_copies_alone(
    tmp_path: Path, order: Order, engine: FakeEngine
) -> None:
    code, found = carried_out(tmp_path, order)
    assert code == 0
    (request,) = engine.asked
    assert isinstance(request, BuildRequest)
    assert (request.use_cache, request.context) == (False, tmp_path / "out" / "context.tar")
    assert (tmp_path / "out" / "tree" / "link").readlink() == Path("Dockerfile")
    assert found["image_id"].startswith("sha256:")
    assert found["manifest_digest"].startswith("sha256:")
    assert (found["said"]["umask"], found["said"]["folder"]) == ("077", str(tmp_path / "out"))
    assert (tmp_path / "out" / "image.tar").exists()


def test_the_bases_are_made_anew_and_used(
    tmp_path: Path, order: Order, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = shipped_lock()
    made: list[Path] = []

    class Bases:
        """Bases of another id than the order's."""

        def __init__(self, cache: Path, **_: object) -> None:
            made.append(cache)

        def ensure(self, *_: object) -> BaseSet:
            """Them."""
            return replace(BASES, arguments={"RUNTIME_IMAGE": "sha256:new", "BUILDER_IMAGE": "sha256:other"})

    monkeypatch.setattr(base_images, "LockedBases", Bases)
    _, found = carried_out(tmp_path, replace(order, lock=render_lock(lock)))
    (request,) = engine.asked
    assert isinstance(request, BuildRequest)
    assert request.arguments == {"RUNTIME_IMAGE": "sha256:new", "IMAGE_VERSION": "1"}
    assert (made, found["bases"]) == ([tmp_path / "out" / "cache"], ["sha256:new", "sha256:other"])


def test_another_user_owns_the_place_and_keeps_the_engines_group(
    tmp_path: Path, order: Order, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    del engine
    became: list[Any] = []
    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda value, name=name: became.append((name, value)))
    owned: set[str] = set()
    monkeypatch.setattr(os, "chown", lambda path, *_, **__: owned.add(Path(path).name))
    around = replace(order.surroundings, user=65534, group=999)
    code, _ = carried_out(tmp_path, replace(order, surroundings=around))
    assert code == 0
    assert became == [("setgroups", [999]), ("setgid", 65534), ("setuid", 65534)]
    assert {"out", "app.py", "a.whl"} <= owned


@pytest.mark.parametrize(("trouble", "code"), [(BuildFault("boom"), 1), (RuntimeError("a defect"), 3)])
def test_a_fault_of_the_recipe_is_not_taken_for_one_of_ours(
    tmp_path: Path, order: Order, engine: FakeEngine, trouble: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.build_log = trouble
    assert carried_out(tmp_path, order) == (code, {})
    assert str(trouble) in capsys.readouterr().err
    assert rebuilding.ARCHIVE == "image.tar"
