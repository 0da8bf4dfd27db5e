"""Whether a command could be started, told from the files alone."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from pipeline.core.started_program import interpreter, unstartable
from tests.image_trees import file_node, folder_node, tree_of

LOADER = "/lib/ld.so"


def elf(*, wide: bool = True, order: str = "<", loader: str = LOADER) -> bytes:
    """The beginning of a program that names this loader."""
    text = loader.encode() + b"\0"
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2]) + b"\0" * 10
    size, header = (56, 64) if wide else (32, 52)
    at = header + size
    if wide:
        head = struct.pack(f"{order}HHIQQQIHHHHHH", 2, 62, 1, 0, header, 0, 0, header, size, 1, 0, 0, 0)
        program = struct.pack(f"{order}IIQQQQQQ", 3, 4, at, 0, 0, len(text), len(text), 1)
    else:
        head = struct.pack(f"{order}HHIIIIIHHHHHH", 2, 3, 1, 0, header, 0, 0, header, size, 1, 0, 0, 0)
        program = struct.pack(f"{order}IIIIIIII", 3, at, 0, 0, len(text), len(text), 4, 1)
    return ident + head + program + text


TREE = tree_of(
    file_node("lib/ld.so", mode=0o755),
    file_node("usr/bin/python", elf(), mode=0o755),
    file_node("usr/bin/env", elf(), mode=0o755),
    file_node("bin/lost", elf(loader="/lib/gone.so"), mode=0o755),
    file_node("bin/script", b"#!/usr/bin/python -u\nx", mode=0o755),
    file_node("bin/by-env", b"#!/usr/bin/env python\n", mode=0o755),
    file_node("bin/by-env-lost", b"#!/usr/bin/env ruby\n", mode=0o755),
    file_node("bin/sh-script", b"#!/bin/sh\n", mode=0o755),
    file_node("bin/nothing", b"#!\n", mode=0o755),
    file_node("bin/itself", b"#!/bin/itself\n", mode=0o755),
    file_node("bin/text", b"hello", mode=0o755),
    file_node("app/here", elf(), mode=0o755),
    folder_node("bin/folder"),
)
PATH = "/bin::/usr/bin"


@pytest.mark.parametrize("command", ["python", "/usr/bin/python", "script", "by-env", "./here"])
def test_what_can_be_started(command: str) -> None:
    assert unstartable(command, TREE, PATH, "/app") == ""


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("sh", "sh is in no folder of /bin::/usr/bin"),
        ("/usr/bin/sh", "/usr/bin/sh is not there"),
        ("lost", "/bin/lost needs /lib/gone.so, which is not there"),
        ("sh-script", "/bin/sh-script is a script, and /bin/sh is not there"),
        ("by-env-lost", "/bin/by-env-lost is a script, and ruby is in no folder of /bin::/usr/bin"),
        ("nothing", "/bin/nothing names no interpreter that can be started"),
        ("text", "/bin/text is neither a program nor a script"),
        ("folder", "/bin/folder is no file that can be executed"),
    ],
)
def test_what_can_t_and_why(command: str, why: str) -> None:
    assert unstartable(command, TREE, PATH, "/app") == why


def test_a_script_that_interprets_itself_has_an_end() -> None:
    assert "names no interpreter that can be started" in unstartable("itself", TREE, PATH, "/")


def test_without_a_path_engines_take_their_own() -> None:
    assert unstartable("python", TREE, "", "/") == ""


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wide", [True, False])
def test_the_loader_of_any_kind_of_program_is_read(wide: bool, order: str) -> None:
    assert interpreter(elf(wide=wide, order=order)) == LOADER


def test_the_loader_of_a_real_program_is_read() -> None:
    head = Path(sys.executable).resolve().read_bytes()[:4096]
    assert interpreter(head).startswith("/lib")


@pytest.mark.parametrize("length", [4, 5, 20, 70])
def test_a_program_cut_short_names_none(length: int) -> None:
    assert interpreter(elf()[:length]) == ""
