"""One format a file: a report value goes in, text comes out. Imports ``pipeline.core`` only."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.reporters import code_quality, json_report, junit, metrics, openvex, page, sarif, sbom, summary
from pipeline.reporters.format import Format, one_file

FORMATS: Mapping[str, Format] = {
    "json": one_file("pipeline.json", json_report.render),
    "junit": Format(places=(junit.MERGED, junit.OF_A_STAGE), render=junit.render),
    "sarif": Format(places=(sarif.UPLOAD, sarif.WHOLE), render=sarif.render),
    "code-quality": one_file(code_quality.PLACE, code_quality.render),
    "page": one_file("index.html", page.render),
    "summary": one_file("summary.md", summary.render),
    "openvex": one_file("openvex.json", openvex.render),
    "sbom": Format(places=sbom.PLACES, render=sbom.render),
    "metrics": one_file(metrics.PLACE, metrics.render),
}
"""Every format that a run leaves, by the name with which it can be asked for."""
