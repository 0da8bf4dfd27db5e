"""Another project adopts the pipeline: the wheel in a clean environment, settings, a noxfile, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound
from lxml import etree

from pipeline.core.stage import Status
from pipeline.execution.environments import uv_program
from pipeline.execution.package_index import uv_environment
from pipeline.settings import STAGE_NAMES
from tests.projects import git

ROOT = Path(__file__).resolve().parents[2]
ADOPTER = ROOT / "tests/fixtures/adopter"
EXTRA = "spdx"
STAGES = [*STAGE_NAMES[:-1], EXTRA, STAGE_NAMES[-1]]
DATA = {
    "pipeline/images/base.lock",
    "pipeline/tools/secret_scanner_driver.py",
    *(
        f"pipeline/locks/{name}.txt"
        for name in ("audit", "keyless", "lint", "runtime", "scan", "secrets", "smoke", "test", "wheels")
    ),
}
REPORT_KEYS = {
    *(
        "schema",
        "verdict",
        "required",
        "snapshot",
        "commit",
        "branch",
        "dirty",
        "started",
        "finished",
        "actor",
        "python",
    ),
    *("platform", "policy", "stages", "findings", "waivers", "suppressions", "not_checked"),
}
ADVISORY = {
    "id": "PYSEC-2020-1",
    "summary": "An advisory about a package that nobody here has.",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "sample-of-a-fault"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
            "versions": ["1.0"],
        }
    ],
}


@dataclass(frozen=True, kw_only=True)
class Adopter:
    """A checkout of the other project, and the environment that its developer has."""

    root: Path
    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the clean environment in the checkout."""
        return subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=1800, check=False
        )

    @property
    def report(self) -> dict[str, Any]:
        """The merged report."""
        document: dict[str, Any] = json.loads((self.root / "reports/pipeline.json").read_text(encoding="utf-8"))
        return document

    def stage(self, name: str) -> dict[str, Any]:
        """One stage of the merged report."""
        found: dict[str, Any] = next(stage for stage in self.report["stages"] if stage["name"] == name)
        return found

    def clone(self, folder: Path) -> Adopter:
        """Another checkout of the same commit, in which nothing has run yet."""
        git(folder.parent, "clone", "-q", str(self.root), str(folder))
        share_cache(folder)
        return Adopter(root=folder, environment=self.environment)


def uv(*arguments: str) -> None:
    """Run uv where packages come from on this machine; a failure is an error of the test."""
    subprocess.run(
        [uv_program(), *arguments], env={**os.environ, **uv_environment(os.environ)}, check=True, capture_output=True
    )


def share_cache(checkout: Path) -> None:
    """Fetched packages are the same for every checkout (each is named by its digest), and fetching takes its time."""
    shared = ROOT / ".pipeline/cache"
    shared.mkdir(parents=True, exist_ok=True)
    (checkout / ".pipeline").mkdir()
    (checkout / ".pipeline/cache").symlink_to(shared)


