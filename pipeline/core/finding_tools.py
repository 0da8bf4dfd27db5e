"""Which tools our own stages have findings of: what a waiver may name, and which tool has broken down with a stage.

A value and not derived from results, since a tool that crashed has left none.
"""

from __future__ import annotations

from collections.abc import Mapping

FINDING_TOOLS: Mapping[str, tuple[str, ...]] = {
    "lint": ("pipeline", "pylint", "ruff"),
    "scan": ("bandit", "pipeline"),
    "secrets": ("detect-secrets", "pipeline"),
    "audit": ("pip-audit", "pipeline"),
    "test": ("pipeline", "pytest"),
    "build": ("image check",),
    "smoke": ("container log", "pytest", "schemathesis"),
}
"""The tools whose findings each of our stages reports in an ordinary run; the others have gates only.

``pipeline`` is what we find ourselves, in the configuration.
"""

_BY_RULE = "container log, detect-secrets, image check, pip-audit, pipeline, pylint, pytest, ruff, schemathesis"
RATED_BY_RULE = frozenset(_BY_RULE.split(", "))
"""Those of them that give all findings by one rule the same severity. bandit rates each finding by itself."""
SECURITY_TOOLS = frozenset({"bandit", "detect-secrets", "image check", "pip-audit"})
"""Those of them whose findings are about security, whatever a finding says of a weakness."""
