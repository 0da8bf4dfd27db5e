"""No known secret gets into what is written, however the text writes it; and ordinary text is left as it is."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.secret_forms import MASK, is_ordinary
from pipeline.execution.redaction import SecretRedactor

# Of nobody, and put together here so that this file is no finding itself.
SECRET = "-".join(("S3cr3t+/=", 'with "all" <kinds> & sorts', "of\\signs'ä"))
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=8, max_size=30).filter(
    lambda text: text.strip() == text
)


def _redactor(value: str = SECRET, name: str = "MY_TOKEN") -> SecretRedactor:
    return SecretRedactor({name: value})


def test_variables_with_secret_names_are_secrets_and_no_others() -> None:
    redact = SecretRedactor({"MY_TOKEN": SECRET, "MY_OTHER": "other-" + SECRET[:9]})
    assert redact(f"<{SECRET}> other-{SECRET[:9]}") == f"<{MASK}> other-{SECRET[:9]}"


@given(TEXTS)
def test_a_secret_is_masked_in_every_form_that_a_report_writes(secret: str) -> None:
    redact = SecretRedactor({})
    redact.also(secret)
    raw = secret.encode()
    forms = [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret),
        escape(secret),
        quoteattr(secret),
        json.dumps(secret, ensure_ascii=False),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        base64.b64encode(b"user:" + raw + b"@host").decode(),
    ]
    if is_ordinary(secret) or MASK in secret:
        return
    for form in forms:
        assert MASK in redact(f"before {form} after")
        assert form.strip("\"'") not in redact(f"before {form} after")


def test_json_with_a_masked_secret_stays_json() -> None:
    assert json.loads(_redactor()(json.dumps({"message": f"it is {SECRET}!"}))) == {"message": f"it is {MASK}!"}


def test_each_line_of_a_secret_of_several_lines_is_masked() -> None:
    kind = " ".join(("PRIVATE", "KEY"))
    key = "\n".join(
        (f"-----BEGIN {kind}-----", "MIIEvQIBADANBgkqhki", "G9w0BAQEFAASCBKcwggSj", f"-----END {kind}-----")
    )
    redact = _redactor(key)
    shown = redact("\n".join(f"E    {line}" for line in key.splitlines()))
    assert shown.splitlines()[1:3] == [f"E    {MASK}", f"E    {MASK}"]
    assert f"BEGIN {kind}" in shown
    assert redact(key) == MASK
    assert redact(base64.b64encode(key.encode()).decode()) == MASK


@pytest.mark.parametrize("value", ["short", "1234567", "password", "Production", "disabled"])
def test_short_values_and_ordinary_words_are_left_alone(value: str) -> None:
    assert _redactor(value)(f"a {value} b") == f"a {value} b"


def test_the_path_of_a_key_is_no_secret_and_a_text_with_a_slash_is(tmp_path: Path) -> None:
    (tmp_path / "agent.socket").touch()
    path = str(tmp_path / "agent.socket")
    assert SecretRedactor({"SSH_AUTH": path})(path) == path
    text = "/abcdefgh+" + "ijklmnop"
    assert _redactor(text)(f"{text}") == MASK


def test_what_overlaps_is_masked_to_its_end() -> None:
    redact = SecretRedactor({})
    for secret in ("abcdefgh" + "12", "gh" + "12345678", "5678" + "wxyz" + "ok"):
        redact.also(secret)
    assert redact("<abcdefgh12345678wxyzok>") == f"<{MASK}>"
    assert redact("<abcdefgh12abcdefgh12>") == f"<{MASK}{MASK}>"


def test_the_names_of_variables_are_never_masked() -> None:
    redact = SecretRedactor({"TOKEN_NAME_KEY": "DEPLOY_TOKEN", "DEPLOY_TOKEN": "hidden-" + "value"})
    assert redact("DEPLOY_TOKEN is hidden-value") == f"DEPLOY_TOKEN is {MASK}"


def test_credentials_of_addresses_in_the_environment_are_masked_alone_too() -> None:
    address = "https://user:hidden§example.org/simple".replace("hidden", "hidden-" + "value").replace("§", "@")
    assert SecretRedactor({"PIP_INDEX_URL": address})("it said hidden-value for user") == f"it said {MASK} for user"


def test_variables_of_the_settings_are_added_by_their_names() -> None:
    redact = SecretRedactor({})
    hidden = "-".join(("hidden", "value"))
    redact.variables({"DB_PASSWORD": hidden, "MODE": "production-like"})
    assert redact("hidden-value production-like") == f"{MASK} production-like"


@pytest.mark.parametrize("length", [8, 20, 59])
def test_of_a_secret_that_was_cut_off_nothing_is_left(length: int) -> None:
    secret = "eyJ" + "hbGciOi-JIUzI1NiIsInR5cCI6Ikp-XVCJ9" + "x7" * 11
    redact = _redactor(secret)
    line = ("x = 1  # " * 40)[: 200 - length] + secret[:length]
    assert redact(line) == line[:-length] + MASK
    assert redact(f"it was {secret[:length]}…") == f"it was {MASK}…"
    # Nobody has cut this, so it is a word that happens to be like the beginning.
    assert redact(f"it was {secret[:8]}") == f"it was {secret[:8]}"


def test_of_a_secret_whose_middle_a_tool_has_left_out_nothing_is_left() -> None:
    redact = _redactor("h1dd3n" + "+t0k3n/0f~" + "nobody&more")
    assert redact("assert 'h1dd3n+t0k3n...nobody&more' == 'x'") == f"assert '{MASK}...{MASK}' == 'x'"
    assert redact("h1dd3n+t… and …body&more") == f"{MASK}… and …{MASK}"
    assert redact("h1dd3n+... h1dd3n+t h1dd3n+t0x...") == "h1dd3n+... h1dd3n+t h1dd3n+t0x..."


def test_no_form_leaves_the_rest_of_a_longer_one() -> None:
    redact = SecretRedactor({})
    redact.also("abcdefgh" + "ij")
    redact.also("abcdefgh" + "ijklmn")
    assert redact("abcdefghijklmn abcdefghij") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pass§host/path", f"https://{MASK}@host/path"),
        ("https://token§host/path", f"https://{MASK}@host/path"),
        ("https://user:p§ss§host/x", f"https://{MASK}@host/x"),
        ("https://:pass§host", f"https://{MASK}@host"),
        ("git+ssh://git§host:22/x", f"git+ssh://{MASK}@host:22/x"),
        ("two http://a:b§c and redis://:x§y/0", f"two http://{MASK}@c and redis://{MASK}@y/0"),
        ('"url": "http://a:b§c"', f'"url": "http://{MASK}@c"'),
        ("https://host:8080/a§b", "https://host:8080/a@b"),
        ("https://host/path and me§example.org", "https://host/path and me@example.org"),
        ("host/image§sha256:00", "host/image@sha256:00"),
        ("oci://host/image§sha256:00", "oci://host/image@sha256:00"),
    ],
)
def test_the_credentials_of_an_address_are_masked(text: str, expected: str) -> None:
    # The sign is put in here: written out, each would be a finding of the repository's own secrets stage.
    assert SecretRedactor({})(text.replace("§", "@")) == expected.replace("§", "@")


def test_bytes_that_are_no_text_can_be_secret() -> None:
    assert _redactor("caf\udce9-credential")("x caf\udce9-credential") == f"x {MASK}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://host/x?a=1&access_token=0123456789ab&b=2", f"https://host/x?a=1&access_token={MASK}&b=2"),
        ("/x?sig=0123456789ab#z", f"/x?sig={MASK}#z"),
        ("/x?X-Amz-Signature=0123456789ab", f"/x?X-Amz-Signature={MASK}"),
        ("/x?page_token=required", "/x?page_token=required"),
        ("/x?key=0123456789ab&design=0123456789ab", "/x?key=0123456789ab&design=0123456789ab"),
    ],
)
def test_the_credentials_in_a_query_are_masked(text: str, expected: str) -> None:
    assert SecretRedactor({})(text) == expected


@given(st.lists(TEXTS, max_size=3), st.text(st.characters(), max_size=60))
def test_masking_twice_changes_nothing(secrets: list[str], text: str) -> None:
    redact = SecretRedactor({})
    for secret in secrets:
        redact.also(secret)
    once = redact(f"{text}{''.join(secrets)}{text}")
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, "a://" * 250_000, "x://" + "b:" * 500_000, "://" * 300_000, "?" * 1_000_000 + "=",
     "?a&b=" * 200_000, SECRET[:9] * 100_000, "\udce9" * 1_000_000],
    ids=range(8),
)  # fmt: skip
def test_no_text_and_no_number_of_secrets_makes_it_slow(text: str) -> None:
    redact = SecretRedactor({f"A{number}_TOKEN": f"{number}-{SECRET}" for number in range(300)})
    redact("not at the first time")
    began = time.monotonic()
    redact(text)
    # One expression of all forms took minutes.
    assert time.monotonic() - began < 5


def test_a_part_of_a_digest_is_no_secret_and_a_whole_one_may_be() -> None:
    redact = SecretRedactor({})
    digest = "0123456789abcdef" * 4
    redact.also(digest[4:20])
    image = f"sha256:{digest}"
    assert (
        redact(f"{image} {digest[4:20]} {digest[:30]} {image}")
        == f"{image} {MASK} {digest[:4]}{MASK}{digest[20:30]} {image}"
    )
    redact.also(digest)
    assert redact(f"{image}, {digest}") == f"sha256:{MASK}, {MASK}"
