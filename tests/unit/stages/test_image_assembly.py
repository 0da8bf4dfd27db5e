"""What the engine is handed of an image that was put together: only what is new to it, and all of it if need be."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.core.bases import Outline
from pipeline.core.containers import BuildRequest
from pipeline.errors import EngineTrouble, StorageTrouble
from pipeline.images.archive import Layer, hashed, write_configured
from pipeline.images.outline import ensure_outline
from pipeline.stages.image_assembly import Made, Plan, assemble
from pipeline.testing import FakeEngine
from tests import docker_archives
from tests.docker_archives import layer
from tests.unit.stages.build_kit import ID, SOUND

BASE = layer(("usr/bin/python3", b"python", 0o755))
APPLICATIONS = [layer(("app/app.py", f"VERSION = {number}\n".encode(), 0o644)) for number in range(2)]


@dataclass
class Handed(FakeEngine):
    """An engine that notes which layers it is handed, and may want them all."""

    layers: list[list[str]] = field(default_factory=list)
    only_whole: bool = False
    broken: bool = False

    def load(self, archive: Path) -> None:
        """Take it, or not."""
        with tarfile.open(archive) as tar:
            self.layers.append([name for name in tar.getnames() if name.endswith(".tar")])
        if self.broken or (self.only_whole and len(self.layers[-1]) < 2):
            raise EngineTrouble("The engine could not load an image.")
        super().load(archive)


def built(application: bytes, engine: Handed, folder: Path) -> Made:
    """The image of the base and this application; the blobs stay for the next."""
    tars = [BASE, application]
    engine.archive = docker_archives.archive(tars)
    diff_ids = tuple(f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars)
    engine.images[ID] = replace(SOUND, diff_ids=diff_ids)
    return assemble(plan_of(folder, {}), engine, scratch=folder, blobs=folder / "blobs", say=lambda _: None)


def plan_of(folder: Path, arguments: Mapping[str, str]) -> Plan:
    request = BuildRequest(
        context=folder / "none.tar",
        dockerfile="Dockerfile",
        tag="sample:1",
        arguments=arguments,
        labels={},
        timeout_s=9,
    )
    return Plan(request=request, recipe="FROM scratch\n", created=0)


def engine_of(kind: type[Handed] = Handed) -> Handed:
    return kind(built=ID, images={})


def names(made: Made) -> list[str]:
    return [f"{facts.diff_id.removeprefix('sha256:')}.tar" for facts in made.ready.layers]


def test_the_first_image_is_handed_over_whole_and_the_next_without_what_it_shares(tmp_path: Path) -> None:
    engine = engine_of()
    first, second = (built(application, engine, tmp_path) for application in APPLICATIONS)
    assert names(first)[0] == names(second)[0]
    assert engine.layers == [names(first), names(second)[1:]]
    assert {first.id, second.id} <= engine.images.keys()


def test_an_engine_that_wants_whole_archives_gets_one(tmp_path: Path) -> None:
    engine = engine_of()
    engine.only_whole = True
    for application in APPLICATIONS:
        last = built(application, engine, tmp_path)
    assert engine.layers[1:] == [names(last)[1:], names(last)]
    assert last.id in engine.images


def test_an_engine_that_takes_nothing_is_trouble(tmp_path: Path) -> None:
    engine = engine_of()
    engine.broken = True
    with pytest.raises(EngineTrouble, match="could not load"):
        built(APPLICATIONS[0], engine, tmp_path)


def test_an_image_that_the_engine_has_is_only_named(tmp_path: Path) -> None:
    engine = engine_of()
    first = built(APPLICATIONS[0], engine, tmp_path)
    again = built(APPLICATIONS[0], engine, tmp_path)
    assert (again.id, len(engine.layers)) == (first.id, 1)
    assert engine.images["sample:1"].id == first.id


def test_an_image_that_can_not_be_named_is_trouble_though_the_engine_has_it(tmp_path: Path) -> None:
    class Nameless(Handed):
        """Gives no names."""

        def tag(self, image: str, reference: str) -> None:
            """Not this one."""
            raise EngineTrouble(f"The engine could not name {image} {reference}.")

    engine = engine_of(Nameless)
    built(APPLICATIONS[0], engine, tmp_path)
    with pytest.raises(EngineTrouble, match="could not name"):
        built(APPLICATIONS[0], engine, tmp_path)


def test_an_image_is_built_on_the_outline_and_comes_out_on_the_base(tmp_path: Path) -> None:
    base, outline = tmp_path / "base.tar", tmp_path / "outline.tar"
    config = json.dumps({"config": {"Labels": {}}, "rootfs": {"diff_ids": [hashed(io.BytesIO(BASE)).diff_id]}}).encode()
    with base.open("wb") as out:
        write_configured(out, config, [Layer(facts=hashed(io.BytesIO(BASE)), content=io.BytesIO(BASE))], "base:1")
    identity = ensure_outline(base, outline)
    engine = engine_of()
    before = built(APPLICATIONS[0], engine, tmp_path)
    with tarfile.open(outline) as tar:
        name = next(name for name in tar.getnames() if name.endswith(".tar"))
        content = tar.extractfile(name)
        assert content is not None
        tars = [content.read(), APPLICATIONS[0]]
    engine.archive = docker_archives.archive(tars)
    diff_ids = tuple(hashed(io.BytesIO(tar)).diff_id for tar in tars)
    engine.images |= {
        ID: replace(SOUND, diff_ids=diff_ids),
        identity: replace(SOUND, id=identity, diff_ids=diff_ids[:1]),
    }
    plan = replace(
        plan_of(tmp_path, {"RUNTIME_IMAGE": "sha256:base", "OTHER": "1"}), outline=Outline(image=identity, base=base)
    )
    after = assemble(plan, engine, scratch=tmp_path, blobs=tmp_path / "others", say=lambda _: None)
    asked = [request for request in engine.asked if isinstance(request, BuildRequest)][-1]
    assert asked.arguments == {"RUNTIME_IMAGE": identity, "OTHER": "1"}
    base_itself, application = hashed(io.BytesIO(BASE)), before.ready.layers[1]
    assert after.ready.layers == (base_itself, application)
    # The engine has the base, which was loaded into it before the build.
    assert engine.layers[-1] == names(after)[1:]


def test_a_base_that_is_no_archive_is_trouble_with_the_cache(tmp_path: Path) -> None:
    (tmp_path / "base.tar").write_bytes(b"nothing")
    engine = engine_of()
    engine.images[ID] = SOUND
    plan = replace(plan_of(tmp_path, {}), outline=Outline(image="sha256:o", base=tmp_path / "base.tar"))
    with pytest.raises(StorageTrouble, match="base image in the cache"):
        assemble(plan, engine, scratch=tmp_path, blobs=tmp_path / "blobs", say=lambda _: None)
