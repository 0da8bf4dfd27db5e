"""The image of this repository's own service: made from its recipe, and the same wherever and whenever it is made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines.docker_engine import DockerEngine
from pipeline.execution.checkout import Checkout
from pipeline.settings_loading import load
from pipeline.stages.build_plan import Prepared, prepared
from pipeline.stages.context import Context
from pipeline.stages.image_assembly import Made, Plan, assemble, held
from tests.container.places import CACHE, ROOT, real_context
from tests.support import real_processes, snapshot_of

pytestmark = pytest.mark.container

Node = tuple[str, int, int, int, str, bytes]
# Of this process, since another checkout's tests may be at work beside these.
NAME = f"container-tests-{os.getpid()}"


def own_context(folder: Path, engine: DockerEngine, tree: Path = ROOT) -> Context:
    """A context for this repository as it is, or as a folder has it."""
    context = real_context(folder, engine)
    snapshot = Checkout(ROOT, real_processes()).snapshot() if tree == ROOT else snapshot_of(tree)
    return replace(context, settings=load(tree, {}), snapshot=snapshot, tree=tree)


@pytest.fixture(name="ready", scope="module")
def _ready(tmp_path_factory: pytest.TempPathFactory, engine: DockerEngine) -> Prepared:
    return prepared(own_context(tmp_path_factory.mktemp("ready"), engine), engine)


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory, engine: DockerEngine, ready: Prepared) -> Made:
    folder = tmp_path_factory.mktemp("made")
    return assemble(ready.plan, engine, scratch=folder, blobs=folder / "blobs", say=print)


def tree_of(archive: Path) -> dict[str, Node]:
    """What the merged layers of a docker-archive hold: type, mode, owners, target of a link, content. No times."""
    found: dict[str, Node] = {}
    with tarfile.open(archive) as outer:
        manifest = outer.extractfile("manifest.json")
        assert manifest is not None
        for name in json.load(manifest)[0]["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(name)) as layer:
                for info in layer:
                    path = info.name.removeprefix("./").strip("/")
                    assert not path.rpartition("/")[2].startswith(".wh."), "this recipe deletes nothing"
                    file = layer.extractfile(info) if info.isreg() or info.islnk() else None
                    kind = "0" if file else info.type.decode()
                    content = file.read() if file else b""
                    found[path] = (kind, info.mode & 0o7777, info.uid, info.gid, "" if file else info.linkname, content)
    return found


def test_the_dockerfile_and_the_assembled_image_have_the_same_files_and_the_same_configuration(
    tmp_path: Path, engine: DockerEngine, ready: Prepared, made: Made
) -> None:
    # Without a name: what the engine makes on the way has none in a run either.
    identity, _ = engine.build(replace(ready.plan.request, tag=""))
    engine.export(identity, tmp_path / "recipe.tar")
    recipe, assembled = tree_of(tmp_path / "recipe.tar"), tree_of(made.archive)
    assert recipe.keys() == assembled.keys()
    assert [path for path, node in recipe.items() if node != assembled[path]] == []
    assert len(assembled) > 1000
    built, image = engine.image(identity), held(engine, made)
    assert built is not None
    for name in ("User", "Env", "Cmd", "WorkingDir", "ExposedPorts", "Healthcheck", "StopSignal"):
        assert image.configuration[name] == built.configuration[name], name


@pytest.mark.full
def test_what_is_made_without_any_cache_has_the_same_id_and_manifest(
    tmp_path: Path, engine: DockerEngine, ready: Prepared, made: Made
) -> None:
    plan = replace(ready.plan, request=replace(ready.plan.request, use_cache=False))
    again = assemble(plan, engine, scratch=tmp_path, blobs=tmp_path / "blobs", say=print, load=False)
    assert (again.id, again.manifest.digest) == (made.id, made.manifest.digest)


def test_the_image_keeps_to_its_sizes(engine: DockerEngine, made: Made) -> None:
    assert held(engine, made).size_bytes <= 40_000_000
    assert made.ready.compressed_bytes <= 15_000_000
    assert len(made.ready.layers) == 3


def changed_service(folder: Path, engine: DockerEngine, ready: Prepared, tag: str) -> Plan:
    """What is to be made when one file of the service has got another line, which no other run has."""
    context = own_context(folder, engine)
    changed = folder / "tree"
    for path in (*(entry.path for entry in ready.context), "pyproject.toml", ".dockerignore"):
        (changed / path).parent.mkdir(parents=True, exist_ok=True)
        (changed / path).write_bytes((context.tree / path).read_bytes())
    with (changed / "service" / "app.py").open("a", encoding="utf-8") as file:
        file.write(f"# {time.time_ns()}\n")
    plan = prepared(own_context(folder / "other", engine, changed), engine).plan
    return replace(plan, request=replace(plan.request, tag=tag))


def blobs_of(made: Made, folder: Path) -> Path:
    """A copy of the compressed layers of an image that the engine holds."""
    return shutil.copytree(next(iter(made.ready.blobs.values())).parent, folder / "blobs")


@pytest.fixture(name="handed")
def _handed(engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the layers in each archive that the engine is handed."""
    seen: list[list[str]] = []
    hand_over = engine.load

    def noted(archive: Path) -> None:
        with tarfile.open(archive) as tar:
            seen.append([name for name in tar.getnames() if name.endswith(".tar")])
        hand_over(archive)

    monkeypatch.setattr(engine, "load", noted)
    return seen


