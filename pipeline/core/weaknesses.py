"""The weakness (CWE) behind a rule whose tool does not name one.

bandit names a weakness with each finding, the secret scanner's are all hard-coded credentials (CWE-798), advisories
name theirs. ruff names none: its rules ``S…`` are bandit's tests with another letter ("flake8-bandit (S)" in
https://docs.astral.sh/ruff/rules/), and here they have the weakness that bandit 1.9.4 gives to the test of that number
(``issue.Cwe`` in bandit/plugins, ``gen_blacklist`` in bandit/blacklists). Style and errors, ruff's and pylint's, are no
weaknesses in MITRE's list and have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BANDIT: Mapping[int, tuple[int, ...]] = {
    20: (313, 314, 315, 316, 317, 318, 319, 405, 406, 407, 408, 409, 411, 506),
    22: (202, 310),
    78: (102, 307, 404, 601, 602, 603, 604, 605, 606, 607),
    79: (308, 704),
    80: (702, 703),
    89: (608, 610, 611),
    94: (201, 612, 701),
    155: (609,),
    259: (105, 106, 107),
    284: (412,),
    295: (323, 501, 507),
    319: (312, 321, 401, 402, 415, 508, 509),
    326: (505,),
    327: (303, 304, 305, 324, 413, 502, 503, 504),
    330: (311,),
    377: (108, 306),
    400: (113,),
    494: (615,),
    502: (301, 302, 403, 614),
    605: (104,),
    703: (101, 110, 112),
    732: (103,),
    838: (613,),
}
"""For each weakness the numbers of bandit's tests for it."""
_OF_TEST = {test: cwe for cwe, tests in BANDIT.items() for test in tests}
_RUFF_S = re.compile(r"S(?P<test>\d{3})", re.ASCII)


def weakness_of_ruff(rule: str) -> tuple[int, ...]:
    """The weakness behind one of ruff's rules; none for a rule that is no finding of security."""
    found = _RUFF_S.fullmatch(rule)
    cwe = _OF_TEST.get(int(found["test"])) if found else None
    return (cwe,) if cwe is not None else ()
