"""The command line: arguments to calls, and every error to a sentence and an exit code, once, here.

Each command imports what it needs when it is called: ``pipeline --help`` and usage errors answer at once.
"""

# pylint: disable=import-outside-toplevel  # the reason is in the first lines

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError, PipelineError
from pipeline.settings import STAGE_NAMES

if TYPE_CHECKING:
    from pipeline.stages.context import Stage
    from pipeline.workplace import Workplace

INTERRUPTED = 130
DEFECT = 3


def run_command(arguments: Sequence[str]) -> int:
    """Carry out a command and return its exit code: 0 pass, 1 fail, 2 usage or settings, 3 not told, 130 interrupt."""
    own, _, behind = _split(arguments)
    try:
        options = _parser().parse_args(own)
        options.behind = tuple(behind)
        command: Callable[[argparse.Namespace], int] = options.command
        code = command(options)
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
    traceback.print_exception(error)
    _complain(f"This is a defect of the pipeline, please report it: {type(error).__name__}.")
    return DEFECT


def _complain(text: str) -> None:
    """One sentence on standard error, with the secrets of this process's environment masked."""
    from pipeline.execution.redaction import SecretRedactor

    sys.stderr.write(f"pipeline: {SecretRedactor(os.environ)(text)}\n")


def _split(arguments: Sequence[str]) -> tuple[list[str], str, list[str]]:
    every = list(arguments)
    if "--" in every:
        cut = every.index("--")
        return every[:cut], "--", every[cut + 1 :]
    return every, "", []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pipeline", description="A DevSecOps pipeline whose green runs are proof.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, call: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=call)
        return sub

    run = add(
        "run", _run, "Run stages and what they need; without a name, all of them. Arguments behind -- go to the stages."
    )
    run.add_argument("--against", metavar="REV", help="only what is new against this revision fails")
    run.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGE_NAMES))
    add("stages", _stages, "List the stages in their order with what each needs.")
    config = add("config", _config, "Show every effective setting and where its value comes from.")
    config.add_argument("--json", action="store_true", help="as JSON")
    add(
        "verdict",
        _verdict,
        "Show the verdict of the last run's report and exit by it (for the last job of a workflow).",
    )
    baseline = add("baseline", _baseline, "From the last report, take what is gone out of the finding baseline.")
    baseline.add_argument("--check", action="store_true", help="write nothing; exit 1 if it could be smaller")
    baseline.add_argument("--grow", metavar="REASON", default="", help="let the new findings in too, for this reason")
    verification = add(
        "verify", _verify, "Check a finished report: digests, statuses, verdict, waivers; from itself alone."
    )
    verification.add_argument("reports", nargs="?", default="", help="its folder; default: this checkout's own")
    verification.add_argument("--json", action="store_true", help="as JSON")
    engine = add(
        "engine", _engine, "The container engine: status, start, or stop the one that the pipeline has started."
    )
    engine.add_argument("action", choices=("status", "start", "stop"))
    add("registry", _registry, "Serve the rehearsal registry until interrupted.")
    add("base-lock", _base_lock, "Renew the lock of the base images' Debian packages.")
    _waive_options(add("waive", _waive, "Show what a waiver would hide, and write it into waivers.toml."))
    add("clean", _clean, "Remove what earlier runs of this checkout left in the container engine.")
    return parser


def _place(
    extra: Iterable[Stage] | None = None, run_id: str = "", *, live: bool = False, against: str | None = None
) -> Workplace:
    """The workplace here; ``extra`` are the stages of the noxfile, which is read for them unless they are given."""
    from pipeline.workplace import Workplace

    names = tuple(stage.name for stage in (_extra() if extra is None else extra))
    return Workplace(_root(), os.environ, run_id or _run_id(), extra_stages=names, live=live, against=against)


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
    place = _place(extra, run_id, live=is_live(behind), against=options.against or behind_option)
    return command.carry_out(place, run_id, extra, options.stages, behind)


