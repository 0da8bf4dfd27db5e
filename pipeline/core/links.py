"""Where the rule or the advisory of a finding is explained: addresses made from names, by the scheme of each site.

Findings come from code under review, so a link is made of names that have exactly the shape that the tool or the
database gives them, at a host that is written here, or there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pipeline.core.finding import Finding

# Our own adapters put a rule's name in brackets at the end of its message.
_NAMED = re.compile(r"\((?P<name>[a-z][a-z0-9-]{1,80})\)\Z")
_PYLINT = re.compile(r"(?P<letter>[FEWRCI])\d{4}", re.A)
# The folders of https://pylint.readthedocs.io/en/stable/user_guide/messages/messages_overview.html
_PYLINT_FOLDERS = {
    "F": "fatal", "E": "error", "W": "warning", "R": "refactor", "C": "convention", "I": "information",
}  # fmt: skip
# bandit's "more_info" (bandit/core/docs_utils.py), which our adapter quotes in a finding's fix.
_BANDIT = re.compile(
    r"\ASee (?P<page>https://bandit\.readthedocs\.io/en/[0-9a-z.]{1,20}/(?:plugins|blacklists)/[a-z0-9_]{1,80}\.html"
    r"(?:#[a-z0-9_-]{1,120})?)\Z"
)
_ADVISORIES = (
    # "About GHSA IDs" in https://docs.github.com/en/code-security/security-advisories gives the shape.
    (re.compile(r"GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}"), "https://github.com/advisories/"),
    # https://www.cve.org/ResourcesSupport/FAQs; the CVE Program's own record.
    (re.compile(r"CVE-\d{4}-\d{4,19}", re.A), "https://www.cve.org/CVERecord?id="),
    # https://google.github.io/osv.dev/data/: OSV shows the records of every database that it imports, by their ids.
    (re.compile(r"(?:PYSEC|OSV|MAL|DSA|DLA)(?:-\d{1,19}){1,3}", re.A), "https://osv.dev/vulnerability/"),
)


def link_of(finding: Finding) -> str:
    """The address of the page that explains the finding's rule or advisory; empty where none is known."""
    make = _BY_TOOL.get(finding.tool)
    found = make(finding) if make is not None else ""
    if found or not finding.package:
        return found
    return next((link for name in (finding.rule, *finding.aliases) if (link := advisory_link(name))), "")


def advisory_link(name: str) -> str:
    """The address of an advisory by its id or an alias of it; empty for what no known database has."""
    return next((f"{site}{name}" for shape, site in _ADVISORIES if shape.fullmatch(name)), "")


def cwe_link(number: int) -> str:
    """The address of a weakness by its number in MITRE's Common Weakness Enumeration; empty for no such number."""
    return f"https://cwe.mitre.org/data/definitions/{number}.html" if number > 0 else ""


def _ruff(finding: Finding) -> str:
    """By the rule's name, as ruff's own JSON names the page (its field ``url``)."""
    name = _NAMED.search(finding.message)
    return f"https://docs.astral.sh/ruff/rules/{name['name']}/" if name and finding.rule.isalnum() else ""


def _pylint(finding: Finding) -> str:
    name, rule = _NAMED.search(finding.message), _PYLINT.fullmatch(finding.rule)
    if not (name and rule):
        return ""
    folder = _PYLINT_FOLDERS[rule["letter"]]
    return f"https://pylint.readthedocs.io/en/stable/user_guide/messages/{folder}/{name['name']}.html"


def _bandit(finding: Finding) -> str:
    page = _BANDIT.match(finding.fix)
    return page["page"] if page else ""


_BY_TOOL: Mapping[str, Callable[[Finding], str]] = {"ruff": _ruff, "pylint": _pylint, "bandit": _bandit}
