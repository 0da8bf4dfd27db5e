"""``secrets`` as it declares itself: every file, and the credentials in them that no report may show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from pipeline.core.cache_inputs import EVERYTHING, Inputs
from pipeline.core.snapshot import Snapshot
from pipeline.core.stage import Examination, StageResult
from pipeline.settings import Settings
from pipeline.stages.context import Context, Revealing
from pipeline.stages.declared import whole
from pipeline.stages.inputs import LOCALE

_WORK = "pipeline.stages.secrets:SecretsStage"


@dataclass(frozen=True, slots=True)
class DeclaredSecrets:
    """What the ``secrets`` stage declares."""

    name: str = "secrets"
    summary: str = "Look for credentials in every file."
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("security",)
    searched: dict[tuple[str, tuple[str, ...]], Any] = field(default_factory=dict, repr=False, compare=False)
    """What :meth:`reveal` has found in all files of a snapshot, so that one process need not search them twice."""

    def check_settings(self, settings: Settings, snapshot: Snapshot) -> None:
        """Nothing that the settings say could make it impossible."""

    def inputs(self, context: Context) -> Inputs:
        """Every file. Where a link leads to is said by the link itself, and by which files there are."""
        del context
        return Inputs(
            files=(EVERYTHING,),
            follows_links=False,
            settings=("secrets", "suppressions_need_reasons"),
            locks=("secrets",),
            variables=LOCALE,
            compared=True,
        )

    def still_holds(self, context: Context, result: StageResult) -> bool:
        """A result about files rests on the snapshot alone."""
        del context, result
        return True

    def reveal(self, context: Context) -> Iterable[str]:
        """The credentials in the snapshot's files, to be masked in whatever any stage shows of them."""
        return cast(Revealing, whole(self, _WORK)).reveal(context)

    def run(self, context: Context) -> Examination:
        """With the work of the stage, which is loaded now and shares what has been found."""
        return whole(self, _WORK).run(context)
