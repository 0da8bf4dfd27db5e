"""Findings of different tools about one and the same thing: each is told which others report it too.

None is taken away. A duplicate stays a finding of its own tool, in its own stage, with its own fingerprint, waiver and
count: were it dropped, a waiver of the one that is left would hide both, and a gate would count less than its tool saw.
``sources`` lets a reader see that two entries are one fault.

Two findings are about the same when they lie on the same line of the same file and their rules are known to mean the
same, or are about one version of one package and share a name of the vulnerability. Which rules mean the same:

- ruff's ``S105`` is bandit's ``B105``, ruff's ``PLW0120`` is pylint's ``W0120``, and so on: ruff gives to the rules
  that it takes from others their own numbers (https://docs.astral.sh/ruff/rules/, "flake8-bandit (S)", "Pylint (PL)");
- ruff's rules of pyflakes, pycodestyle and mccabe have other names than pylint's for the same; the pairs below are from
  ruff's own list (https://github.com/astral-sh/ruff/issues/970), those of them that a test shows to be reported
  together by both tools for one line (``tests/integration/test_duplicates_real.py``);
- bandit's and ruff's hard-coded passwords (105, 106, 107; CWE-259) are what the secret scanner looks for (CWE-798, the
  parent of CWE-259 in MITRE's list).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pipeline.core.finding import Finding
from pipeline.core.package_names import canonical_name
from pipeline.core.stage import StageResult

PYLINT_OF_RUFF: Mapping[str, tuple[str, ...]] = {
    "B006": ("W0102",), "B023": ("W0640",), "B025": ("W0705",), "BLE001": ("W0718",), "C901": ("R1260",),
    "E401": ("C0410",), "E402": ("C0413",), "E501": ("C0301",), "E701": ("C0321",), "E702": ("C0321",),
    "E703": ("W0301",), "E711": ("C0121",), "E712": ("C0121",), "E721": ("C0123",), "E722": ("W0702",),
    "E731": ("C3001",), "F401": ("W0611",), "F403": ("W0401",), "F404": ("W0410",), "F502": ("E1303",),
    "F504": ("W1301",), "F505": ("E1304",), "F506": ("E1302",), "F507": ("E1305", "E1306"), "F509": ("E1300",),
    "F521": ("W1302",), "F522": ("W1304",), "F523": ("E1305",), "F524": ("E1306", "W1303"), "F525": ("W1305",),
    "F541": ("W1309",), "F601": ("W0109",), "F631": ("W0199",), "F632": ("R0123",), "F701": ("E0103",),
    "F702": ("E0103",), "F704": ("E0105",), "F706": ("E0104",), "F811": ("E0102", "W0404"), "F821": ("E0602",),
    "F822": ("E0603",), "F823": ("E0601",), "F841": ("W0612",), "F901": ("E0711",), "S102": ("W0122",),
    "S307": ("W0123",), "W291": ("C0303",), "W293": ("C0303",), "W292": ("C0304",), "W605": ("W1401",),
    "invalid-syntax": ("E0001",),
}  # fmt: skip
"""For rules of ruff the messages of pylint that mean the same."""
_PASSWORDS = frozenset({"B105", "B106", "B107"})
_CREDENTIAL = "hard-coded credential"
_OF_BANDIT = re.compile(r"S(?P<number>\d{3})", re.ASCII)
_OF_PYLINT = re.compile(r"PL(?P<message>[CERW]\d{4})", re.ASCII)


def with_sources(results: Iterable[StageResult]) -> tuple[StageResult, ...]:
    """The results of a run, each finding with the other tools that report the same, as ``tool:rule``, sorted.

    What ``sources`` said before is of no account: the results alone decide it.
    """
    every = tuple(results)
    reported: dict[tuple[str, ...], set[tuple[str, str]]] = defaultdict(set)
    for result in every:
        for finding in result.findings:
            for subject in _subjects(finding):
                reported[subject].add((finding.tool, finding.rule))
    return tuple(_told(result, reported) for result in every)


def _told(result: StageResult, reported: Mapping[tuple[str, ...], set[tuple[str, str]]]) -> StageResult:
    findings = tuple(_with_others(finding, reported) for finding in result.findings)
    unchanged = all(one is other for one, other in zip(findings, result.findings, strict=True))
    return result if unchanged else replace(result, findings=findings)


def _with_others(finding: Finding, reported: Mapping[tuple[str, ...], set[tuple[str, str]]]) -> Finding:
    others = {
        f"{tool}:{rule}" for subject in _subjects(finding) for tool, rule in reported[subject] if tool != finding.tool
    }
    sources = tuple(sorted(others))
    return finding if sources == finding.sources else replace(finding, sources=sources)


def _subjects(finding: Finding) -> Iterator[tuple[str, ...]]:
    """What the finding is about, in words that are equal for every tool; of a rule that no other tool has, nothing."""
    if finding.package:
        package = canonical_name(finding.package)
        for name in {finding.rule, *finding.aliases}:
            yield ("package", package, finding.version, name)
    elif finding.path and finding.line:
        for meaning in meanings(finding.tool, finding.rule):
            yield ("place", finding.path, str(finding.line), meaning)


def meanings(tool: str, rule: str) -> tuple[str, ...]:
    """What a rule means, in words that are equal for every tool that has such a rule."""
    if tool == "ruff":
        bandit, pylint = _OF_BANDIT.fullmatch(rule), _OF_PYLINT.fullmatch(rule)
        own = (f"B{bandit['number']}",) if bandit else (pylint["message"],) if pylint else ()
        return (*own, *PYLINT_OF_RUFF.get(rule, ()), *_credential(own))
    if tool in ("bandit", "pylint"):
        return (rule, *_credential((rule,)))
    return (_CREDENTIAL,) if tool == "detect-secrets" else ()


def _credential(tests: Iterable[str]) -> tuple[str, ...]:
    return (_CREDENTIAL,) if _PASSWORDS.intersection(tests) else ()
