"""A stage that says what its result rests on, and the parts that several stages say alike.

A stage of a project may declare its inputs too. What it reads besides and does not declare is a wrong hit; of ours each
is traced for that (``tests/integration/test_declared_inputs.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from pipeline.core import code_owners
from pipeline.core.cache_inputs import Inputs, exactly
from pipeline.core.configuration_texts import FILE_ENDINGS
from pipeline.core.policy_files import BASELINE
from pipeline.core.recipe_pins import unpinned
from pipeline.core.releases import place_name
from pipeline.stages.context import Context, Stage

LOCALE = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""What the order of names, the texts of errors and the times in an output may depend on."""
OF_USER = ("HOME", "XDG_CONFIG_HOME")
"""Where a tool may find a configuration of the user's."""
OF_TESTS = (*LOCALE, *OF_USER, "PATH", "USER", "LOGNAME", "TMPDIR", "SYSTEMROOT")
"""What a project's tests inherit and may look at; not among them is where packages and certificates come from."""
OF_BUILDER = (
    "GITHUB_ACTIONS", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_WORKFLOW_REF", "GITLAB_CI", "CI_PROJECT_URL",
    "CI_RUNNER_ID",
)  # fmt: skip
"""What a signed statement says of who builds."""

OWN_FILE = "pyproject.toml"
OF_FINDINGS = exactly((BASELINE, *code_owners.PLACES))
"""What is read of findings after the stage: those that are known, and who owns the files."""
CONFIGURATION = tuple(f"*{ending}" for ending in FILE_ENDINGS)
"""What may configure a tool, in any folder."""
PYTHON_CODE = ("*.py", "*.pyi", "*.pyc", "*.so")
"""What an import may find."""


@runtime_checkable
class Declaring(Stage, Protocol):
    """A stage that declares its inputs; only its results are used again in another run."""

    def inputs(self, context: Context) -> Inputs:
        """What the result rests on; found out without running anything, from the snapshot and the settings."""
        ...


def project_locks(context: Context) -> tuple[str, ...]:
    """The patterns of the locks that the project's environment is made from, be they there or not."""
    return exactly(context.settings.test.requirements)


def chosen(context: Context, name: str) -> dict[str, str]:
    """Whether somebody chose the setting ``name``: what is chosen must be there, what is only the default need not."""
    explicit = context.settings.sources.get(name, "default") != "default"
    return {f"who chose {name}": "somebody" if explicit else "nobody"}


def release_of(context: Context) -> str:
    """What was released last from here, as a manifest digest; a word where nothing was."""
    push = context.settings.push
    return context.ports.releases.last(place_name(push.registry, push.repository)) or "none"


def unpinned_recipe(context: Context) -> str:
    """Why an image on the recipe's own bases can't be used again; empty when it can, and for locked bases."""
    settings = context.settings.build
    if settings.base == "locked" or settings.dockerfile not in context.snapshot.by_path:
        return ""
    loose = unpinned((context.tree / settings.dockerfile).read_text(encoding="utf-8", errors="replace"))
    if not loose:
        return ""
    return f"{settings.dockerfile} names {loose[0]!r} without a digest, so it may be something else today."


def of_files(*patterns: Sequence[str]) -> tuple[str, ...]:
    """Several groups of patterns as one, each once."""
    return tuple(dict.fromkeys(pattern for group in patterns for pattern in group))


def named(paths: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The files outside of the snapshot that are named at all, by the setting that names each."""
    return {setting: path for setting, path in paths if path}