def _stages(options: argparse.Namespace) -> int:
    del options
    from pipeline.stages.registry import pipeline_stages

    extra = _extra()
    for stage in pipeline_stages(_place(extra).settings.project.required, extra):
        needs = f"  (needs {', '.join(stage.needs)})" if stage.needs else ""
        print(f"{stage.name:<8} {stage.summary}{needs}")
    return 0


def _config(options: argparse.Namespace) -> int:
    from pipeline.core.masking import masked_value
    from pipeline.settings_loading import effective

    place = _place()
    values = [(name, masked_value(value, place.redact), source) for name, value, source in effective(place.settings)]
    if options.json:
        print(json.dumps({name: {"value": value, "source": source} for name, value, source in values}, indent=2))
        return 0
    width = max(len(name) for name, _, _ in values)
    for name, value, source in values:
        print(f"{name:<{width}} = {json.dumps(value, ensure_ascii=False)}  ({source})")
    return 0


def _verdict(options: argparse.Namespace) -> int:
    del options
    from pipeline.core.stage import Status
    from pipeline.core.verdict import EXIT_CODES

    place = _place()
    path = place.store.reports / "pipeline.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        verdict, snapshot = Status(document["verdict"]), str(document["snapshot"])
        stages = [(stage["name"], stage["status"], stage["reasons"]) for stage in document["stages"]]
    except FileNotFoundError:
        raise ConfigurationError("There is no report yet.", advice="Run the pipeline first.") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{path.name} is not a report of the pipeline, or is damaged.") from None
    for name, status, reasons in stages:
        print(f"{name:<8} {status}" + ("" if status == "pass" else f": {' '.join(reasons)}"))
    print(f"verdict: {verdict}")
    if snapshot != place.checkout.snapshot().digest:
        print("The report is about other content than this checkout has now, so it says nothing about it.")
        return EXIT_CODES[Status.INCONCLUSIVE]
    return EXIT_CODES[verdict]


def _baseline(options: argparse.Namespace) -> int:
    from pipeline import baseline_command

    return baseline_command.carry_out(_place(), check=options.check, reason=options.grow)


def _verify(options: argparse.Namespace) -> int:
    from pipeline import verify_command

    place = None if options.reports else _place()
    return verify_command.carry_out(options.reports, place, as_json=options.json)


def _engine(options: argparse.Namespace) -> int:
    from pipeline import engine_commands

    return engine_commands.carry_out(options.action, _place())


def _registry(options: argparse.Namespace) -> int:
    del options
    from pipeline import registry_opening

    return registry_opening.serve(_place())


def _base_lock(options: argparse.Namespace) -> int:
    del options
    from pipeline import base_lock_command

    return base_lock_command.carry_out(_place())


def _waive_options(waive: argparse.ArgumentParser) -> None:
    waive.add_argument("id", metavar="ID", help="a rule, an advisory or an alias of one, or a finding's fingerprint")
    waive.add_argument("--tool", required=True, help="the tool that reports it")
    waive.add_argument("--scope", required=True, help="a package, or a path glob (** is any number of folders)")
    waive.add_argument("--reason", required=True, help="a sentence that says why it may stay")
    waive.add_argument("--owner", required=True, help="who answers for it")
    waive.add_argument("--days", type=int, help="how long it lasts; default: 90, or waiver_max_days if that is less")
    waive.add_argument("--until-fixed", action="store_true", help="it ends as soon as there is a fixed version")
    waive.add_argument("--justification", default="", help="why the product is not affected, in OpenVEX's words")
    waive.add_argument("--yes", action="store_true", help="write it without asking")


def _waive(options: argparse.Namespace) -> int:
    from pipeline import waive_command

    wanted = waive_command.Wanted(
        id=options.id,
        tool=options.tool,
        scope=options.scope,
        reason=options.reason,
        owner=options.owner,
        days=options.days,
        until_fixed=options.until_fixed,
        justification=options.justification,
    )
    return waive_command.carry_out(_place(), wanted, yes=options.yes, answers=sys.stdin)


def _clean(options: argparse.Namespace) -> int:
    del options
    place = _place()
    removed = place.ports.engine().remove_leftovers(place.ownership)
    for name in removed:
        print(f"removed {name}")
    print(f"{len(removed)} left-overs removed")
    return 0
