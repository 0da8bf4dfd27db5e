"""One format a file: a report value goes in, text comes out. Imports ``pipeline.core`` only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.core.run_record import Report
from pipeline.reporters import json_report, junit, summary

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "pipeline.json": json_report.render,
    "pipeline.junit.xml": junit.render,
    "summary.md": summary.render,
}
"""Every format that a run leaves, by the file's name below the reports folder."""