@pytest.fixture(name="wheel", scope="module")
def wheel_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as its publisher would."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(name="adopter", scope="module")
def adopter_fixture(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Adopter:
    """The other project, committed, in a path with a space; beside it an environment with the wheel and its needs."""
    folder = tmp_path_factory.mktemp("other people")
    uv("venv", "--quiet", "--python", sys.executable, str(folder / "env"))
    uv("pip", "install", "--quiet", "--python", str(folder / "env/bin/python"), str(wheel))
    root = folder / "unit converter"
    shutil.copytree(ADOPTER, root, ignore=shutil.ignore_patterns("__pycache__", ".pipeline", "reports", ".*_cache"))
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "adopt the pipeline")
    share_cache(root)
    with zipfile.ZipFile(folder / "advisories.zip", "w") as archive:
        archive.writestr(f"{ADVISORY['id']}.json", json.dumps({**ADVISORY, "modified": datetime.now(UTC).isoformat()}))
    strange = ("PIPELINE_", "GITHUB_", "NOX", "PYTHON", "VIRTUAL_ENV", "COV_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    environment["PATH"] = f"{folder / 'env/bin'}:{environment['PATH']}"
    environment["PIPELINE_AUDIT_ADVISORIES"] = str(folder / "advisories.zip")
    return Adopter(root=root, environment=environment)


@pytest.fixture(name="finished", scope="module")
def finished_fixture(adopter: Adopter) -> Iterator[tuple[Adopter, subprocess.CompletedProcess[str]]]:
    """The other project after ``nox``; its image is taken away again."""
    done = adopter.run("nox")
    yield adopter, done
    with contextlib.closing(docker.from_env()) as engine, contextlib.suppress(ImageNotFound):
        engine.images.remove(str(adopter.stage("build")["metrics"]["image_id"]), force=True)


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "pipeline").split("\0")
    package = {name for name in listed if (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == package
    assert held >= DATA


@pytest.mark.container
def test_all_nine_stages_and_the_projects_own_pass(
    finished: tuple[Adopter, subprocess.CompletedProcess[str]],
) -> None:
    adopter, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    report = adopter.report
    assert [(stage["name"], stage["status"]) for stage in report["stages"]] == [(name, "pass") for name in STAGES]
    assert report["schema"] == "pipeline.report/v1"
    assert set(report) >= REPORT_KEYS
    assert report["verdict"] == Status.PASS
    assert sorted(report["required"]) == sorted(STAGES)
    assert (report["commit"], report["dirty"]) == (git(adopter.root, "rev-parse", "HEAD").strip(), False)
    assert report["policy"]["effective"][f"{EXTRA}.identifier"] == "MIT"
    # What a run leaves is where a project ignores it.
    assert git(adopter.root, "status", "--porcelain") == ""


@pytest.mark.container
@pytest.mark.parametrize("name", STAGES)
def test_every_stage_shows_its_evidence(finished: tuple[Adopter, subprocess.CompletedProcess[str]], name: str) -> None:
    adopter, _ = finished
    stage = adopter.stage(name)
    evidence = stage["evidence"]
    assert evidence["checked"] == evidence["expected"] > 0
    assert evidence["missing"] == []
    assert evidence["control"]["caught"] is True
    assert stage["gates"]
    assert stage["artifacts"]
    own = json.loads((adopter.root / f"reports/stages/{name}/result.json").read_text(encoding="utf-8"))
    assert (own["status"], own["snapshot"]) == ("pass", adopter.report["snapshot"])


@pytest.mark.container
def test_the_projects_own_stage_is_in_every_report_and_command(
    finished: tuple[Adopter, subprocess.CompletedProcess[str]],
) -> None:
    adopter, _ = finished
    suites = etree.parse(str(adopter.root / "reports/pipeline.junit.xml")).getroot()
    assert [suite.get("name") for suite in suites] == STAGES
    assert {suite.get("failures") for suite in suites} | {suite.get("errors") for suite in suites} == {"0"}
    assert f"| {EXTRA} | " in (adopter.root / "reports/summary.md").read_text(encoding="utf-8")
    verdict = adopter.run("pipeline", "verdict")
    assert (verdict.returncode, verdict.stderr) == (0, "")
    assert [line.split()[0] for line in verdict.stdout.splitlines()] == [*STAGES, "verdict:"]
    listed = adopter.run("pipeline", "stages")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == STAGES, listed.stderr
    assert EXTRA in listed.stdout.splitlines()[-1].partition("needs")[2]


@pytest.mark.parametrize("command", [("nox", "-s", EXTRA), ("pipeline", "run", EXTRA)], ids=["nox", "pipeline run"])
def test_the_projects_own_stage_gates_whoever_runs_it(
    adopter: Adopter, tmp_path: Path, command: tuple[str, ...]
) -> None:
    clone = adopter.clone(tmp_path / "clone")
    (clone.root / "src/units/unlicensed.py").write_text('"""New, and without a licence."""\n', encoding="utf-8")
    done = clone.run(*command)
    assert done.returncode == 1, done.stdout + done.stderr
    (finding,) = clone.report["findings"]
    assert (finding["stage"], finding["path"], finding["line"]) == (EXTRA, "src/units/unlicensed.py", 1)
    assert clone.stage(EXTRA)["status"] == clone.report["verdict"] == "fail"
    assert clone.run("pipeline", "verdict").returncode == 1


@pytest.mark.parametrize("command", [("nox", "-s", EXTRA), ("pipeline", "run", EXTRA)], ids=["nox", "pipeline run"])
def test_the_projects_own_settings_are_judged_by_its_own_stage(
    adopter: Adopter, tmp_path: Path, command: tuple[str, ...]
) -> None:
    clone = adopter.clone(tmp_path / "clone")
    file = clone.root / "pyproject.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("identifier =", "identifer ="), encoding="utf-8")
    done = clone.run(*command)
    assert done.returncode == 2
    assert "[tool.pipeline.spdx] has one key, identifier" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
