# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "ahocorasick-rs>=1.0",
#     "cryptography>=46",
#     "cvss>=3.6",
#     "cyclonedx-python-lib>=11.12",
#     "deflate==0.9.0",
#     "docker>=7.1",
#     "jinja2>=3.1",
#     "license-expression>=30.4",
#     "lxml>=5.3",
#     "msgspec>=0.19",
#     "nox>=2026.10.20",
#     "packageurl-python>=0.17",
#     "packaging>=24.2",
#     "requests>=2.32",
#     "rich>=15",
#     "uv>=0.9",
# ]
# ///
"""The pipeline of the echo service, one session a stage; the project's own tests (selftest); the renewal of locks."""

import os
import sys
from pathlib import Path

import nox

# A user's own Nox knows nothing of this checkout's package; the block above brings what the package needs.
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

# pylint: disable=wrong-import-position  # the path comes first
from pipeline import nox_sessions  # noqa: E402 - the path comes first
from pipeline.workplace import Workplace  # noqa: E402 - the path comes first

nox_sessions.register()

TYPED = ("pipeline", "service", "benchmarks", "tests", "noxfile.py")
LOCKS = {
    "pipeline/locks/lint.txt": ("--group", "lint"),
    "pipeline/locks/scan.txt": ("--group", "scan"),
    "pipeline/locks/secrets.txt": ("--group", "secrets"),
    "pipeline/locks/audit.txt": ("--group", "audit"),
    "pipeline/locks/wheels.txt": ("--group", "wheels"),
    "pipeline/locks/test.txt": ("--group", "test"),
    "pipeline/locks/smoke.txt": ("--group", "smoke"),
    "pipeline/locks/runtime.txt": ("pyproject.toml",),
    # Whatever both name, both name alike.
    "pipeline/locks/keyless.txt": ("--extra", "keyless", "pyproject.toml", "-c", "pipeline/locks/runtime.txt"),
    "service/requirements.txt": ("service/requirements.in",),
    # Last, and held to the service's pins, since both are installed into one environment.
    "tests/requirements.txt": ("--group", "selftest", "pyproject.toml", "-c", "service/requirements.txt"),
}


@nox.session(default=False, venv_backend="none")
def selftest(session: nox.Session) -> None:
    """Run the project's own tests, container tests included; `-- --full` runs the long doses too."""
    place = Workplace(HERE, os.environ, f"selftest-{os.getpid()}")
    wanted = (HERE / "tests/requirements.txt", HERE / "service/requirements.txt")
    with place.console.step("selftest"):
        place.ports.engine().close()
        # pylint: disable-next=assignment-from-no-return  # it takes the Protocol for the implementation
        tools = place.ports.environments.ensure("selftest", wanted)
    # What the checks start must not take itself for a part of this Nox run.
    env = {nox_sessions.RUN_VARIABLE: None, "NOX_SCRIPT_MODE": None, "PYTHONPATH": str(HERE)}
    session.run(tools.program("ruff"), "check", ".", external=True)
    session.run(tools.program("ruff"), "format", "--check", ".", external=True)
    session.run(tools.program("mypy"), *TYPED, external=True)
    pytest = (str(tools.python), "-m", "pytest", "tests", *session.posargs)
    if set(session.posargs) - {"--full"}:
        session.run(*pytest, external=True, env=env)
        return
    # The container tests judge times and share one engine, so nothing runs beside them.
    together = ("-m", "not container", "--numprocesses", str(os.cpu_count()), "--dist", "worksteal")
    for dose in (together, ("-m", "container")):
        session.run(*pytest, *dose, external=True, env=env)


@nox.session(default=False, venv_backend="none")
def locks(session: nox.Session) -> None:
    """Renew the hashed locks of tools, package, service and tests; `-- --upgrade` takes the newest versions."""
    for lock, sources in LOCKS.items():
        session.run(
            "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
            "--no-header", *sources, "-o", lock, *session.posargs, external=True,
        )  # fmt: skip
