"""``build``: what it sends, what it makes of it, what it finds in the image, and which faults turn it to which status.

What is held against an image itself has tests of its own; here nothing is found wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import BuildFault, BuildRequest, ContainerEngine
from pipeline.core.image_inputs import InputKind, read_inputs
from pipeline.core.oci_manifest import digest_of
from pipeline.core.stage import Examination, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, EngineTrouble
from pipeline.settings import Settings
from pipeline.stages import build, build_plan
from pipeline.stages.build import BuildStage
from pipeline.stages.image_judgement import Judgement
from pipeline.testing import FakeEngine
from tests.unit.stages.build_kit import BASES, HASH, ID, MEMBERS, SETTINGS, Trial


@pytest.fixture(name="trial")
def _trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    def nothing_wrong(_context: Any, about: Any) -> Judgement:
        return Judgement(components=about.components)

    monkeypatch.setattr(build, "judge", nothing_wrong)
    engine = FakeEngine(built=ID, build_log="Step 1/3\n")
    return Trial(tmp_path, engine).holding(*MEMBERS)


def status(examination: Examination) -> Status:
    """What it amounts to."""
    return conclude(examination)[0]


def missed(examination: Examination) -> list[str]:
    """The gates that were not met."""
    return [gate.what for gate in examination.gates if not gate.passed]


def request_of(trial: Trial) -> BuildRequest:
    """What the engine was asked to build."""
    (request,) = (item for item in trial.engine.asked if isinstance(item, BuildRequest))
    return request


def test_a_sound_image_passes_with_its_facts(trial: Trial) -> None:
    examination = trial.run()
    verdict, reasons = conclude(examination)
    assert verdict is Status.PASS
    metrics = examination.metrics
    assert reasons[0].startswith(
        f"Image {metrics['image_id']}, 41.0 MB in 1 layers, 0.0 MB compressed, manifest sha256:"
    )
    assert reasons[1] == "Its base is locked Debian trixie with 1 Debian packages, lock dddddddddddd: libc6 2.41."
    assert examination.evidence.expected >= {"file service/app.py", "Debian package libc6 2.41"}
    assert metrics["image_id"] in trial.engine.images
    assert metrics["size_bytes"] == 41_000_000
    assert (metrics["reproducible"], metrics["created"]) == ("yes", "2025-12-31T00:00:00Z")
    assert [tool.name for tool in examination.tools] == ["docker"]


def test_the_manifest_is_known_and_kept_before_anything_is_pushed(trial: Trial) -> None:
    context = trial.context()
    examination = BuildStage().run(context)
    kept = (context.raw / "manifest.json").read_bytes()
    assert examination.metrics["manifest_digest"] == digest_of(kept)
    assert json.loads(kept)["config"]["digest"] == examination.metrics["image_id"]
    assert json.loads(kept)["annotations"]["org.opencontainers.image.version"] == "1.2.3"


def test_the_same_content_gives_the_same_image_whatever_the_engine_stamps(trial: Trial) -> None:
    first = trial.run().metrics
    second = trial.holding(*MEMBERS).run().metrics
    assert first["manifest_digest"] == second["manifest_digest"]
    other = trial.holding(*MEMBERS, ("app/more", b"x", 0o644)).run().metrics
    assert other["manifest_digest"] != first["manifest_digest"]


def test_every_input_is_listed_with_its_digest(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = trial.folder / "flask-3.1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    monkeypatch.setattr(build_plan, "ensure_wheels", lambda *_: {wheel.name: wheel})
    listed = {item.kind: item for item in read_inputs(trial.run().details)}
    assert set(listed) == {InputKind.SOURCE, InputKind.WHEEL, InputKind.COMPRESSOR}
    assert (listed[InputKind.WHEEL].version, listed[InputKind.WHEEL].sha256) == (
        "3.1.0",
        digest_of(b"wheel").removeprefix("sha256:"),
    )
    assert listed[InputKind.WHEEL].uri == f"pkg:pypi/flask@3.1.0?file_name={wheel.name}"
    assert (listed[InputKind.COMPRESSOR].name, listed[InputKind.COMPRESSOR].version) == ("deflate, level 9", "0.9.0")


def test_a_package_that_is_not_as_locked_is_said_loudly(trial: Trial) -> None:
    trial.bases = replace(trial.bases, bases=replace(BASES, replaced=("libc6: 2.40 -> 2.41",)))
    context = trial.context()
    examination = BuildStage().run(context)
    assert examination.metrics["reproducible"] == "no"
    (reason,) = examination.details["making"]["not_reproducible"]
    assert "libc6: 2.40 -> 2.41" in reason
    assert any(reason in note for note in conclude(examination)[1])
    said: Any = context.ports.progress
    assert any(line.startswith("NOT REPRODUCIBLE: ") for line in said.said)


def test_a_history_that_is_cut_off_leaves_the_time_in_doubt(trial: Trial) -> None:
    context = trial.context()
    context = replace(context, ports=replace(context.ports, last_change=lambda _: ""))
    examination = BuildStage().run(context)
    assert (examination.metrics["reproducible"], examination.metrics["created"]) == ("no", "2026-01-01T00:00:00Z")
    assert "shallow clone" in examination.details["making"]["not_reproducible"][0]


def test_the_build_is_asked_for_as_it_should_be(trial: Trial) -> None:
    context = trial.context()
    examination = BuildStage().run(context)
    request = request_of(trial)
    assert request.tag == ""
    assert examination.metrics["tag"] == f"sample:{context.snapshot.digest[:12]}"
    assert request.arguments == BASES.arguments
    assert (request.labels, request.network, request.use_cache) == ({}, "none", True)
    assert (context.raw / "build.log").read_text(encoding="utf-8") == "Step 1/3\n"
    assert json.loads((context.raw / "image.json").read_text(encoding="utf-8"))["id"] == examination.metrics["image_id"]
    packages = json.loads((context.raw / "packages.json").read_text(encoding="utf-8"))
    assert packages["debian"] == [{"name": "libc6", "version": "2.41"}]


def test_only_arguments_that_the_recipe_declares_are_passed(trial: Trial) -> None:
    trial.run({"Dockerfile": "arg RUNTIME_IMAGE\nARG IMAGE_VERSION\nARG SOURCE_DATE_EPOCH\nFROM ${RUNTIME_IMAGE}\n"})
    assert dict(request_of(trial).arguments) == {
        "RUNTIME_IMAGE": "sha256:r",
        "IMAGE_VERSION": "1.2.3",
        "SOURCE_DATE_EPOCH": "1767139200",
    }


def test_a_service_file_that_is_not_there_leaves_doubt(trial: Trial) -> None:
    assert status(trial.holding(*MEMBERS[1:]).run()) is Status.INCONCLUSIVE


def test_a_service_may_lie_anywhere_in_the_image(trial: Trial) -> None:
    assert status(trial.holding(("srv/app.py", b"APP = 1\n", 0o644), *MEMBERS[1:]).run()) is Status.PASS


def test_a_base_package_that_is_not_there_leaves_doubt(trial: Trial) -> None:
    assert status(trial.holding(*MEMBERS[:2]).run()) is Status.INCONCLUSIVE


def test_locked_packages_are_found_by_their_version(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stages.build_plan.ensure_wheels", lambda *_: {})
    files = {"service/requirements.txt": f"flask==3.1.0 --hash={HASH}\n"}
    held = ("opt/flask-3.1.dist-info/METADATA", b"", 0o644)
    assert status(trial.holding(*MEMBERS, held).run(files)) is Status.PASS
    assert status(trial.holding(*MEMBERS).run(files)) is Status.INCONCLUSIVE


def test_a_size_above_the_ceiling_fails(trial: Trial) -> None:
    settings = replace(SETTINGS, build=replace(SETTINGS.build, max_size_mb=40.9))
    assert missed(trial.run(settings=settings)) == ["size of the image"]
    assert status(trial.run(settings=replace(SETTINGS, build=replace(SETTINGS.build, max_size_mb=41.0)))) is Status.PASS


def test_a_recipe_may_name_its_own_base(trial: Trial) -> None:
    settings = replace(SETTINGS, build=replace(SETTINGS.build, base="dockerfile"))
    examination = trial.holding(*MEMBERS, ("x/pip-25.dist-info/METADATA", b"", 0o644)).run(settings=settings)
    assert status(examination) is Status.PASS
    assert not trial.bases.asked
    assert [item.what for item in examination.not_checked][:2] == ["the base image", "pip 25 in the image"]
    assert not request_of(trial).arguments


def test_the_log_of_a_failed_build_is_kept(trial: Trial) -> None:
    trial.engine.build_log = BuildFault("The image can't be built.", log="Step 1/3\nboom\n")
    context = trial.context()
    with pytest.raises(BuildFault):
        BuildStage().run(context)
    assert (context.raw / "build.log").read_text(encoding="utf-8") == "Step 1/3\nboom\n"


def test_an_image_that_the_engine_does_not_have_is_trouble(trial: Trial) -> None:
    trial.engine.images = {}
    with pytest.raises(EngineTrouble, match="does not have it"):
        trial.run()


@pytest.mark.parametrize(
    ("files", "change", "message"),
    [
        ({"Dockerfile": "FROM x\n"}, lambda s: s, "has no 'ARG RUNTIME_IMAGE'"),
        ({}, lambda s: replace(s, build=replace(s.build, python="3.12")), "build.python is 3.12"),
        ({"service/requirements.txt": "flask==3.1\n"}, lambda s: s, "has no SHA-256 hash"),
        ({"service/requirements.txt": "flask>=3.1\n"}, lambda s: s, "not pinned"),
    ],
)
def test_what_the_user_must_mend_is_said(
    trial: Trial, files: dict[str, str], change: Callable[[Settings], Settings], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        trial.run(files, change(SETTINGS))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: replace(s, build=replace(s.build, dockerfile="Containerfile")),
        lambda s: replace(s, audit=replace(s.audit, lock="none.txt")),
        lambda s: replace(s, build=replace(s.build, image="no name")),
    ],
)
def test_settings_that_can_not_work_are_refused_before_anything_runs(
    trial: Trial, change: Callable[[Settings], Settings]
) -> None:
    stage, snapshot = BuildStage(), trial.context().snapshot
    stage.check_settings(SETTINGS, snapshot)
    with pytest.raises(ConfigurationError):
        stage.check_settings(change(SETTINGS), snapshot)


def test_a_result_holds_as_long_as_the_engine_has_the_image(trial: Trial) -> None:
    stage, context = BuildStage(), trial.context()
    result = replace(not_run("build", "A sample."), metrics={"image_id": ID, "last_release": "none"})
    assert stage.still_holds(context, result)
    # Against another release it may have grown more than is allowed; it is its own release after a push.
    other = replace(result, metrics={**result.metrics, "last_release": "sha256:other"})
    assert not stage.still_holds(context, other)
    assert stage.still_holds(context, replace(other, metrics={**other.metrics, "manifest_digest": "none"}))
    trial.engine.images = {}
    assert not stage.still_holds(context, result)

    def gone() -> ContainerEngine:
        raise EngineTrouble("No engine answers.")

    assert not stage.still_holds(replace(context, ports=replace(context.ports, engine=gone)), result)


def test_the_engine_is_asked_once_whether_it_has_the_image(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def image(reference: str) -> None:
        asked.append(reference)

    monkeypatch.setattr(trial.engine, "image", image)
    result = replace(not_run("build", "A sample."), metrics={"image_id": ID, "last_release": "none"})
    assert not BuildStage().still_holds(trial.context(), result)
    assert asked == [ID]


def test_the_image_s_packages_are_handed_to_the_bill_of_materials(trial: Trial) -> None:
    trial.bases = replace(trial.bases, bases=replace(BASES, archives={"libc6 2.41": "a" * 64}))
    release = ("usr/lib/os-release", b"ID=debian\n", 0o644)
    system, libc = trial.holding(*MEMBERS, release).run().components
    assert (system.name, libc.name, libc.version) == ("debian", "libc6", "2.41")
    assert (libc.purl, libc.hashes) == ("pkg:deb/debian/libc6@2.41?distro=debian", (f"sha256:{'a' * 64}",))


def test_an_image_without_dpkg_s_records_says_what_its_bill_of_materials_lacks(trial: Trial) -> None:
    examination = trial.holding(*MEMBERS[:2]).run()
    assert not examination.components
    (lacking, _) = examination.not_checked
    assert lacking.what == "the operating system's packages in the image"
    assert "does not list them" in lacking.reason
    (growth,) = trial.holding(*MEMBERS).run().not_checked
    assert growth.reason == "This is the first release, so there is nothing to compare with."
