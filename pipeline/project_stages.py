"""The stages that a project's noxfile adds, for the commands that run without Nox: one definition, whoever runs it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from pathlib import Path

from pipeline.errors import ConfigurationError, PipelineError
from pipeline.stages.context import Stage

NOXFILE = "noxfile.py"
_MODULE = "noxfile"

_wanted: ContextVar[list[Stage] | None] = ContextVar("wanted", default=None)


def project_stages(root: Path) -> tuple[Stage, ...]:
    """The stages that ``nox_sessions.register`` is given in the noxfile at ``root``; none when there is no noxfile.

    Raises:
        ConfigurationError: the noxfile can't be loaded.
    """
    path = root / NOXFILE
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    if spec is None or spec.loader is None or not path.is_file():
        return ()
    stages: list[Stage] = []
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules[_MODULE] = module
    token = _wanted.set(stages)
    try:
        spec.loader.exec_module(module)
    except PipelineError:
        raise
    except Exception as error:  # somebody else's code, which Nox would run too
        raise ConfigurationError(
            f"{NOXFILE} can't be loaded: {type(error).__name__}: {error}.", advice="'nox --list' shows where it fails."
        ) from error
    finally:
        _wanted.reset(token)
    return tuple(stages)


def collected(extra: Iterable[Stage]) -> bool:
    """Whether a noxfile is being read for its stages alone; then ``extra`` is what was looked for."""
    wanted = _wanted.get()
    if wanted is None:
        return False
    wanted.extend(extra)
    return True
