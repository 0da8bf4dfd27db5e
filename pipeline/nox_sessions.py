"""The pipeline as Nox sessions: one for each stage, made from the same stage objects that ``pipeline run`` uses.

A noxfile needs two lines::

    from pipeline import nox_sessions
    nox_sessions.register()

The sessions have no environment of Nox's making (``venv_backend="none"``): the stages make theirs from hashed locks,
because a session whose environment fails is never called by Nox and could not report it.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.against import taken
from pipeline.console_plain import complain
from pipeline.console_terminal import COLOUR_VARIABLE
from pipeline.core.safe_text import for_log
from pipeline.core.stage import Status
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.execution.redaction import SecretRedactor
from pipeline.interrupts import as_keyboard_interrupt
from pipeline.live import is_live, live_stages
from pipeline.project_stages import collected
from pipeline.settings_cache import FRESH_VALUE, FRESH_VARIABLE, fresh_taken
from pipeline.stages.context import Stage
from pipeline.stages.registry import pipeline_stages

if TYPE_CHECKING:
    import nox

    from pipeline.core.stage import StageResult
    from pipeline.run import Run

RUN_VARIABLE = "PIPELINE_RUN"


def register(extra: Iterable[Stage] = ()) -> None:
    """Make a Nox session of every stage, ours in order and a project's ``extra`` ones before ``push``.

    Ends the process with code 2 and a clear sentence when the settings can't be used (Nox would print a traceback).
    """
    stages = tuple(extra)
    if collected(stages):
        return
    # Only a noxfile needs it, and it takes a while to load.
    import nox  # pylint: disable=import-outside-toplevel

    # Nox shows every library's debugging output; what these say of each request and value is nobody's business.
    for chatty in ("urllib3", "docker", "py_serializable", "serializable"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Workers of `nox -j` are processes of their own; the id makes them one run.
    os.environ.setdefault(RUN_VARIABLE, f"{os.getpid()}-{os.urandom(6).hex()}")
    try:
        sessions = _Sessions(Path.cwd(), stages)
    except PipelineError as error:
        refuse(error)
    for stage in sessions.stages:
        session = nox.session(
            name=stage.name, venv_backend="none", tags=list(stage.tags), requires=list(stage.needs), default=True
        )
        session(sessions.function(stage))


def refuse(error: PipelineError) -> Any:
    """Say what is wrong and end with the error's exit code."""
    complain(sys.stderr, SecretRedactor(os.environ)(str(error)))
    raise SystemExit(error.exit_code)


class _Sessions:
    """The state that the session functions of one Nox process share."""

    def __init__(self, root: Path, extra: tuple[Stage, ...]) -> None:
        # After the cheap checks of a noxfile, since it brings much with it.
        from pipeline.workplace import Workplace  # pylint: disable=import-outside-toplevel

        live = is_live(sys.argv)
        # Nox hands the words behind "--" to its sessions; what to compare with must be known before they are made.
        behind = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else ()
        against, _ = taken(behind)
        names = tuple(stage.name for stage in extra)
        environ = {**os.environ, **_colours(sys.argv[: len(sys.argv) - len(behind)])}
        if fresh_taken(behind)[0]:
            environ[FRESH_VARIABLE] = FRESH_VALUE
        self._place = Workplace(root, environ, os.environ[RUN_VARIABLE], extra_stages=names, live=live, against=against)
        stages = pipeline_stages(self._place.settings.project.required, extra)
        self.stages = live_stages(stages) if live else stages
        self._run: Run | None = None
        self._one_stage: Callable[..., StageResult]
        self._planned: tuple[str, ...] = ()

    def function(self, stage: Stage) -> Callable[[nox.Session], None]:
        """The session's function; its docstring is the help text."""

        def session_function(session: nox.Session) -> None:
            self._carry_out(session, stage.name)

        session_function.__name__ = session_function.__qualname__ = stage.name
        session_function.__doc__ = stage.summary
        return session_function

    def _carry_out(self, session: nox.Session, name: str) -> None:
        run: Run | None = None
        lacking = ""
        try:
            run = self._begun(session)
            asked = _asked(session)
            lacking = _lacking(run)
            reuse = asked is not None and name not in asked
            _, arguments = fresh_taken(taken(session.posargs)[1])
            result = self._one_stage(run, self._place, name, reuse=reuse, arguments=arguments)
        except KeyboardInterrupt:
            if run is not None:
                run.interrupt(self._planned)
            raise
        except ConfigurationError as error:
            refuse(error)
        except PipelineError as error:
            session.error(for_log(self._place.redact(str(error))))
        except OSError as error:
            session.error(for_log(self._place.redact(f"{error.filename or 'A file'}: {error.strerror or error}.")))
        if result.status is not Status.PASS:
            session.error(f"{name} is {result.status}")
        # Once in a Nox run, in its last session, so that it stops none of the others.
        if name == self._planned[-1] and lacking:
            session.error(f"{name} is pass, but {lacking}")

    def _begun(self, session: nox.Session) -> Run:
        # Only when a stage really runs.
        # pylint: disable=import-outside-toplevel
        from pipeline.run import Run
        from pipeline.scheduling import one_stage

        if self._run is None:
            as_keyboard_interrupt()
            run = Run(self._place, self.stages, os.environ[RUN_VARIABLE])
            # Nox has already taken the session that it runs from those that are to come.
            self._planned = run.begin((session.name, *_selected(session, run.names)))
            self._run, self._one_stage = run, one_stage
            # Of the workers nobody knows whether it is the last, so each leaves what has come of the run so far.
            atexit.register(run.remember if _is_worker(session) else run.close)
        return self._run


def _colours(arguments: Sequence[str]) -> dict[str, str]:
    """What Nox's own options say of colours, as the variable that the console reads."""
    if {"--nocolor", "--no-color"} & {*arguments}:
        return {COLOUR_VARIABLE: "never"}
    return {COLOUR_VARIABLE: "always"} if {"--forcecolor", "--force-color"} & {*arguments} else {}


def _lacking(run: Run) -> str:
    """What of that which is run always did not pass, like "policy is fail"; empty when all did."""
    results = (result for result in run.report().results if result.name in run.always)
    return " and ".join(f"{result.name} is {result.status}" for result in results if result.status is not Status.PASS)


def _selected(session: nox.Session, names: tuple[str, ...]) -> tuple[str, ...]:
    """The stages among the sessions that this Nox run has selected.

    Nox tells a session nothing about its siblings, so its runner is asked; where that is another shape, the session
    stands alone.
    """
    manifest = getattr(getattr(session, "_runner", None), "manifest", None)
    listed = manifest.list_all_sessions() if manifest is not None and hasattr(manifest, "list_all_sessions") else ()
    return tuple(runner.name for runner, selected in listed if selected and runner.name in names)


def _asked(session: nox.Session) -> frozenset[str] | None:
    """The sessions that were named on the command line; none when everything was asked for."""
    named = getattr(getattr(getattr(session, "_runner", None), "global_config", None), "sessions", None)
    return frozenset(named) if named else None


def _is_worker(session: nox.Session) -> bool:
    config = getattr(getattr(session, "_runner", None), "global_config", None)
    return bool(getattr(config, "parallel_worker", False))