def test_a_change_of_the_service_makes_one_small_layer_and_the_engine_is_handed_that_alone(
    tmp_path: Path, engine: DockerEngine, ready: Prepared, made: Made, handed: list[list[str]]
) -> None:
    plan = changed_service(tmp_path, engine, ready, f"{NAME}:changed")
    blobs = blobs_of(made, tmp_path)
    after = assemble(plan, engine, scratch=tmp_path, blobs=blobs, say=print)
    try:
        assert after.ready.layers[:2] == made.ready.layers[:2]
        assert after.ready.layers[2] != made.ready.layers[2]
        assert after.ready.layers[2].size_bytes < 300_000
        assert handed == [[f"{after.ready.layers[2].diff_id.removeprefix('sha256:')}.tar"]]
        assert held(engine, after).id == after.id
    finally:
        engine.untag(plan.request.tag)


def test_an_engine_that_has_lost_a_layer_is_handed_the_whole_image(
    tmp_path: Path, engine: DockerEngine, ready: Prepared, made: Made, handed: list[list[str]]
) -> None:
    plan = changed_service(tmp_path, engine, ready, f"{NAME}:lost")
    blobs = blobs_of(made, tmp_path)
    first = assemble(plan, engine, scratch=tmp_path, blobs=blobs, say=print, load=False)
    # Now every layer has a blob, and the engine has never seen the last one.
    again = assemble(plan, engine, scratch=tmp_path, blobs=blobs, say=print)
    try:
        assert [len(names) for names in handed] == [0, len(made.ready.layers)]
        assert held(engine, again).id == first.id
    finally:
        engine.untag(plan.request.tag)


def test_labels_and_annotations_say_what_it_is_and_nothing_of_its_making(made: Made) -> None:
    prefix = "org.opencontainers.image."
    annotations = json.loads(made.manifest.body)["annotations"]
    assert {name.removeprefix(prefix) for name in annotations} >= {
        "title", "description", "licenses", "version", "authors", "vendor", "base.name",
    }  # fmt: skip
    assert not {f"{prefix}created", f"{prefix}revision"} & annotations.keys()
    assert all(annotations.values())


def test_both_bases_are_listed_with_every_package(ready: Prepared) -> None:
    names = [item.name for item in ready.inputs()]
    assert {"image sources", "base.lock", "libc6", "python3-pip", "deflate, level 9"} <= set(names)
    assert all(len(item.sha256) == 64 for item in ready.inputs())
    assert sum(name.endswith(".whl") for name in names) == len(ready.pins)


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(("git", *identity, *words), cwd=folder, check=True, capture_output=True)


PLANTED = 'RUN ["python3", "-c", "import os; open(\'/stamp\', \'wb\').write(os.urandom(8))"]\n'
SMALL = """ARG RUNTIME_IMAGE
FROM ${RUNTIME_IMAGE}
COPY service /app
USER 65532
HEALTHCHECK CMD ["python3", "-c", "pass"]
CMD ["python3", "/app/app.py"]
"""


@pytest.mark.full
@pytest.mark.parametrize(
    ("recipe", "code", "said"),
    [
        (SMALL, 0, "The same image and the same manifest each time."),
        (SMALL.replace("USER", PLANTED + "USER"), 1, "the content of /stamp is "),
        (SMALL.replace("USER", 'RUN ["python3", "-c", "1/0"]\nUSER'), 1, "could not be built from scratch"),
    ],
)
def test_build_verify_tells_a_reproducible_image_from_another(
    tmp_path: Path, engine: DockerEngine, recipe: str, code: int, said: str
) -> None:
    del engine
    (tmp_path / "service").mkdir()
    for name, text in {
        "Dockerfile": recipe,
        "pyproject.toml": '[project]\nname = "container-sample"\nversion = "1"\n',
        "service/app.py": "APP = 1\n",
        "service/requirements.txt": "",
        ".gitignore": ".pipeline/\nreports/\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    (tmp_path / ".pipeline" / "cache").mkdir(parents=True)
    (tmp_path / ".pipeline" / "cache" / "debs").symlink_to(CACHE / "debs")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = (sys.executable, "-m", "pipeline", "build", "--verify")
    ended = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, said in ended.stdout + ended.stderr) == (code, True), ended.stdout + ended.stderr
