"""What no report may show, told to the redactor before the first stage of a process shows a line of the snapshot."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.core.ports import Redactor
from pipeline.errors import CouldNotTell
from pipeline.stages.context import Context, Revealing, Stage


class HiddenValues:
    """Asks the stages that know, once; what they could not tell stays untold, and no stage can run without it."""

    def __init__(self, redact: Redactor, scratch: Path) -> None:
        self._redact = redact
        self._scratch = scratch
        self._told = False
        self._trouble: CouldNotTell | None = None

    def learn(self, stages: Iterable[Stage], context: Callable[[str, Path], Context]) -> bool:
        """Whether something new was learned; ``context`` makes that of a stage by its name, with a scratch folder.

        Raises:
            CouldNotTell: it can't be known what must not be shown.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._told:
            return False
        try:
            for stage in stages:
                if isinstance(stage, Revealing):
                    with tempfile.TemporaryDirectory(dir=self._scratch, prefix="reveal-") as folder:
                        for value in stage.reveal(context(stage.name, Path(folder))):
                            self._redact.also(value)
        except CouldNotTell as error:
            self._trouble = CouldNotTell(
                "Nothing of the files can be shown, since it is not known which credentials they hold.", why=str(error)
            )
            raise self._trouble from error
        self._told = True
        return True
