"""Which requests must be answered when a service is told to stop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.stop_under_load import account
from pipeline.core.wire import Sent
from tests.told_stories import sent

RESET = {"status": 0, "error": "ConnectionResetError"}


def test_a_request_that_was_whole_before_the_signal_and_was_reset_is_lost() -> None:
    lost = sent(1, **RESET)
    found = account([sent(0), lost, sent(2)], 2.0, "/readyz")
    assert (found.before, found.in_flight, found.lost) == (3, 3, (lost,))


def test_one_that_was_sent_later_may_be_refused() -> None:
    later = [sent(0, whole_s=2.1, **RESET), sent(1, whole_s=2.1)]
    found = account(later, 2.0, "/readyz")
    assert (found.before, found.lost, found.served_later, found.refused_later) == (0, (), 1, 1)


def test_one_that_was_never_whole_counts_nowhere() -> None:
    found = account([sent(0, whole_s=0.0, **RESET)], 2.0, "/readyz")
    assert (found.before, found.lost, found.served_later, found.refused_later) == (0, (), 0, 0)


def test_a_server_s_error_is_a_loss_but_for_the_readiness_that_is_over() -> None:
    answers = [sent(0, status=503), sent(1, status=503, request="GET /readyz?x=1"), sent(2, status=404)]
    assert [one.request for one in account(answers, 2.0, "/readyz").lost] == ["GET /0"]


def test_what_was_answered_before_the_signal_was_not_in_flight() -> None:
    assert account([sent(0, ended_s=1.5)], 2.0, "/readyz").in_flight == 0


TIMES = st.floats(0, 4, allow_nan=False)


@given(
    st.lists(st.builds(sent, st.integers(0, 9), whole_s=TIMES, ended_s=TIMES, status=st.sampled_from([0, 200, 500])))
)
def test_every_request_that_was_whole_is_accounted_for_once(requests: list[Sent]) -> None:
    found = account(requests, 2.0, "/readyz")
    assert found.before + found.served_later + found.refused_later == sum(one.whole_s > 0 for one in requests)
    assert found.in_flight <= found.before
    assert len(found.lost) <= found.before
