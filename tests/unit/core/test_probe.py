"""Stories are joined without losing anything."""

from __future__ import annotations

from pipeline.core.gate import check_gate
from pipeline.core.probe import Probe, joined


def test_everything_of_every_story_is_there() -> None:
    gate = check_gate(True, what="x", allowed="0", found="0")
    one = Probe(expected=frozenset("a"), checked=frozenset("a"), gates=(gate,), doubts=("So.",), metrics={"a": 1})
    other = Probe(expected=frozenset("b"), notes=("Well.",), metrics={"b": 2})
    both = joined((one, other))
    assert both.expected == {"a", "b"}
    assert both.checked == {"a"}
    assert (both.gates, both.doubts, both.notes, both.metrics) == ((gate,), ("So.",), ("Well.",), {"a": 1, "b": 2})
    assert joined(()) == Probe()
