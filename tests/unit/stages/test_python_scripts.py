"""Which files are Python: by their suffix, or by a first line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings import Exclusion
from pipeline.stages.source_files import python_files, require_paths
from tests.support import snapshot_of, write_files


@pytest.mark.parametrize(
    "line",
    [
        b"#!/usr/bin/python3",
        b"#! /usr/bin/env python",
        b"#!/usr/bin/env -S python3.13 -I",
        b"#!/usr/bin/env A=1 python3",
        b"#!/opt/my-python/bin/python",
        b"#!/usr/bin/python3\r",
    ],
)
def test_a_script_without_a_suffix_is_python_when_its_first_line_says_so(tmp_path: Path, line: bytes) -> None:
    write_files(tmp_path, {"service/run": line + b"\nprint(1)\n"})
    assert python_files(snapshot_of(tmp_path), ("service",), (), tmp_path) == (("service/run",), ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run", b"#!/bin/sh\n# python\n"),
        ("run", b"#!/bin/sh /usr/bin/python3\n"),
        ("run", b"#!/usr/bin/pythonic\n"),
        ("run", b"\n#!/usr/bin/python3\n"),
        ("run", b""),
        ("run.txt", b"#!/usr/bin/python3\n"),
        ("data", b"\0" * 4000),
    ],
)
def test_other_files_are_not(tmp_path: Path, name: str, text: bytes) -> None:
    write_files(tmp_path, {f"service/{name}": text})
    assert python_files(snapshot_of(tmp_path), ("service",), (), tmp_path) == ((), ())


def test_a_script_can_be_excluded_like_any_other_file(tmp_path: Path) -> None:
    write_files(tmp_path, {"service/run": "#!/usr/bin/python3\n", "service/a.py": "", "other/b.py": ""})
    exclude = (Exclusion(path="service/run", reason="Run by hand."),)
    files, left_out = python_files(snapshot_of(tmp_path), ("service",), exclude, tmp_path)
    assert files == ("service/a.py",)
    assert [item.what for item in left_out] == ["service/run (1 file)"]


def test_a_configured_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"service/a.py": ""})
    require_paths(snapshot_of(tmp_path), ("service", "."), "scan.paths")
    with pytest.raises(ConfigurationError, match=r"scan\.paths names 'src'"):
        require_paths(snapshot_of(tmp_path), ("src",), "scan.paths")
