"""Whatever text a client sends comes back unchanged, or is refused by the stated rule."""

import re
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.tests.target import Target

pytestmark = pytest.mark.acceptance

# Surrogates can't be encoded, so no client can send one.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400)


@given(text=TEXT)
@example(text="\0")
@example(text="\r\nX-Injected: 1")
@example(text="\u2028\u202e\ufeff")
@example(text=".")
@example(text="..")
@example(text="%2F")
@example(text="a/b")
@example(text="x" * 1024)
@example(text="x" * 1025)
def test_an_item_comes_back_or_is_refused_by_rule(target: Target, text: str) -> None:
    """A slash gives 404, more than 1024 bytes give 414, anything else returns as it was."""
    answer = target.post(f"/echo/{quote(text, safe='')}")
    if "/" in text:
        assert answer.status == 404
    elif len(text.encode()) > 1024:
        assert answer.status == 414
    else:
        assert answer.status == 200
        assert answer.json()["namespace_params"]["content_received"] == text
    assert "x-injected" not in answer.headers


@given(text=TEXT)
@example(text="\0")
@example(text="a/b&lang=c#d")
@example(text="x" * 65)
def test_a_language_comes_back_or_is_refused_by_rule(target: Target, text: str) -> None:
    """More than 64 bytes give 414, anything else returns as it was."""
    answer = target.post(f"/echo?lang={quote(text, safe='')}")
    if len(text.encode()) > 64:
        assert answer.status == 414
    else:
        assert answer.status == 200
        assert answer.json()["namespace_params"]["language"] == text


# Control characters never get past the server, whose own answer to them is not the application's.
@given(offered=st.text(st.characters(max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=80))
def test_the_request_id_is_always_well_formed(target: Target, offered: str) -> None:
    """Whatever was offered."""
    made = target.request("GET", "/healthz", headers={"X-Request-ID": offered}).headers
    name = made["x-request-id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name)
