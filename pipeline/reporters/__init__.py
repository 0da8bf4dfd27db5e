"""One format a file: a report value goes in, text comes out. Imports ``pipeline.core`` only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.core.run_record import Report
from pipeline.reporters import json_report, junit, openvex, summary

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "pipeline.json": json_report.render,
    "pipeline.junit.xml": junit.render,
    "summary.md": summary.render,
    "openvex.json": openvex.render,
}
"""Every format that a run leaves, by the file's name below the reports folder; no text: there is no such file."""
