"""Planted images, one for each rule: the rule must object to its own, no other may, and none to the sound one.

In memory, and in the very run whose silence they vouch for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.core.dockerfile_lines import parse_recipe
from pipeline.core.evidence import Control
from pipeline.core.expectations import Expectations, Seen, expectation_hits
from pipeline.core.image_configuration_rules import configuration_hits, recipe_hits
from pipeline.core.image_file_rules import buried_hits, tree_hits
from pipeline.core.image_rules import HARDENING, RULES, Hit
from pipeline.core.image_tree import ImageTree, Node, NodeKind

CHECK = "the image check"
_SOUND_RECIPE = "FROM base:1\nCOPY . /app\nUSER 65532\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A small image, as the hardening rules see one."""

    user: str = "65532"
    configuration: Mapping[str, Any] = field(default_factory=lambda: {"Healthcheck": {"Test": ["CMD", "true"]}})
    recipe: str = _SOUND_RECIPE
    nodes: tuple[Node, ...] = ()
    buried: tuple[Node, ...] = ()

    @property
    def hits(self) -> tuple[Hit, ...]:
        """What the rules object to."""
        tree = ImageTree(nodes={node.path: node for node in self.nodes}, buried=self.buried)
        return hardening_hits(self.user, self.configuration, self.recipe, tree)

    def having(self, *nodes: Node) -> Planted:
        """The same with these besides."""
        return replace(self, nodes=(*self.nodes, *nodes))


def hardening_hits(user: str, configuration: Mapping[str, Any], recipe: str, tree: ImageTree) -> tuple[Hit, ...]:
    """All that needs nothing but the image and its recipe."""
    return (
        *configuration_hits(user, configuration),
        *recipe_hits(parse_recipe(recipe)),
        *tree_hits(tree),
        *buried_hits(tree),
    )


def planted_file(path: str, *, mode: int = 0o644, content: bytes = b"") -> Node:
    """A file of root's."""
    return Node(path=path, kind=NodeKind.FILE, mode=mode, size=len(content), sha256="0" * 64, content=content)


_SOUND = Planted(
    nodes=(
        planted_file("usr/bin/python3.13", mode=0o755),
        planted_file("etc/passwd", content=b"root:x:0:0::/:\nme:x:65532:65532::/:\n"),
        planted_file("etc/shadow", content=b"root:*:1::::::\n"),
        Node(path="tmp", kind=NodeKind.FOLDER, mode=0o1777),
    )
)


def _samples() -> dict[str, Planted]:
    """One fault each."""
    sound = _SOUND
    of_files = {
        "CIS-DI-0008": planted_file("usr/bin/planted", mode=0o4755),
        "CIS-DI-0010": planted_file("app/.env"),
        "DKL-DI-0001": planted_file("usr/bin/sudo", mode=0o755),
        "DKL-DI-0005": planted_file("var/lib/apt/lists/planted"),
        "DKL-LI-0003": planted_file("root/.cache/planted"),
        "IMG-HISTORY": planted_file("app/.git/config"),
        "IMG-BYTECODE": planted_file("app/__pycache__/planted.cpython-39.pyc"),
        "IMG-SHELL": planted_file("bin/sh", mode=0o755),
        "IMG-PACKAGE-MANAGER": planted_file("usr/bin/apt-get", mode=0o755),
        "IMG-PIP": planted_file("usr/bin/pip3", mode=0o755),
        "IMG-PERL": planted_file("usr/bin/perl", mode=0o755),
        "IMG-WRITABLE": planted_file("app/planted", mode=0o666),
    }
    accounts = b"root:x:0:0::/:\ntoor:x:0:0::/:\n"
    return {
        **{rule: sound.having(node) for rule, node in of_files.items()},
        "CIS-DI-0001": replace(sound, user="0:0"),
        "CIS-DI-0006": replace(sound, configuration={}),
        "CIS-DI-0007": replace(sound, recipe=f"{_SOUND_RECIPE}RUN apt-get update\n"),
        "CIS-DI-0009": replace(sound, recipe=f"{_SOUND_RECIPE}ADD a.tar /\n"),
        "DKL-DI-0002": replace(sound, configuration={**sound.configuration, "Volumes": {"/proc/": {}}}),
        "DKL-DI-0003": replace(sound, recipe=f"{_SOUND_RECIPE}RUN apt-get -y dist-upgrade\n"),
        "DKL-DI-0006": replace(sound, recipe=_SOUND_RECIPE.replace("base:1", "base:latest")),
        "DKL-LI-0001": sound.having(planted_file("etc/shadow", content=b"me::1::::::\n")),
        "DKL-LI-0002": sound.having(planted_file("etc/passwd", content=accounts)),
    }


def hardening_controls() -> tuple[Control, ...]:
    """One control for each rule that needs nothing but the image and its recipe."""
    samples, quiet = _samples(), not _SOUND.hits
    return (
        *(
            Control(
                tool=CHECK,
                planted=f"fault against {rule} ({RULES[rule].title[0].lower()}{RULES[rule].title[1:]})",
                caught=quiet and rule in samples and {hit.rule for hit in samples[rule].hits} == {rule},
            )
            for rule in HARDENING
        ),
        Control(
            tool=CHECK,
            planted="credential file that a later layer deletes",
            caught=[hit.rule for hit in replace(_SOUND, buried=(planted_file("app/.env"),)).hits] == ["CIS-DI-0010"],
        ),
    )


def expectation_control() -> Control:
    """An expectation that no image keeps: it wants a user and forbids its only file."""
    seen = Seen(user="1", configuration={}, labels={}, tree=ImageTree())
    hits, _ = expectation_hits(Expectations(user="2"), seen)
    return Control(tool=CHECK, planted="expectation that the image does not keep", caught=len(hits) == 1)
