"""The arithmetic of the measurements, and the made-up repository that they are made on."""

from __future__ import annotations

import ast
import sys
from functools import partial
from pathlib import Path

from benchmarks.machine import Timed, about, median, paired, timed
from benchmarks.modules import modules, path_of
from benchmarks.run import critical_path, table


def test_the_critical_path_follows_what_each_stage_needs() -> None:
    seconds = {"lint": 9.0, "test": 3.0, "build": 2.0, "smoke": 4.0, "canary": 5.0, "push": 1.0}
    assert critical_path(seconds) == 12.0
    assert critical_path({**seconds, "lint": 20.0}) == 21.0


def test_a_table_has_the_goal_the_figure_and_the_peers() -> None:
    rows = {
        "nothing": {"ours": 0.4, "plain": 40.0, "nox": 42.0, "own_s_a_stage": 0.03, "mib": 60.0},
        "fresh": {"ours": 20.0, "plain": 40.0, "nox": 42.0, "critical_path": 18.0, "mib": 60.0},
        "modules": {"ours": 5.0, "whole": 100.0, "hashing": 0.3, "mib": 70.0},
    }
    lines = table(rows).splitlines()
    assert "0.40 s, 1.0 %; 30 ms; 60 MiB | 40.00 s | 42.00 s |" in lines[2]
    assert "20.00 s, 50.0 %, critical path 18.00 s" in lines[3]
    assert "5.0 of 100.0 s, 5.0 %; hashing 0.30 s |  |  |" in lines[4]


def test_a_process_is_timed_to_its_end_with_what_it_said(tmp_path: Path) -> None:
    found = timed((sys.executable, "-c", "print('said'); raise SystemExit(3)"), cwd=tmp_path, env={})
    assert (found.exit_code, found.said) == (3, "said\n")
    assert found.wall > 0
    assert found.mib > 1


def test_sides_are_measured_in_turn(tmp_path: Path) -> None:
    order: list[str] = []
    one = timed((sys.executable, "-c", ""), cwd=tmp_path, env={})

    def side(name: str) -> Timed:
        order.append(name)
        return one

    found = paired(2, {"a": partial(side, "a"), "b": partial(side, "b")})
    assert order == ["a", "b", "a", "b"]
    assert {name: len(those) for name, those in found.items()} == {"a": 2, "b": 2}
    assert median([3.0, 1.0, 2.0]) == 2.0


def test_the_machine_is_described_and_not_named() -> None:
    assert set(about()) == {"cores", "processor", "kernel", "python", "load"}


def test_made_up_modules_can_be_parsed_and_use_only_what_is_there() -> None:
    files = modules(45)
    assert path_of(44) in files
    for text in files.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                assert f"{str(node.module).replace('.', '/')}/{node.names[0].name}.py" in files
