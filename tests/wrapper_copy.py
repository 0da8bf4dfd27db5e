"""A checkout that only has what the wrapper's set-up needs, for tests that run the real wrapper in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.wheels import lock_line, make_wheel

ROOT = Path(__file__).parents[1]
# A package in the place of ours, for what concerns the set-up alone: it only says what it was called with.
STUB = "import sample, sys\nprint('pipeline', sys.argv[1:], sample.VERSION, sys.prefix)\n"


@dataclass(frozen=True)
class Copy:
    """A checkout that only has what the set-up needs, and the environment in which it is run."""

    root: Path
    environ: dict[str, str]

    @property
    def venv(self) -> Path:
        """The environment that noxw makes."""
        return self.root / ".pipeline" / "venv"

    def start(self, *arguments: str, python: str = sys.executable, **environ: str) -> subprocess.Popen[str]:
        """Begin to run it."""
        command = [python, str(self.root / "noxw"), *arguments]
        return subprocess.Popen(
            command, env={**self.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, python: str = sys.executable, **environ: str) -> tuple[int, str, str]:
        """Run it: exit code and both outputs."""
        process = self.start(*arguments, python=python, **environ)
        out, err = process.communicate(timeout=900)
        return process.returncode, out, err


def environment(**more: str) -> dict[str, str]:
    """The environment without what this process was told, and with ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "PYTHON"))}
    return {**kept, **more}


def set_up_copy(tmp_path: Path) -> Copy:
    """A checkout below the folder, whose package only says what it was called with."""
    root = tmp_path / "a check out"
    (root / "pipeline" / "locks").mkdir(parents=True)
    shutil.copy2(ROOT / "noxw", root)
    (root / "pipeline" / "__init__.py").touch()
    (root / "pipeline" / "__main__.py").write_text(STUB, encoding="utf-8")
    (root / "pyproject.toml").write_text("", encoding="utf-8")
    wheels = tmp_path / "wheels"
    (root / "pipeline" / "locks" / "runtime.txt").write_text(lock_line(make_wheel(wheels, "sample")), encoding="utf-8")
    return Copy(root, environment(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), PIP_CONFIG_FILE=os.devnull))


def green(copy: Copy, ran: tuple[int, str, str], version: str = "1.0") -> None:
    """Holds what was run against what the package in it says."""
    assert ran[:2] == (0, f"pipeline ['lint'] {version} {copy.venv}\n"), ran[2]
