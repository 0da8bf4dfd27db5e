"""``build`` with a real engine and the locked bases: what passes, and what a fault in the target turns it to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.engines.docker_engine import DockerEngine
from pipeline.errors import FetchTrouble, TargetFault
from pipeline.stages.build import BuildStage
from pipeline.stages.image_judgement import GATE as FINDINGS
from tests.container.places import DOCKERFILE, ROOT, real_context
from tests.support import KEY_ID

pytestmark = pytest.mark.container

GATE = f"{FINDINGS} of severity medium or worse"


def missed(examination: Examination) -> list[str]:
    """The gates that were not met."""
    return [gate.what for gate in examination.gates if not gate.passed]


def test_a_sound_service_passes_and_twice_gives_the_same_image(engine: DockerEngine, tmp_path: Path) -> None:
    seen = [BuildStage().run(real_context(tmp_path / name, engine)) for name in ("one", "two")]
    for examination in seen:
        assert conclude(examination)[0] is Status.PASS, conclude(examination)[1]
    assert seen[0].metrics["image_id"] == seen[1].metrics["image_id"]
    names = seen[0].evidence.checked
    assert "file service/app.py" in names
    assert any(name.startswith("Debian package libc6 ") for name in names)
    kept = json.loads((tmp_path / "one" / "raw" / "packages.json").read_text(encoding="utf-8"))
    assert "python3.13-minimal" in {package["name"] for package in kept["debian"]}


def test_an_image_that_runs_as_root_fails(engine: DockerEngine, tmp_path: Path) -> None:
    context = real_context(tmp_path, engine, {"Dockerfile": DOCKERFILE.replace("USER 65532\n", "")})
    examination = BuildStage().run(context)
    assert (conclude(examination)[0], missed(examination)) == (Status.FAIL, [GATE])
    assert found(examination) == [("CIS-DI-0001", "Dockerfile:2")]


def test_an_image_with_tests_credentials_and_without_a_health_check_fails(engine: DockerEngine, tmp_path: Path) -> None:
    recipe = DOCKERFILE.replace('HEALTHCHECK CMD ["python3", "-c", "pass"]\n', "COPY service /all\n")
    context = real_context(tmp_path, engine, {"Dockerfile": recipe, ".dockerignore": "", "service/.env": "KEY=1\n"})
    examination = BuildStage().run(context)
    assert missed(examination) == [GATE]
    assert {
        ("CIS-DI-0006", "Dockerfile:2"),
        ("CIS-DI-0010", "Dockerfile:5"),
        ("IMG-TESTS", "Dockerfile:5"),
    } <= set(found(examination))


def test_a_credential_that_a_later_layer_deletes_and_a_set_user_id_file_are_found(
    engine: DockerEngine, tmp_path: Path
) -> None:
    spoil = 'RUN ["python3", "-c", "import os; os.remove(\'/app/notes.txt\'); os.chmod(\'/app/app.py\', 0o4755)"]\n'
    recipe = DOCKERFILE.replace("USER 65532\n", f"COPY service/notes.txt /app/notes.txt\n{spoil}USER 65532\n")
    context = real_context(tmp_path, engine, {"Dockerfile": recipe, "service/notes.txt": f"key = {KEY_ID}\n"})
    examination = BuildStage().run(context)
    assert (conclude(examination)[0], missed(examination)) == (Status.FAIL, [GATE])
    assert sorted(found(examination)) == [("CIS-DI-0008", "Dockerfile:5"), ("IMG-LAYER-SECRET", "Dockerfile:4")]
    assert all("a later layer hides" in f.message for f in examination.findings if f.rule == "IMG-LAYER-SECRET")


def found(examination: Examination) -> list[tuple[str, str]]:
    """The rules that the image does not keep, and where."""
    return [(finding.rule, finding.place) for finding in examination.findings]


@pytest.mark.parametrize("recipe", ["FRM x\nARG RUNTIME_IMAGE\n", DOCKERFILE + 'RUN ["python3", "-c", "1/0"]\n'])
def test_a_faulty_recipe_fails_and_its_log_is_kept(engine: DockerEngine, tmp_path: Path, recipe: str) -> None:
    context = real_context(tmp_path, engine, {"Dockerfile": recipe})
    with pytest.raises(TargetFault):
        BuildStage().run(context)
    assert (tmp_path / "raw" / "build.log").read_text(encoding="utf-8").strip()


WITH_WHEELS = """ARG RUNTIME_IMAGE
ARG BUILDER_IMAGE
FROM ${BUILDER_IMAGE} AS deps
COPY wheelhouse /w
RUN python3 -m pip install --no-index --no-deps --target /deps /w/*.whl
FROM ${RUNTIME_IMAGE}
COPY --from=deps /deps /deps
"""


def test_wheels_are_fetched_for_the_images_python_and_found_in_it(engine: DockerEngine, tmp_path: Path) -> None:
    lock = (ROOT / "service" / "requirements.txt").read_text(encoding="utf-8")
    recipe = WITH_WHEELS + DOCKERFILE.partition("FROM ${RUNTIME_IMAGE}\n")[2]
    context = real_context(tmp_path, engine, {"Dockerfile": recipe, "service/requirements.txt": lock})
    examination = BuildStage().run(context)
    assert conclude(examination)[0] is Status.PASS, conclude(examination)[1]
    assert any(name.startswith("Python package markupsafe ") for name in examination.evidence.checked)


def test_a_lock_that_names_other_bytes_is_never_built(engine: DockerEngine, tmp_path: Path) -> None:
    lock = "click==8.1.7 --hash=sha256:" + "0" * 64 + "\n"
    with pytest.raises(FetchTrouble, match="could not be fetched"):
        BuildStage().run(real_context(tmp_path, engine, {"service/requirements.txt": lock}))
