"""What can be written behind ``pipeline``: the commands, their options, and the help that is printed of them."""

from __future__ import annotations

import argparse

from pipeline import image_options
from pipeline.console_terminal import COLOUR_VARIABLE, COLOURS
from pipeline.settings import STAGE_NAMES


def parser() -> argparse.ArgumentParser:
    """The parser; ``command`` among the options that it reads is the command's name."""
    top = argparse.ArgumentParser(prog="pipeline", description="A DevSecOps pipeline whose green runs are proof.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=name)
        return sub

    run = add(
        "run", "Run stages and what they need; without a name, all of them. Arguments behind -- go to the stages."
    )
    run.add_argument("--against", metavar="REV", help="only what is new against this revision fails")
    run.add_argument("--color", choices=COLOURS, default="", help=f"default: {COLOUR_VARIABLE}, else auto")
    run.add_argument("--jobs", metavar="N", default="", help="the most stages at once; 0: one a core")
    run.add_argument("--fresh", action="store_true", help="use no kept result of an earlier run")
    run.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGE_NAMES))
    build = add("build", "Run the build stage; with --verify build the image twice from scratch, and compare.")
    build.add_argument("--verify", action="store_true", help="elsewhere, as another user; say what differs, exit 1")
    build.set_defaults(stages=["build"], against=None, color="")
    add("stages", "List the stages in their order with what each needs.")
    config = add("config", "Show every effective setting and where its value comes from.")
    config.add_argument("--json", action="store_true", help="as JSON")
    add(
        "verdict",
        "Show the verdict of the last run's report and exit by it (for the last job of a workflow).",
    )
    why = add("why", "Say what has changed since a stage's kept result, or why there is none that could be used again.")
    why.add_argument("stage", metavar="STAGE", help=", ".join(STAGE_NAMES))
    why.add_argument("--hit", action="store_true", help="what the kept result rests on; exit 3 if there is none")
    why.add_argument("--against", metavar="REV", default="", help="for a run with this option")
    why.add_argument("--fresh", action="store_true", help="for a run with this option")
    audit = add("audit", "Look up what any hashed lock pins in an OSV export (audit.advisories), without the network.")
    audit.add_argument("--lock", required=True, metavar="FILE", help="the lock")
    audit.add_argument("--json", default="", metavar="OUT", help="write the answer there; - is standard output")
    baseline = add("baseline", "From the last report, take what is gone out of the finding baseline.")
    baseline.add_argument("--check", action="store_true", help="write nothing; exit 1 if it could be smaller")
    baseline.add_argument("--grow", metavar="REASON", default="", help="let the new findings in too, for this reason")
    verification = add("verify", "Check a finished report: digests, statuses, verdict, waivers; from itself alone.")
    verification.add_argument("reports", nargs="?", default="", help="its folder; default: this checkout's own")
    verification.add_argument("--json", action="store_true", help="as JSON")
    image_options.of_verify(verification)
    image_options.of_promote(add("promote", image_options.PROMOTE))
    report = add("report", "Make any format of a finished report again, from its pipeline.json alone.")
    report.add_argument("reports", nargs="?", default="", help="its folder; default: this checkout's own")
    report.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAME",
        help="which, parted by commas or repeated; default: all",
    )
    report.add_argument("--output", default="", metavar="FOLDER", help="where to; default: where the report is")
    report.add_argument("--list", action="store_true", help="list the formats and the files that each makes")
    merge = add("merge", "Join the results of stages that ran on different machines into one report, and exit by it.")
    merge.add_argument("folders", nargs="+", metavar="DIR", help="a reports folder of the same commit and policy")
    merge.add_argument("--output", default="", metavar="FOLDER", help="where to; default: this checkout's reports")
    merge.add_argument(
        "--allow-missing",
        action="append",
        default=[],
        metavar="STAGE",
        help="it may be in none of them; parted by commas, or repeated",
    )
    engine = add("engine", "The container engine: status, start, or stop the one that the pipeline has started.")
    engine.add_argument("action", choices=("status", "start", "stop"))
    add("registry", "Serve the rehearsal registry until interrupted.")
    add("base-lock", "Renew the lock of the base images' Debian packages.")
    _waive_options(add("waive", "Show what a waiver would hide, and write it into waivers.toml."))
    clean = add("clean", "Remove what earlier runs of this checkout left, but for the newest images and environments.")
    clean.add_argument(
        "--keep", type=_at_least_one, default=3, metavar="N", help="how many of each kind are left; default: 3"
    )
    return top


def _at_least_one(text: str) -> int:
    """A number of things to keep. Raises ArgumentTypeError for another text, and for none at all."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("it must be a whole number of at least 1")
    return int(text)


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
