"""``build``: what it sends, what it finds in the image, and which faults turn it to which status."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.containers import BuildFault, BuildRequest, ContainerEngine, Image
from pipeline.core.stage import Examination, Status, not_run
from pipeline.core.verdict import conclude
from pipeline.errors import ConfigurationError, EngineTrouble
from pipeline.settings import Settings
from pipeline.stages.build import BuildStage
from pipeline.stages.image_checks import controls
from pipeline.testing import FakeEngine
from tests.unit.stages.build_kit import BASES, HASH, ID, MEMBERS, SETTINGS, SOUND, Trial


@pytest.fixture(name="trial")
def _trial(tmp_path: Path) -> Trial:
    engine = FakeEngine(built=ID, build_log="Step 1/3\n")
    return Trial(tmp_path, engine).holding(*MEMBERS)


def status(examination: Examination) -> Status:
    """What it amounts to."""
    return conclude(examination)[0]


def missed(examination: Examination) -> list[str]:
    """The gates that were not met."""
    return [gate.what for gate in examination.gates if not gate.passed]


def test_a_sound_image_passes_with_its_facts(trial: Trial) -> None:
    examination = trial.run()
    verdict, reasons = conclude(examination)
    assert verdict is Status.PASS
    assert reasons == (
        f"Image {ID}, 41.0 MB in 2 layers.",
        "Its base is locked Debian trixie with 1 Debian packages, lock dddddddddddd: libc6 2.41.",
    )
    assert examination.evidence.expected == {"file service/app.py", "Debian package libc6 2.41"}
    assert examination.metrics["image_id"] == ID
    assert examination.metrics["manifest_digest"] == ""
    assert examination.metrics["size_bytes"] == 41_000_000
    assert [tool.name for tool in examination.tools] == ["docker"]


def test_the_build_is_asked_for_as_it_should_be(trial: Trial) -> None:
    context = trial.context()
    BuildStage().run(context)
    (request,) = trial.engine.asked
    assert isinstance(request, BuildRequest)
    assert request.tag == f"sample:{context.snapshot.digest[:12]}"
    assert request.arguments == BASES.arguments
    assert (request.labels, request.network) == ({}, "none")
    assert (context.raw / "build.log").read_text(encoding="utf-8") == "Step 1/3\n"
    assert json.loads((context.raw / "image.json").read_text(encoding="utf-8"))["id"] == ID
    packages = json.loads((context.raw / "packages.json").read_text(encoding="utf-8"))
    assert packages["debian"] == [{"name": "libc6", "version": "2.41"}]


def test_only_arguments_that_the_recipe_declares_are_passed(trial: Trial) -> None:
    trial.run({"Dockerfile": "arg RUNTIME_IMAGE\nARG IMAGE_VERSION\nFROM ${RUNTIME_IMAGE}\n"})
    (request,) = trial.engine.asked
    assert isinstance(request, BuildRequest)
    assert dict(request.arguments) == {"RUNTIME_IMAGE": "sha256:r", "IMAGE_VERSION": "1.2.3"}


def with_config(**configuration: Any) -> Image:
    """A sound image but for this."""
    return replace(SOUND, configuration={**SOUND.configuration, **configuration})


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (replace(SOUND, user=""), "user of the image"),
        (replace(SOUND, user="0:0"), "user of the image"),
        (replace(SOUND, user="00"), "user of the image"),
        (replace(SOUND, user="nobody"), "user of the image"),
        (with_config(Healthcheck=None), "health check"),
        (with_config(Healthcheck={"Test": ["NONE"]}), "health check"),
        (with_config(Env=["DB_PASSWORD=x"]), "variables of the image that look like secrets"),
        (with_config(Env=["KEY_PROD=x"]), "variables of the image that look like secrets"),
    ],
)
def test_an_unsound_configuration_fails(trial: Trial, image: Image, what: str) -> None:
    examination = trial.holding(*MEMBERS, image=image).run()
    assert (status(examination), missed(examination)) == (Status.FAIL, [what])


@pytest.mark.parametrize("variable", ["GPG_KEY=A035", "KEY_PROD=", "MONKEY=x", "KEYBOARD=de"])
def test_an_ordinary_variable_is_no_secret(trial: Trial, variable: str) -> None:
    assert status(trial.holding(*MEMBERS, image=with_config(Env=[variable])).run()) is Status.PASS


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (("app/.env", b"x", 0o644), "files and folders of the image that look like credentials or history"),
        (("app/.env.production", b"x", 0o644), "files and folders of the image that look like credentials or history"),
        (("root/.ssh/id_ed25519", b"x", 0o600), "files and folders of the image that look like credentials or history"),
        (("app/.git", None, 0o755), "files and folders of the image that look like credentials or history"),
        (("usr/bin/su", b"x", 0o4755), "set-user-id and set-group-id files"),
        (("usr/bin/wall", b"x", 0o2755), "set-user-id and set-group-id files"),
        (("app/service/tests/test_app.py", b"def test() -> None: ...\n", 0o644), "test files in the image"),
        (("opt/flask-3.0.dist-info/METADATA", b"", 0o644), "Python packages in the image that are not as locked"),
        (("opt/pip-25.dist-info/METADATA", b"", 0o644), "Python packages in the image that are not as locked"),
    ],
)
def test_what_does_not_belong_into_an_image_fails(trial: Trial, member: Any, what: str) -> None:
    examination = trial.holding(*MEMBERS, member).run()
    assert (status(examination), missed(examination)) == (Status.FAIL, [what])


@pytest.mark.parametrize(
    "member", [("app/.env.example", b"x", 0o644), ("opt/sample-1.2.3.dist-info/METADATA", b"", 0o644)]
)
def test_what_may_be_there_passes(trial: Trial, member: Any) -> None:
    assert status(trial.holding(*MEMBERS, member).run()) is Status.PASS


def test_a_service_file_that_was_changed_on_the_way_fails(trial: Trial) -> None:
    examination = trial.holding(("app/service/app.py", b"APP = 2\n", 0o644), *MEMBERS[1:]).run()
    assert missed(examination) == ["service files that differ from the snapshot's"]
    assert status(trial.holding(MEMBERS[0], ("x/service/data.json", b"[]", 0o644), MEMBERS[2]).run()) is Status.FAIL


def test_a_service_file_that_is_not_there_leaves_doubt(trial: Trial) -> None:
    assert status(trial.holding(*MEMBERS[1:]).run()) is Status.INCONCLUSIVE


def test_a_service_may_lie_anywhere_in_the_image(trial: Trial) -> None:
    assert status(trial.holding(("srv/app.py", b"APP = 1\n", 0o644), *MEMBERS[1:]).run()) is Status.PASS


def test_a_base_package_that_is_not_there_leaves_doubt(trial: Trial) -> None:
    assert status(trial.holding(*MEMBERS[:2]).run()) is Status.INCONCLUSIVE


def test_locked_packages_are_found_by_their_version(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stages.build.ensure_wheels", lambda *_: {})
    files = {"service/requirements.txt": f"flask==3.1.0 --hash={HASH}\n"}
    held = ("opt/flask-3.1.dist-info/METADATA", b"", 0o644)
    assert status(trial.holding(*MEMBERS, held).run(files)) is Status.PASS
    assert status(trial.holding(*MEMBERS).run(files)) is Status.INCONCLUSIVE
    other = ("opt/flask-3.0.dist-info/METADATA", b"", 0o644)
    assert status(trial.holding(*MEMBERS, other).run(files)) is Status.FAIL


def test_a_size_above_the_ceiling_fails(trial: Trial) -> None:
    settings = replace(SETTINGS, build=replace(SETTINGS.build, max_size_mb=40.9))
    assert missed(trial.run(settings=settings)) == ["size of the image"]
    assert status(trial.run(settings=replace(SETTINGS, build=replace(SETTINGS.build, max_size_mb=41.0)))) is Status.PASS


def test_a_recipe_may_name_its_own_base(trial: Trial) -> None:
    settings = replace(SETTINGS, build=replace(SETTINGS.build, base="dockerfile"))
    examination = trial.holding(*MEMBERS, ("x/pip-25.dist-info/METADATA", b"", 0o644)).run(settings=settings)
    assert status(examination) is Status.PASS
    assert not trial.bases.asked
    assert [item.what for item in examination.not_checked] == ["the base image", "pip 25 in the image"]
    (request,) = trial.engine.asked
    assert isinstance(request, BuildRequest)
    assert not request.arguments


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
    result = replace(not_run("build", "A sample."), metrics={"image_id": ID})
    assert stage.still_holds(context, result)
    trial.engine.images = {}
    assert not stage.still_holds(context, result)

    def gone() -> ContainerEngine:
        raise EngineTrouble("No engine answers.")

    assert not stage.still_holds(replace(context, ports=replace(context.ports, engine=gone)), result)


def test_every_planted_fault_is_caught() -> None:
    assert len(controls()) == 5
    assert all(control.caught for control in controls())


def test_the_image_s_packages_are_handed_to_the_bill_of_materials(trial: Trial) -> None:
    trial.bases = replace(trial.bases, bases=replace(BASES, archives={"libc6 2.41": "a" * 64}))
    release = ("usr/lib/os-release", b"ID=debian\n", 0o644)
    system, libc = trial.holding(*MEMBERS, release).run().components
    assert (system.name, libc.name, libc.version) == ("debian", "libc6", "2.41")
    assert (libc.purl, libc.hashes) == ("pkg:deb/debian/libc6@2.41?distro=debian", (f"sha256:{'a' * 64}",))


def test_an_image_without_dpkg_s_records_says_what_its_bill_of_materials_lacks(trial: Trial) -> None:
    examination = trial.holding(*MEMBERS[:2]).run()
    assert not examination.components
    (lacking,) = examination.not_checked
    assert lacking.what == "the operating system's packages in the image"
    assert "does not list them" in lacking.reason
    assert not trial.holding(*MEMBERS).run().not_checked
