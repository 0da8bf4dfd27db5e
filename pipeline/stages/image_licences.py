"""Whether the licences of an image's packages are allowed: expressions of SPDX against a list.

Expressions are read by license-expression (AboutCode), which is made for that and is there already as a dependency of
cyclonedx-python-lib; packaging, which checks and spells expressions here, gives no tree of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from pipeline.core.component import Component, ComponentKind
from pipeline.core.evidence import listed
from pipeline.core.image_rules import Hit

_SHOWN = 4


def licence_hits(
    components: Iterable[Component], allowed: tuple[str, ...], stated: Mapping[str, str], lines: Mapping[str, int]
) -> tuple[Hit, ...]:
    """The packages with a licence that is not allowed, or with none that is known.

    ``allowed`` are identifiers, or names in a package's own words; ``stated`` are licences by package name, for those
    that don't tell; ``lines`` are the lock's lines by package. All licences of a package must be allowed.
    """
    wanted = frozenset(name.lower() for name in allowed)
    hits = []
    for component in components:
        if component.kind not in (ComponentKind.PYTHON, ComponentKind.DEBIAN):
            continue
        what = f"{component.name} {component.version}"
        told = (
            (stated[component.name],) if component.name in stated else (*component.licences, *component.licence_names)
        )
        refused = sorted({text for text in told if not is_allowed(text, wanted)})
        if refused or not told:
            why = f"has licences that are not allowed: {listed(refused, _SHOWN)}" if told else "tells no licence"
            hits.append(
                Hit(rule="IMG-LICENCE", message=f"{what} {why}.", lock=lines.get(component.name, 0),
                    path=component.place, package=component.name, version=component.version)
            )  # fmt: skip
    return tuple(hits)


def is_allowed(text: str, allowed: frozenset[str]) -> bool:
    """Whether a licence (an expression, or a name in its own words) is covered; ``allowed`` is in lower case.

    Of an OR one side is enough, of an AND both are needed; of a WITH the licence alone or the whole must be allowed.
    """
    if text.lower() in allowed:
        return True
    library = _library()
    try:
        parsed = library.Licensing().parse(text)
    except (library.ExpressionError, library.ExpressionParseError):
        # A name that is no expression is allowed only by itself.
        return False
    return parsed is not None and _covered(parsed, allowed)


def _library() -> Any:
    """Imported when it is needed, since it takes a while; it brings no types."""
    return import_module("license_expression")


def _covered(node: Any, allowed: frozenset[str]) -> bool:
    if str(node).lower() in allowed:
        return True
    operator = str(getattr(node, "operator", "")).strip().upper()
    if operator in ("AND", "OR"):
        sides = [_covered(side, allowed) for side in node.args]
        return any(sides) if operator == "OR" else all(sides)
    licence = getattr(node, "license_symbol", None)
    return licence is not None and str(licence.key).lower() in allowed
