"""A stage in two parts: what it declares, which every run asks for, and its work, which is loaded when it is wanted.

In a run in which nothing has changed no stage works, and the work of some takes longer to load than their results to
be looked up. A stage ``x`` of that kind declares itself in ``x_declared.py``; ``x.py`` adds ``run``.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.stages.context import Stage


def whole(declared: Any, place: str) -> Stage:
    """The stage that ``declared`` declares, with its work, which is the class at ``place``: ``module:Name``."""
    module, _, name = place.partition(":")
    stage: Stage = getattr(import_module(module), name)(
        **{item.name: getattr(declared, item.name) for item in fields(declared)}
    )
    return stage
