"""A rule of ruff that is bandit's has bandit's weakness; a rule of style has none."""

from __future__ import annotations

import pytest

from pipeline.core.weaknesses import BANDIT, weakness_of_ruff


@pytest.mark.parametrize(
    ("rule", "cwe"),
    [("S105", (259,)), ("S602", (78,)), ("S301", (502,)), ("F401", ()), ("S999", ()), ("SIM105", ()), ("S1051", ())],
)
def test_a_rule_has_the_weakness_of_bandits_test_of_that_number(rule: str, cwe: tuple[int, ...]) -> None:
    assert weakness_of_ruff(rule) == cwe


def test_each_test_has_one_weakness() -> None:
    tests = [test for numbers in BANDIT.values() for test in numbers]
    assert len(tests) == len(set(tests))
