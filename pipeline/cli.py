"""The command line: arguments to calls, and every error to a sentence and an exit code, once, here.

Each command imports what it needs when it is called: ``pipeline --help`` and usage errors answer at once.
"""

# pylint: disable=import-outside-toplevel  # the reason is in the first lines

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import image_options
from pipeline.cli_parser import parser
from pipeline.console_terminal import COLOUR_VARIABLE
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.settings_cache import FRESH_VALUE, FRESH_VARIABLE, fresh_taken

if TYPE_CHECKING:
    from pipeline.stages.context import Stage
    from pipeline.workplace import Workplace

JOBS_VARIABLE = "PIPELINE_RUN_JOBS"
INTERRUPTED = 130
DEFECT = 3


def run_command(arguments: Sequence[str]) -> int:
    """Carry out a command and return its exit code: 0 pass, 1 fail, 2 usage or settings, 3 not told, 130 interrupt."""
    own, _, behind = _split(arguments)
    try:
        options = parser().parse_args(own)
        options.behind = tuple(behind)
        code = COMMANDS[options.command](options)
        # Here, so that a reader who has gone is met inside the try.
        sys.stdout.flush()
    except SystemExit as exit_request:
        # argparse ends the process by itself for --help and for a usage error (2, as in our own contract).
        code = exit_request.code if isinstance(exit_request.code, int) else 2
    except KeyboardInterrupt:
        _complain("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell, and a flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DEFECT
    except Exception as error:  # pylint: disable=broad-exception-caught  # 1 would mean that the target is at fault
        code = _told(error)
    return code


def _told(error: Exception) -> int:
    """The exit code of an error that has been put into a sentence."""
    if isinstance(error, PipelineError):
        _complain(str(error))
        return error.exit_code
    if isinstance(error, OSError):
        _complain(f"{error.filename or 'A file'}: {error.strerror or error}.")
        return DEFECT
    _complain("".join(traceback.format_exception(error)))
    _complain(f"This is a defect of the pipeline, please report it: {type(error).__name__}.")
    return DEFECT


def _complain(text: str) -> None:
    """On standard error, with the secrets of this process's environment masked."""
    from pipeline.console_plain import complain
    from pipeline.execution.redaction import SecretRedactor

    # A terminal that has been closed takes no more text, and there is nobody left to tell.
    with contextlib.suppress(OSError):
        complain(sys.stderr, SecretRedactor(os.environ)(text))


def _split(arguments: Sequence[str]) -> tuple[list[str], str, list[str]]:
    every = list(arguments)
    if "--" in every:
        cut = every.index("--")
        return every[:cut], "--", every[cut + 1 :]
    return every, "", []


def _place(
    extra: Iterable[Stage] | None = None,
    run_id: str = "",
    *,
    live: bool = False,
    against: str | None = None,
    **options: str,
) -> Workplace:
    """The workplace here; ``extra`` are the stages of the noxfile, which is read for them unless they are given.

    ``options`` stand in the place of environment variables where they are not empty.
    """
    from pipeline.workplace import Workplace

    environ = {**os.environ, **{name: value for name, value in options.items() if value}}
    names = tuple(stage.name for stage in (_extra() if extra is None else extra))
    return Workplace(_root(), environ, run_id or _run_id(), extra_stages=names, live=live, against=against)


def _extra() -> tuple[Stage, ...]:
    from pipeline.project_stages import project_stages

    return project_stages(_root())


def _root() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").exists():
            return folder
    raise ConfigurationError(
        "There is no pyproject.toml here or in any folder above.", advice="Change to your project first."
    )


def _run_id() -> str:
    return f"{os.getpid()}-{os.urandom(6).hex()}"


def _run(options: argparse.Namespace) -> int:
    from pipeline import run_command as command
    from pipeline.against import taken
    from pipeline.live import is_live

    run_id, extra = _run_id(), _extra()
    behind_option, behind = taken(options.behind)
    against = options.against or behind_option
    fresh, behind = fresh_taken(behind)
    variables = {
        COLOUR_VARIABLE: options.color,
        JOBS_VARIABLE: options.jobs,
        FRESH_VARIABLE: FRESH_VALUE if options.fresh or fresh else "",
    }
    place = _place(extra, run_id, live=is_live(behind), against=against, **variables)
    return command.carry_out(place, run_id, extra, options.stages, behind)


def _build(options: argparse.Namespace) -> int:
    if not options.verify:
        return _run(options)
    from pipeline import build_command

    return build_command.verify(_place())


def _stages(options: argparse.Namespace) -> int:
    del options
    from pipeline.stages.registry import pipeline_stages

    extra = _extra()
    for stage in pipeline_stages(_place(extra).settings.project.required, extra):
        needs = f"  (needs {', '.join(stage.needs)})" if stage.needs else ""
        print(f"{stage.name:<8} {stage.summary}{needs}")
    return 0


def _config(options: argparse.Namespace) -> int:
    from pipeline import config_command

    return config_command.carry_out(_place(), as_json=options.json)


def _verdict(options: argparse.Namespace) -> int:
    del options
    from pipeline import verdict_command

    return verdict_command.carry_out(_place())


def _why(options: argparse.Namespace) -> int:
    from pipeline import why_command

    extra = _extra()
    variables = {FRESH_VARIABLE: FRESH_VALUE if options.fresh else ""}
    place = _place(extra, _run_id(), live=False, against=options.against or None, **variables)
    return why_command.carry_out(place, extra, options.stage, hit=options.hit)


def _audit(options: argparse.Namespace) -> int:
    from pipeline import audit_command
    from pipeline.settings_loading import load

    try:
        root: Path | None = _root()
    except ConfigurationError:
        # A lock needs no project around it.
        root = None
    names = tuple(stage.name for stage in _extra()) if root is not None else ()
    wanted = audit_command.Wanted(lock=Path(options.lock), written=options.json, root=root or Path.cwd())
    return audit_command.carry_out(wanted, load(root, os.environ, names).audit, os.environ)


def _baseline(options: argparse.Namespace) -> int:
    from pipeline import baseline_command

    return baseline_command.carry_out(_place(), check=options.check, reason=options.grow)


def _promote(options: argparse.Namespace) -> int:
    from pipeline import image_command

    return image_command.promote(options.image, options.to, image_command.believed(options, _place))


def _verify(options: argparse.Namespace) -> int:
    from pipeline import image_command, verify_command

    if image_options.is_wanted(options):
        return image_command.verify_image(options.image, image_command.believed(options, _place), as_json=options.json)
    place = None if options.reports else _place()
    return verify_command.carry_out(options.reports, place, as_json=options.json)


def _report(options: argparse.Namespace) -> int:
    from pipeline import report_command

    if options.list:
        return report_command.list_formats()
    source = Path(options.reports) if options.reports else _place()
    return report_command.carry_out(source, options.format, Path(options.output) if options.output else None)


def _merge(options: argparse.Namespace) -> int:
    from pipeline import merge_command

    place = None if options.output else _place()
    folders = [Path(folder) for folder in options.folders]
    allowed = frozenset(name for words in options.allow_missing for name in words.split(",") if name)
    return merge_command.carry_out(folders, place or Path(options.output), allowed)


def _engine(options: argparse.Namespace) -> int:
    from pipeline import engine_commands

    return engine_commands.carry_out(options.action, _place())


def _registry(_: argparse.Namespace) -> int:
    from pipeline import registry_opening

    return registry_opening.serve(_place())


def _base_lock(options: argparse.Namespace) -> int:
    del options
    from pipeline import base_lock_command

    return base_lock_command.carry_out(_place())


def _waive(options: argparse.Namespace) -> int:
    from pipeline import waive_command

    own = {item.name for item in fields(waive_command.Wanted)}
    wanted = waive_command.Wanted(**{name: value for name, value in vars(options).items() if name in own})
    return waive_command.carry_out(_place(), wanted, yes=options.yes, answers=sys.stdin)


def _clean(options: argparse.Namespace) -> int:
    from pipeline import pruning

    return pruning.clean(_place(), options.keep)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "build": _build,
    "stages": _stages,
    "config": _config,
    "verdict": _verdict,
    "why": _why,
    "audit": _audit,
    "baseline": _baseline,
    "verify": _verify,
    "promote": _promote,
    "report": _report,
    "merge": _merge,
    "engine": _engine,
    "registry": _registry,
    "base-lock": _base_lock,
    "waive": _waive,
    "clean": _clean,
}
"""What carries each command out, by its name."""
