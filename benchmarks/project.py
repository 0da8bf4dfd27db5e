"""The project on which the pipeline as a whole is timed: the unit converter of tests/fixtures, a small adopter.

Not this repository, whose own test suite takes longer than everything else together.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from benchmarks.machine import Timed, timed

HERE = Path(__file__).parent
ROOT = HERE.parent
ADOPTER = ROOT / "tests/fixtures/adopter"
CHANGED = "src/units/conversion.py"
# What a process says of its own memory alone, since what the system says of a child includes the tools.
_WITH_MEMORY = """
import resource, runpy, sys
sys.argv[0] = "pipeline"
try:
    runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
finally:
    print("own memory, KiB:", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
"""


class Failed(Exception):
    """A command that was to be timed did not do its work."""


class Project:
    """A committed copy in ``folder``; ``environ`` is what every process gets."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.scratch = folder.parent / "scratch"
        self.scratch.mkdir()
        self.environ = {**environ, "PYTHONPATH": str(ROOT), "PROJECT": str(folder), "SCRATCH": str(self.scratch)}
        self.name = f"pipeline-benchmark-{os.getpid()}"
        self._edits = 0

    @classmethod
    def adopter(cls, folder: Path, environ: dict[str, str]) -> Project:
        """The unit converter, with a noxfile that has the nine stages and nothing else."""
        ignored = shutil.ignore_patterns("__pycache__", ".pipeline", "reports", ".*_cache", "noxfile.py")
        shutil.copytree(ADOPTER, folder, ignore=ignored)
        settings = (folder / "pyproject.toml").read_text(encoding="utf-8")
        settings = settings.replace(', "noxfile.py"]', "]").replace('"spdx", ', "").partition("[tool.pipeline.spdx]")[0]
        (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
        return cls(folder, environ).committed()

    def committed(self) -> Project:
        """Itself, as a repository with one commit."""
        noxfile = "from pipeline import nox_sessions\n\nnox_sessions.register()\n"
        (self.folder / "noxfile.py").write_text(noxfile, encoding="utf-8")
        (self.folder / ".gitignore").write_text("/.pipeline/\n/reports/\n__pycache__/\n.coverage\n", encoding="utf-8")
        identity = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.org", "-c", "commit.gpgsign=false")
        for command in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "first")):
            subprocess.run(("git", *identity, *command), cwd=self.folder, check=True)
        return self

    def pipeline(self, *arguments: str) -> Timed:
        """``pipeline run`` as a whole process; its memory is that of this one process."""
        ended = self._run(sys.executable, "-c", _WITH_MEMORY, "run", *arguments)
        own = [line.rpartition(" ")[2] for line in ended.said.splitlines() if line.startswith("own memory")]
        return Timed(
            wall=ended.wall, busy=ended.busy, mib=int(own[-1]) / 1024, exit_code=ended.exit_code, said=ended.said
        )

    def settle(self) -> None:
        """Run until nothing is left to do: the first push leaves a release with which the next canary compares."""
        for _ in range(5):
            self.pipeline()
            if all(stage["cached"] for stage in self.stages().values()):
                return
        raise Failed("A run in which nothing has changed still runs stages.")

    def nox(self, *arguments: str) -> Timed:
        """``nox`` in the project, as a whole process; with --fresh semantics, so that the stage really runs."""
        program = Path(sys.executable).with_name("nox")
        return self._run(str(program), *arguments, PIPELINE_CACHE_FRESH="always", NOX_SCRIPT_MODE="none")

    def plain(self, *steps: str) -> Timed:
        """plain.sh, or some steps of it."""
        return self._run("sh", str(HERE / "plain.sh"), *steps, **self._plain())

    def plain_nox(self) -> Timed:
        """The same by Nox alone."""
        program = Path(sys.executable).with_name("nox")
        plain = self._plain()
        return self._run(str(program), "-R", "-f", str(HERE / "plain_noxfile.py"), NOX_SCRIPT_MODE="none", **plain)

    def edit(self, path: str = CHANGED) -> None:
        """One comment more, and another one each time."""
        self._edits += 1
        with (self.folder / path).open("a", encoding="utf-8") as file:
            file.write(f"# Comment {self._edits}.\n")

    def stages(self) -> dict[str, dict[str, Any]]:
        """The last report's stages by name."""
        report = json.loads((self.folder / "reports/pipeline.json").read_text(encoding="utf-8"))
        return {stage["name"]: stage for stage in report["stages"]}

    def _run(self, *command: str, **more: str) -> Timed:
        for _ in range(2):
            ended = timed(command, cwd=self.folder, env={**self.environ, **more})
            if not ended.exit_code:
                return ended
            # Once more: on a busy machine a test of the project's own may fail, and an hour's measurements with it.
            print(f"{command[0]} ended with {ended.exit_code}, so it is run again", flush=True)
        raise Failed(f"{' '.join(command[:4])} ended with {ended.exit_code}:\n{ended.said[-3000:]}")

    def _plain(self) -> dict[str, str]:
        own = self.folder / ".pipeline"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return {
            "ENVIRONMENTS": str(own / "environments"),
            "BUILDER_IMAGE": _image_id(own / "cache/bases", "builder"),
            "RUNTIME_IMAGE": _image_id(own / "cache/bases", "runtime"),
            "WHEELS": str(next((own / "cache/wheels").iterdir())),
            "PYTHON": sys.executable,
            "NAME": self.name,
            "REGISTRY_PORT": str(port),
        }


def _image_id(folder: Path, name: str) -> str:
    """The id of a base image, which is the digest of its configuration (Docker's image specification 1.2)."""
    with tarfile.open(next(folder.glob(f"base-{name}-*.tar"))) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        configuration: str = json.load(manifest)[0]["Config"]
        return "sha256:" + configuration.removesuffix(".json").rpartition("/")[2]
