"""Where in the project the fault lies of what was found in an image: the instruction of the recipe, the lock's line."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.dockerfile_lines import Recipe
from pipeline.core.finding import Confidence, Finding
from pipeline.core.image_rules import RULES, Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the project the fault of a hit lies."""

    recipe: Recipe
    dockerfile: str
    lock: str
    base_layers: int
    layers: int

    def finding(self, hit: Hit) -> Finding:
        """The finding; its text alone tells it from others of its rule, so that it stays the same when lines move."""
        rule = RULES[hit.rule]
        return Finding(
            rule=hit.rule,
            tool="image check",
            severity=rule.severity,
            confidence=Confidence.HIGH,
            message=hit.message,
            path=self.lock if hit.lock else self.dockerfile,
            line=hit.lock or self._line(hit),
            package=hit.package,
            version=hit.version,
            cwe=rule.cwe,
            fix=rule.fix,
        )

    def _line(self, hit: Hit) -> int:
        if hit.line:
            return hit.line
        if hit.keyword:
            return self.recipe.line_naming(hit.keyword, hit.about) if hit.about else self.recipe.line_of(hit.keyword)
        if not hit.path:
            return self.recipe.from_line
        return self.recipe.line_of_file(hit.path, hit.layer, base_layers=self.base_layers, layers=self.layers)
