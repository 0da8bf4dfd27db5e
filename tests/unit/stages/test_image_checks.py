"""The checks of an image together: findings at the instruction that answers for them, evidence, what is not checked."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.component import Component, ComponentKind
from pipeline.core.containers import Image
from pipeline.core.evidence import Evidence
from pipeline.core.finding import Severity
from pipeline.core.gate import check_gate
from pipeline.core.lock import Pin
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.images.contents import read_contents
from pipeline.images.layers import read_tree
from pipeline.settings import Audit, Build, Settings
from pipeline.settings_expect import expectations
from pipeline.settings_values import nearest
from pipeline.stages.context import Context
from pipeline.stages.image_checks import Inspected, Strangers, controls, judge, layers_of_base
from pipeline.stages.image_judgement import KEPT, Judgement, image_gates, joined
from pipeline.testing import FakeEngine
from tests.docker_archives import Member, archive, layer
from tests.fake_scanner import FakeScanner
from tests.support import KEY_ID, make_context, write_files

RECIPE = """FROM base:1
COPY a /app
COPY b /etc
ENV MODE=x
USER 65532
HEALTHCHECK CMD ["true"]
"""
BASE: tuple[Member, ...] = (
    ("usr/bin/python3.13", b"x", 0o755),
    ("etc/os-release", b'ID=debian\nVERSION_ID="13"\n', 0o644),
)
LOWER: tuple[Member, ...] = (("app/a.py", b"A = 1\n", 0o644),)
UPPER: tuple[Member, ...] = (("etc/own.conf", b"x\n", 0o644),)
SOUND: dict[str, Any] = {"Healthcheck": {"Test": ["CMD", "true"]}, "Env": ["PATH=/usr/bin"], "WorkingDir": "/app"}
SETTINGS = Settings(build=Build(dockerfile="Dockerfile"), audit=Audit(lock="requirements.txt"))


@dataclass
class Trial:
    """A place for one image after another."""

    folder: Path
    count: int = 0

    def judged(
        self,
        *layers: Sequence[Member],
        settings: Settings = SETTINGS,
        user: str = "65532",
        configuration: dict[str, Any] | None = None,
        recipe: str = RECIPE,
        **known: Any,
    ) -> tuple[Judgement, Context]:
        """The judgement of an image of these layers, the first of which is its base."""
        self.count += 1
        folder = self.folder / str(self.count)
        tree = write_files(folder / "tree", {"Dockerfile": recipe, "requirements.txt": "\ndemo==1\n"})
        context = make_context(folder / "run", tree, settings, processes=FakeScanner())
        path = folder / "image.tar"
        path.write_bytes(archive([layer(*members) for members in layers or (BASE, LOWER, UPPER)]))
        diff_ids = read_tree(io.BytesIO(path.read_bytes()), lambda path: False).diff_ids
        image = Image(
            id="sha256:1", size_bytes=1, layers=(), user=user, labels={}, architecture="amd64",
            configuration=SOUND if configuration is None else configuration, diff_ids=diff_ids,
        )  # fmt: skip
        with path.open("rb") as stream:
            contents = read_contents(stream)
        subject: dict[str, Any] = {
            "image": image,
            "archive": path,
            "contents": contents,
            "components": (),
            "base_layers": 1,
        } | known
        return judge(context, Inspected(**subject)), context


@pytest.fixture(name="trial")
def _trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def places(judged: Judgement) -> list[tuple[str, str]]:
    """Rules and places."""
    return [(finding.rule, finding.place) for finding in judged.findings]


def status(judged: Judgement, settings: Settings = SETTINGS) -> Status:
    """What an image comes to whose own gates are met."""
    evidence = Evidence.of("parts of the image", expected={"file a.py"}, checked={"file a.py"})
    sound = Examination(evidence=evidence, gates=(check_gate(True, what="x", allowed="1", found="1"),))
    return conclude(joined(sound, judged, settings.build))[0]


def test_a_sound_image_passes_and_everything_that_was_to_be_checked_was(trial: Trial) -> None:
    judged, context = trial.judged()
    assert (judged.findings, status(judged)) == ((), Status.PASS)
    assert judged.expected <= judged.checked and len([n for n in judged.checked if n.startswith("layer ")]) == 3
    assert {"check CIS-DI-0001", "check IMG-LAYER-SECRET", "check IMG-PACKAGE-MISSING"} <= judged.expected
    assert all(control.caught for control in judged.controls)
    assert judged.metrics["image_files"] == 4
    kept = json.loads((context.raw / KEPT).read_text(encoding="utf-8"))
    assert not kept["findings"] and not kept["doubts"]
    assert set(kept["checked"]) == judged.checked


def test_what_was_left_out_is_told(trial: Trial) -> None:
    judged, _ = trial.judged()
    assert [item.what for item in judged.not_checked] == [
        "the texts of the base image's layers",
        "known vulnerabilities of the Debian packages in the image",
        "known vulnerabilities of the locked Python packages in the image",
        "licences of the packages in the image",
    ]


@pytest.mark.parametrize(
    ("members", "rule", "place"),
    [
        ((*LOWER, ("app/run", b"x", 0o4755)), "CIS-DI-0008", "Dockerfile:2"),
        ((*LOWER, ("app/.env", b"x", 0o644)), "CIS-DI-0010", "Dockerfile:2"),
        ((*LOWER, ("app/.git", None, 0o755)), "IMG-HISTORY", "Dockerfile:2"),
        ((*LOWER, ("app/key.txt", f"k = {KEY_ID}\n".encode(), 0o644)), "IMG-LAYER-SECRET", "Dockerfile:2"),
    ],
)
def test_a_file_is_found_at_the_instruction_that_made_its_layer(
    trial: Trial, members: Sequence[Member], rule: str, place: str
) -> None:
    judged, _ = trial.judged(BASE, members, UPPER)
    assert (places(judged), status(judged)) == ([(rule, place)], Status.FAIL)


def test_a_file_of_the_base_is_found_at_the_from(trial: Trial) -> None:
    judged, _ = trial.judged((*BASE, ("usr/bin/passwd", b"x", 0o4755)), LOWER, UPPER)
    assert places(judged) == [("CIS-DI-0008", "Dockerfile:1")]


def test_the_configuration_is_found_at_its_instruction(trial: Trial) -> None:
    judged, _ = trial.judged(user="0:0", configuration={"Env": ["MODE_TOKEN=x"]}, recipe=RECIPE + "ENV MODE_TOKEN=x\n")
    assert sorted(places(judged)) == [
        ("CIS-DI-0001", "Dockerfile:5"),
        ("CIS-DI-0006", "Dockerfile:6"),
        ("CIS-DI-0010", "Dockerfile:7"),
    ]
    assert "The user of the image is 0:0" in judged.notes[0]


def test_only_what_reaches_the_threshold_fails(trial: Trial) -> None:
    shell: Member = ("bin/sh", b"x", 0o755)
    strict = replace(SETTINGS, build=replace(SETTINGS.build, fail_on=Severity.LOW))
    for settings, expected in ((SETTINGS, Status.PASS), (strict, Status.FAIL)):
        judged, _ = trial.judged((*BASE, shell), LOWER, UPPER, settings=settings)
        assert (places(judged), status(judged, settings)) == ([("IMG-SHELL", "Dockerfile:1")], expected)


def test_a_finding_keeps_its_fingerprint_when_lines_move(trial: Trial) -> None:
    members = (*LOWER, ("app/run", b"x", 0o4755), ("app/run2", b"x", 0o4755))
    first, _ = trial.judged(BASE, members, UPPER)
    second, _ = trial.judged(BASE, members, UPPER, recipe=f"# a comment\n{RECIPE}")
    assert [f.line for f in second.findings] == [3, 3]
    assert {f.id for f in first.findings} == {f.id for f in second.findings} and len(first.findings) == 2


def test_tests_and_changed_files_are_findings(trial: Trial) -> None:
    members = (*LOWER, ("app/tests/test_a.py", b"x", 0o644))
    judged, _ = trial.judged(
        BASE, members, UPPER, strangers=Strangers(tests=("tests/test_a.py",), altered=("a.py", "gone.py"))
    )
    assert sorted(places(judged)) == [
        ("IMG-ALTERED", "Dockerfile:2"), ("IMG-ALTERED", "Dockerfile:3"), ("IMG-TESTS", "Dockerfile:2"),
    ]  # fmt: skip


def test_a_missing_package_is_found_in_the_lock(trial: Trial) -> None:
    judged, _ = trial.judged(pins=(Pin(name="demo", version="1", hashes=(), line=2),))
    assert places(judged) == [("IMG-PACKAGE-MISSING", "requirements.txt:2")]


def test_licences_are_judged_where_a_list_is_given(trial: Trial) -> None:
    package = Component(kind=ComponentKind.PYTHON, name="demo", version="1", licences=("BUSL-1.1",))
    strict = replace(SETTINGS, build=replace(SETTINGS.build, licences=("MIT",)))
    judged, _ = trial.judged(settings=strict, components=(package,))
    assert places(judged) == [("IMG-LICENCE", "Dockerfile:1")]
    assert "check IMG-LICENCE" in judged.expected & judged.checked
    assert "The 1 packages name 1 licences: BUSL-1.1 (1)." in judged.notes


def test_expectations_are_judged_and_are_evidence(trial: Trial) -> None:
    expect = expectations({"user": "65532", "commands": ["sh"], "files": [{"path": "/app/a.py", "owner": 5}]}, nearest)
    strict = replace(SETTINGS, build=replace(SETTINGS.build, expect=expect))
    judged, _ = trial.judged(settings=strict)
    assert sorted(places(judged)) == [("IMG-EXPECTED", "Dockerfile:1"), ("IMG-EXPECTED", "Dockerfile:2")]
    names = {"expectation user", "expectation command sh", "expectation file /app/a.py (1)"}
    assert names <= judged.expected & judged.checked
    assert judged.details["expectations"]["user"] == "65532"


def test_a_layer_that_the_engine_names_and_the_archive_lacks_leaves_doubt(trial: Trial) -> None:
    judged, _ = trial.judged()
    other = replace(judged, expected=judged.expected | {"layer sha256:other"})
    assert status(other) is Status.INCONCLUSIVE


def test_the_files_of_no_package_are_listed(trial: Trial) -> None:
    judged, _ = trial.judged()
    (rest,) = judged.components
    assert rest.kind is ComponentKind.FILE and [line.rpartition(" ")[2] for line in rest.files] == [
        "/app/a.py", "/etc/os-release", "/etc/own.conf", "/usr/bin/python3.13",
    ]  # fmt: skip


def test_the_base_is_the_image_whose_layers_come_first() -> None:
    def image(*diff_ids: str) -> Image:
        return Image(
            id="", size_bytes=0, layers=(), user="", labels={}, architecture="", configuration={}, diff_ids=diff_ids
        )

    engine = FakeEngine(images={"base:1": image("a", "b"), "other": image("x"), "low": image("a")})
    assert layers_of_base(image("a", "b", "c"), engine, ["base:1", "other", "low", "gone"]) == 2
    assert layers_of_base(image("c"), engine, ["base:1"]) == 0


def test_every_control_in_memory_is_caught() -> None:
    assert [control.planted for control in controls() if not control.caught] == []


@pytest.mark.parametrize(("most", "passed"), [(None, []), (2.0, [True]), (0.5, [False])])
def test_the_size_is_gated_where_a_limit_is_set(most: float | None, passed: list[bool]) -> None:
    image = Image(
        id="", size_bytes=1_000_000, layers=(), user="", labels={}, architecture="", configuration={}
    )  # fmt: skip
    assert [gate.passed for gate in image_gates(image, max_size_mb=most)] == passed
