"""The adapter onto the docker SDK, against an engine that does what real ones can't be made to do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import BuildFault, Ownership
from pipeline.engines.discovery import Endpoint
from pipeline.engines.docker_engine import DockerEngine
from pipeline.errors import EngineTrouble, RegistryTrouble, StorageTrouble
from pipeline.testing import SilentProgress
from tests.fake_dockerd import VERSION, Call, FakeDockerd, Refusal, Stream, fake_dockerd
from tests.unit.engines.docker_kit import ID, PATIENCE_S, SILENCE_S, build_request, endpoint, query


def test_it_says_what_it_is(engine: DockerEngine) -> None:
    assert (engine.name, engine.version, engine.architecture) == ("docker", "20.10.24", "amd64")


def test_podman_is_called_podman(tmp_path: Path) -> None:
    version = {**VERSION, "Components": [{"Name": "Podman Engine"}]}
    with fake_dockerd(tmp_path / "p.sock", {"GET /version": version}):
        there = Endpoint(address=f"unix://{tmp_path}/p.sock", named_by="the test")
        engine = DockerEngine(there, timeout_s=5, progress=SilentProgress())
        assert engine.name == "podman"
        engine.close()


def test_a_build_is_hermetic_cleans_up_and_keeps_its_log(
    tmp_path: Path, fake: FakeDockerd, engine: DockerEngine, progress: SilentProgress
) -> None:
    steps = [{"stream": "Step 1/1 : FROM  x" + "y" * 200}, {"stream": "\n"}, {"status": "Pulling"}, {"aux": {"ID": ID}}]
    fake.answers["POST /build"] = Stream(steps)
    identity, log = engine.build(build_request(tmp_path))
    assert identity == ID
    assert log.startswith("Step 1/1 : FROM  xyyy")
    assert "Pulling\n" in log
    asked = query(fake.asked("POST /build")[0])
    wanted = {"networkmode": "none", "rm": "True", "forcerm": "True", "pull": "False", "t": "sample:1"}
    assert {name: asked[name][0] for name in wanted} == wanted
    assert json.loads(asked["buildargs"][0]) == {"A": "b"}
    assert "labels" not in asked
    assert progress.said == ["build: Step 1/1 : FROM x" + "y" * 83 + "…"]


@pytest.mark.parametrize(
    "message",
    [
        {"errorDetail": {"code": 3, "message": "The command 'x' returned a non-zero code: 3"}},
        {"error": "COPY failed: file not found in build context"},
        {"errorDetail": {"message": 'exec: "nothere": executable file not found in $PATH'}},
        {"error": "the --mount option requires BuildKit."},
        {"error": "base name (${X}) should not be blank"},
    ],
)
def test_a_recipe_at_fault_is_a_fault_with_the_log(
    tmp_path: Path, fake: FakeDockerd, engine: DockerEngine, message: dict[str, Any]
) -> None:
    fake.answers["POST /build"] = Stream([{"stream": "Step 1/2 : RUN x\n"}, message])
    with pytest.raises(BuildFault) as caught:
        engine.build(build_request(tmp_path))
    assert "Step 1/2 : RUN x" in caught.value.why
    assert caught.value.log.startswith("Step 1/2 : RUN x\n")


@pytest.mark.parametrize(
    "message",
    [
        {"error": 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host'},
        {"error": "ADD failed: Get http://x: dial tcp 127.0.0.1:1: connect: connection refused"},
        {"errorDetail": {"message": "write /var/lib/x: no space left on device"}},
        {"errorDetail": {"code": 137, "message": "The command 'x' returned a non-zero code: 137"}},
        {"errorDetail": {}},
        {"error": "something that nobody has seen before"},
    ],
)
def test_what_is_not_certainly_the_recipes_fault_is_the_engines(
    tmp_path: Path, fake: FakeDockerd, engine: DockerEngine, message: dict[str, Any]
) -> None:
    fake.answers["POST /build"] = Stream([message])
    with pytest.raises(EngineTrouble):
        engine.build(build_request(tmp_path))


def test_a_refused_recipe_is_a_fault(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["POST /build"] = Refusal(400, "dockerfile parse error line 1: unknown instruction: FRM")
    with pytest.raises(BuildFault, match="unknown instruction: FRM"):
        engine.build(build_request(tmp_path))


def test_an_engine_with_a_fault_of_its_own_is_trouble(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["POST /build"] = Refusal(500, "no disk")
    with pytest.raises(EngineTrouble, match=r"could not build the image\. no disk\."):
        engine.build(build_request(tmp_path))


def test_a_build_that_ends_without_an_image_is_trouble(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["POST /build"] = Stream([{"stream": "Step 1/1 : FROM x\n"}])
    with pytest.raises(EngineTrouble, match="named no image"):
        engine.build(build_request(tmp_path))


@pytest.mark.parametrize("stream", [Stream([{"stream": "x"}], cut=True), Stream([b"not JSON {"]), Stream([b"{half"])])
def test_an_answer_that_breaks_off_is_trouble(
    tmp_path: Path, fake: FakeDockerd, engine: DockerEngine, stream: Stream
) -> None:
    fake.answers["POST /build"] = stream
    with pytest.raises(EngineTrouble):
        engine.build(build_request(tmp_path))


@pytest.fixture(name="hasty")
def _hasty(tmp_path: Path, fake: FakeDockerd) -> Iterator[DockerEngine]:
    """An engine that is asked whether it is well after a short silence."""
    del fake
    engine = DockerEngine(endpoint(tmp_path), timeout_s=SILENCE_S, progress=SilentProgress())
    yield engine
    engine.close()


def test_an_engine_that_goes_deaf_in_the_middle_is_noticed(
    tmp_path: Path, fake: FakeDockerd, hasty: DockerEngine
) -> None:
    def stall(call: Call) -> Stream:
        del call
        fake.deaf.set()
        return Stream([{"stream": "Step 1/2 : RUN x\n"}], stall=True)

    fake.answers["POST /build"] = stall
    started = time.monotonic()
    with pytest.raises(EngineTrouble, match="stopped answering while it was to build the image"):
        hasty.build(build_request(tmp_path, timeout_s=4 * PATIENCE_S))
    assert time.monotonic() - started < PATIENCE_S


def test_an_engine_that_is_silent_and_well_is_waited_for(
    tmp_path: Path, fake: FakeDockerd, hasty: DockerEngine
) -> None:
    def slow(call: Call) -> Stream:
        del call
        until = time.monotonic() + PATIENCE_S
        # Silent until it has been asked twice whether it is well.
        while len(fake.asked("GET /_ping")) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        return Stream([{"aux": {"ID": ID}}])

    fake.answers["POST /build"] = slow
    begun = time.monotonic()
    assert hasty.build(build_request(tmp_path, timeout_s=4 * PATIENCE_S))[0] == ID
    assert len(fake.asked("GET /_ping")) >= 2
    assert time.monotonic() - begun >= 2 * SILENCE_S


def test_a_build_has_an_end_in_any_case(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["POST /build"] = Stream([{"stream": "x\n"}], stall=True)
    with pytest.raises(EngineTrouble, match="did not build the image within 2 seconds"):
        engine.build(build_request(tmp_path, timeout_s=2.0))


def test_nothing_is_left_running_after_a_failure(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["POST /build"] = Stream([{"error": "COPY failed: x"}], stall=True)
    before = {*threading.enumerate()}
    with pytest.raises(BuildFault):
        engine.build(build_request(tmp_path))
    assert not [thread for thread in {*threading.enumerate()} - before if thread.name == "engine-stream"]


def test_an_image_is_described_with_its_layers(fake: FakeDockerd, engine: DockerEngine) -> None:
    config = {"User": "65532", "Labels": None, "Env": ["A=b"]}
    fake.answers[f"GET /images/{ID}/json"] = fake.answers["GET /images/sample:1/json"] = {
        "Id": ID,
        "Size": 7,
        "Architecture": "amd64",
        "Config": config,
        "RootFS": {"Layers": ["sha256:a", "sha256:b"]},
    }
    steps = [{"CreatedBy": "USER 1", "Size": 0}, {"CreatedBy": "COPY", "Size": 3}, {"CreatedBy": "base", "Size": 4}]
    fake.answers[f"GET /images/{ID}/history"] = steps
    image = engine.image("sample:1")
    assert image is not None
    assert [(layer.created_by, layer.size_bytes) for layer in image.layers] == [("base", 4), ("COPY", 3)]
    assert (image.user, image.diff_ids, image.labels) == ("65532", ("sha256:a", "sha256:b"), {})


def test_an_image_that_is_not_there_is_none(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["GET /images/.*"] = Refusal(404, "No such image: sample:1")
    assert engine.image("sample:1") is None


def test_trouble_with_describing_is_not_taken_for_absence(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers["GET /images/.*"] = Refusal(500, "broken")
    with pytest.raises(EngineTrouble):
        engine.image("sample:1")


def test_an_archive_is_loaded_and_its_errors_are_seen(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"the archive")
    fake.answers["POST /images/load"] = Stream([{"stream": "Loaded"}])
    engine.load(archive)
    assert fake.asked("POST /images/load")[0].body == b"the archive"
    fake.answers["POST /images/load"] = Stream([{"errorDetail": {"message": "no space"}, "error": "no space"}])
    with pytest.raises(EngineTrouble, match="no space"):
        engine.load(archive)


def test_an_image_is_exported_whole(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers[f"GET /images/{ID}/get"] = Stream([b"first ", b"second"])
    engine.export(ID, tmp_path / "out.tar")
    assert (tmp_path / "out.tar").read_bytes() == b"first second"


def test_a_full_disk_is_not_the_engines_fault(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers[f"GET /images/{ID}/get"] = Stream([b"x" * 100_000])
    with pytest.raises(StorageTrouble, match="No space left"):
        engine.export(ID, Path("/dev/full"))


def test_an_export_that_breaks_off_is_trouble(tmp_path: Path, fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers[f"GET /images/{ID}/get"] = Stream([b"first "], cut=True)
    with pytest.raises(EngineTrouble):
        engine.export(ID, tmp_path / "out.tar")


def test_a_tag_may_hold_a_port(fake: FakeDockerd, engine: DockerEngine) -> None:
    fake.answers[f"POST /images/{ID}/tag"] = None
    fake.answers["POST /images/.*/tag"] = Refusal(201, "")
    engine.tag(ID, "127.0.0.1:5000/sample:1.2")
    assert query(fake.asked("POST .*/tag")[0]) == {"repo": ["127.0.0.1:5000/sample"], "tag": ["1.2"], "force": ["1"]}


def test_a_pull_is_by_digest_only(engine: DockerEngine) -> None:
    with pytest.raises(ValueError, match="name@digest"):
        engine.pull("sample:latest", {})


def test_a_pull_names_the_image_that_arrived(fake: FakeDockerd, engine: DockerEngine) -> None:
    reference = "127.0.0.1:5000/sample@sha256:" + "2" * 64
    fake.answers["POST /images/create"] = Stream([{"status": "Pulled"}])
    fake.answers["GET /images/.*/history"] = []
    fake.answers["GET /images/.*/json"] = {"Id": ID, "Size": 1, "Architecture": "amd64"}
    assert engine.pull(reference, {}) == ID
    fake.answers["GET /images/.*/json"] = Refusal(404, "No such image")
    with pytest.raises(RegistryTrouble, match="does not have it"):
        engine.pull(reference, {})
    fake.answers["POST /images/create"] = Stream([{"error": "manifest unknown"}])
    with pytest.raises(RegistryTrouble, match="manifest unknown"):
        engine.pull(reference, {})


def test_only_what_this_checkouts_earlier_runs_left_is_removed(fake: FakeDockerd, engine: DockerEngine) -> None:
    mine, old = {"pipeline.run": "now"}, {"pipeline.run": "old"}
    fake.answers.update(
        {
            "GET /containers/json": [
                {"Id": "c1", "Names": ["/one"], "Labels": old},
                {"Id": "c2", "Names": ["/two"], "Labels": mine},
                {"Id": "c3", "Names": ["/three"], "Labels": old},
            ],
            "DELETE /containers/c1": None,
            "DELETE /containers/c3": Refusal(404, "No such container"),
            "GET /networks": [{"Id": "n1", "Name": "net", "Labels": old}, {"Id": "n2", "Name": "gone", "Labels": None}],
            "DELETE /networks/n1": None,
            "DELETE /networks/n2": Refusal(404, "network n2 not found"),
        }
    )
    assert engine.remove_leftovers(Ownership(checkout="here", run="now")) == ["one", "net"]
    assert "pipeline.owner%3Dhere" in fake.asked("GET /containers/json")[0].text
    assert not fake.asked("DELETE /containers/c2")


def test_an_engine_that_is_gone_is_trouble_at_once(tmp_path: Path) -> None:
    nowhere = Endpoint(address=f"unix://{tmp_path}/none.sock", named_by="the test")
    with pytest.raises(EngineTrouble, match="could not tell its version"):
        DockerEngine(nowhere, timeout_s=5, progress=SilentProgress())


def test_an_engine_whose_version_can_not_be_read_is_trouble(tmp_path: Path) -> None:
    answers = iter([VERSION, Refusal(500, "no version")])
    with (
        fake_dockerd(tmp_path / "d.sock", {"GET /version": lambda call: next(answers)}),
        pytest.raises(EngineTrouble, match="no version"),
    ):
        DockerEngine(
            Endpoint(address=f"unix://{tmp_path}/d.sock", named_by="the test"), timeout_s=5, progress=SilentProgress()
        )
