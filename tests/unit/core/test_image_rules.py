"""The rules: each fault is found by its own rule, and what is sound is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.core.image_configuration_rules import configuration_hits, recipe_hits
from pipeline.core.image_controls import expectation_control, hardening_controls
from pipeline.core.image_file_rules import buried_hits, is_read, tree_hits
from pipeline.core.image_rules import HARDENING, RULES
from pipeline.core.image_tree import Node
from tests.image_trees import file_node, folder_node, link_node, tree_of

PEM = "-----BEGIN " + "PRIVATE KEY-----\n"
SOUND: dict[str, Any] = {"Healthcheck": {"Test": ["CMD", "true"]}}


def of_configuration(user: str = "1", **changed: Any) -> list[str]:
    """The rules that object to a configuration."""
    return [hit.rule for hit in configuration_hits(user, {**SOUND, **changed})]


def of_files(*nodes: Node) -> list[str]:
    """The rules that object to a tree."""
    return [hit.rule for hit in tree_hits(tree_of(*nodes))]


def of_recipe(text: str) -> list[tuple[str, int]]:
    """The rules that object to a recipe, and the lines."""
    return [(hit.rule, hit.line) for hit in recipe_hits(parse_recipe(text))]


@pytest.mark.parametrize("user", ["65532", "1:1", "65532:0", "00100"])
def test_a_number_that_is_not_0_is_a_user(user: str) -> None:
    assert of_configuration(user) == []


@pytest.mark.parametrize("user", ["", "0", "0:0", "000", "root", "nobody", "me:1", "1:me", "-1"])
def test_root_and_names_are_none(user: str) -> None:
    assert of_configuration(user) == ["CIS-DI-0001"]


@pytest.mark.parametrize("check", [None, {}, {"Test": []}, {"Test": ["NONE"]}])
def test_no_health_check_is_found(check: Any) -> None:
    assert of_configuration(Healthcheck=check) == ["CIS-DI-0006"]


@pytest.mark.parametrize(
    "variable", ["DB_PASSWORD=x", "KEY_PROD=x", "API_KEY=x", "github_token=x", "AWS_SECRET_ACCESS_KEY=x"]
)
def test_a_variable_that_looks_like_a_secret_is_found(variable: str) -> None:
    assert of_configuration(Env=[variable]) == ["CIS-DI-0010"]


@pytest.mark.parametrize("variable", ["GPG_KEY=A035", "KEY_PROD=", "MONKEY=x", "KEYBOARD=de", "PATH=/bin"])
def test_an_ordinary_variable_is_none(variable: str) -> None:
    assert of_configuration(Env=[variable]) == []


@pytest.mark.parametrize("volume", ["/dev", "/proc/1", "/sys/", "proc", "//sys", "/dev/../proc"])
def test_a_volume_over_the_kernels_folders_is_found(volume: str) -> None:
    assert of_configuration(Volumes={volume: {}}) == ["DKL-DI-0002"]


@pytest.mark.parametrize("volume", ["/data", "/device", "/system"])
def test_another_volume_is_none(volume: str) -> None:
    assert of_configuration(Volumes={volume: {}}) == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("ADD x /", "CIS-DI-0009"),
        ("RUN apt-get -qq update", "CIS-DI-0007"),
        ("RUN apk update && rm x", "CIS-DI-0007"),
        ("RUN apt-get update && apt-get -y dist-upgrade", "DKL-DI-0003"),
        ("RUN sudo rm /x", "DKL-DI-0001"),
        ("RUN a; sudo b", "DKL-DI-0001"),
    ],
)
def test_an_instruction_is_found_at_its_line(line: str, rule: str) -> None:
    assert of_recipe(f"FROM a:1\n{line}\n") == [(rule, 2)]


@pytest.mark.parametrize("line", ["RUN apt-get update && apt-get install -y x", "RUN pseudo x", "COPY a /", "RUN ls"])
def test_an_ordinary_instruction_is_left_alone(line: str) -> None:
    assert of_recipe(f"FROM a:1\n{line}\n") == []


@pytest.mark.parametrize("base", ["python", "python:latest", "host:5000/python", "a/b:latest"])
def test_a_base_that_changes_by_itself_is_found(base: str) -> None:
    assert of_recipe(f"ARG B={base}\nFROM ${{B}}\n") == [("DKL-DI-0006", 2)]


@pytest.mark.parametrize("base", ["python:3.13", "scratch", "a@sha256:1", "python:latest@sha256:1", "h:5/p:1", "$NONE"])
def test_a_base_with_a_version_or_a_digest_is_not(base: str) -> None:
    assert of_recipe(f"FROM {base}\n") == []


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        (file_node("usr/bin/su1", mode=0o4755), "CIS-DI-0008"),
        (file_node("usr/bin/wall", mode=0o2755), "CIS-DI-0008"),
        (file_node("app/.env"), "CIS-DI-0010"),
        (file_node("app/.env.production"), "CIS-DI-0010"),
        (file_node("root/.ssh/id_ed25519"), "CIS-DI-0010"),
        (file_node("root/.npmrc"), "CIS-DI-0010"),
        (file_node("root/.docker/config.json"), "CIS-DI-0010"),
        (file_node("etc/ssl/own.pem", PEM.encode()), "CIS-DI-0010"),
        (file_node("app/.git/HEAD"), "IMG-HISTORY"),
        (folder_node("app/.hg"), "IMG-HISTORY"),
        (file_node("var/lib/apt/lists/x_Packages"), "DKL-DI-0005"),
        (file_node("var/cache/apk/x"), "DKL-DI-0005"),
        (file_node("root/.cache/pip/x"), "DKL-LI-0003"),
        (file_node("app/.pytest_cache/x"), "DKL-LI-0003"),
        (file_node("bin/bash", mode=0o755), "IMG-SHELL"),
        (link_node("usr/local/bin/sh", "busybox"), "IMG-SHELL"),
        (file_node("usr/bin/dpkg", mode=0o755), "IMG-PACKAGE-MANAGER"),
        (file_node("usr/local/bin/pip3.13", mode=0o755), "IMG-PIP"),
        (file_node("opt/x/pip/__init__.py"), "IMG-PIP"),
        (file_node("usr/bin/perl5.40", mode=0o755), "IMG-PERL"),
        (file_node("usr/bin/sudo", mode=0o755), "DKL-DI-0001"),
        (file_node("app/x", mode=0o646), "IMG-WRITABLE"),
        (folder_node("app", mode=0o777), "IMG-WRITABLE"),
        (file_node("etc/shadow", b"me::1::::::\n"), "DKL-LI-0001"),
        (file_node("etc/passwd", b"me::7:7::/:/\n"), "DKL-LI-0001"),
        (file_node("etc/passwd", b"root:x:0:0::/:\ntoor:x:0:0::/:\n"), "DKL-LI-0002"),
        (file_node("etc/group", b"a:x:1:\na:x:2:\n"), "DKL-LI-0002"),
    ],
)
def test_a_file_that_should_not_be_so_is_found(node: Node, rule: str) -> None:
    assert of_files(node) == [rule]


@pytest.mark.parametrize(
    "node",
    [
        file_node("app/.env.example"),
        file_node("etc/ssl/certs/ca.pem", b"-----BEGIN CERTIFICATE-----\n"),
        file_node("app/.github/x"),
        file_node("var/lib/apt/lists/lock"),
        folder_node("tmp", mode=0o1777),
        link_node("x", "y"),
        file_node("usr/share/sh"),
        file_node("etc/passwd", b"# x\n\nroot:x:0:0::/:\nme:*:1:1::/:\n"),
        file_node("etc/shadow", b"root:!:1::::::\n"),
        file_node("app/pip/readme"),
    ],
)
def test_an_ordinary_file_is_left_alone(node: Node) -> None:
    assert of_files(node) == []


def test_bytecode_of_another_python_is_found_once_a_folder() -> None:
    python = file_node("usr/bin/python3.13", mode=0o755)
    own = file_node("app/__pycache__/a.cpython-313.pyc")
    others = [file_node(f"app/__pycache__/{name}.cpython-39.opt-1.pyc") for name in "ab"]
    assert of_files(python, own) == []
    assert of_files(python, own, *others) == ["IMG-BYTECODE"]
    assert of_files(*others) == []


def test_history_and_caches_are_named_by_their_folder() -> None:
    tree = tree_of(*(file_node(f"app/.git/{name}") for name in "ab"))
    assert [hit.message for hit in tree_hits(tree)] == ["/app/.git is version control history."]


def test_what_a_later_layer_hides_is_found_too() -> None:
    tree = tree_of(buried=(file_node("app/.env"), file_node("app/.git/x"), file_node("app/x")))
    assert [hit.rule for hit in buried_hits(tree)] == ["CIS-DI-0010", "IMG-HISTORY"]


def test_the_rules_read_accounts_and_keys() -> None:
    assert [is_read(path) for path in ("etc/passwd", "a/b.PEM", "app/x.py")] == [True, True, False]


def test_every_hardening_rule_has_a_control_that_is_caught() -> None:
    controls = hardening_controls()
    assert len(controls) == len(HARDENING) + 1
    assert [control.planted for control in (*controls, expectation_control()) if not control.caught] == []


def test_every_rule_says_why_whence_and_what_to_do() -> None:
    for rule in RULES.values():
        assert all(text.endswith(".") for text in (rule.reason, rule.fix)) and rule.source and rule.title


def test_the_documentation_lists_every_rule() -> None:
    text = (Path(__file__).parents[3] / "docs/image-checks.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{r.id}` | {r.severity} | {r.title} | {r.reason} | {r.source} |" for r in RULES.values()]
