"""The environment with the project's own packages: what pylint resolves imports against, and what the tests run in."""

from __future__ import annotations

from pipeline.core.ports import ToolEnvironment
from pipeline.errors import ConfigurationError
from pipeline.stages.context import Context, packaged_lock


def project_environment(context: Context) -> ToolEnvironment:
    """The environment of the service's lock and the tests' lock.

    A project without a lock of its own for its tests gets this package's pytest and coverage.

    Raises:
        ConfigurationError: a lock is missing or has no hashes.
        EnvironmentTrouble: it could not be made.
    """
    lock, *others = context.settings.test.requirements
    present = [name for name in others if name in context.snapshot.by_path]
    explicit = context.settings.sources.get("test.requirements", "default") != "default"
    if explicit and len(present) != len(others):
        missing = next(name for name in others if name not in present)
        raise ConfigurationError(f"test.requirements names {missing!r}, and the checkout has no such file.")
    if lock not in context.snapshot.by_path:
        raise ConfigurationError(
            f"The lock file {lock} does not exist.",
            advice="Make it with: uv pip compile --generate-hashes requirements.in -o requirements.txt",
        )
    locks = [context.tree / name for name in (lock, *present)]
    if not present:
        locks.append(packaged_lock("test"))
    return context.ports.environments.ensure("project", locks)
