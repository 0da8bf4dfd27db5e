"""``index.html``: the run as one page that needs nothing else, for the people who decide by it.

The page makes no request: styles, script and drawings stand in it, and its Content-Security-Policy allows nothing but
these very texts, by their digests, so that markup which came in with a finding could not run either. It is made with
Jinja2, which escapes every value; what can't be seen is made visible first, and links are judged by
:mod:`pipeline.core.safe_text`.

The order of the sections is that in which a reviewer asks: the verdict and why, the gates, what was not checked, the
findings, the waivers, the image, how it all went over time, and how to do it again.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipeline.core import safe_text
from pipeline.core.change import change_since_last_green
from pipeline.core.run_record import Report
from pipeline.core.safe_text import cut, html_document, visible
from pipeline.core.stage import Status
from pipeline.reporters import page_charts, page_findings, page_image, page_stages, page_text

if TYPE_CHECKING:
    from jinja2 import Environment

FIRST = 100
"""Findings that stand in the page itself, for who reads it without its script, and that it shows at a time."""

_FOLDER = Path(__file__).parent / "page"
_BRIEF = 10
"""Changes of the policy, and reasons of a stage, that stand above all else; nothing may push the verdict away."""
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_COLOURS = {Status.PASS: "1b6b34", Status.FAIL: "b3201a", Status.INCONCLUSIVE: "b97500", Status.NOT_RUN: "57606b"}


def render(report: Report) -> str:
    """The page."""
    record = report.record
    found = page_findings.listed(report)
    suppressed = page_stages.suppressed(report)
    text = _environment().get_template("page.html").render(
        report=report,
        record=record,
        name=_name(report),
        verdict_word=str(report.verdict).replace("-", " "),
        sentence=page_stages.sentence(report),
        whys=page_stages.whys(report),
        proof=page_stages.proof(report),
        effects=page_stages.effects(report),
        change=change_since_last_green(report),
        rows=page_stages.rows(report),
        left_out=page_stages.left_out(report),
        suppressed=suppressed,
        suppressions=sum(map(len, suppressed.values())),
        findings=found,
        first=FIRST,
        brief=_BRIEF,
        data=found.packed() if found else "{}",
        image=page_image.image(report),
        packages=page_image.packages(report),
        bills=page_image.bills(report),
        provenance=page_image.provenance(report),
        canary=page_image.canary(report),
        steps=page_charts.timeline(report),
        plots=page_charts.plots(report),
        checkout=f"git checkout --detach {record.commit}" if _COMMIT.fullmatch(record.commit) else "",
        favicon=_favicon(report.verdict),
        css=_part("page.css"),
        script=_part("page.js"),
        policy=content_security_policy(),
    )  # fmt: skip
    return html_document(text)


@cache
def content_security_policy() -> str:
    """What the page may load and run: the one style and the one script that stand in it, and the icon, which is a
    ``data:`` address, since a browser would ask the server for one otherwise.

    Source: https://www.w3.org/TR/CSP3/, sections 6.7 and 8.3 (hashes).
    """
    style, script = (_source(_part(name)) for name in ("page.css", "page.js"))
    allowed = f"default-src 'none'; style-src {style}; script-src {script}; img-src data:"
    return f"{allowed}; base-uri 'none'; form-action 'none'"


@cache
def _environment() -> Environment:
    # Here, since `import pipeline` must stay quick.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # pylint: disable=import-outside-toplevel

    code = (Path(__file__), *(Path(str(module.__file__)) for module in (page_text, safe_text)))
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        bytecode_cache=import_module("pipeline.reporters.page_bytecode").PackageBytecode(_FOLDER, code),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=page_text.shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        counted=page_text.counted,
        cut=cut,
        milliseconds=page_text.milliseconds,
        moment=page_text.moment,
        number=page_text.number,
        one_line=visible,
        seconds=page_text.seconds,
        short=page_text.short,
    )
    return environment


@cache
def _part(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _name(report: Report) -> str:
    """The project's name, as its policy tells."""
    return cut(str(report.record.policy.get("name") or "pipeline"), 100)


def _favicon(verdict: Status) -> str:
    circle = f'<circle cx="8" cy="8" r="7" fill="#{_COLOURS[verdict]}"/>'
    return quote(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{circle}</svg>')
