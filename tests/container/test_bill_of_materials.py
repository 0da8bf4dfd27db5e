"""The bill of materials of a real image: trivy and syft, which look for themselves, list the same packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from pipeline.core.component import Component, ComponentKind
from pipeline.engines.docker_engine import DockerEngine
from pipeline.images.layers import read_tree
from pipeline.reporters import sbom
from pipeline.stages.build import BuildStage
from tests.container.places import DOCKERFILE, ROOT, real_context
from tests.samples import passed, report

pytestmark = pytest.mark.container

PACKAGES = (ComponentKind.DEBIAN, ComponentKind.PYTHON)
RECIPE = """ARG RUNTIME_IMAGE
ARG BUILDER_IMAGE
FROM ${BUILDER_IMAGE} AS deps
COPY wheelhouse /w
RUN python3 -m pip install --no-index --no-deps --target /deps /w/*.whl
""" + DOCKERFILE.partition("\n")[2].replace("COPY ", "COPY --from=deps /deps /deps\nCOPY ", 1)


@pytest.fixture(name="built", scope="module")
def _built(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Component, ...], Path]:
    """The components that the stage found in an image with the service's packages, and the image as an archive."""
    folder = tmp_path_factory.mktemp("bill")
    lock = (ROOT / "service" / "requirements.txt").read_text(encoding="utf-8")
    context = real_context(folder, engine, {"Dockerfile": RECIPE, "service/requirements.txt": lock})
    examination = BuildStage().run(context)
    archive = folder / "image.tar"
    engine.export(str(examination.metrics["image_id"]), archive)
    return examination.components, archive


def listed(folder: Path, program: str, *arguments: str) -> list[PackageURL]:
    """The packages in what a scanner writes as CycloneDX; it asks nobody."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    env = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    parts: list[dict[str, Any]] = json.loads(ended.stdout)["components"]
    return [PackageURL.from_string(part["purl"]) for part in parts if "purl" in part]


def test_syft_gives_every_package_the_same_url(built: tuple[tuple[Component, ...], Path]) -> None:
    """But for "upstream", a qualifier of its own."""
    components, archive = built
    found = listed(archive.parent, "syft", "scan", f"docker-archive:{archive}", "--output=cyclonedx-json", "--quiet")
    plain = [url._replace(qualifiers={k: v for k, v in url.qualifiers.items() if k != "upstream"}) for url in found]
    assert {url.to_string() for url in plain} == {component.purl for component in components if component.purl}


def test_trivy_lists_the_same_packages(built: tuple[tuple[Component, ...], Path], tmp_path: Path) -> None:
    components, archive = built
    found = listed(
        tmp_path, "trivy", "image", f"--input={archive}", "--format=cyclonedx", f"--cache-dir={tmp_path}",
        "--offline-scan", "--skip-db-update", "--skip-version-check", "--quiet",
    )  # fmt: skip
    theirs = {(url.type, canonicalize_name(url.name), _with_epoch(url)) for url in found}
    ours = {(str(c.kind), canonicalize_name(c.name), c.version) for c in components}
    assert theirs == {item for item in ours if item[0] in PACKAGES}


def _with_epoch(url: PackageURL) -> str:
    """trivy writes Debian's epoch as a qualifier."""
    epoch = url.qualifiers.get("epoch")
    return f"{epoch}:{url.version}" if epoch else str(url.version)


def test_every_package_of_a_locked_base_and_every_wheel_has_its_hash(
    built: tuple[tuple[Component, ...], Path],
) -> None:
    packages = [component for component in built[0] if component.kind in PACKAGES]
    assert len(packages) > 20
    assert [component.name for component in packages if len(component.hashes) != 1] == []
    locks = [ROOT / "service/requirements.txt", ROOT / "pipeline/images/base.lock"]
    known = "".join(lock.read_text(encoding="utf-8") for lock in locks)
    assert all(component.hashes[0].removeprefix("sha256:") in known for component in packages)


def test_licences_are_known_where_the_image_tells_them(built: tuple[tuple[Component, ...], Path]) -> None:
    known = {component.name: component.licences for component in built[0]}
    assert (known["zlib1g"], known["flask"]) == (("Zlib",), ("BSD-3-Clause",))
    assert "LGPL-2.1-or-later" in known["libc6"]


def test_every_file_of_the_image_is_listed_once_with_its_digest(built: tuple[tuple[Component, ...], Path]) -> None:
    components, archive = built
    with archive.open("rb") as stream:
        files = {f"{node.sha256}  {node.shown}" for node in read_tree(stream, lambda path: False).files}
    told = [line for component in components for line in component.files]
    assert len(told) == len(set(told)) and set(told) == files
    owned = {component.name: len(component.files) for component in components}
    assert owned["flask"] > 10 and owned["libc6"] > 5


def test_the_document_is_valid(built: tuple[tuple[Component, ...], Path]) -> None:
    metrics = {"image_id": f"sha256:{'1' * 64}", "tag": "sample:1"}
    made = sbom.render(report(replace(passed("build"), components=built[0], metrics=metrics)))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made[sbom.IMAGE]) is None
